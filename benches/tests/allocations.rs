//! How often the message layer asks the allocator, counted.

use tandem_benches::counting::{Counting, allocations};
use tandem_sbc::framing::StreamFramer;
use tandem_sbc::message::{Builder, HeaderIndex, HeaderName, Message, OwnedMessage, Reply};

const INVITE: &[u8] = include_bytes!("../messages/invite.sip");

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn reading_an_invite_allocates_nothing() {
    let mut index = HeaderIndex::new();
    let (count, message) = allocations(|| {
        let message = Message::parse(INVITE, &mut index).expect("well-formed");
        message.validate().expect("valid");
        assert_eq!(message.headers().count(), 13);
        assert_eq!(message.contacts().count(), 1);
        assert!(message.lists(HeaderName::Supported, "timer"));
        assert!(message.parameterised(HeaderName::SessionExpires).is_ok());
        message
    });
    assert_eq!(count, 0);
    assert_eq!(message.bytes(), INVITE);
}

#[test]
fn keeping_an_invite_takes_two_allocations() {
    let (count, _) = allocations(|| OwnedMessage::parse(INVITE).expect("well-formed"));
    assert_eq!(count, 2);
}

#[test]
fn answering_an_invite_takes_one_allocation() {
    let mut index = HeaderIndex::new();
    let message = Message::parse(INVITE, &mut index).expect("well-formed");
    let reply = Reply {
        status: 180,
        reason: None,
        to_tag: Some("a6c85cf"),
        source: Some(([198, 51, 100, 7], 5062).into()),
    };
    let (count, answer) = allocations(|| {
        Builder::response(&message, &reply)
            .header(HeaderName::Contact, "<sip:192.0.2.10:5060>")
            .header(HeaderName::Server, "Tandem")
            .finish()
    });
    assert_eq!(count, 1);
    assert!(answer.starts_with(b"SIP/2.0 180 Ringing\r\n"));
}

#[test]
fn framing_a_stream_allocates_for_its_buffer_only() {
    let mut framer = StreamFramer::new();
    framer.push(INVITE);
    assert!(framer.next_frame().is_ok_and(|frame| frame.is_some()));
    let (count, ()) = allocations(|| {
        for _ in 0..10 {
            framer.push(INVITE);
            assert!(framer.next_frame().is_ok_and(|frame| frame.is_some()));
        }
    });
    assert_eq!(count, 0);
}
