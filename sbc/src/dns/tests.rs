//! Names, against a zone that stands in the test.

use std::net::SocketAddr;

use super::*;
use crate::transport::Transport;
use crate::uri::Scheme;

const LIMITS: NameLimits = NameLimits {
    min_ttl: Duration::from_secs(10),
    max_ttl: Duration::from_secs(3_600),
    max_negative_ttl: Duration::from_secs(300),
};

fn question(kind: RecordKind, name: &str) -> Question {
    Question { name: name.to_owned(), kind }
}

fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Record {
    Record::Srv { priority, weight, port, target: target.to_owned() }
}

fn naptr(order: u16, preference: u16, service: &str, replacement: &str) -> Record {
    let (service, replacement) = (service.to_owned(), replacement.to_owned());
    Record::Naptr { order, preference, flags: "s".to_owned(), service, replacement }
}

fn ip(text: &str) -> Record {
    Record::Address(text.parse().expect("an address"))
}

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1_000)
}

fn answer(records: &[Record], ttl_s: u64) -> Result<Answer, LookupFailed> {
    Ok(Answer { records: records.to_vec(), ttl: Duration::from_secs(ttl_s) })
}

fn domain(port: Option<u16>, transport: Option<Transport>) -> Domain {
    Domain { name: "carrier.example".to_owned(), port, transport }
}

/// Asks and answers by the zone until nothing is left to ask, and gives where the way leads: transport, rank, priority
/// and address of each. What the zone lacks is not there.
fn resolve(domain: &Domain, zone: &[(RecordKind, &str, Vec<Record>)]) -> Vec<(Transport, u16, u16, String)> {
    resolve_as(Scheme::Sip, domain, zone)
}

fn resolve_as(
    scheme: Scheme,
    domain: &Domain,
    zone: &[(RecordKind, &str, Vec<Record>)],
) -> Vec<(Transport, u16, u16, String)> {
    let speaks = |transport, version| {
        let is_spoken = matches!(transport, Transport::Udp | Transport::Tcp | Transport::Tls)
            && version == IpVersion::V4
            || (transport == Transport::Udp && version == IpVersion::V6);
        is_spoken && scheme.allows(transport)
    };
    let mut names = Names::default();
    loop {
        let located = locate(&names, domain, &speaks);
        names.need(at(0), located.questions);
        let mut any = false;
        while let Some(question) = names.poll_question() {
            any = true;
            let found =
                zone.iter().find(|(kind, name, _)| (*kind, *name) == (question.kind, &*question.name));
            let records = found.map(|(.., records)| records.as_slice()).unwrap_or_default();
            names.handle_answer(at(0), &question, answer(records, 60), &LIMITS);
        }
        if !any {
            let flat = located.servers.iter().flat_map(|server| {
                let place = |address: &SocketAddr| {
                    (server.transport, server.rank, server.priority, address.to_string())
                };
                server.addresses.iter().map(place).collect::<Vec<_>>()
            });
            return flat.collect();
        }
    }
}

/// RFC 3263 §4.1: NAPTR says which transports, SRV which hosts, A and AAAA where.
#[test]
fn naptr_leads_to_srv_and_srv_to_addresses() {
    let zone = [
        (
            RecordKind::Naptr,
            "carrier.example",
            vec![
                naptr(50, 50, "SIPS+D2T", "_sips._tcp.carrier.example"),
                naptr(100, 50, "SIP+D2U", "udp.carrier.example"),
                naptr(90, 50, "SIP+D2T", "_sip._tcp.carrier.example"),
            ],
        ),
        (
            RecordKind::Srv,
            "_sip._tcp.carrier.example",
            vec![srv(1, 0, 5_062, "b.example"), srv(0, 0, 5_061, "a.example")],
        ),
        (RecordKind::Srv, "udp.carrier.example", vec![srv(0, 0, 5_063, "a.example")]),
        (RecordKind::A, "a.example", vec![ip("192.0.2.1")]),
        (RecordKind::Aaaa, "a.example", vec![ip("2001:db8::1")]),
        (RecordKind::A, "b.example", vec![ip("192.0.2.2")]),
    ];
    assert_eq!(
        resolve(&domain(None, None), &zone),
        [
            (Transport::Tcp, 0, 0, "192.0.2.1:5061".to_owned()),
            (Transport::Tcp, 0, 1, "192.0.2.2:5062".to_owned()),
            (Transport::Udp, 1, 0, "192.0.2.1:5063".to_owned()),
            (Transport::Udp, 1, 0, "[2001:db8::1]:5063".to_owned()),
        ]
    );
}

/// §4.1: without NAPTR, SRV is asked for each transport we speak; §4.2: without SRV, the name is a host's.
#[test]
fn what_a_domain_lacks_is_gone_without() {
    let a = (RecordKind::A, "carrier.example", vec![ip("192.0.2.9")]);
    let srv = (RecordKind::Srv, "_sip._tcp.carrier.example", vec![srv(0, 0, 5_070, "carrier.example")]);
    let to = |transport, address: &str| vec![(transport, 0, 0, address.to_owned())];
    let by_srv = resolve(&domain(None, None), &[a.clone(), srv.clone()]);
    assert_eq!(by_srv, [(Transport::Tcp, 1, 0, "192.0.2.9:5070".to_owned())]);
    assert_eq!(resolve(&domain(None, None), std::slice::from_ref(&a)), to(Transport::Udp, "192.0.2.9:5060"));
    assert_eq!(resolve(&domain(None, None), &[]), []);
}

/// §4.1: of sips what does not keep to TLS is not asked for; §4.2: nor is it when there is no NAPTR or no SRV.
#[test]
fn sips_leads_to_tls() {
    let naptr = (
        RecordKind::Naptr,
        "carrier.example",
        vec![
            naptr(10, 50, "SIP+D2U", "udp.carrier.example"),
            naptr(50, 50, "SIPS+D2T", "tls.carrier.example"),
        ],
    );
    let named = (RecordKind::Srv, "tls.carrier.example", vec![srv(0, 0, 5_081, "carrier.example")]);
    let usual = (RecordKind::Srv, "_sips._tcp.carrier.example", vec![srv(0, 0, 5_072, "carrier.example")]);
    let a = (RecordKind::A, "carrier.example", vec![ip("192.0.2.9")]);
    let to = |port: u16| vec![(Transport::Tls, 0, 0, format!("192.0.2.9:{port}"))];
    let resolve = |port, zone: &[_]| resolve_as(Scheme::Sips, &domain(port, None), zone);
    assert_eq!(resolve(None, &[naptr, named, usual.clone(), a.clone()]), to(5_081));
    assert_eq!(resolve(None, &[usual, a.clone()]), to(5_072));
    assert_eq!(resolve(None, std::slice::from_ref(&a)), to(5_061));
    assert_eq!(resolve(Some(5_090), &[a]), to(5_090));
}

/// §4.2: a port means the host itself, a transport its own SRV records.
#[test]
fn a_port_or_a_transport_shortens_the_way() {
    let zone = [
        (RecordKind::A, "carrier.example", vec![ip("192.0.2.9")]),
        (RecordKind::Srv, "_sip._udp.carrier.example", vec![srv(0, 0, 5_071, "carrier.example")]),
        (RecordKind::Srv, "_sips._tcp.carrier.example", vec![srv(0, 0, 5_072, "carrier.example")]),
    ];
    for (port, transport, expected) in [
        (Some(5_080), None, (Transport::Udp, "192.0.2.9:5080")),
        (Some(5_080), Some(Transport::Tls), (Transport::Tls, "192.0.2.9:5080")),
        (None, Some(Transport::Udp), (Transport::Udp, "192.0.2.9:5071")),
        (None, Some(Transport::Tls), (Transport::Tls, "192.0.2.9:5072")),
        (None, Some(Transport::Tcp), (Transport::Tcp, "192.0.2.9:5060")),
    ] {
        let found = resolve(&domain(port, transport), &zone);
        assert_eq!(found, [(expected.0, 0, 0, expected.1.to_owned())], "{port:?} {transport:?}");
    }
}

/// RFC 2782: a target of `.` says that the service is decidedly not there; then nothing else is tried.
#[test]
fn a_service_that_is_decidedly_not_there_is_not_looked_for_elsewhere() {
    let zone = [
        (RecordKind::A, "carrier.example", vec![ip("192.0.2.9")]),
        (RecordKind::Srv, "_sip._udp.carrier.example", vec![srv(0, 0, 0, "")]),
    ];
    assert_eq!(resolve(&domain(None, Some(Transport::Udp)), &zone), []);
}

#[test]
fn no_more_servers_are_taken_than_the_maximum() {
    let hosts: Vec<String> = (0..40).map(|n| format!("h{n}.example")).collect();
    let records = (0..).zip(&hosts).map(|(n, host)| srv(n, 0, 5_060, host)).collect();
    let mut zone = vec![(RecordKind::Srv, "_sip._udp.carrier.example", records)];
    zone.extend(hosts.iter().map(|host| (RecordKind::A, host.as_str(), vec![ip("192.0.2.1")])));
    assert_eq!(resolve(&domain(None, Some(Transport::Udp)), &zone).len(), RECORDS_MAX);
    assert_eq!(RECORDS_MAX, locate::SERVERS_MAX);
}

/// An answer is believed for as long as it says, within bounds, and asked for again then; a failure is tried again
/// sooner, and what was known stands until there is an answer.
#[test]
fn answers_age_and_stand_in_for_those_that_do_not_come() {
    let mut names = Names::default();
    let asked = question(RecordKind::A, "a.example");
    names.need(at(0), [asked.clone()]);
    assert_eq!(names.poll_question(), Some(asked.clone()));
    assert_eq!(
        names.handle_answer(at(0), &asked, answer(&[ip("192.0.2.1")], 30), &LIMITS),
        Some(Turn::Changed)
    );
    assert_eq!(names.poll_timeout(), Some(at(30)));
    names.handle_timeout(at(29));
    assert_eq!(names.poll_question(), None);
    names.handle_timeout(at(30));
    assert_eq!(names.poll_question(), Some(asked.clone()));
    assert_eq!(names.handle_answer(at(35), &asked, Err(LookupFailed), &LIMITS), Some(Turn::Lost));
    assert_eq!(names.known(&asked), Some(&[ip("192.0.2.1")][..]));
    let mut now = 35;
    for wait in [2, 4, 8, 16, 32, 60, 60] {
        now += wait;
        assert_eq!(names.poll_timeout(), Some(at(now)));
        names.handle_timeout(at(now));
        assert_eq!(names.poll_question(), Some(asked.clone()));
        assert_eq!(names.handle_answer(at(now), &asked, Err(LookupFailed), &LIMITS), None, "told once");
    }
    let back = names.handle_answer(at(now), &asked, answer(&[ip("192.0.2.1")], 30), &LIMITS);
    assert_eq!(back, Some(Turn::Regained));
    assert_eq!((names.lookups().asked, names.lookups().failed, names.lookups().stale), (9, 8, 8));
}

#[test]
fn how_long_answers_are_believed_has_bounds() {
    for (records, ttl, expected) in [
        (vec![ip("192.0.2.1")], 0, 10),
        (vec![ip("192.0.2.1")], 86_400, 3_600),
        (vec![], 86_400, 300),
        (vec![], 1, 10),
    ] {
        let mut names = Names::default();
        let asked = question(RecordKind::A, "a.example");
        names.need(at(0), [asked.clone()]);
        names.handle_answer(at(0), &asked, answer(&records, ttl), &LIMITS);
        assert_eq!(names.poll_timeout(), Some(at(expected)), "{records:?} {ttl}");
    }
}

/// Who is asked and says nothing at all is taken to have failed.
#[test]
fn a_question_without_any_answer_is_given_up() {
    let mut names = Names::default();
    let asked = question(RecordKind::A, "a.example");
    names.need(at(0), [asked.clone()]);
    assert!(names.handle_timeout(at(59)).is_empty());
    assert_eq!(names.handle_timeout(at(60)), [asked]);
}

#[test]
fn questions_are_kept_up_to_the_maximum_and_not_past_it() {
    let mut names = Names::default();
    let asked = |n: usize| question(RecordKind::A, &format!("h{n}.example"));
    names.need(at(0), (0..=QUESTIONS_MAX).map(asked));
    assert_eq!(std::iter::from_fn(|| names.poll_question()).count(), QUESTIONS_MAX);
    names.need(at(0), [asked(1)]);
    assert_eq!(names.entries.len(), 1, "what is needed no more is forgotten");
}

/// The answer is the same whatever order a server gives its records in.
#[test]
fn turning_records_round_changes_nothing() {
    let mut names = Names::default();
    let asked = question(RecordKind::A, "a.example");
    names.need(at(0), [asked.clone()]);
    let (one, other) = (ip("192.0.2.1"), ip("192.0.2.2"));
    let first = names.handle_answer(at(0), &asked, answer(&[one.clone(), other.clone()], 1), &LIMITS);
    assert_eq!(first, Some(Turn::Changed));
    names.handle_timeout(at(10));
    assert_eq!(names.handle_answer(at(10), &asked, answer(&[other, one], 1), &LIMITS), None);
}
