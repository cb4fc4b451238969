//! The calls machine, driven without SIP or RTP.

mod analysis;
mod answering;
mod bench;
mod bridging;
mod conferences;
mod deflect;
mod dialling;
mod direct;
mod ending;
mod hand_back;
mod limits;
mod parcel;
mod pick_up;
mod progress;
mod property;
mod recording;
mod relaying;
mod replace;
mod speech;
mod table;
mod transfers;
mod words;
