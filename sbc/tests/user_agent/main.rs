//! The user agent against peers that speak raw SIP text, in virtual time. One behaviour a file.

mod call_from_trunk;
mod call_to_trunk;
mod calls_from_phones;
mod cancel_by_us;
mod cancel_from_peer;
mod chaos;
mod client_transactions;
mod confirmation;
mod delayed_offer;
mod early_media;
mod forking;
mod info;
mod large_requests;
mod limits;
mod methods_in_dialogs;
mod profile;
mod refer;
mod registration;
mod reinvite;
mod requests_outside_dialogs;
mod routes;
mod server_transactions;
mod sources;
mod srtp;
mod streams;
mod support;
