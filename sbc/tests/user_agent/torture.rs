//! The 49 messages of RFC 4475 sent to a node: what comes back, and whether its owner is troubled.
//!
//! What a parser makes of each is in `torture_rfc4475.rs`; here each is answered as the RFC wants it of a server that
//! does calls, is no proxy and knows nobody by these names. The RFC's messages speak of hosts that are not ours; who
//! sends them is listed, so that nothing but the message decides.

use tandem_sbc::user_agent::{Transport, Usage};

use crate::support::{CARRIER, PHONE, Sent, World};

use Outcome::{Answered, Call, Dropped};

/// What becomes of a message.
enum Outcome {
    /// A final response, with headers that it must have.
    Answered(u16, &'static [(&'static str, &'static str)]),
    /// 100, and the owner decides.
    Call,
    /// Nothing comes back.
    Dropped,
}

macro_rules! table {
    ($($section:literal $name:literal from $peer:ident: $outcome:expr, $why:literal;)*) => {
        const TABLE: &[(&str, &str, &str, &[u8], Outcome, &str)] = &[
            $(($section, $name, $peer, include_bytes!(concat!("../torture/rfc4475/", $name, ".sip")), $outcome, $why),)*
        ];
    };
}

const NO_SUCH_METHOD: &[(&str, &str)] =
    &[("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REFER, SUBSCRIBE, NOTIFY, PRACK, UPDATE")];

table! {
    "3.1.1.1"  "wsinv"      from CARRIER: Answered(481, &[]), "its To has a tag, of no dialog of ours";
    "3.1.1.2"  "intmeth"    from CARRIER: Answered(501, NO_SUCH_METHOD), "a method that nobody knows";
    "3.1.1.3"  "esc01"      from CARRIER: Call, "an escaped user part is a user part";
    "3.1.1.4"  "escnull"    from PHONE:   Answered(401, &[]), "escaped nulls are no ends of strings";
    "3.1.1.5"  "esc02"      from CARRIER: Answered(501, NO_SUCH_METHOD), "in a method nothing is unescaped";
    "3.1.1.6"  "lwsdisp"    from CARRIER: Answered(200, &[]), "no space between name and bracket";
    "3.1.1.7"  "longreq"    from CARRIER: Call, "long is not wrong";
    "3.1.1.8"  "dblreq"     from PHONE:   Answered(401, &[]), "what follows in the datagram is ignored";
    "3.1.1.9"  "semiuri"    from CARRIER: Answered(200, &[]), "a semicolon in the user part";
    "3.1.1.10" "transports" from CARRIER: Answered(200, &[]), "transports that nobody knows, further down";
    "3.1.1.11" "mpart01"    from CARRIER: Answered(405, NO_SUCH_METHOD), "signed text, of a method that is not ours";
    "3.1.1.12" "unreason"   from CARRIER: Dropped, "a response to nothing";
    "3.1.1.13" "noreason"   from CARRIER: Dropped, "a response to nothing";
    "3.1.2.1"  "badinv01"   from CARRIER: Answered(400, &[]), "separators in Via";
    "3.1.2.2"  "clerr"      from CARRIER: Answered(400, &[]), "its body ends too soon";
    "3.1.2.3"  "ncl"        from CARRIER: Answered(400, &[]), "a negative length";
    "3.1.2.4"  "scalar02"   from PHONE:   Answered(400, &[]), "numbers that are too large";
    "3.1.2.5"  "scalarlg"   from CARRIER: Dropped, "a response with such numbers";
    "3.1.2.6"  "quotbal"    from CARRIER: Answered(400, &[]), "a quote that is not closed";
    "3.1.2.7"  "ltgtruri"   from CARRIER: Answered(400, &[]), "brackets around the Request-URI";
    "3.1.2.8"  "lwsruri"    from CARRIER: Answered(400, &[]), "space within it";
    "3.1.2.9"  "lwsstart"   from CARRIER: Answered(400, &[]), "two spaces in the start line";
    "3.1.2.10" "trws"       from CARRIER: Answered(400, &[]), "space at its end";
    "3.1.2.11" "escruri"    from CARRIER: Answered(400, &[]), "headers in the Request-URI";
    "3.1.2.12" "baddate"    from CARRIER: Call, "its Date, which nobody here reads, is not in GMT";
    "3.1.2.13" "regbadct"   from PHONE:   Answered(400, &[]), "a Contact that could be read in two ways";
    "3.1.2.14" "badaspec"   from CARRIER: Answered(200, &[]), "spaces in the address, which do no harm";
    "3.1.2.15" "baddn"      from CARRIER: Answered(400, &[]), "a display name that needs quotes";
    "3.1.2.16" "badvers"    from CARRIER: Answered(505, &[]), "SIP/7.0";
    "3.1.2.17" "mismatch01" from CARRIER: Answered(400, &[]), "an OPTIONS whose CSeq says INVITE";
    "3.1.2.18" "mismatch02" from CARRIER: Answered(400, &[]), "the same with a method that nobody knows";
    "3.1.2.19" "bigcode"    from CARRIER: Dropped, "a response with a status that does not exist";
    "3.2.1"    "badbranch"  from CARRIER: Answered(200, &[]), "a branch that tells nothing apart";
    "3.3.1"    "insuf"      from CARRIER: Answered(400, &[]), "no From, To and Call-ID, but a way back";
    "3.3.2"    "unkscm"     from CARRIER: Answered(416, &[]), "an unknown scheme in the Request-URI";
    "3.3.3"    "novelsc"    from CARRIER: Answered(416, &[]), "a known scheme that is not SIP's";
    "3.3.4"    "unksm2"     from PHONE:   Answered(401, &[]), "odd schemes in To, From and Contact";
    "3.3.5"    "bext01"     from CARRIER: Answered(420, &[("Unsupported", "nothingSupportsThis, nothingSupportsThisEither")]), "extensions that nobody knows";
    "3.3.6"    "invut"      from CARRIER: Answered(415, &[("Accept", "application/sdp")]), "a body of an unknown type";
    "3.3.7"    "regaut01"   from PHONE:   Answered(401, &[]), "credentials of an unknown scheme";
    "3.3.8"    "multi01"    from CARRIER: Answered(400, &[]), "headers twice that may be there once";
    "3.3.9"    "mcl01"      from CARRIER: Answered(400, &[]), "two lengths";
    "3.3.10"   "bcast"      from CARRIER: Dropped, "a response that is to be sent to everybody";
    "3.3.11"   "zeromf"     from CARRIER: Answered(200, &[]), "no hop is left, and none is needed";
    "3.3.12"   "cparam01"   from PHONE:   Answered(401, &[]), "a Contact with an unknown parameter";
    "3.3.13"   "cparam02"   from PHONE:   Answered(401, &[]), "a Contact whose URI has one";
    "3.3.14"   "regescrt"   from PHONE:   Answered(401, &[]), "a Contact with an escaped Route";
    "3.3.15"   "sdp01"      from CARRIER: Answered(406, &[]), "an offer whose answer it does not accept";
    "3.4.1"    "inv2543"    from CARRIER: Call, "a caller of RFC 2543's days";
}

/// A response's status; 0 of a request.
fn status(sent: &Sent) -> u16 {
    sent.text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or_default()
}

#[test]
fn every_message_gets_the_response_of_the_rfc() {
    assert_eq!(TABLE.len(), 49);
    let mut complaints = Vec::new();
    for (section, name, peer, bytes, outcome, why) in TABLE {
        let mut world = World::new();
        world.receive_bytes(Transport::Udp, None, peer, bytes);
        let sent = world.messages();
        let (events, statuses) = (world.event_names(), sent.iter().map(status).collect::<Vec<_>>());
        let (wanted, headers, troubled): (&[u16], &[_], &[&str]) = match outcome {
            Answered(status, headers) => (std::slice::from_ref(status), headers, &[]),
            Call => (&[100], &[], &["Incoming"]),
            Dropped => (&[], &[], &[]),
        };
        let has = |(header, value): &(&str, &str)| sent.iter().all(|sent| sent.headers(header) == [*value]);
        if statuses != wanted || events != troubled || !headers.iter().all(has) {
            complaints.push(format!("§{section} {name} ({why}): {statuses:?} {events:?}"));
        }
        if events.is_empty() {
            // Whatever is kept, to answer a copy, is let go.
            world.rest();
            assert_eq!(world.agent.usage(), Usage::default(), "§{section} {name}");
        }
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// RFC 3261 §17.2: whoever asks again gets the same answer, and nobody is troubled again.
#[test]
fn a_copy_of_each_gets_the_same_response() {
    for (section, name, peer, bytes, ..) in TABLE {
        let mut world = World::new();
        let mut ask = || {
            world.receive_bytes(Transport::Udp, None, peer, bytes);
            (world.messages().iter().map(status).collect::<Vec<_>>(), world.event_names().len())
        };
        let (first, _) = ask();
        let (again, troubled) = ask();
        assert_eq!((&again, troubled), (&first, 0), "§{section} {name}");
    }
}
