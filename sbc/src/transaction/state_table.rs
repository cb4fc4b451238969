//! Renders every machine as the table of all its states and inputs, for the eye and against change.

use std::fmt::{Debug, Write};
use std::time::Duration;

use tandem_time::Instant;

use super::*;

const NOW: Instant = Instant::from_millis(100_000);

fn render<S: Copy + Debug + PartialEq, I: Copy + Debug>(
    states: &[S],
    inputs: &[I],
    step: impl Fn(S, I) -> (S, Effects),
    timers: impl Fn(S) -> String,
) -> String {
    let mut table = String::new();
    for state in states {
        let row = format!("{} {}", name(state), timers(*state));
        writeln!(table, "{}", row.trim_end()).expect("a string takes all");
        for input in inputs {
            let (next, effects) = step(*state, *input);
            let mut row = format!("    {:<15} -> ", name(input));
            if next == *state && effects == Effects::NONE {
                row.push_str("ignored");
            } else {
                write!(row, "{} {}", name(&next), timers(next)).expect("a string takes all");
                row.truncate(row.trim_end().len());
            }
            if let Some(send) = effects.send {
                write!(row, "; send {send:?}").expect("a string takes all");
            }
            if let Some(tell) = effects.tell {
                write!(row, "; tell {tell:?}").expect("a string takes all");
            }
            writeln!(table, "{}", row.trim_end()).expect("a string takes all");
        }
    }
    table
}

fn name(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    text.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
}

fn running(timer: &str, retransmission: Option<Retransmission>) -> String {
    retransmission.map_or(String::new(), |r| format!("{timer}={:?} ", r.at - NOW))
}

fn timing(reliable: bool) -> Timing {
    Timing { timers: Timers::default(), reliable }
}

fn retransmission(interval_ms: u64) -> Option<Retransmission> {
    let interval = Duration::from_millis(interval_ms);
    Some(Retransmission { at: NOW, interval })
}

fn later(seconds: u64) -> Instant {
    NOW + Duration::from_secs(seconds)
}

fn invite_client(reliable: bool) -> String {
    use InviteClientInput as In;
    let timing = timing(reliable);
    let a = if reliable { None } else { retransmission(500) };
    render(
        &[
            InviteClient::Calling { a, b: later(32) },
            InviteClient::Proceeding,
            InviteClient::Completed { d: later(if reliable { 0 } else { 32 }) },
            InviteClient::Accepted { m: later(32) },
            InviteClient::Terminated,
        ],
        &[
            In::Provisional,
            In::Success,
            In::Failure,
            In::TransportError,
            In::TimerA,
            In::TimerB,
            In::TimerD,
            In::TimerM,
        ],
        |state, input| state.step(NOW, input, &timing),
        |state| match state {
            InviteClient::Calling { a, b } => format!("{}B={:?}", running("A", a), b - NOW),
            InviteClient::Completed { d } => format!("D={:?}", d - NOW),
            InviteClient::Accepted { m } => format!("M={:?}", m - NOW),
            InviteClient::Proceeding | InviteClient::Terminated => String::new(),
        },
    )
}

fn non_invite_client(reliable: bool) -> String {
    use NonInviteClientInput as In;
    let timing = timing(reliable);
    let e = if reliable { None } else { retransmission(500) };
    render(
        &[
            NonInviteClient::Trying { e, f: later(32) },
            NonInviteClient::Proceeding { e, f: later(32) },
            NonInviteClient::Completed { k: later(if reliable { 0 } else { 5 }) },
            NonInviteClient::Terminated,
        ],
        &[In::Provisional, In::Final, In::TransportError, In::TimerE, In::TimerF, In::TimerK],
        |state, input| state.step(NOW, input, &timing),
        |state| match state {
            NonInviteClient::Trying { e, f } | NonInviteClient::Proceeding { e, f } => {
                format!("{}F={:?}", running("E", e), f - NOW)
            }
            NonInviteClient::Completed { k } => format!("K={:?}", k - NOW),
            NonInviteClient::Terminated => String::new(),
        },
    )
}

fn invite_server(reliable: bool) -> String {
    use InviteServerInput as In;
    let timing = timing(reliable);
    let g = if reliable { None } else { retransmission(500) };
    render(
        &[
            InviteServer::Proceeding,
            InviteServer::Accepted { l: later(32) },
            InviteServer::Completed { g, h: later(32) },
            InviteServer::Confirmed { i: later(if reliable { 0 } else { 5 }) },
            InviteServer::Terminated,
        ],
        &[
            In::Request,
            In::Ack,
            In::Provisional,
            In::Success,
            In::Failure,
            In::TransportError,
            In::TimerG,
            In::TimerH,
            In::TimerI,
            In::TimerL,
        ],
        |state, input| state.step(NOW, input, &timing),
        |state| match state {
            InviteServer::Accepted { l } => format!("L={:?}", l - NOW),
            InviteServer::Completed { g, h } => format!("{}H={:?}", running("G", g), h - NOW),
            InviteServer::Confirmed { i } => format!("I={:?}", i - NOW),
            InviteServer::Proceeding | InviteServer::Terminated => String::new(),
        },
    )
}

fn non_invite_server(reliable: bool) -> String {
    use NonInviteServerInput as In;
    let timing = timing(reliable);
    render(
        &[
            NonInviteServer::Trying,
            NonInviteServer::Proceeding,
            NonInviteServer::Completed { j: later(if reliable { 0 } else { 32 }) },
            NonInviteServer::Terminated,
        ],
        &[In::Request, In::Provisional, In::Final, In::TransportError, In::TimerJ],
        |state, input| state.step(NOW, input, &timing),
        |state| match state {
            NonInviteServer::Completed { j } => format!("J={:?}", j - NOW),
            _ => String::new(),
        },
    )
}

/// RFC 3261 §17.1.1.2 with RFC 6026 §8.4.
#[test]
fn invite_client_table() {
    insta::assert_snapshot!("invite_client_udp", invite_client(false));
    insta::assert_snapshot!("invite_client_tcp", invite_client(true));
}

/// RFC 3261 §17.1.2.2.
#[test]
fn non_invite_client_table() {
    insta::assert_snapshot!("non_invite_client_udp", non_invite_client(false));
    insta::assert_snapshot!("non_invite_client_tcp", non_invite_client(true));
}

/// RFC 3261 §17.2.1 with RFC 6026 §8.7.
#[test]
fn invite_server_table() {
    insta::assert_snapshot!("invite_server_udp", invite_server(false));
    insta::assert_snapshot!("invite_server_tcp", invite_server(true));
}

/// RFC 3261 §17.2.2.
#[test]
fn non_invite_server_table() {
    insta::assert_snapshot!("non_invite_server_udp", non_invite_server(false));
    insta::assert_snapshot!("non_invite_server_tcp", non_invite_server(true));
}

/// Every moment at which a lone machine does something, in milliseconds after it began.
fn clockwork<S: Copy, I: Copy>(
    mut state: S,
    deadline: impl Fn(&S) -> Option<Instant>,
    due: impl Fn(&S, Instant) -> Option<I>,
    step: impl Fn(S, Instant, I) -> (S, Effects),
) -> Vec<(u64, Effects)> {
    let mut moments = Vec::new();
    while let Some(now) = deadline(&state) {
        let input = due(&state, now).expect("a deadline has a timer");
        let (next, effects) = step(state, now, input);
        state = next;
        moments.push(((now - NOW).as_millis().try_into().expect("a short test"), effects));
    }
    moments
}

const REQUEST: Effects = Effects::send(Send::Request);
const RESPONSE: Effects = Effects::send(Send::Response);
const TIMEOUT: Effects = Effects::tell(Tell::Timeout);

/// RFC 3261 §17.1.1.2: A doubles from T1 (0.5, 1, 2, 4, 8, 16 s), B fires at 64*T1.
#[test]
fn timers_a_and_b() {
    for (reliable, expected) in [
        (
            false,
            vec![
                (500, REQUEST),
                (1500, REQUEST),
                (3500, REQUEST),
                (7500, REQUEST),
                (15_500, REQUEST),
                (31_500, REQUEST),
                (32_000, TIMEOUT),
            ],
        ),
        (true, vec![(32_000, TIMEOUT)]),
    ] {
        let timing = timing(reliable);
        let (state, first) = InviteClient::new(NOW, &timing);
        assert_eq!(first, REQUEST);
        let moments = clockwork(state, InviteClient::deadline, InviteClient::due, |state, now, input| {
            state.step(now, input, &timing)
        });
        assert_eq!(moments, expected);
    }
}

/// RFC 3261 §17.1.2.2: E doubles from T1 up to T2, F fires at 64*T1.
#[test]
fn timers_e_and_f() {
    let timing = timing(false);
    let (state, first) = NonInviteClient::new(NOW, &timing);
    assert_eq!(first, REQUEST);
    let run = |state| {
        clockwork(state, NonInviteClient::deadline, NonInviteClient::due, |state, now, input| {
            state.step(now, input, &timing)
        })
    };
    let times: Vec<u64> = run(state).iter().map(|moment| moment.0).collect();
    assert_eq!(times, [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500, 32_000]);

    let (proceeding, _) = state.step(NOW, NonInviteClientInput::Provisional, &timing);
    let times: Vec<u64> = run(proceeding).iter().map(|moment| moment.0).collect();
    assert_eq!(times, [500, 4500, 8500, 12_500, 16_500, 20_500, 24_500, 28_500, 32_000]);
}

/// RFC 3261 §17.2.1: G doubles from T1 up to T2, H fires at 64*T1.
#[test]
fn timers_g_and_h() {
    for (reliable, expected) in [
        (false, vec![500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500, 32_000]),
        (true, vec![32_000]),
    ] {
        let timing = timing(reliable);
        let (state, first) = InviteServer::new().step(NOW, InviteServerInput::Failure, &timing);
        assert_eq!(first, RESPONSE);
        let moments = clockwork(state, InviteServer::deadline, InviteServer::due, |state, now, input| {
            state.step(now, input, &timing)
        });
        let times: Vec<u64> = moments.iter().map(|moment| moment.0).collect();
        assert_eq!(times, expected);
        assert_eq!(moments.last().map(|moment| moment.1), Some(TIMEOUT));
        assert!(moments.iter().rev().skip(1).all(|moment| moment.1 == RESPONSE));
    }
}

/// RFC 3261 table 4 and RFC 6026 §7.1: how long each last state lingers.
#[test]
fn timers_d_i_j_k_l_and_m() {
    for (reliable, [d, i, j, k, l, m]) in [(false, [32, 5, 32, 5, 32, 32]), (true, [0, 0, 0, 0, 32, 32])] {
        let timing = timing(reliable);
        let linger = |deadline: Option<Instant>| (deadline.expect("a timer runs") - NOW).as_secs();
        let (client, _) = InviteClient::new(NOW, &timing);
        assert_eq!(linger(client.step(NOW, InviteClientInput::Failure, &timing).0.deadline()), d);
        assert_eq!(linger(client.step(NOW, InviteClientInput::Success, &timing).0.deadline()), m);
        let (client, _) = NonInviteClient::new(NOW, &timing);
        assert_eq!(linger(client.step(NOW, NonInviteClientInput::Final, &timing).0.deadline()), k);
        let server = InviteServer::new();
        assert_eq!(linger(server.step(NOW, InviteServerInput::Success, &timing).0.deadline()), l);
        let (completed, _) = server.step(NOW, InviteServerInput::Failure, &timing);
        assert_eq!(linger(completed.step(NOW, InviteServerInput::Ack, &timing).0.deadline()), i);
        let server = NonInviteServer::new();
        assert_eq!(linger(server.step(NOW, NonInviteServerInput::Final, &timing).0.deadline()), j);
    }
}
