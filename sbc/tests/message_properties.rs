//! Properties over generated messages, with `rsip` as the oracle for the plain messages that it can read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert_eq, proptest};
use proptest::sample::select;
use rsip::headers::{ToTypedHeader, UntypedHeader};
use rsip::message::HeadersExt;
use tandem_sbc::header::{Contact, NameAddr};
use tandem_sbc::message::{Builder, HeaderIndex, HeaderName, Message, Method, OwnedMessage};
use tandem_sbc::uri::Uri;

/// What a message says, in words that both implementations can be asked for.
#[derive(Clone, Debug, PartialEq)]
struct Facts {
    method: String,
    uri: UriFacts,
    vias: Vec<ViaFacts>,
    from: Party,
    to: Party,
    call_id: String,
    cseq: u32,
    max_forwards: u32,
    contact: UriFacts,
    subject: String,
    body: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq)]
struct UriFacts {
    secure: bool,
    user: Option<String>,
    host: String,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq)]
struct ViaFacts {
    transport: String,
    host: String,
    port: Option<u16>,
    branch: String,
}

#[derive(Clone, Debug, PartialEq)]
struct Party {
    display: Option<String>,
    uri: UriFacts,
    tag: Option<String>,
}

impl UriFacts {
    fn text(&self) -> String {
        let scheme = if self.secure { "sips" } else { "sip" };
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        format!("{scheme}:{user}{}", with_port(&self.host, self.port))
    }
}

impl ViaFacts {
    fn text(&self) -> String {
        let Self { transport, host, port, branch } = self;
        format!("SIP/2.0/{transport} {};branch={branch}", with_port(host, *port))
    }
}

impl Party {
    fn text(&self) -> String {
        let display = self.display.as_ref().map(|name| format!("\"{name}\" ")).unwrap_or_default();
        let tag = self.tag.as_ref().map(|tag| format!(";tag={tag}")).unwrap_or_default();
        format!("{display}<{}>{tag}", self.uri.text())
    }
}

fn with_port(host: &str, port: Option<u16>) -> String {
    port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn host() -> impl Strategy<Value = String> {
    let name = "[a-z][a-z0-9]{0,8}(\\.[a-z][a-z0-9]{0,6}){0,2}";
    let address = any::<[u8; 4]>().prop_map(|[a, b, c, d]| format!("{a}.{b}.{c}.{d}"));
    proptest::prop_oneof![name.prop_map(String::from), address]
}

/// No full stop in the user: `rsip` then takes it for the host.
fn uri() -> impl Strategy<Value = UriFacts> {
    (any::<bool>(), option::of("[a-zA-Z0-9_+-]{1,12}"), host(), option::of(1..u16::MAX))
        .prop_map(|(secure, user, host, port)| UriFacts { secure, user, host, port })
}

fn via() -> impl Strategy<Value = ViaFacts> {
    (select(vec!["UDP", "TCP", "TLS", "WS"]), host(), option::of(1..u16::MAX), "z9hG4bK[a-zA-Z0-9.-]{1,16}")
        .prop_map(|(transport, host, port, branch)| ViaFacts {
            transport: transport.into(),
            host,
            port,
            branch,
        })
}

fn party(tag: &'static str) -> impl Strategy<Value = Party> {
    (option::of("[a-zA-Z][a-zA-Z0-9 .]{0,14}[a-zA-Z]"), uri(), option::of(tag))
        .prop_map(|(display, uri, tag)| Party { display, uri, tag })
}

fn facts() -> impl Strategy<Value = Facts> {
    let methods =
        vec!["INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "INFO", "UPDATE", "PRACK", "REFER"];
    let line = (
        select(methods),
        uri(),
        vec(via(), 1..4),
        party("[a-zA-Z0-9.-]{1,12}"),
        party("[a-zA-Z0-9.-]{1,12}"),
    );
    let rest = (
        "[a-zA-Z0-9.-]{1,20}(@[a-z0-9.]{1,10})?",
        0..1u32 << 31,
        0..256u32,
        uri(),
        "[a-zA-Z][a-zA-Z ,;:<>=!]{0,20}[a-z]",
        vec(any::<u8>(), 0..200),
    );
    (line, rest).prop_map(
        |((method, uri, vias, from, to), (call_id, cseq, max_forwards, contact, subject, body))| {
            let method = method.into();
            Facts { method, uri, vias, from, to, call_id, cseq, max_forwards, contact, subject, body }
        },
    )
}

/// As our builder writes it.
fn build(facts: &Facts) -> Vec<u8> {
    let method = Method::parse(facts.method.as_bytes()).unwrap();
    let mut builder = Builder::request(method, facts.uri.text());
    for via in &facts.vias {
        builder = builder.header(HeaderName::Via, via.text());
    }
    builder
        .header(HeaderName::From, facts.from.text())
        .header(HeaderName::To, facts.to.text())
        .header(HeaderName::CallId, &facts.call_id)
        .header(HeaderName::CSeq, format_args!("{} {method}", facts.cseq))
        .header(HeaderName::MaxForwards, facts.max_forwards)
        .header(HeaderName::Contact, format_args!("<{}>", facts.contact.text()))
        .header(HeaderName::Subject, &facts.subject)
        .body("application/octet-stream", &facts.body)
}

/// As we read it.
fn ours(message: &Message<'_>) -> Facts {
    let essentials = message.essentials().unwrap();
    let contact = message.contacts().next().unwrap().unwrap();
    let Contact::Address(contact) = contact else { panic!("not a star") };
    let vias = message.vias().map(|via| via.unwrap()).map(|via| ViaFacts {
        transport: format!("{:?}", via.transport).to_uppercase(),
        host: via.host.to_string(),
        port: via.port,
        branch: via.branch().unwrap().into(),
    });
    Facts {
        method: message.method().unwrap().to_string(),
        uri: our_uri(&message.request_uri().unwrap()),
        vias: vias.collect(),
        from: our_party(&essentials.from),
        to: our_party(&essentials.to),
        call_id: essentials.call_id.into(),
        cseq: essentials.cseq.number,
        max_forwards: essentials.max_forwards.unwrap(),
        contact: our_uri(&contact.uri().unwrap()),
        subject: String::from_utf8(message.value(HeaderName::Subject).unwrap().to_vec()).unwrap(),
        body: message.body().to_vec(),
    }
}

fn our_uri(uri: &Uri<'_>) -> UriFacts {
    let sip = uri.as_sip().unwrap();
    let user = sip.user().map(|user| user.into_owned());
    UriFacts { secure: sip.secure, user, host: sip.host.to_string(), port: sip.port }
}

fn our_party(party: &NameAddr<'_>) -> Party {
    Party {
        display: party.display_name().map(|name| name.into_owned()),
        uri: our_uri(&party.uri().unwrap()),
        tag: party.tag().map(String::from),
    }
}

/// As `rsip` reads it.
fn theirs(bytes: &[u8]) -> Facts {
    let rsip::SipMessage::Request(request) = rsip::SipMessage::try_from(bytes).unwrap() else {
        panic!("a request")
    };
    let vias = request.headers.iter().filter_map(|header| match header {
        rsip::Header::Via(via) => Some(via.typed().unwrap()),
        _ => None,
    });
    let vias = vias.map(|via| ViaFacts {
        transport: via.transport.to_string(),
        host: via.uri.host_with_port.host.to_string(),
        port: via.uri.port().map(|port| *port.value()),
        branch: via.branch().unwrap().value().into(),
    });
    let subject = request.headers.iter().find_map(|header| match header {
        rsip::Header::Subject(subject) => Some(subject.value().to_owned()),
        _ => None,
    });
    let from = request.from_header().unwrap().typed().unwrap();
    let to = request.to_header().unwrap().typed().unwrap();
    let contact = request.contact_header().unwrap().typed().unwrap();
    Facts {
        method: request.method.to_string(),
        uri: their_uri(&request.uri),
        vias: vias.collect(),
        from: their_party(from.display_name.as_deref(), &from.uri, from.tag().map(|tag| tag.value())),
        to: their_party(to.display_name.as_deref(), &to.uri, to.tag().map(|tag| tag.value())),
        call_id: request.call_id_header().unwrap().value().into(),
        cseq: request.cseq_header().unwrap().typed().unwrap().seq,
        max_forwards: request.max_forwards_header().unwrap().num().unwrap(),
        contact: their_uri(&contact.uri),
        subject: subject.unwrap(),
        body: request.body,
    }
}

fn their_uri(uri: &rsip::Uri) -> UriFacts {
    UriFacts {
        secure: uri.is_sips().unwrap(),
        user: uri.user().map(String::from),
        host: uri.host().to_string(),
        port: uri.port().map(|port| *port.value()),
    }
}

fn their_party(display: Option<&str>, uri: &rsip::Uri, tag: Option<&str>) -> Party {
    let display = display.map(|name| name.trim_matches('"').to_owned());
    Party { display, uri: their_uri(uri), tag: tag.map(String::from) }
}

/// The same message as a phone might spell it: compact names, odd case, folds, spaces before the colon.
fn respelled(bytes: &[u8], oddities: &[u8]) -> Vec<u8> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let (head, body) = bytes.split_at(end);
    let mut lines = std::str::from_utf8(head).unwrap().split("\r\n");
    let mut text = lines.next().unwrap().to_owned();
    for (line, oddity) in lines.zip(oddities.iter().cycle()) {
        let (name, value) = line.split_once(": ").unwrap();
        let known = HeaderName::of(name.as_bytes());
        let name = match (oddity & 3, known.compact()) {
            (0, Some(compact)) => compact.to_string(),
            (1, _) => name.to_uppercase(),
            (2, _) => name.to_lowercase(),
            _ => name.to_owned(),
        };
        let colon = ["\r\n ", ":", ": ", " : ", "\t:\r\n\t", ":\r\n  "][usize::from(oddity >> 2) % 6];
        let colon = if colon.contains(':') { colon } else { ": " };
        text.push_str(&format!("\r\n{name}{colon}{value}"));
    }
    [text.as_bytes(), body].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_built_reads_back(facts in facts()) {
        let bytes = build(&facts);
        let mut index = HeaderIndex::new();
        let message = Message::parse(&bytes, &mut index).unwrap();
        prop_assert_eq!(message.validate(), Ok(()));
        prop_assert_eq!(ours(&message), facts);
    }

    #[test]
    fn rsip_reads_the_same(facts in facts()) {
        let bytes = build(&facts);
        let owned = OwnedMessage::parse(&bytes).unwrap();
        prop_assert_eq!(ours(&owned.view()), theirs(&bytes));
    }

    #[test]
    fn what_rsip_prints_reads_the_same(mut facts in facts()) {
        // It prints bodies as text.
        facts.body = b"text\r\n".to_vec();
        let printed = rsip::SipMessage::try_from(build(&facts)).unwrap().to_string();
        let owned = OwnedMessage::parse(printed.as_bytes()).unwrap();
        prop_assert_eq!(ours(&owned.view()), facts);
    }

    #[test]
    fn spelling_changes_nothing_and_prints_as_it_came(facts in facts(), oddities in vec(any::<u8>(), 1..16)) {
        let bytes = respelled(&build(&facts), &oddities);
        let mut index = HeaderIndex::new();
        let message = Message::parse(&bytes, &mut index).unwrap();
        prop_assert_eq!(message.bytes(), &bytes[..]);
        prop_assert_eq!(ours(&message), facts);
    }
}
