//! What a load balancer and Prometheus get.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tandem_api::{
    ApiError, BannedSource, Destination, Health, Kind, Metric, Readiness, Recorded, Recording,
    RecordingAction, RecordingStanding, Recordings, RecordingsWanted, Registration, Server, Status, Unban,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Fixed(Readiness);

impl Status for Fixed {
    fn health(&self) -> Health {
        Health { readiness: self.0, version: "1.2.3", uptime: Duration::from_secs(75), calls: 4 }
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::single("calls", "Calls up", Kind::Gauge, 4)]
    }

    fn destinations(&self) -> Vec<Destination> {
        vec![Destination {
            trunk: "carrier-a".to_owned(),
            destination: "udp:192.0.2.1:5060".to_owned(),
            is_up: false,
            since: Duration::from_millis(61_500),
            changes: 3,
        }]
    }

    fn registrations(&self) -> Vec<Registration> {
        vec![Registration {
            trunk: "carrier-a".to_owned(),
            aor: "sip:4711@carrier.example".to_owned(),
            is_registered: true,
            since: Duration::from_millis(2_500),
            status: 200,
        }]
    }

    fn bans(&self) -> Vec<BannedSource> {
        let ban = |address: &str, bits| BannedSource {
            address: address.parse().expect("an address"),
            bits,
            reason: "malformed",
            since: Duration::from_millis(1_900),
            left: Duration::from_secs(118),
            times: 2,
            spares_registered_phones: bits == 32,
        };
        vec![ban("192.0.2.1", 32), ban("2001:db8::", 64)]
    }

    fn unban(&self, address: IpAddr) -> Unban {
        match address {
            IpAddr::V4(address) if address.is_loopback() => Unban::Busy,
            IpAddr::V4(address) if address.is_documentation() => Unban::Ordered,
            _ => Unban::NotBanned,
        }
    }

    fn recordings(&self, wanted: RecordingsWanted<'_>) -> Recordings {
        match wanted {
            RecordingsWanted::All => {
                Recordings::Listed(serde_json::json!({ "recordings": [], "left_off": false }))
            }
            RecordingsWanted::Day("2031-08-04") => Recordings::Listed(serde_json::json!(["of the day"])),
            RecordingsWanted::Call("a b@host") => Recordings::Unreadable,
            RecordingsWanted::Day(_) | RecordingsWanted::Call(_) => Recordings::NotKept,
        }
    }

    fn recording(&self, day: &str, file: &str) -> Recording {
        match (day, file) {
            ("2031-08-04", "1-call-7.0.wav") => {
                Recording::Finished { path: this_file(), media_type: "audio/wav" }
            }
            ("2031-08-04", "2-call-8.0.wav") => Recording::Running,
            ("2031-08-04", "3-call-9.0.wav") => {
                Recording::Finished { path: "/nowhere/at/all".into(), media_type: "audio/wav" }
            }
            ("2031-08-05", _) => Recording::NotKept,
            _ => Recording::Unknown,
        }
    }

    fn record(&self, call: &str, action: RecordingAction) -> RecordingStanding {
        match (call, action) {
            ("call-7.0", RecordingAction::Begin | RecordingAction::Resume) => {
                RecordingStanding::Done("running")
            }
            ("call-7.0", RecordingAction::Pause) => RecordingStanding::Done("paused"),
            ("call-7.0", RecordingAction::End) => RecordingStanding::Done("none"),
            ("a b@host", RecordingAction::Begin) => RecordingStanding::Busy("too many".to_owned()),
            ("a b@host", _) => RecordingStanding::Refused("the call is not recorded".to_owned()),
            _ => RecordingStanding::UnknownCall,
        }
    }

    fn call(&self, name: &str) -> Recorded {
        match name {
            "call-7.0" => Recorded::Found {
                call: serde_json::json!({ "call": name, "legs": [] }),
                quality_svg: "<svg/>".to_owned(),
            },
            "a b@host" => Recorded::Unreadable,
            _ => Recorded::Unknown,
        }
    }
}

/// Something to be served.
fn this_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http.rs")
}

async fn free_port() -> (SocketAddr, tokio::net::TcpListener) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    (listener.local_addr().expect("its address"), listener)
}

async fn request(readiness: Readiness, path: &str) -> String {
    ask(readiness, "GET", path).await
}

async fn ask(readiness: Readiness, method: &str, path: &str) -> String {
    ask_with(readiness, method, path, "").await
}

async fn ask_with(readiness: Readiness, method: &str, path: &str, headers: &str) -> String {
    let (address, listener) = free_port().await;
    drop(listener);
    let server = Server::bind(address).await.expect("a server");
    tokio::spawn(server.run(Arc::new(Fixed(readiness)), std::future::pending()));
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("{method} {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut response = String::new();
    stream.read_to_string(&mut response).await.expect("a response");
    response
}

#[tokio::test]
async fn health_is_200_while_calls_are_taken() {
    let response = request(Readiness::Ready, "/healthz").await;
    assert!(response.starts_with("HTTP/1.1 200 OK"), "{response}");
    assert!(response.contains("content-type: application/json"), "{response}");
    assert!(response.ends_with(r#"{"calls":4,"status":"ok","uptime_s":75,"version":"1.2.3"}"#), "{response}");
}

#[tokio::test]
async fn destinations_are_listed() {
    let response = request(Readiness::Ready, "/destinations").await;
    assert!(response.starts_with("HTTP/1.1 200 OK"), "{response}");
    let listed =
        r#"[{"changes":3,"destination":"udp:192.0.2.1:5060","since_s":61,"trunk":"carrier-a","up":false}]"#;
    assert!(response.ends_with(listed), "{response}");
}

#[tokio::test]
async fn registrations_are_listed() {
    let response = request(Readiness::Ready, "/registrations").await;
    assert!(response.starts_with("HTTP/1.1 200 OK"), "{response}");
    let listed = r#"[{"aor":"sip:4711@carrier.example","registered":true,"since_s":2,"status":200,"trunk":"carrier-a"}]"#;
    assert!(response.ends_with(listed), "{response}");
}

#[tokio::test]
async fn health_is_503_while_none_are() {
    let draining = request(Readiness::Draining, "/healthz").await;
    assert!(
        draining.starts_with("HTTP/1.1 503") && draining.contains(r#""status":"draining""#),
        "{draining}"
    );
    let stalled = request(Readiness::Stalled, "/healthz").await;
    assert!(stalled.starts_with("HTTP/1.1 503") && stalled.contains(r#""status":"stalled""#), "{stalled}");
}

#[tokio::test]
async fn bans_are_listed() {
    let response = request(Readiness::Ready, "/bans").await;
    assert!(response.starts_with("HTTP/1.1 200 OK"), "{response}");
    let ban = |address: &str, spares| {
        format!(
            r#"{{"address":"{address}","left_s":118,"reason":"malformed","since_s":1,"spares_registered_phones":{spares},"times":2}}"#
        )
    };
    let listed = format!("[{},{}]", ban("192.0.2.1", true), ban("2001:db8::/64", false));
    assert!(response.ends_with(&listed), "{response}");
}

#[tokio::test]
async fn a_ban_is_ended() {
    for (address, expected) in [
        ("192.0.2.1", "HTTP/1.1 202 Accepted"),
        ("2001:db8::9", "HTTP/1.1 404 Not Found"),
        ("127.0.0.1", "HTTP/1.1 503 Service Unavailable"),
        ("somebody", "HTTP/1.1 400 Bad Request"),
    ] {
        let response = ask(Readiness::Ready, "DELETE", &format!("/bans/{address}")).await;
        assert!(response.starts_with(expected), "{response}");
    }
}

#[tokio::test]
async fn metrics_are_open_metrics() {
    let response = request(Readiness::Ready, "/metrics").await;
    assert!(response.contains("content-type: application/openmetrics-text; version=1.0.0"), "{response}");
    assert!(response.contains("\r\n\r\n# HELP tandem_calls Calls up\n"), "{response}");
    assert!(response.ends_with("tandem_calls 4\n# EOF\n"), "{response}");
}

#[tokio::test]
async fn a_taken_address_is_named_with_what_to_do() {
    let (address, _listener) = free_port().await;
    let error = Server::bind(address).await.expect_err("the port is taken");
    assert!(matches!(error, ApiError::Bind { .. }));
    let said = error.to_string();
    assert!(
        said.contains(&address.to_string()) && said.ends_with("free it, or change http.listen"),
        "{said}"
    );
}

#[tokio::test]
async fn a_call_is_told_and_its_quality_is_shown() {
    let told = request(Readiness::Ready, "/calls/call-7.0").await;
    assert!(told.starts_with("HTTP/1.1 200") && told.ends_with(r#"{"call":"call-7.0","legs":[]}"#), "{told}");
    let shown = request(Readiness::Ready, "/calls/call-7.0/quality.svg").await;
    assert!(shown.contains("content-type: image/svg+xml\r\n") && shown.ends_with("<svg/>"), "{shown}");
    for (name, status) in [("call-8.0", "404"), ("a%20b@host", "503")] {
        for path in [format!("/calls/{name}"), format!("/calls/{name}/quality.svg")] {
            let refused = request(Readiness::Ready, &path).await;
            assert!(refused.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {refused}");
        }
    }
}

#[tokio::test]
async fn recordings_are_listed_all_of_a_day_and_of_a_call() {
    for (path, status, body) in [
        ("/recordings", "200", r#"{"left_off":false,"recordings":[]}"#),
        ("/recordings/2031-08-04", "200", r#"["of the day"]"#),
        ("/recordings/2031-8-4", "400", r#"write year, month and day such as 2031-08-04"}"#),
        ("/recordings/..%2Fsecrets", "400", r#"such as 2031-08-04"}"#),
        ("/calls/a%20b@host/recordings", "503", r#"cannot be read"}"#),
        ("/calls/call-7.0/recordings", "404", r#"has no [recording]"}"#),
    ] {
        let listed = request(Readiness::Ready, path).await;
        assert!(
            listed.starts_with(&format!("HTTP/1.1 {status}")) && listed.ends_with(body),
            "{path}: {listed}"
        );
    }
}

#[tokio::test]
async fn a_recording_is_begun_paused_resumed_and_ended() {
    for (call, action, status, body) in [
        ("call-7.0", "begin", "200", r#"{"call":"call-7.0","recording":"running"}"#),
        ("call-7.0", "pause", "200", r#"{"call":"call-7.0","recording":"paused"}"#),
        ("call-7.0", "resume", "200", r#""recording":"running"}"#),
        ("call-7.0", "end", "200", r#""recording":"none"}"#),
        ("call-7.0", "stop", "400", r#"write begin, pause, resume or end"}"#),
        ("a%20b@host", "pause", "409", r#"{"error":"the call is not recorded"}"#),
        ("a%20b@host", "begin", "503", r#"{"error":"too many"}"#),
        ("call-8.0", "pause", "404", r#"that is up"}"#),
    ] {
        let path = format!("/calls/{call}/recording/{action}");
        let answer = ask(Readiness::Ready, "POST", &path).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.ends_with(body),
            "{path}: {answer}"
        );
    }
    let refused = request(Readiness::Ready, "/calls/call-7.0/recording/pause").await;
    assert!(refused.starts_with("HTTP/1.1 405"), "it is asked for by POST alone: {refused}");
}

/// RFC 9110 §14: all of it, a range, its end, and none that is beyond it; and by HEAD only what it is.
#[tokio::test]
async fn a_recording_is_served_whole_or_in_part() {
    let whole = std::fs::read_to_string(this_file()).expect("this file");
    let len = whole.len();
    let path = "/recordings/2031-08-04/1-call-7.0.wav";
    for (method, range, status, told, body) in [
        ("GET", "", "200 OK", format!("content-length: {len}\r\n"), &whole[..]),
        ("HEAD", "", "200 OK", format!("content-length: {len}\r\n"), ""),
        (
            "GET",
            "Range: bytes=4-14\r\n",
            "206 Partial Content",
            format!("content-range: bytes 4-14/{len}\r\n"),
            &whole[4..=14],
        ),
        (
            "GET",
            "Range: bytes=-20\r\n",
            "206 Partial Content",
            format!("content-range: bytes {}-{}/{len}\r\n", len - 20, len - 1),
            &whole[len - 20..],
        ),
    ] {
        let answer = ask_with(Readiness::Ready, method, path, range).await;
        let (head, sent) = answer.split_once("\r\n\r\n").expect("headers and a body");
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{method} {range}: {head}");
        let head = format!("{head}\r\n");
        for line in [told.as_str(), "content-type: audio/wav\r\n", "accept-ranges: bytes\r\n"] {
            assert!(head.contains(line), "{method} {range}: no {line} in {head}");
        }
        assert!(sent == body, "{method} {range}: {} octets", sent.len());
    }
    let beyond = format!("Range: bytes={len}-\r\n");
    let refused = ask_with(Readiness::Ready, "GET", path, &beyond).await;
    assert!(refused.starts_with("HTTP/1.1 416"), "{refused}");
    assert!(refused.contains(&format!("content-range: bytes */{len}\r\n")), "{refused}");
}

#[tokio::test]
async fn a_recording_that_is_not_there_or_not_finished_is_refused() {
    for (path, status, body) in [
        ("2031-08-04/2-call-8.0.wav", "409", "is not finished: its call goes on\"}"),
        ("2031-08-04/3-call-9.0.wav", "404", "is not there any more\"}"),
        ("2031-08-04/4-call-9.0.wav", "404", "there is no recording \\\"4-call-9.0.wav\\\" of that day\"}"),
        ("2031-08-05/1-call-7.0.wav", "404", "has no [recording]\"}"),
        ("2031-08-04/..%2F..%2Fetc%2Fpasswd", "404", "of that day\"}"),
    ] {
        let refused = request(Readiness::Ready, &format!("/recordings/{path}")).await;
        let is_so = refused.starts_with(&format!("HTTP/1.1 {status}")) && refused.ends_with(body);
        assert!(is_so && refused.contains("content-type: application/json"), "{path}: {refused}");
    }
    let refused = ask(Readiness::Ready, "DELETE", "/recordings/2031-08-04/1-call-7.0.wav").await;
    assert!(refused.starts_with("HTTP/1.1 405"), "nothing is taken away: {refused}");
}
