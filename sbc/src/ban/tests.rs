use super::*;

const SOURCE: &str = "192.0.2.1:5060";
/// Anybody's address, without users.
const ALONE: (bool, bool) = (true, false);

fn protection() -> Protection {
    Protection {
        ban: Duration::from_secs(60),
        max_ban: Duration::from_secs(200),
        window: Duration::from_secs(10),
        authentication_failures: 3,
        unknown_users: 3,
        unknown_numbers: 3,
        malformed: 3,
        packets_over_rate: 100,
        max_bans: 4,
        ban_trunks: false,
        exempt: vec![IpPrefix { address: "198.51.100.0".parse().expect("an address"), bits: 24 }],
    }
}

fn source(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn at(second: u64) -> Instant {
    Instant::from_millis(second * 1_000)
}

/// Offends `times` in a row; whether that ended in a ban, and not before.
fn offend(bans: &mut Bans, now: Instant, from: &str, offence: Offence<'_>, times: u32) -> bool {
    let protection = protection();
    for _ in 1..times {
        assert!(!bans.offend(now, source(from), offence, ALONE, &protection));
    }
    bans.offend(now, source(from), offence, ALONE, &protection)
}

#[test]
fn offences_ban_at_their_threshold_and_not_before() {
    for offence in [Offence::AuthenticationFailure, Offence::Malformed, Offence::PacketsOverRate(34)] {
        let mut bans = Bans::default();
        assert!(offend(&mut bans, at(1), SOURCE, offence, 3));
        assert!(bans.drops(source(SOURCE), || false));
        assert!(bans.drops(source("192.0.2.1:9"), || false), "whatever the port");
        assert!(!bans.drops(source("192.0.2.2:5060"), || false));
        let change = SourceChange::Banned(prefix_of(source(SOURCE).ip()), offence.reason());
        assert_eq!(bans.poll_change(), Some(change));
        let tally = bans.tallies()[&offence.reason()];
        assert_eq!(tally, Tally { offences: 3, bans: 1, dropped: 2 });
    }
}

#[test]
fn names_and_numbers_count_once_each() {
    let of: [fn(&'static str) -> Offence<'static>; 2] = [Offence::UnknownUser, Offence::UnknownNumber];
    for of in of {
        let mut bans = Bans::default();
        for _ in 0..50 {
            assert!(!offend(&mut bans, at(1), SOURCE, of("100"), 1));
        }
        assert!(!offend(&mut bans, at(1), SOURCE, of("101"), 1));
        assert!(offend(&mut bans, at(1), SOURCE, of("102"), 1));
    }
}

#[test]
fn offences_of_different_kinds_are_not_added_up() {
    let mut bans = Bans::default();
    for offence in [Offence::Malformed, Offence::AuthenticationFailure, Offence::UnknownUser("1")] {
        assert!(!offend(&mut bans, at(1), SOURCE, offence, 2));
    }
}

#[test]
fn offences_count_together_within_the_window() {
    let mut bans = Bans::default();
    assert!(!offend(&mut bans, at(1), SOURCE, Offence::Malformed, 2));
    assert!(!offend(&mut bans, at(11), SOURCE, Offence::Malformed, 2), "the window is over");
    assert!(offend(&mut bans, at(20), SOURCE, Offence::Malformed, 1));
}

#[test]
fn each_further_ban_is_twice_as_long_up_to_the_longest() {
    let mut bans = Bans::default();
    let mut now = at(1);
    for (times, seconds) in [(1, 60), (2, 120), (3, 200), (4, 200)] {
        assert!(offend(&mut bans, now, SOURCE, Offence::Malformed, 3));
        let ban = *bans.in_force().next().expect("a ban");
        assert_eq!((ban.times, ban.until), (times, now + Duration::from_secs(seconds)));
        bans.handle_timeout(ban.until + Duration::from_secs(0));
        assert!(!bans.drops(source(SOURCE), || false));
        now = ban.until + Duration::from_secs(200);
    }
    now += Duration::from_secs(1);
    assert!(offend(&mut bans, now, SOURCE, Offence::Malformed, 3));
    assert_eq!(bans.in_force().next().map(|ban| ban.times), Some(1), "long ago is forgotten");
}

#[test]
fn a_ban_ends_on_time_and_says_so() {
    let mut bans = Bans::default();
    offend(&mut bans, at(1), SOURCE, Offence::Malformed, 3);
    assert_eq!(bans.poll_timeout(), Some(at(61)));
    bans.handle_timeout(at(60));
    assert!(bans.drops(source(SOURCE), || false));
    bans.handle_timeout(at(61));
    assert!(!bans.drops(source(SOURCE), || false));
    let prefix = prefix_of(source(SOURCE).ip());
    assert_eq!(bans.poll_change(), Some(SourceChange::Banned(prefix, BanReason::Malformed)));
    assert_eq!(bans.poll_change(), Some(SourceChange::Lifted(prefix)));
    assert_eq!((bans.poll_change(), bans.poll_timeout()), (None, None));
}

#[test]
fn trunks_and_the_exempt_are_counted_and_not_banned() {
    let mut bans = Bans::default();
    let protection = protection();
    for _ in 0..50 {
        let trunk = (false, false);
        assert!(!bans.offend(at(1), source(SOURCE), Offence::Malformed, trunk, &protection));
        assert!(!bans.offend(at(1), source("198.51.100.7:1"), Offence::Malformed, ALONE, &protection));
    }
    assert_eq!(bans.tallies()[&BanReason::Malformed], Tally { offences: 100, bans: 0, dropped: 0 });
}

#[test]
fn a_threshold_or_a_length_of_zero_bans_nobody() {
    for protection in
        [Protection { malformed: 0, ..protection() }, Protection { ban: Duration::ZERO, ..protection() }]
    {
        let mut bans = Bans::default();
        for _ in 0..50 {
            assert!(!bans.offend(at(1), source(SOURCE), Offence::Malformed, ALONE, &protection));
        }
    }
}

/// A gateway with users behind it is forgiven more, and its registered phones are heard on, but for the offender.
#[test]
fn a_gateway_with_users_is_banned_late_and_its_phones_are_spared() {
    let mut bans = Bans::default();
    let protection = protection();
    let gateway = (true, true);
    let offend =
        |bans: &mut Bans| bans.offend(at(1), source(SOURCE), Offence::Malformed, gateway, &protection);
    for _ in 1..3 * NAT_PATIENCE {
        assert!(!offend(&mut bans));
    }
    assert!(offend(&mut bans));
    assert!(!bans.drops(source("192.0.2.1:6000"), || true), "a registered phone");
    assert!(bans.drops(source("192.0.2.1:6001"), || false), "somebody else");
    assert!(bans.drops(source(SOURCE), || true), "the offender, registered or not");
    assert_eq!(bans.poll_change(), None, "its packets must be looked at");
}

#[test]
fn an_ipv6_source_is_its_network() {
    let mut bans = Bans::default();
    for last in 1..=3 {
        let from = format!("[2001:db8:0:1::{last}]:5060");
        assert_eq!(offend(&mut bans, at(1), &from, Offence::Malformed, 1), last == 3);
    }
    assert!(bans.drops(source("[2001:db8:0:1:ffff::9]:1"), || false));
    assert!(!bans.drops(source("[2001:db8:0:2::1]:1"), || false));
    assert!(bans.pardon(source("[2001:db8:0:1::77]:1").ip()));
}

#[test]
fn who_is_pardoned_is_heard_and_begins_anew() {
    let mut bans = Bans::default();
    offend(&mut bans, at(1), SOURCE, Offence::Malformed, 3);
    assert!(!bans.pardon(source("192.0.2.9:1").ip()), "nobody banned");
    assert!(bans.pardon(source(SOURCE).ip()));
    assert!(!bans.drops(source(SOURCE), || false) && !bans.pardon(source(SOURCE).ip()));
    offend(&mut bans, at(2), SOURCE, Offence::Malformed, 3);
    assert_eq!(bans.in_force().next().map(|ban| ban.times), Some(1));
    bans.pardon_all(|address| address == source(SOURCE).ip());
    assert_eq!(bans.in_force().count(), 0);
}

#[test]
fn bans_are_bounded_and_the_one_that_ends_first_goes() {
    let mut bans = Bans::default();
    for last in 1..=5_u64 {
        offend(&mut bans, at(last), &format!("192.0.2.{last}:1"), Offence::Malformed, 3);
    }
    assert_eq!(bans.in_force().count(), 4);
    assert!(!bans.drops(source("192.0.2.1:1"), || false));
    assert!((2..=5).all(|last| bans.drops(source(&format!("192.0.2.{last}:1")), || false)));
}

#[test]
fn suspects_and_their_names_are_bounded() {
    let mut bans = Bans::default();
    let protection = Protection { unknown_users: u32::MAX, ..protection() };
    for n in 0..SUSPECTS_MAX as u32 + 10 {
        let from = SocketAddr::new(std::net::Ipv4Addr::from_bits(n).into(), 1);
        bans.offend(at(1), from, Offence::Malformed, ALONE, &protection);
    }
    assert_eq!((bans.suspects.len(), bans.suspected.len()), (SUSPECTS_MAX, SUSPECTS_MAX));
    for n in 0..2 * NAMES_MAX {
        bans.offend(at(1), source(SOURCE), Offence::UnknownUser(&n.to_string()), ALONE, &protection);
    }
    assert_eq!(bans.suspects[&source(SOURCE).ip()].names.len(), NAMES_MAX);
}
