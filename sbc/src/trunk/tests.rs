use std::net::Ipv4Addr;

use super::*;

const TRUNK: TrunkLimits =
    TrunkLimits { max_calls: 3, max_calls_per_second: 100, max_calls_per_second_out: 100 };
const SOURCE: SourceLimits = SourceLimits { max_calls: 100, max_calls_per_second: 100 };

fn name() -> Arc<str> {
    Arc::from("carrier-a")
}

fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

fn claim(name: &Arc<str>, limits: TrunkLimits) -> Claim<'_> {
    Claim {
        trunk: Some((name, limits)),
        source: Some((address(1), SOURCE)),
        max_calls_per_second: 1_000,
        is_emergency: false,
    }
}

fn at(second: u64) -> Instant {
    Instant::from_millis(second * 1_000)
}

#[test]
fn calls_at_a_time_are_admitted_up_to_the_limit_and_not_past_it() {
    let (name, mut admissions) = (name(), Admissions::default());
    let claim = claim(&name, TRUNK);
    let admitted: Vec<Admission> =
        (0..3).map(|second| admissions.admit(at(second), &claim).expect("room")).collect();
    assert_eq!(admissions.admit(at(3), &claim), Err(Limit::TrunkCalls));
    assert_eq!(admissions.reserve(at(3), &claim), Err(Limit::TrunkCalls), "both ways together");
    assert_eq!(Limit::TrunkCalls.retry_after(), Duration::from_secs(10));
    admissions.release(&admitted[0]);
    assert!(admissions.reserve(at(4), &claim).is_ok());
    assert_eq!(admissions.taken(), 3);
    let of_trunk: Vec<TrunkUse> = admissions.trunks().collect();
    let refused = BTreeMap::from([(Limit::TrunkCalls, 2)]);
    assert_eq!(of_trunk, [TrunkUse { trunk: "carrier-a".into(), calls: 3, refused }]);
}

#[test]
fn calls_a_second_are_counted_each_way_by_itself() {
    let (name, mut admissions) = (name(), Admissions::default());
    let limits = TrunkLimits { max_calls: 100, max_calls_per_second: 2, max_calls_per_second_out: 3 };
    let claim = claim(&name, limits);
    let now = at(5);
    for _ in 0..2 {
        assert!(admissions.admit(now, &claim).is_ok());
    }
    assert_eq!(admissions.admit(now, &claim), Err(Limit::TrunkRate));
    for _ in 0..3 {
        assert!(admissions.reserve(now, &claim).is_ok());
    }
    assert_eq!(admissions.reserve(now, &claim), Err(Limit::TrunkRateOut));
    assert_eq!(Limit::TrunkRate.retry_after(), Duration::from_secs(1));
    assert!(admissions.admit(now + Duration::from_millis(499), &claim).is_err());
    assert!(admissions.admit(now + Duration::from_millis(500), &claim).is_ok());
}

#[test]
fn calls_a_second_from_everybody_are_counted_together() {
    let (one, other) = (name(), Arc::from("carrier-b"));
    let mut admissions = Admissions::default();
    let of = |name| Claim { max_calls_per_second: 2, ..claim(name, TRUNK) };
    assert!(admissions.admit(at(1), &of(&one)).is_ok());
    assert!(admissions.admit(at(1), &of(&other)).is_ok());
    assert_eq!(admissions.admit(at(1), &of(&one)), Err(Limit::TotalRate));
    assert!(admissions.reserve(at(1), &of(&one)).is_ok(), "what we begin ourselves is not counted");
}

#[test]
fn a_source_address_has_limits_of_its_own() {
    let mut admissions = Admissions::default();
    let limits = SourceLimits { max_calls: 2, max_calls_per_second: 3 };
    let from = |last| Claim {
        trunk: None,
        source: Some((address(last), limits)),
        max_calls_per_second: 1_000,
        is_emergency: false,
    };
    let first = admissions.admit(at(1), &from(1)).expect("room");
    assert!(admissions.admit(at(1), &from(1)).is_ok());
    assert_eq!(admissions.admit(at(1), &from(1)), Err(Limit::SourceCalls));
    assert!(admissions.admit(at(1), &from(2)).is_ok(), "another address");
    admissions.release(&first);
    let third = admissions.admit(at(1), &from(1)).expect("room again");
    admissions.release(&third);
    assert_eq!(admissions.admit(at(1), &from(1)), Err(Limit::SourceRate));
}

#[test]
fn an_emergency_call_passes_every_limit_and_is_counted() {
    let (name, mut admissions) = (name(), Admissions::default());
    let limits = TrunkLimits { max_calls: 1, max_calls_per_second: 1, max_calls_per_second_out: 1 };
    let usual = claim(&name, limits);
    let emergency = Claim { is_emergency: true, ..usual };
    let first = admissions.admit(at(1), &usual).expect("room");
    assert_eq!(admissions.check(at(1), &usual), Err(Limit::TrunkCalls));
    for _ in 0..5 {
        assert!(admissions.admit(at(1), &emergency).is_ok());
        assert!(admissions.reserve(at(1), &emergency).is_ok());
    }
    assert_eq!(admissions.taken(), 11);
    admissions.release(&first);
    assert_eq!(admissions.admit(at(9), &usual), Err(Limit::TrunkCalls), "ten are still up");
}

#[test]
fn looking_takes_nothing() {
    let (name, mut admissions) = (name(), Admissions::default());
    let claim = claim(&name, TrunkLimits { max_calls_per_second: 1, ..TRUNK });
    for _ in 0..10 {
        assert_eq!(admissions.check(at(1), &claim), Ok(()));
    }
    assert!(admissions.admit(at(1), &claim).is_ok());
    assert_eq!(admissions.check(at(1), &claim), Err(Limit::TrunkRate));
}

#[test]
fn a_trunk_that_left_the_configuration_is_forgotten_when_it_is_empty() {
    let (name, mut admissions) = (name(), Admissions::default());
    let admission = admissions.admit(Instant::START, &claim(&name, TRUNK)).expect("room");
    admissions.retain(|_| false);
    assert_eq!((admissions.taken(), admissions.trunks().count()), (1, 1));
    admissions.release(&admission);
    admissions.retain(|_| false);
    assert_eq!((admissions.taken(), admissions.trunks().count()), (0, 0));
}

#[test]
fn sources_without_a_call_are_forgotten_beyond_a_limit() {
    let mut admissions = Admissions::default();
    for n in 0..IDLE_SOURCES_MAX as u32 + 500 {
        let claim = Claim {
            trunk: None,
            source: Some((Ipv4Addr::from_bits(n).into(), SOURCE)),
            max_calls_per_second: u32::MAX,
            is_emergency: false,
        };
        let admission = admissions.admit(at(1), &claim).expect("room");
        admissions.release(&admission);
        assert!(admissions.sources.len() <= IDLE_SOURCES_MAX);
    }
}
