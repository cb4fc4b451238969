use crate::transport::Transport;

use super::*;

const POLICY: Policy = Policy {
    min_expires: Duration::from_secs(60),
    max_expires: Duration::from_secs(3_600),
    max_contacts_per_user: 2,
};

fn now(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1_000)
}

fn hop() -> Hop {
    Hop {
        transport: Transport::Tcp,
        local: "127.0.0.1:5060".parse().expect("an address"),
        destination: "127.0.0.20:40000".parse().expect("an address"),
        flow: Some(FlowId(3)),
    }
}

fn contact(uri: &str, expires_s: Option<u32>) -> ContactRequest {
    ContactRequest { uri: uri.to_owned(), expires_s, instance: None }
}

fn registration(call_id: &str, cseq: u32, contacts: Vec<ContactRequest>) -> Registration {
    Registration {
        call_id: call_id.to_owned(),
        cseq,
        expires_s: None,
        contacts: Contacts::Listed(contacts),
        path: Vec::new(),
        hop: hop(),
    }
}

fn change(reachable: bool) -> Option<Reachability> {
    Some(Reachability { user: "1001".to_owned(), reachable })
}

fn uris(registrar: &Registrar) -> Vec<&str> {
    registrar.bindings("1001").iter().map(|binding| binding.uri.as_str()).collect()
}

#[test]
fn contacts_come_are_refreshed_and_expire() {
    let mut registrar = Registrar::default();
    let first = registration("a", 1, vec![contact("sip:1001@127.0.0.20", Some(60))]);
    assert_eq!(registrar.register(now(0), "1001", first, POLICY), Ok(change(true)));
    assert_eq!(registrar.poll_timeout(), Some(now(60)));
    let second = registration("a", 2, vec![contact("sip:1001@127.0.0.20", Some(100))]);
    assert_eq!(registrar.register(now(30), "1001", second, POLICY), Ok(None));
    assert_eq!(registrar.expire(now(60)), None);
    assert_eq!(registrar.poll_timeout(), Some(now(130)));
    assert_eq!(registrar.expire(now(130)), change(false));
    assert_eq!(registrar.poll_timeout(), None);
    assert!(registrar.users.is_empty());
}

/// RFC 5630 §5.1.1.1: one place has one binding, of sips or of sip, as it was registered last.
#[test]
fn a_contact_of_the_other_scheme_takes_its_place() {
    let mut registrar = Registrar::default();
    for (cseq, uri) in (1..).zip(["sip:1001@127.0.0.20", "sips:1001@127.0.0.20", "sip:1001@127.0.0.20"]) {
        let asked = registration("a", cseq, vec![contact(uri, Some(60))]);
        assert!(registrar.register(now(0), "1001", asked, POLICY).is_ok());
        assert_eq!(uris(&registrar), [uri]);
    }
    let other = registration("b", 1, vec![contact("sips:1001@127.0.0.20:5071", Some(60))]);
    assert!(registrar.register(now(0), "1001", other, POLICY).is_ok());
    assert_eq!(uris(&registrar).len(), 2, "another place");
}

/// §10.3 step 7: the contact's own lifetime, else the header's, else ours; never longer than ours.
#[test]
fn the_lifetime_granted() {
    for (own, header, granted) in [
        (Some(90), Some(120), 90),
        (None, Some(120), 120),
        (None, None, 3_600),
        (Some(3_600), None, 3_600),
        (Some(3_601), None, 3_600),
        (Some(60), None, 60),
    ] {
        let mut registrar = Registrar::default();
        let mut asked = registration("a", 1, vec![contact("sip:1001@127.0.0.20", own)]);
        asked.expires_s = header;
        registrar.register(now(0), "1001", asked, POLICY).expect("long enough");
        assert_eq!(registrar.bindings("1001").first().map(|binding| binding.expires), Some(now(granted)));
    }
}

/// §10.3 step 7: 423 below the minimum, and nothing of the request is done.
#[test]
fn too_brief_a_lifetime_changes_nothing() {
    let mut registrar = Registrar::default();
    let contacts = vec![contact("sip:a@127.0.0.20", Some(60)), contact("sip:b@127.0.0.20", Some(59))];
    assert_eq!(
        registrar.register(now(0), "1001", registration("a", 1, contacts), POLICY),
        Err(RegistrationError::TooBrief { min_expires_s: 60 })
    );
    assert!(registrar.bindings("1001").is_empty());
}

/// §10.3 step 6.
#[test]
fn the_wildcard_removes_all_and_only_with_expires_zero() {
    let mut registrar = Registrar::default();
    let both = vec![contact("sip:a@127.0.0.20", None), contact("sip:b@127.0.0.20", None)];
    registrar.register(now(0), "1001", registration("a", 5, both), POLICY).expect("registered");
    let wildcard = |call_id: &str, cseq, expires_s| Registration {
        contacts: Contacts::Wildcard,
        expires_s,
        ..registration(call_id, cseq, Vec::new())
    };
    for bad in [None, Some(60)] {
        assert_eq!(
            registrar.register(now(1), "1001", wildcard("a", 6, bad), POLICY),
            Err(RegistrationError::BadWildcard)
        );
    }
    assert_eq!(
        registrar.register(now(1), "1001", wildcard("a", 5, Some(0)), POLICY),
        Err(RegistrationError::OutOfOrder)
    );
    assert_eq!(uris(&registrar).len(), 2);
    assert_eq!(registrar.register(now(1), "1001", wildcard("a", 6, Some(0)), POLICY), Ok(change(false)));
    assert_eq!(registrar.poll_timeout(), None);
}

/// §10.3 step 7: a request of the same client that is not newer fails whole.
#[test]
fn an_older_request_changes_nothing() {
    let mut registrar = Registrar::default();
    let ask = |call_id, cseq, expires| {
        registration(call_id, cseq, vec![contact("sip:1001@127.0.0.20", Some(expires))])
    };
    registrar.register(now(0), "1001", ask("a", 5, 100), POLICY).expect("registered");
    for cseq in [4, 5] {
        assert_eq!(
            registrar.register(now(1), "1001", ask("a", cseq, 0), POLICY),
            Err(RegistrationError::OutOfOrder)
        );
    }
    assert_eq!(
        registrar.register(now(1), "1001", ask("b", 1, 200), POLICY),
        Ok(None),
        "a client that restarted"
    );
    assert_eq!(registrar.register(now(2), "1001", ask("b", 2, 0), POLICY), Ok(change(false)));
}

#[test]
fn the_oldest_contact_goes_when_there_are_too_many() {
    let mut registrar = Registrar::default();
    for (cseq, uri) in [(1, "sip:a@h"), (2, "sip:b@h")] {
        let asked = registration("a", cseq, vec![contact(uri, None)]);
        registrar.register(now(cseq.into()), "1001", asked, POLICY).expect("registered");
    }
    assert_eq!(uris(&registrar), ["sip:a@h", "sip:b@h"]);
    let refresh = registration("a", 3, vec![contact("sip:a@h", None)]);
    registrar.register(now(3), "1001", refresh, POLICY).expect("refreshed");
    let third = registration("a", 4, vec![contact("sip:c@h", None)]);
    registrar.register(now(4), "1001", third, POLICY).expect("registered");
    assert_eq!(uris(&registrar), ["sip:a@h", "sip:c@h"]);
}

#[test]
fn a_query_changes_nothing() {
    let mut registrar = Registrar::default();
    assert_eq!(registrar.register(now(0), "1001", registration("a", 1, Vec::new()), POLICY), Ok(None));
    assert!(registrar.users.is_empty());
}

#[test]
fn a_lost_connection_is_forgotten_but_not_its_contact() {
    let mut registrar = Registrar::default();
    let asked = registration("a", 1, vec![contact("sip:1001@127.0.0.20", None)]);
    registrar.register(now(0), "1001", asked, POLICY).expect("registered");
    registrar.forget_flow(FlowId(4));
    assert_eq!(registrar.bindings("1001").first().map(|binding| binding.hop), Some(hop()));
    registrar.forget_flow(FlowId(3));
    assert_eq!(registrar.bindings("1001").first().map(|binding| binding.hop.flow), Some(None));
}

#[test]
fn a_user_who_left_the_configuration_is_forgotten() {
    let mut registrar = Registrar::default();
    let asked = registration("a", 1, vec![contact("sip:1001@127.0.0.20", None)]);
    registrar.register(now(0), "1001", asked, POLICY).expect("registered");
    assert_eq!(registrar.retain(|_| true), []);
    assert_eq!(registrar.retain(|user| user != "1001"), change(false).into_iter().collect::<Vec<_>>());
    assert_eq!(registrar.poll_timeout(), None);
}
