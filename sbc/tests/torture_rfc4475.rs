//! The 49 messages of RFC 4475 with the verdict it asks of a parser.
//!
//! Application-layer messages (§3.3) are well-formed or not like any other; the fact that an application must act on
//! is asserted to be readable.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tandem_sbc::header::{Contact, NameAddr, ViaTransport, parts};
use tandem_sbc::message::{ErrorKind, HeaderIndex, HeaderName, Message, Method};
use tandem_sbc::sdp::SessionDescription;
use tandem_sbc::uri::{Host, SipUri, Uri};

use Answer::{Dropped, Sent};
use ErrorKind::{
    BodyTooShort, CSeqMethod, Missing, Number, Repeated, StartLine, StatusCode, Unbalanced, Value, Version,
};
use HeaderName as N;
use Verdict::{Refused, WellFormed};

enum Verdict {
    /// It parses, validates and prints as it came, and these facts hold.
    WellFormed(fn(&Message<'_>)),
    /// It is refused with this status, for this reason, in this header, where these bytes stand.
    Refused(u16, ErrorKind, Option<HeaderName>, &'static str, Answer),
}

#[derive(Debug, PartialEq)]
enum Answer {
    /// Enough could be read to answer.
    Sent,
    /// It is a response, or nobody to answer to.
    Dropped,
}

macro_rules! table {
    ($($section:literal $name:literal => $verdict:expr;)*) => {
        const TABLE: &[(&str, &str, &[u8], Verdict)] = &[
            $(($section, $name, include_bytes!(concat!("torture/rfc4475/", $name, ".sip")), $verdict),)*
        ];
    };
}

table! {
    // Valid messages
    "3.1.1.1"  "wsinv"      => WellFormed(wsinv);
    "3.1.1.2"  "intmeth"    => WellFormed(intmeth);
    "3.1.1.3"  "esc01"      => WellFormed(esc01);
    "3.1.1.4"  "escnull"    => WellFormed(escnull);
    "3.1.1.5"  "esc02"      => WellFormed(esc02);
    "3.1.1.6"  "lwsdisp"    => WellFormed(lwsdisp);
    "3.1.1.7"  "longreq"    => WellFormed(longreq);
    "3.1.1.8"  "dblreq"     => WellFormed(dblreq);
    "3.1.1.9"  "semiuri"    => WellFormed(semiuri);
    "3.1.1.10" "transports" => WellFormed(transports);
    "3.1.1.11" "mpart01"    => WellFormed(mpart01);
    "3.1.1.12" "unreason"   => WellFormed(unreason);
    "3.1.1.13" "noreason"   => WellFormed(noreason);
    // Invalid messages
    "3.1.2.1"  "badinv01"   => Refused(400, Value, Some(N::Via), ";,;,,", Sent);
    "3.1.2.2"  "clerr"      => Refused(400, BodyTooShort, Some(N::ContentLength), "", Sent);
    "3.1.2.3"  "ncl"        => Refused(400, Number, Some(N::ContentLength), "-999", Sent);
    "3.1.2.4"  "scalar02"   => Refused(400, Number, Some(N::CSeq), "36893488147419103232", Sent);
    "3.1.2.5"  "scalarlg"   => Refused(400, Number, Some(N::CSeq), "9292394834772304023312", Dropped);
    "3.1.2.6"  "quotbal"    => Refused(400, Unbalanced, Some(N::To), "\"Mr. J. User <", Sent);
    "3.1.2.7"  "ltgtruri"   => Refused(400, ErrorKind::Uri, None, "<sip:user@example.com> SIP/2.0", Sent);
    "3.1.2.8"  "lwsruri"    => Refused(400, StartLine, None, "sip:user@example.com; lr", Sent);
    "3.1.2.9"  "lwsstart"   => Refused(400, StartLine, None, " sip:user@example.com ", Sent);
    "3.1.2.10" "trws"       => Refused(400, StartLine, None, "\r\nVia", Sent);
    "3.1.2.11" "escruri"    => Refused(400, ErrorKind::Uri, None, "?Route", Sent);
    // Acceptable to reject; an element that does not use the Date may ignore it.
    "3.1.2.12" "baddate"    => WellFormed(baddate);
    "3.1.2.13" "regbadct"   => Refused(400, ErrorKind::Uri, Some(N::Contact), "?Route", Sent);
    // Elements attempting to be liberal may ignore the spaces.
    "3.1.2.14" "badaspec"   => WellFormed(badaspec);
    "3.1.2.15" "baddn"      => Refused(400, Value, Some(N::From), ", Alexander", Sent);
    "3.1.2.16" "badvers"    => Refused(505, Version, None, "SIP/7.0", Sent);
    "3.1.2.17" "mismatch01" => Refused(400, CSeqMethod, Some(N::CSeq), "8 INVITE", Sent);
    // A 400 is acceptable; the method that calls for a 501 is readable (below).
    "3.1.2.18" "mismatch02" => Refused(400, CSeqMethod, Some(N::CSeq), "8 INVITE", Sent);
    "3.1.2.19" "bigcode"    => Refused(400, StatusCode, None, "4294967301", Dropped);
    // Transaction layer
    "3.2.1"    "badbranch"  => WellFormed(badbranch);
    // Application layer
    "3.3.1"    "insuf"      => Refused(400, Missing, Some(N::From), "v=0", Sent);
    "3.3.2"    "unkscm"     => WellFormed(unkscm);
    "3.3.3"    "novelsc"    => WellFormed(novelsc);
    "3.3.4"    "unksm2"     => WellFormed(unksm2);
    "3.3.5"    "bext01"     => WellFormed(bext01);
    "3.3.6"    "invut"      => WellFormed(invut);
    "3.3.7"    "regaut01"   => WellFormed(regaut01);
    "3.3.8"    "multi01"    => Refused(400, Repeated, Some(N::From), "sip:caller@example.net;tag=2923420123", Sent);
    "3.3.9"    "mcl01"      => Refused(400, Repeated, Some(N::ContentLength), "5\r\n", Sent);
    "3.3.10"   "bcast"      => WellFormed(bcast);
    "3.3.11"   "zeromf"     => WellFormed(zeromf);
    "3.3.12"   "cparam01"   => WellFormed(cparam01);
    "3.3.13"   "cparam02"   => WellFormed(cparam02);
    "3.3.14"   "regescrt"   => WellFormed(regescrt);
    "3.3.15"   "sdp01"      => WellFormed(sdp01);
    "3.4.1"    "inv2543"    => WellFormed(inv2543);
}

#[test]
fn every_message_gets_the_verdict_of_the_rfc() {
    assert_eq!(TABLE.len(), 49);
    for (section, name, bytes, verdict) in TABLE {
        let case = format!("RFC 4475 §{section} {name}");
        let mut index = HeaderIndex::new();
        let outcome = match Message::parse(bytes, &mut index) {
            Err(malformed) => Err((malformed.error, malformed.answerable().is_some())),
            Ok(message) => match message.validate() {
                Ok(()) => Ok(message),
                Err(error) => Err((error, message.is_answerable())),
            },
        };
        match (verdict, outcome) {
            (WellFormed(facts), Ok(message)) => {
                assert!(bytes.starts_with(message.bytes()), "{case}: prints as it came");
                facts(&message);
            }
            (Refused(status, kind, header, near, answer), Err((error, answerable))) => {
                assert_eq!(
                    (error.status(), error.kind, error.header),
                    (*status, *kind, *header),
                    "{case}: {error}"
                );
                let there = &bytes[error.offset..];
                assert!(there.starts_with(near.as_bytes()), "{case}: {error}: {}", there.escape_ascii());
                assert_eq!(*answer, if answerable { Sent } else { Dropped }, "{case}");
            }
            (WellFormed(_), Err((error, _))) => panic!("{case} must be accepted: {error}"),
            (Refused(..), Ok(_)) => panic!("{case} must be refused"),
        }
    }
}

/// RFC 4475 §3.1.2.18: a 501 is the better answer; the method is known before CSeq is looked at.
#[test]
fn an_unknown_method_can_be_answered_501_whatever_its_cseq() {
    let mut index = HeaderIndex::new();
    let message = Message::parse(include_bytes!("torture/rfc4475/mismatch02.sip"), &mut index).unwrap();
    assert_eq!(message.method(), Some(Method::Other("NEWMETHOD")));
}

fn wsinv(m: &Message<'_>) {
    assert_eq!(m.method(), Some(Method::Invite));
    let uri = m.request_uri().unwrap();
    assert!(sip(&uri).params.has("unknownparam"));
    let essentials = m.essentials().unwrap();
    assert_eq!(essentials.to.uri_bytes, b"sip:vivekg@chair-dnrc.example.com");
    assert_eq!(essentials.to.tag(), Some("1918181833n"));
    assert_eq!(essentials.from.display_name().unwrap(), r#"J Rosenberg \""#);
    assert_eq!(essentials.from.tag(), Some("98asjd8"));
    assert_eq!(essentials.max_forwards, Some(68));
    assert_eq!((essentials.cseq.number, essentials.cseq.method), (9, Method::Invite));
    let vias: Vec<_> =
        m.vias().map(|v| v.unwrap()).map(|v| (v.transport, v.host.to_string(), v.branch())).collect();
    assert_eq!(
        vias,
        [
            (ViaTransport::Udp, "192.0.2.2".into(), Some("390skdjuw")),
            (ViaTransport::Tcp, "spindle.example.com".into(), Some("z9hG4bK9ikj8")),
            (ViaTransport::Udp, "192.168.255.111".into(), Some("z9hG4bK30239")),
        ]
    );
    assert_eq!(m.value(N::Subject), Some(&b""[..]));
    let new_fangled = m.extensions("newfangledheader").next().unwrap();
    assert_eq!(&*new_fangled.unfolded(), b"newfangled value continued newfangled value");
    let unusual = m.extensions("UnknownHeaderWithUnusualValue").next().unwrap();
    assert_eq!(unusual.value, b";;,,;;,;");
    let route = m.addresses(N::Route).next().unwrap().unwrap();
    assert!(sip(&route.uri().unwrap()).is_loose_router());
    let contact = only_contact(m);
    assert_eq!(contact.display_name().unwrap(), r#"Quoted string """#);
    assert_eq!(contact.params.token("newparam"), Some("newvalue"));
    assert_eq!(Contact::Address(contact).q_thousandths(), Some(330));
    assert_eq!(m.body().len(), 150);
    assert_eq!(sdp(m).media[0].port, 49217);
}

fn intmeth(m: &Message<'_>) {
    assert_eq!(m.method(), Some(Method::Other("!interesting-Method0123456789_*+`.%indeed'~")));
    let uri = m.request_uri().unwrap();
    assert_eq!(uri.user().unwrap(), "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*");
    assert_eq!(sip(&uri).password, Some(&b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"[..]));
    assert_eq!(sip(&uri).host, Host::Name("example.com"));
    let essentials = m.essentials().unwrap();
    assert_eq!(essentials.via.branch(), Some("z9hG4bK-.!%66*_+`'~"));
    assert_eq!(essentials.to.display_name().unwrap(), "BEL:\u{7} NUL:\0 DEL:\u{7f}");
    assert_eq!(essentials.from.display_name().unwrap(), "token1~` token2'+_ token3*%!.-");
    assert_eq!(essentials.from.tag(), Some("_token~1'+`*%!-."));
    let cyrillic = essentials.from.params.unquoted("fromParam''~+*_!.-%").unwrap();
    assert_eq!(std::str::from_utf8(&cyrillic), Ok("работающий"));
    assert_eq!(essentials.call_id, "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
    assert_eq!(essentials.max_forwards, Some(255));
    let extension = m.extensions("extensionHeader-!.%*+_`'~").next().unwrap();
    assert_eq!(std::str::from_utf8(extension.value), Ok("\u{feff}大停電"));
}

fn esc01(m: &Message<'_>) {
    assert_eq!(m.request_uri().unwrap().user().unwrap(), "sips:user@example.com");
    assert_eq!(m.to().unwrap().uri().unwrap().user().unwrap(), "user");
    assert_eq!(m.from().unwrap().uri().unwrap().user().unwrap(), "I have spaces");
    let contact = only_contact(m).uri().unwrap();
    assert_eq!(contact.user().unwrap(), "caller");
    let names: Vec<_> = sip(&contact).params.iter().map(|param| param.name).collect();
    assert_eq!(names, [&b"%6C%72"[..], b"n%61me"], "parameters stay escaped");
    let unescaped = Uri::parse(b"sip:caller@host5.example.net;lr;name=value%2541").unwrap();
    assert!(sip(&contact).is_equivalent(sip(&unescaped)), "escapes decode once: value%41, not valueA");
    assert_eq!(m.content_type().unwrap().unwrap().subtype, "sdp");
}

fn escnull(m: &Message<'_>) {
    assert_eq!(m.to().unwrap().uri().unwrap().user().unwrap(), "null-\0-null");
    let contacts: Vec<_> = m.contacts().map(|c| *c.unwrap().address().unwrap()).collect();
    let users: Vec<_> = contacts.iter().map(|c| c.uri().unwrap().user().unwrap().into_owned()).collect();
    assert_eq!(users, ["\0", "\0\0"]);
    let [first, second] = [contacts[0].uri().unwrap(), contacts[1].uri().unwrap()];
    assert!(!sip(&first).is_equivalent(sip(&second)), "two distinct bindings");
}

fn esc02(m: &Message<'_>) {
    assert_eq!(m.method(), Some(Method::Other("RE%47IST%45R")));
    assert_eq!(m.to().unwrap().display_name().unwrap(), "%Z%45");
    assert_eq!(m.contacts().count(), 2);
    assert_eq!(m.extensions("C%6Fntact").count(), 1);
}

fn lwsdisp(m: &Message<'_>) {
    let from = m.from().unwrap();
    assert_eq!((from.display_name().as_deref(), from.tag()), (Some("caller"), Some("323")));
}

fn longreq(m: &Message<'_>) {
    let vias: Vec<_> = m.vias().map(|via| via.unwrap()).collect();
    assert_eq!(vias.len(), 34);
    assert_eq!(vias[33].received().unwrap().to_string(), "192.0.2.5");
    assert_eq!(vias[33].branch().unwrap().len(), 4 + 200 + 11);
    let to = m.to().unwrap();
    assert!(to.display_name().unwrap().ends_with("extreme proportion"));
    let to = to.uri().unwrap();
    assert_eq!(sip(&to).port, Some(6000));
    assert_eq!(sip(&to).params.iter().count(), 3);
    assert_eq!(m.from().unwrap().tag().unwrap().len(), 2 + 150 + 3);
    assert!(m.call_id().unwrap().ends_with("reallylongcallid"));
}

fn dblreq(m: &Message<'_>) {
    assert_eq!(m.method(), Some(Method::Register));
    assert_eq!(m.body(), b"");
    assert!(m.bytes().ends_with(b"Content-Length: 0\r\n\r\n"), "the octets after it are not forwarded");
}

fn semiuri(m: &Message<'_>) {
    assert_eq!(m.request_uri().unwrap().user().unwrap(), "user;par=u@example.net");
    assert_eq!(m.values(N::Accept).count(), 6);
}

fn transports(m: &Message<'_>) {
    let found: Vec<_> = m.vias().map(|via| via.unwrap().transport).collect();
    use ViaTransport::{Other, Sctp, Tcp, Tls, Udp};
    assert_eq!(found, [Udp, Sctp, Tls, Other("UNKNOWN"), Tcp]);
}

fn mpart01(m: &Message<'_>) {
    let content_type = m.content_type().unwrap().unwrap();
    assert!(content_type.is("multipart", "mixed"));
    let boundary = content_type.boundary().unwrap();
    let parts: Vec<_> = parts(m.body(), &boundary).collect();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[0].body, b"Hello");
    assert_eq!(parts[0].header("content-type"), Some(&b"text/plain"[..]));
    assert_eq!(parts[1].body.len(), 342);
    assert!(parts[1].body.contains(&0), "binary, with zero bytes");
}

fn unreason(m: &Message<'_>) {
    assert_eq!(m.status(), Some(200));
    let tandem_sbc::message::StartLine::Response { reason, .. } = m.start() else { panic!("a response") };
    assert_eq!(std::str::from_utf8(reason), Ok("= 2**3 * 5**2 но сто девяносто девять - простое"));
}

fn noreason(m: &Message<'_>) {
    assert_eq!(m.start(), tandem_sbc::message::StartLine::Response { status: 100, reason: b"" });
}

fn baddate(m: &Message<'_>) {
    assert_eq!(m.value(N::Date), Some(&b"Fri, 01 Jan 2010 16:00:00 EST"[..]));
}

fn badaspec(m: &Message<'_>) {
    assert_eq!(m.to().unwrap().uri_bytes, b"sip:t.watson@example.org");
    assert_eq!(m.to().unwrap().display_name().unwrap(), "Watson, Thomas");
}

/// The magic cookie is there and nothing after it: the transaction layer must not take it for an identifier.
fn badbranch(m: &Message<'_>) {
    assert_eq!(m.top_via().unwrap().branch(), Some("z9hG4bK"));
}

fn unkscm(m: &Message<'_>) {
    assert_eq!(m.request_uri().unwrap().scheme(), "nobodyKnowsThisScheme", "to be answered 416");
}

fn novelsc(m: &Message<'_>) {
    assert_eq!(m.request_uri().unwrap().scheme(), "soap.beep", "to be answered 416");
}

fn unksm2(m: &Message<'_>) {
    assert_eq!(m.to().unwrap().uri().unwrap().scheme(), "isbn", "a registrar answers 400");
    assert_eq!(m.from().unwrap().uri().unwrap().scheme(), "http");
    assert_eq!(only_contact(m).uri().unwrap().bytes(), b"name:John_Smith");
}

fn bext01(m: &Message<'_>) {
    let required: Vec<_> = m.values(N::Require).collect();
    assert_eq!(required, [&b"nothingSupportsThis"[..], b"nothingSupportsThisEither"], "to be answered 420");
    assert!(m.lists(N::ProxyRequire, "norDoAnyProxiesSupportThis"));
}

fn invut(m: &Message<'_>) {
    assert!(m.content_type().unwrap().unwrap().is("application", "unknownformat"), "to be answered 415");
    assert_eq!(m.body().len(), 40);
}

fn regaut01(m: &Message<'_>) {
    let credentials = m.credentials(N::Authorization).next().unwrap().unwrap();
    assert_eq!((credentials.scheme, credentials.is_digest()), ("NoOneKnowsThisScheme", false));
    assert_eq!(credentials.param("opaque-data").unwrap(), "here");
}

fn bcast(m: &Message<'_>) {
    let second = m.vias().nth(1).unwrap().unwrap();
    assert_eq!(second.host.to_string(), "255.255.255.255", "not to be sent there");
}

fn zeromf(m: &Message<'_>) {
    assert_eq!(m.max_forwards(), Ok(Some(0)), "a proxy answers 483");
}

fn cparam01(m: &Message<'_>) {
    let contact = only_contact(m);
    assert!(contact.params.has("unknownparam"), "a parameter of the header");
    assert_eq!(contact.uri_bytes, b"sip:+19725552222@gw1.example.net");
}

fn cparam02(m: &Message<'_>) {
    let contact = only_contact(m);
    assert!(!contact.params.has("unknownparam"));
    assert!(sip(&contact.uri().unwrap()).params.has("unknownparam"), "a parameter of the URI");
}

fn regescrt(m: &Message<'_>) {
    let contact = only_contact(m).uri().unwrap();
    assert_eq!(sip(&contact).headers, Some(&b"Route=%3Csip:sip.example.com%3E"[..]));
}

fn sdp01(m: &Message<'_>) {
    let accepted: Vec<_> = m.values(N::Accept).collect();
    assert_eq!(accepted, [b"text/nobodyKnowsThis"], "to be answered 406");
}

fn inv2543(m: &Message<'_>) {
    let essentials = m.essentials().unwrap();
    assert_eq!(essentials.via.branch(), None);
    assert_eq!(essentials.from.tag(), None);
    assert_eq!(essentials.max_forwards, None);
    assert_eq!(essentials.to.params.token("user"), Some("phone"), "a parameter of the header: no brackets");
    assert_eq!(sdp(m).media[0].formats, ["0"], "the body is all that follows the headers");
}

fn sip<'a, 'u>(uri: &'u Uri<'a>) -> &'u SipUri<'a> {
    uri.as_sip().expect("a sip URI")
}

fn only_contact<'a>(m: &Message<'a>) -> NameAddr<'a> {
    let mut contacts = m.contacts();
    let contact = contacts.next().unwrap().unwrap();
    assert!(contacts.next().is_none());
    *contact.address().unwrap()
}

fn sdp(m: &Message<'_>) -> SessionDescription {
    SessionDescription::parse(m.body()).unwrap()
}
