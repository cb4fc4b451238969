//! The scenes: each calls a number of the demo and holds what was heard against what was promised.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tandem_phone::{CallKey, Manner, Phone, Report, Side};
use tandem_phone_net::LivePhone;
use tandem_store::{Archive, StoredCall};
use tokio::runtime::Runtime;

use super::cast::{ALICE_HZ, BOB_HZ, CALLER_HZ, Cast};
use super::ladder::Ladder;
use super::verdict::{Row, Verdict};
use crate::node::Node;

/// How long anything may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long each has to hear the other.
const TALK: Duration = Duration::from_millis(1_500);
/// How long speech or music has to be heard.
const LISTEN: Duration = Duration::from_millis(700);
/// The level above which a stretch of audio is no silence, in dB below full scale.
const LOUD_DBOV: i8 = -40;
/// How often something that takes its time is looked at.
const PACE: Duration = Duration::from_millis(50);
/// An address on no list.
const STRANGER: [u8; 4] = [127, 0, 0, 66];
/// How long silence has to last to count as no answer.
const SILENCE: Duration = Duration::from_millis(1_500);

/// What the scenes are played on.
pub(super) struct Stage<'s> {
    pub(super) runtime: &'s Runtime,
    pub(super) cast: &'s Cast,
    pub(super) ladder: &'s Ladder,
    pub(super) node: &'s Node,
    pub(super) store: &'s Path,
}

/// Plays the main call on the ladder, then everything else at the same time.
pub(super) fn play(stage: &Stage<'_>, verdict: &mut Verdict) {
    main_call(stage, verdict);
    let scenes: [(&'static str, Scene); 6] = [
        ("+15550101: music until an agent registers", waiting_caller),
        ("+15550102: a prompt in a loop", prompt_loop),
        ("+15550103: echo of audio and digits", echo),
        ("+15550104: four digits come back as tones", read_back),
        ("+15550999: 404", unknown_number),
        ("127.0.0.66, on no list: no answer at all", stranger),
    ];
    thread::scope(|scope| {
        let playing = scenes.map(|(promise, scene)| (promise, scope.spawn(move || scene(stage))));
        verdict.extend(playing.map(|(promise, scene)| {
            let found = scene.join().unwrap_or_else(|_| Err(io::Error::other("the scene broke down")));
            Row { promise, found }
        }));
    });
    verdict.add("afterwards nothing is left", nothing_left(stage.node));
}

type Scene = fn(&Stage<'_>) -> io::Result<String>;

/// What the main call came to.
struct MainCall {
    caller: Report,
    agent: Report,
    record: StoredCall,
}

fn main_call(stage: &Stage<'_>, verdict: &mut Verdict) {
    match play_main_call(stage) {
        Err(error) => verdict.add("+15550100: menu, queue, agent", Err(error)),
        Ok(MainCall { caller, agent, record }) => {
            verdict.add(
                "+15550100: menu, 1, sales queue, agent",
                Ok("each heard the other's tone, and not its own".into()),
            );
            verdict.add("no packet lost on the way", no_loss(&caller, &agent));
            verdict.add("the record in the store tells the same", in_agreement(&record, &caller));
        }
    }
}

fn play_main_call(stage: &Stage<'_>) -> io::Result<MainCall> {
    let Stage { runtime, cast, ladder, .. } = stage;
    let alice = cast.register(runtime.handle(), cast.alice())?;
    let carrier = cast.carrier(runtime.handle())?;
    let archive = open_archive(stage.store)?;
    let before = archive.newest().map_err(io::Error::other)?;

    let call = carrier.call("+15559000", "+15550100", Manner::polite(CALLER_HZ, Duration::ZERO))?;
    carrier.answered(call, PATIENCE)?;
    hears_something(&carrier, call, Duration::ZERO, "the menu")?;
    ladder.note("the caller hears the menu and presses 1");
    let pressed_at = carrier.ask(move |phone, now| {
        phone.press(now, call, "1");
        now
    })?;
    let agents_call = alice.incoming(PATIENCE)?;
    hears_something(
        &carrier,
        call,
        pressed_at + Duration::from_millis(300),
        "music while the agent's phone rings",
    )?;
    ladder.note("the caller hears music while the agent's phone rings");
    alice.answered(agents_call, PATIENCE)?;
    carrier.hears(call, ALICE_HZ, TALK, PATIENCE)?;
    ladder.note(&format!("the caller hears the agent's {ALICE_HZ} Hz"));
    alice.hears(agents_call, CALLER_HZ, TALK, PATIENCE)?;
    ladder.note(&format!("the agent hears the caller's {CALLER_HZ} Hz"));
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call))?;
    let caller = carrier.ended(call, PATIENCE)?;
    let agent = alice.ended(agents_call, PATIENCE)?;
    no_crosstalk(&caller, &agent)?;
    let record = stored(&archive, before)?;
    alice.act(Phone::unregister)?;
    Ok(MainCall { caller, agent, record })
}

/// Nobody hears their own voice come back.
fn no_crosstalk(caller: &Report, agent: &Report) -> io::Result<()> {
    for (who, report, own) in [("the caller", caller, CALLER_HZ), ("the agent", agent, ALICE_HZ)] {
        let own_voice = report.heard.time_of_tone(own);
        if !own_voice.is_zero() {
            return Err(io::Error::other(format!("{who} heard the own {own} Hz for {own_voice:?}")));
        }
    }
    Ok(())
}

fn no_loss(caller: &Report, agent: &Report) -> io::Result<String> {
    let lost = caller.received.lost + agent.received.lost;
    let received = caller.received.packets + agent.received.packets;
    if lost > 0 {
        return Err(io::Error::other(format!("{lost} of {} packets were lost", received + lost)));
    }
    Ok(format!("{received} received"))
}

/// The record against what the caller knows of the call.
fn in_agreement(record: &StoredCall, caller: &Report) -> io::Result<String> {
    let differs = |what: &str, ours: &str, theirs: &str| {
        Err(io::Error::other(format!("{what}: the record says {ours}, it was {theirs}")))
    };
    let agent = record.agent.as_deref().unwrap_or("nobody");
    let queue = record.queue.as_deref().unwrap_or("none");
    let leg = record.legs.first().ok_or_else(|| io::Error::other("the record has no leg"))?;
    if record.from != caller.from || record.dialled != caller.to {
        return differs(
            "the parties",
            &format!("{} to {}", record.from, record.dialled),
            &format!("{} to {}", caller.from, caller.to),
        );
    }
    if queue != "sales" {
        return differs("the queue", queue, "sales");
    }
    if (record.end_side.as_str(), record.end_status) != ("party", 200) {
        return differs("the end", &format!("{} {}", record.end_side, record.end_status), "the caller's BYE");
    }
    if leg.sip_call_id != caller.sip_call_id {
        return differs("the Call-ID", &leg.sip_call_id, &caller.sip_call_id);
    }
    if leg.digits_received != 1 || leg.packets_lost != 0 {
        return differs(
            "the media",
            &format!("{} digits, {} lost", leg.digits_received, leg.packets_lost),
            "1 and 0",
        );
    }
    let (flow, wait, talk) = (record.flow.as_deref().unwrap_or("none"), record.wait_ms, record.talk_ms);
    let (codec, mos) = (leg.codec.as_deref().unwrap_or("none"), leg.mos.unwrap_or_default());
    Ok(format!(
        "{}: flow {flow}, queue {queue} {:.1} s, agent {agent} {:.1} s, {codec}, {} packets, 0 lost, MOS {mos:.1}",
        record.call,
        seconds(wait),
        seconds(talk),
        leg.packets_received,
    ))
}

fn seconds(millis: i64) -> f64 {
    Duration::from_millis(millis.unsigned_abs()).as_secs_f64()
}

fn waiting_caller(stage: &Stage<'_>) -> io::Result<String> {
    let carrier = stage.cast.another_caller(stage.runtime.handle(), 0)?;
    let call = carrier.call("+15559001", "+15550101", Manner::polite(CALLER_HZ, Duration::ZERO))?;
    carrier.answered(call, PATIENCE)?;
    hears_something(&carrier, call, Duration::ZERO, "music")?;
    let bob = stage.cast.register(stage.runtime.handle(), stage.cast.bob())?;
    let agents_call = bob.incoming(PATIENCE)?;
    carrier.hears(call, BOB_HZ, LISTEN, PATIENCE)?;
    bob.hears(agents_call, CALLER_HZ, LISTEN, PATIENCE)?;
    bob.act(move |phone, now| Phone::hang_up(phone, now, agents_call))?;
    let report = carrier.ended(call, PATIENCE)?;
    bob.act(Phone::unregister)?;
    if report.by != Side::Theirs {
        return Err(io::Error::other("the node did not hang up the caller after the agent"));
    }
    Ok("music, then the agent; both heard; the agent hung up".into())
}

fn prompt_loop(stage: &Stage<'_>) -> io::Result<String> {
    let carrier = stage.cast.another_caller(stage.runtime.handle(), 1)?;
    let call = carrier.call("+15559002", "+15550102", Manner::polite(CALLER_HZ, Duration::ZERO))?;
    carrier.answered(call, PATIENCE)?;
    hears_something(&carrier, call, Duration::ZERO, "the prompt")?;
    let report = hang_up(&carrier, call)?;
    Ok(format!("heard; {} packets, {} lost", report.received.packets, report.received.lost))
}

fn echo(stage: &Stage<'_>) -> io::Result<String> {
    let carrier = stage.cast.another_caller(stage.runtime.handle(), 2)?;
    let call = carrier.call("+15559003", "+15550103", Manner::polite(CALLER_HZ, Duration::ZERO))?;
    carrier.answered(call, PATIENCE)?;
    carrier.hears(call, CALLER_HZ, LISTEN, PATIENCE)?;
    carrier.act(move |phone, now| phone.press(now, call, "7"))?;
    until("its digit", || {
        let received =
            carrier.ask(move |phone, _| phone.received(call).map(tandem_phone::Received::digit_string))?;
        Ok(received.filter(|digits| digits == "7"))
    })?;
    hang_up(&carrier, call)?;
    Ok(format!("{CALLER_HZ} Hz and the digit 7 came back"))
}

fn read_back(stage: &Stage<'_>) -> io::Result<String> {
    let carrier = stage.cast.another_caller(stage.runtime.handle(), 3)?;
    let call = carrier.call("+15559004", "+15550104", Manner::polite(CALLER_HZ, Duration::ZERO))?;
    carrier.answered(call, PATIENCE)?;
    hears_something(&carrier, call, Duration::ZERO, "the request for digits")?;
    carrier.act(move |phone, now| phone.press(now, call, "1379#"))?;
    let report = carrier.ended(call, PATIENCE)?;
    let heard = report.heard.digit_string();
    match (heard.as_str(), report.by) {
        ("1379", Side::Theirs) => Ok("1379 heard, then the node hung up".into()),
        (heard, by) => Err(io::Error::other(format!("heard {heard:?} instead of 1379; hung up by {by:?}"))),
    }
}

fn unknown_number(stage: &Stage<'_>) -> io::Result<String> {
    let carrier = stage.cast.another_caller(stage.runtime.handle(), 4)?;
    let call = carrier.call("+15559005", "+15550999", Manner::polite(CALLER_HZ, Duration::ZERO))?;
    let report = carrier.ended(call, PATIENCE)?;
    match report.status {
        404 => Ok("404 Not Found".into()),
        status => Err(io::Error::other(format!("the answer was {status}"))),
    }
}

fn stranger(stage: &Stage<'_>) -> io::Result<String> {
    let socket = UdpSocket::bind(SocketAddr::from((STRANGER, 0)))?;
    socket.set_read_timeout(Some(SILENCE))?;
    let (own, node) = (socket.local_addr()?, stage.cast.node());
    for method in ["OPTIONS", "INVITE", "REGISTER"] {
        let request = format!(
            "{method} sip:+15550102@{node} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK-{method};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:mallory@{own}>;tag=1\r\nTo: <sip:+15550102@{node}>\r\n\
             Call-ID: {method}@{own}\r\nCSeq: 1 {method}\r\nContact: <sip:{own}>\r\nContent-Length: 0\r\n\r\n"
        );
        socket.send_to(request.as_bytes(), node)?;
    }
    let mut answer = [0; 512];
    match socket.recv_from(&mut answer) {
        Err(_) => Ok("OPTIONS, INVITE and REGISTER fell on deaf ears".into()),
        Ok((len, _)) => {
            let text = String::from_utf8_lossy(answer.get(..len).unwrap_or_default()).into_owned();
            Err(io::Error::other(format!("answered: {}", text.lines().next().unwrap_or_default())))
        }
    }
}

/// What a call takes is given back; SIP keeps its transactions for some seconds more.
fn nothing_left(node: &Node) -> io::Result<String> {
    until("the ledger's zero", || {
        let ledger = node.ledger();
        let in_use = ledger.ports + ledger.endpoints + ledger.admissions + ledger.commands;
        Ok((in_use == 0 && node.calls() == 0).then_some(()))
    })?;
    Ok("0 calls, ports, media endpoints, admissions, commands".into())
}

fn hang_up(phone: &LivePhone, call: CallKey) -> io::Result<Report> {
    phone.act(move |phone, now| Phone::hang_up(phone, now, call))?;
    phone.ended(call, PATIENCE)
}

/// Waits until a call has heard speech or music for [`LISTEN`] since `since`.
fn hears_something(phone: &LivePhone, call: CallKey, since: Duration, what: &str) -> io::Result<()> {
    until(what, || {
        let loud = phone.ask(move |phone, _| {
            let windows = phone.heard(call).map(|heard| heard.windows.as_slice()).unwrap_or_default();
            windows.iter().filter(|it| it.at >= since && it.level_dbov > LOUD_DBOV).count()
        })?;
        let loud = Duration::from_millis(100) * u32::try_from(loud).unwrap_or(u32::MAX);
        Ok((loud >= LISTEN).then_some(()))
    })
}

/// Looks again and again until there is something.
fn until<T>(what: &str, mut look: impl FnMut() -> io::Result<Option<T>>) -> io::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(found) = look()? {
            return Ok(found);
        }
        thread::park_timeout(PACE);
    }
    Err(io::Error::other(format!("{what}: not within {PATIENCE:?}")))
}

fn open_archive(store: &Path) -> io::Result<Archive> {
    Archive::open(store).map_err(io::Error::other)
}

/// The first record after row `before`.
fn stored(archive: &Archive, before: i64) -> io::Result<StoredCall> {
    until("the record", || Ok(archive.calls_after(before).map_err(io::Error::other)?.into_iter().next()))
}
