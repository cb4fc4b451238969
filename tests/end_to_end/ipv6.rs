//! Calls over IPv6 (RFC 3261 §19.1.1, RFC 5118) by UDP and TCP, heard both ways, on a node that IPv4 and TLS
//! reach too.

use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::generator::load;
use crate::support::{
    CALLER_HZ, GREETING_AND_ECHO, greeting, heard_greeting_and_echo, node_with, records, secured,
};
use tandem_peers::{Ports, Scenario, Sipp};
use tandem_phone_net::LiveLine;

#[test]
fn calls_over_ipv6_have_audio_and_ipv4_is_answered_beside_them() {
    let free = || UdpSocket::bind("[::1]:0").and_then(|it| it.local_addr()).expect("a free port");
    let (at, secure) = (free(), free());
    let mut node = node_with(|folder, config| {
        let config = greeting(folder, &secured(folder, &config, secure));
        let (before, rtp) = config.split_once("[rtp]").expect("a section");
        let rtp = rtp.replacen("address = \"127.0.0.1\"", "address = \"::1\"", 1);
        let listen = format!("listen = [\"udp:{at}\", \"tcp:{at}\", ");
        let config = format!("{}[rtp]{rtp}", before.replacen("listen = [", &listen, 1));
        format!("{config}\n[[trunk]]\nname = \"carrier-six\"\nsources = [\"::1\"]\npeer = \"[::1]:5070\"\n")
    });
    for options in [&[][..], &["-t", "t1"][..]] {
        let ports = Ports { sip: at, carrier: free(), ..node.ports() };
        let line = LiveLine::start(free(), CALLER_HZ).expect("the caller's audio address is free");
        let scenario = Scenario {
            options,
            pause: Duration::from_millis(1_500),
            media_ports: vec![line.local().port()],
            ..Scenario::once("call", GREETING_AND_ECHO)
        };
        Sipp::start(&scenario, &ports)
            .and_then(Sipp::finish)
            .unwrap_or_else(|error| panic!("{options:?}: {error}"));
        heard_greeting_and_echo(&line);
    }
    let handshake = Command::new("openssl")
        .args(["s_client", "-connect", &secure.to_string(), "-CAfile", "ca.pem", "-verify_return_error"])
        .args(["-verify_ip", "::1"])
        .current_dir(node.folder())
        .stdin(Stdio::null())
        .output()
        .expect("openssl is installed");
    assert!(handshake.status.success(), "{}", String::from_utf8_lossy(&handshake.stderr));
    load(&node, &["options", "--calls", "3"]).went_well(3);

    let records = records(&mut node);
    assert_eq!(records.len(), 2);
    for record in records {
        assert_eq!((record.origin.as_str(), record.end_status), ("carrier-six", 200));
        let [leg] = &record.legs[..] else { panic!("one leg: {record:#?}") };
        assert!(leg.packets_sent > 10 && leg.packets_received > 10, "{record:#?}");
    }
}
