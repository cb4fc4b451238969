//! What happened so far, as numbers for an operator.

use crate::message::Method;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// How often things happened since the start. They only grow.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Each with its name.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Packets from addresses that are no trunk's and no phone's; nothing else was done with them.
    packets_refused_by_source,
    /// Packets of line ends only (RFC 5626 §4.4.1).
    keep_alives,
    /// Packets that are no well-formed message.
    parse_errors,
    /// Requests that came, by method; retransmissions included.
    requests_invite,
    /// ACK.
    requests_ack,
    /// BYE.
    requests_bye,
    /// CANCEL.
    requests_cancel,
    /// REGISTER.
    requests_register,
    /// OPTIONS.
    requests_options,
    /// INFO.
    requests_info,
    /// All others.
    requests_other,
    /// Responses that came, by class; retransmissions included.
    responses_1xx,
    /// 200 to 299.
    responses_2xx,
    /// 300 to 399.
    responses_3xx,
    /// 400 to 499.
    responses_4xx,
    /// 500 to 599.
    responses_5xx,
    /// 600 to 699.
    responses_6xx,
    /// Responses we made, by class; retransmissions left out.
    answers_1xx,
    /// 200 to 299.
    answers_2xx,
    /// 300 to 399.
    answers_3xx,
    /// 400 to 499.
    answers_4xx,
    /// 500 to 599.
    answers_5xx,
    /// 600 to 699.
    answers_6xx,
    /// Messages we sent again.
    retransmissions_sent,
    /// Messages that came again.
    retransmissions_received,
    /// ACKs that belong to nothing.
    stray_acks,
    /// Responses that belong to nothing.
    stray_responses,
    /// Answers to calls that we had given up; they are hung up on.
    late_answers,
    /// Messages that a trunk's rules changed, both ways.
    messages_rewritten,
    /// Rules passed over, since they would have made a message that cannot be read.
    rules_passed_over,
    /// Transactions that ended for want of an answer.
    timeouts,
    /// Transactions whose message could not be sent.
    transport_errors,
    /// Challenges sent to requests without credentials.
    challenges,
    /// Requests with credentials that were wrong.
    authentication_failures,
    /// Calls to a trunk that went on to another destination.
    failovers,
    /// 3xx that were followed.
    redirects_followed,
    /// 3xx of trunks whose redirections are followed that led nowhere they may.
    redirects_refused,
    /// Questions asked of DNS.
    dns_lookups,
    /// Those that had no answer.
    dns_failures,
    /// Those of them for which an older answer stood in.
    dns_stale_answers,
    /// Addresses that DNS led to and that are no source of their trunk; calls do not go there.
    dns_addresses_unlisted,
    /// Challenges of peers that we answered.
    challenges_answered,
    /// Challenges of peers that we could not answer: no credentials for the realm, or they were refused.
    challenges_refused,
    /// Calls refused since a limit was reached, or since messages waited too long.
    calls_over_limit,
    /// Those of them that were refused since messages waited too long.
    calls_shed_by_overload,
    /// Emergency calls that came.
    emergency_calls,
    /// Requests refused since there were too many transactions.
    requests_over_limit,
    /// Sessions refreshed, by us or by the peer (RFC 4028).
    sessions_refreshed,
    /// Sessions ended since nobody refreshed them.
    sessions_expired,
    /// Sessions ended since their peer was not there any more when it was asked.
    peers_gone,
    /// Requests refused since they wanted sessions refreshed more often than we allow (422).
    session_intervals_refused,
    /// REGISTERs that succeeded.
    registrations,
    /// REGISTERs of ours that went out to carriers.
    registers_sent,
    /// Attempts to register with a carrier that failed.
    registers_failed,
    /// Keep-alives that we sent: to registrars (RFC 5626 §4.4), and to phones behind NAT.
    keep_alives_sent,
    /// Connections of ours to registrars that were gone or did not answer.
    flows_lost,
}

impl Counters {
    pub(super) fn count_request(&mut self, method: Method<'_>) {
        let counter = match method {
            Method::Invite => &mut self.requests_invite,
            Method::Ack => &mut self.requests_ack,
            Method::Bye => &mut self.requests_bye,
            Method::Cancel => &mut self.requests_cancel,
            Method::Register => &mut self.requests_register,
            Method::Options => &mut self.requests_options,
            Method::Info => &mut self.requests_info,
            _ => &mut self.requests_other,
        };
        *counter += 1;
    }

    pub(super) fn count_response(&mut self, status: u16) {
        let counter = match status {
            ..200 => &mut self.responses_1xx,
            200..300 => &mut self.responses_2xx,
            300..400 => &mut self.responses_3xx,
            400..500 => &mut self.responses_4xx,
            500..600 => &mut self.responses_5xx,
            600.. => &mut self.responses_6xx,
        };
        *counter += 1;
    }

    pub(super) fn count_answer(&mut self, status: u16) {
        let counter = match status {
            ..200 => &mut self.answers_1xx,
            200..300 => &mut self.answers_2xx,
            300..400 => &mut self.answers_3xx,
            400..500 => &mut self.answers_4xx,
            500..600 => &mut self.answers_5xx,
            600.. => &mut self.answers_6xx,
        };
        *counter += 1;
    }
}
