//! Questions to a real DNS server.

use std::sync::Arc;
use std::time::Duration;

use tandem_peers::{DnsServer, Zone};
use tandem_sbc::user_agent::{Answer, LookupFailed, Question, Record, RecordKind};
use tandem_sbc_net::{DnsConfig, Inbound, Inbox, InboxReader, Resolver};

/// A resolver that asks the server, and the core's end of its inbox.
fn resolver(server: &DnsServer) -> (Resolver, InboxReader) {
    let (inbox, reader) = Inbox::new(8, Arc::new(|| {}));
    let config = DnsConfig { servers: vec![server.address()], timeout: Duration::from_millis(200) };
    (Resolver::new(&config, &inbox), reader)
}

async fn ask(server: &DnsServer, kind: RecordKind, name: &str) -> Result<Answer, LookupFailed> {
    let (resolver, mut reader) = resolver(server);
    let asked = Question { name: name.to_owned(), kind };
    resolver.ask(asked.clone());
    loop {
        match reader.poll() {
            Some(Inbound::Answer { question, answer }) => {
                assert_eq!(question, asked);
                return answer;
            }
            Some(other) => panic!("{other:?}"),
            None => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn records_of_each_kind_are_read() {
    let zone = Zone::new(77)
        .naptr("carrier.example", 10, "SIP+D2U", "_sip._udp.Carrier.example")
        .srv("_sip._udp.carrier.example", (1, 2), "One.example", 5_061)
        .address("one.example", "192.0.2.1")
        .address("one.example", "2001:db8::1");
    let server = DnsServer::start(zone).expect("a server");
    let expected = [
        (
            RecordKind::Naptr,
            "carrier.example",
            Record::Naptr {
                order: 10,
                preference: 10,
                flags: "s".to_owned(),
                service: "SIP+D2U".to_owned(),
                replacement: "_sip._udp.carrier.example".to_owned(),
            },
        ),
        (
            RecordKind::Srv,
            "_sip._udp.carrier.example",
            Record::Srv { priority: 1, weight: 2, port: 5_061, target: "one.example".to_owned() },
        ),
        (RecordKind::A, "one.example", Record::Address("192.0.2.1".parse().expect("an address"))),
        (RecordKind::Aaaa, "one.example", Record::Address("2001:db8::1".parse().expect("an address"))),
    ];
    for (kind, name, record) in expected {
        let answer = ask(&server, kind, name).await.expect("an answer");
        assert_eq!(answer.records, [record]);
        assert!((75..=77).contains(&answer.ttl.as_secs()), "{:?}", answer.ttl);
    }
}

/// RFC 2308: no such name, and none of that kind, are answers, good for as long as the zone says.
#[tokio::test]
async fn that_there_is_nothing_is_an_answer() {
    let server = DnsServer::start(Zone::new(33).address("one.example", "192.0.2.1")).expect("a server");
    for (kind, name) in [(RecordKind::A, "none.example"), (RecordKind::Srv, "one.example")] {
        let answer = ask(&server, kind, name).await.expect("an answer");
        assert_eq!(answer.records, []);
        assert!((31..=33).contains(&answer.ttl.as_secs()), "{:?}", answer.ttl);
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_no_answer() {
    let server = DnsServer::start(Zone::new(33)).expect("a server");
    server.say(None);
    assert_eq!(ask(&server, RecordKind::A, "one.example").await, Err(LookupFailed));
}
