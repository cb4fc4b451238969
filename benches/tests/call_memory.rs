//! What a call keeps of the node's memory, and that it gives it back.

use std::time::Duration;

use tandem_benches::call_setup::{CallUp, Core, Treatment};
use tandem_benches::counting::{Counting, live_bytes};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CALLS: u32 = 1_000;
/// What a call may keep that is up and does nothing, all machines together.
const IDLE_CALL_BYTES: isize = 6 * 1_024;
/// What a call of two legs may keep whose media is relayed; what the allocator adds comes on top of it.
const RELAYED_CALL_BYTES: isize = 10 * 1_024;
/// After this nothing of a call is left: the longest of SIP's timers is 64*T1 (RFC 3261 §17).
const FORGOTTEN: Duration = Duration::from_secs(40);

/// Bytes that an idle call keeps, and bytes that are kept when all have ended.
fn round(core: &mut Core) -> (isize, isize) {
    let before = live_bytes();
    let calls: Vec<CallUp> = (0..CALLS).map(|_| core.call()).collect();
    core.wait(FORGOTTEN);
    let idle = (live_bytes() - before) / CALLS as isize;
    for call in &calls {
        core.hang_up(call);
    }
    core.wait(FORGOTTEN);
    assert_eq!(core.ledger(), tandem_switch::Ledger::default());
    drop(calls);
    (idle, live_bytes() - before)
}

fn measure(treatment: Treatment) -> isize {
    let mut core = Core::new(treatment, CALLS);
    let (idle, kept) = round(&mut core);
    let (_, grown) = round(&mut core);
    let before = core.allocations();
    let call = core.call();
    let answered = core.allocations() - before;
    core.hang_up(&call);
    let count = core.allocations() - before;
    println!(
        "{treatment:?}: {idle} bytes an idle call, {count} allocations a call ({answered} until it is up); after {CALLS} calls {kept} bytes of \
         room for as many are kept, after as many again {grown} more"
    );
    assert_eq!(grown, 0, "a second round of calls leaves nothing behind");
    idle
}

#[test]
fn an_idle_call_keeps_less_than_its_budget_and_gives_it_back() {
    let answered = measure(Treatment::Answer);
    assert!(answered < IDLE_CALL_BYTES, "{answered} bytes");
    let bridged = measure(Treatment::Bridge);
    assert!(bridged < RELAYED_CALL_BYTES, "two legs: {bridged} bytes");
}
