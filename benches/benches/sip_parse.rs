//! What it costs to read, answer and print a carrier's INVITE of 865 bytes: ours against a bare scanner, which is the
//! least that any parser must do, and against `rsip`.
//!
//! After criterion's own figures the ratios of one interleaved run are printed: on a shared machine only those mean
//! something.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group};
use rsip::headers::ToTypedHeader;
use rsip::message::HeadersExt;
use tandem_sbc::message::{Builder, HeaderIndex, HeaderName, Message, Reply};
use tandem_sbc::sdp::SessionDescription;

const INVITE: &[u8] = include_bytes!("../messages/invite.sip");
const REPLY: Reply<'static> = Reply { status: 200, reason: None, to_tag: Some("a6c85cf"), source: None };

/// A named piece of work.
type Job = (&'static str, fn());

const JOBS: [Job; 8] = [
    ("bare scanner", scan),
    ("ours: parse", parse),
    ("ours: parse and essentials", essentials),
    ("ours: parse and validate", validate),
    ("ours: parse and build 200", respond),
    ("ours: session description", description),
    ("rsip: parse", rsip_parse),
    ("rsip: parse and typed headers", rsip_typed),
];

/// Line ends and colons of the headers, nothing checked.
fn bare_scan(bytes: &[u8]) -> ([(u16, u16, u16); 128], usize) {
    let mut lines = [(0, 0, 0); 128];
    let (mut count, mut at) = (0, 0);
    while let Some(length) = memchr::memchr(b'\n', &bytes[at..]) {
        if length < 2 || count == lines.len() {
            break;
        }
        let colon = memchr::memchr(b':', &bytes[at..at + length]).unwrap_or(length);
        lines[count] = (at as u16, (at + colon) as u16, (at + length) as u16);
        count += 1;
        at += length + 1;
    }
    (lines, count)
}

fn with_message(work: impl Fn(&Message<'_>)) {
    let mut index = HeaderIndex::new();
    let message = Message::parse(black_box(INVITE), &mut index).expect("the INVITE is well-formed");
    work(&message);
}

fn scan() {
    _ = black_box(bare_scan(black_box(INVITE)));
}

fn parse() {
    with_message(|message| _ = black_box(message.value(HeaderName::ContentType)));
}

fn essentials() {
    with_message(|message| _ = black_box(message.essentials()));
}

fn validate() {
    with_message(|message| _ = black_box(message.validate()));
}

fn respond() {
    with_message(|message| _ = black_box(Builder::response(message, &REPLY).finish()));
}

fn description() {
    let body = INVITE.windows(4).position(|w| w == b"\r\n\r\n").map_or(&[][..], |at| &INVITE[at + 4..]);
    _ = black_box(SessionDescription::parse(black_box(body)));
}

fn rsip_parse() {
    _ = black_box(rsip::SipMessage::try_from(black_box(INVITE)));
}

fn rsip_typed() {
    let Ok(rsip::SipMessage::Request(request)) = rsip::SipMessage::try_from(black_box(INVITE)) else {
        return;
    };
    _ = black_box(request.via_header().map(|via| via.typed()));
    _ = black_box(request.from_header().map(|from| from.typed()));
    _ = black_box(request.to_header().map(|to| to.typed()));
    _ = black_box(request.cseq_header().map(|cseq| cseq.typed()));
    _ = black_box(request.call_id_header().map(ToString::to_string));
}

fn criterion_benches(criterion: &mut Criterion) {
    assert_eq!(INVITE.len(), 865);
    for (name, job) in JOBS {
        criterion.bench_function(name, |bencher| bencher.iter(job));
    }
}

/// The best of several interleaved rounds of each job: what disturbs one disturbs its neighbours too.
fn ratios() {
    const ROUNDS: usize = 40;
    const CALLS: u32 = 2_000;
    let mut best = [Duration::MAX; JOBS.len()];
    for _ in 0..ROUNDS {
        for (best, (_, job)) in best.iter_mut().zip(JOBS) {
            let start = Instant::now();
            (0..CALLS).for_each(|_| job());
            *best = (*best).min(start.elapsed() / CALLS);
        }
    }
    let of = |name: &str| {
        let at = JOBS.iter().position(|(job, _)| *job == name).expect("a job of that name");
        best[at].as_secs_f64()
    };
    println!("\n{:<32} {:>8} {:>12} {:>12}", "865-byte INVITE", "ns", "x scanner", "rsip / it");
    for (best, (name, _)) in best.iter().zip(JOBS) {
        let seconds = best.as_secs_f64();
        let (scanner, rsip) = (seconds / of("bare scanner"), of("rsip: parse") / seconds);
        println!("{name:<32} {:>8.0} {scanner:>12.2} {rsip:>12.1}", seconds * 1e9);
    }
}

criterion_group! {
    name = group;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20);
    targets = criterion_benches
}

fn main() {
    group();
    Criterion::default().configure_from_args().final_summary();
    ratios();
}
