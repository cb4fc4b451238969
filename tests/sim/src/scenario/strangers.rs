//! Who is on no list, and who is and scans.

use std::net::SocketAddr;
use std::time::Duration;

use rand::RngExt as _;

use super::{Draw, STRANGER, StrangerPlan};
use crate::configuration::SCANNER;

impl Draw {
    pub(super) fn strangers(&mut self) -> Vec<StrangerPlan> {
        let hz = self.voice();
        let count = self.rng.random_range(0..=6);
        (0..count)
            .map(|n| {
                let at = self.millis(1_000, 60_000);
                let source = SocketAddr::new(STRANGER, self.rng.random_range(1_024..=60_000));
                if self.chance(50) {
                    let port = 20_000 + self.rng.random_range(0..20_u16);
                    StrangerPlan::Rtp { at, source, port, hz }
                } else {
                    StrangerPlan::Sip { at, source, bytes: self.strangers_message(n, source) }
                }
            })
            .collect()
    }

    fn strangers_message(&mut self, n: usize, source: SocketAddr) -> Vec<u8> {
        let (method, uri) = self.one_of(&[
            ("INVITE", "sip:+15550102@127.0.0.1"),
            ("REGISTER", "sip:127.0.0.1"),
            ("OPTIONS", "sip:127.0.0.1"),
            ("BYE", "sip:127.0.0.1"),
        ]);
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
            source.ip()
        );
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {source};branch=z9hG4bKstranger{n};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:1001@127.0.0.1>;tag=s{n}\r\nTo: <{uri}>\r\nCall-ID: stranger-{n}\r\n\
             CSeq: 1 {method}\r\nContact: <sip:1001@{source}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        )
        .into_bytes()
    }
}

/// Names tried four a second from a listed address, and whether it is still heard asked now and then.
pub(super) fn scan() -> impl Iterator<Item = StrangerPlan> {
    (0..60_u32).map(|n| {
        let at = Duration::from_secs(8) + Duration::from_millis(250) * n;
        let bytes = format!(
            "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {SCANNER};branch=z9hG4bK-scan-{n}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:2{n:03}@127.0.0.1>;tag=scan\r\nTo: <sip:2{n:03}@127.0.0.1>\r\n\
             Call-ID: scan-{n}\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
        );
        StrangerPlan::Sip { at, source: SCANNER, bytes: bytes.into_bytes() }
    })
}
