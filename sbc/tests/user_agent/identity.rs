//! Who calls: what a trunk says of it, and what a trunk is told.

use tandem_sbc::user_agent::{
    DiversionHeader, Event, Identity, IdentityHeader, Invite, InviteTarget, Profile, RedirectReason,
    Redirection,
};

use crate::support::{CARRIER, Request, Sent, World, config, media};

fn world(profile: Profile) -> World {
    let mut config = config();
    config.trunks[0].profile = profile;
    World::with(config)
}

/// Who calls, by an INVITE with these headers.
fn caller(profile: &Profile, from: &str, headers: &str) -> Identity {
    let mut world = world(profile.clone());
    let invite = Request::invite().with(|invite| {
        invite.from = format!("{from};tag=carrier");
        invite.headers.push_str(headers);
    });
    world.receive(CARRIER, &invite.text());
    match world.events().as_slice() {
        [Event::Incoming { from, .. }] => from.clone(),
        other => panic!("no incoming call but {other:?}"),
    }
}

fn shown(user: &str, name: Option<&str>) -> Identity {
    Identity { user: user.into(), display_name: name.map(str::to_owned), ..Identity::default() }
}

fn withheld(user: &str, name: Option<&str>) -> Identity {
    Identity { restricted: true, ..shown(user, name) }
}

const FROM: &str = "\"Front\" <sip:+15550001@carrier.example>";
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

/// RFC 3325 §5: only what comes from within the trust domain is believed.
#[test]
fn an_asserted_identity_counts_when_the_trunk_is_trusted() {
    let asserted = "P-Asserted-Identity: \"Back\" <sip:+15550002@carrier.example>\r\n";
    let trusted = Profile { trust_identity: true, ..Profile::default() };
    assert_eq!(caller(&trusted, FROM, asserted), shown("+15550002", Some("Back")));
    assert_eq!(caller(&Profile::default(), FROM, asserted), shown("+15550001", Some("Front")));
    assert_eq!(caller(&trusted, FROM, ""), shown("+15550001", Some("Front")));
}

/// RFC 3325 §9.1 allows a sip and a tel URI; RFC 3966 §5.1.1 separators; carriers send the rest.
#[test]
fn odd_forms_of_an_identity_are_read() {
    let trusted = Profile { trust_identity: true, ..Profile::default() };
    for (headers, user, name) in [
        ("P-Asserted-Identity: <tel:+1-555-0002>\r\n", "+15550002", None),
        ("P-Asserted-Identity: tel:+15550002;isub=1\r\n", "+15550002", None),
        ("P-Asserted-Identity: <sip:carrier.example>, <tel:+15550002>\r\n", "+15550002", None),
        ("P-Asserted-Identity: <sip:x@@>\r\nP-Asserted-Identity: <tel:+15550002>\r\n", "+15550002", None),
        ("P-Asserted-Identity: <sip:%2B15550002;npdi@c.example;user=phone>\r\n", "+15550002", None),
        (
            "P-Asserted-Identity: \"Zo\u{eb} \\\"Z\\\"\" <sip:zoe@c.example>\r\n",
            "zoe",
            Some("Zo\u{eb} \"Z\""),
        ),
        ("Remote-Party-ID: \"Back\" <sip:2@h>;party=called, <sip:3@h>;party=calling\r\n", "3", None),
    ] {
        assert_eq!(caller(&trusted, FROM, headers), shown(user, name), "{headers}");
    }
}

/// RFC 3323 §4.2, RFC 3325 §7 and §9.3.
#[test]
fn privacy_is_honoured_whoever_asks_for_it() {
    let trusted = Profile { trust_identity: true, ..Profile::default() };
    let asserted = "P-Asserted-Identity: <tel:+15550002>\r\n";
    for privacy in ["id", "user;header", "critical; ID", "full"] {
        let headers = format!("{asserted}Privacy: {privacy}\r\n");
        assert_eq!(caller(&trusted, ANONYMOUS, &headers), withheld("+15550002", None), "{privacy}");
        let from = caller(&Profile::default(), FROM, &headers);
        assert_eq!(from, withheld("+15550001", Some("Front")), "{privacy}");
    }
    assert_eq!(caller(&trusted, FROM, &format!("{asserted}Privacy: none\r\n")), shown("+15550002", None));
    assert_eq!(caller(&trusted, ANONYMOUS, asserted), withheld("+15550002", None));
    assert_eq!(caller(&Profile::default(), ANONYMOUS, asserted), withheld("", None));
    let party = "Remote-Party-ID: <sip:+15550002@h>;party=calling;privacy=full\r\n";
    assert_eq!(caller(&trusted, FROM, party), withheld("+15550002", None));
}

/// The INVITE that a caller makes us send.
fn invite(profile: Profile, from: Identity) -> Sent {
    let mut world = world(profile);
    let target = InviteTarget::Trunk { trunk: "carrier-a".into(), number: "+15557777".into() };
    world.own(|agent, now| agent.invite(now, Invite { target, from, media: media() })).expect("a session");
    world.expect("INVITE")
}

fn without_tag(value: &str) -> &str {
    value.split(";tag=").next().unwrap_or_default()
}

#[test]
fn a_trunk_sees_the_caller_where_it_wants_to() {
    for (identity, header, value) in [
        (IdentityHeader::PAssertedIdentity, "P-Asserted-Identity", ""),
        (IdentityHeader::PPreferredIdentity, "P-Preferred-Identity", ""),
        (IdentityHeader::RemotePartyId, "Remote-Party-ID", ";party=calling;screen=yes;privacy=off"),
    ] {
        let sent = invite(Profile { identity, ..Profile::default() }, shown("+15550001", Some("A")));
        assert_eq!(sent.header(header), format!("\"A\" <sip:+15550001@127.0.0.1>{value}"));
        assert_eq!(without_tag(&sent.header("From")), "\"A\" <sip:+15550001@127.0.0.1>");
        assert_eq!(sent.header("Privacy"), "");
    }
    let sent = invite(Profile::default(), shown("+15550001", None));
    assert!(!sent.text.contains("-Identity"), "{}", sent.text);
}

/// RFC 3325 §7: outside the trust domain nothing may tell the number; inside it goes along with its Privacy.
#[test]
fn a_withheld_number_leaves_to_the_trust_domain_only() {
    let sent = invite(Profile::default(), withheld("+15550001", Some("Secret")));
    assert_eq!(without_tag(&sent.header("From")), ANONYMOUS);
    assert_eq!(sent.header("Privacy"), "id");
    assert!(!sent.text.contains("5550001") && !sent.text.contains("Secret"), "{}", sent.text);

    let domain = Profile { identity: IdentityHeader::PAssertedIdentity, ..Profile::default() };
    let sent = invite(domain, withheld("+15550001", None));
    assert_eq!(without_tag(&sent.header("From")), ANONYMOUS);
    assert_eq!(sent.header("P-Asserted-Identity"), "<sip:+15550001@127.0.0.1>");
    assert_eq!(sent.header("Privacy"), "id");
}

#[test]
fn only_numbers_that_may_be_shown_are() {
    let ours = |identity| Profile {
        identity,
        caller_id: Some("+15550100".into()),
        caller_id_prefixes: vec!["+1555".into()],
        ..Profile::default()
    };
    for (caller, from) in [
        (shown("+15550001", None), "<sip:+15550001@127.0.0.1>"),
        (shown("+4930123", Some("B")), "<sip:+15550100@127.0.0.1>"),
        (shown("", None), "<sip:+15550100@127.0.0.1>"),
        (withheld("+4930123", None), ANONYMOUS),
    ] {
        assert_eq!(without_tag(&invite(ours(IdentityHeader::From), caller).header("From")), from);
    }
    let sent = invite(ours(IdentityHeader::PAssertedIdentity), withheld("+4930123", None));
    assert_eq!(sent.header("P-Asserted-Identity"), "<sip:+15550100@127.0.0.1>");
}

/// RFC 5806 §4, RFC 7044 §10.1.
#[test]
fn a_call_that_goes_out_again_says_whom_it_was_for() {
    let forwarded = || Identity { diverting: Some("+15550100".into()), ..shown("+15550001", None) };
    let sent = |diversion| invite(Profile { diversion, ..Profile::default() }, forwarded());
    assert_eq!(
        sent(DiversionHeader::Diversion).header("Diversion"),
        "<sip:+15550100@127.0.0.1>;reason=unconditional;privacy=off;screen=yes"
    );
    assert_eq!(
        sent(DiversionHeader::HistoryInfo).header("History-Info"),
        "<sip:+15550100@127.0.0.1>;index=1, <sip:+15557777@127.0.0.1;cause=302>;index=1.1;mp=1"
    );
    let off = sent(DiversionHeader::Off);
    assert!(!off.text.contains("+15550100"), "{}", off.text);
}

/// By whom, and why, a call was sent on; whether that one wants not to be known.
fn sent_on(headers: &str) -> Option<(String, RedirectReason, bool)> {
    let redirection = caller(&Profile::default(), FROM, headers).redirection?;
    Some((redirection.by.user, redirection.reason, redirection.by.restricted))
}

/// RFC 5806 §4.2: the topmost is the latest; §4: a reason, and who may see it.
#[test]
fn a_diversion_says_who_sent_the_call_on() {
    let latest = "Diversion: \"Desk\" <sip:+15550011@c.example>;reason=user-busy;counter=1\r\n\
                  Diversion: <sip:+15550012@c.example>;reason=no-answer\r\n";
    let expected = |user: &str, reason, restricted| Some((user.to_owned(), reason, restricted));
    assert_eq!(sent_on(latest), expected("+15550011", RedirectReason::UserBusy, false));
    for (headers, user, reason, restricted) in [
        (
            "Diversion: <tel:+1-555-0011>;reason=\"no-answer\"\r\n",
            "+15550011",
            RedirectReason::NoAnswer,
            false,
        ),
        (
            "Diversion: <sip:+15550011@c>;privacy=full;reason=away\r\n",
            "+15550011",
            RedirectReason::Away,
            true,
        ),
        ("Diversion: <sip:+15550011@c>;reason=weather\r\n", "+15550011", RedirectReason::Unknown, false),
        ("Diversion: <sip:anonymous@anonymous.invalid>\r\n", "", RedirectReason::Unknown, true),
    ] {
        assert_eq!(sent_on(headers), expected(user, reason, restricted), "{headers}");
    }
    assert_eq!(sent_on(""), None);
    assert_eq!(sent_on("Diversion: <<>\r\n"), None);
}

/// RFC 7044 §10.1: by `mp`, which names the entry that was mapped; RFC 4244 and RFC 4458: by the cause in the URI that it
/// was sent to, or by what came of the one before. A Diversion beside it says more.
#[test]
fn a_history_says_who_sent_the_call_on() {
    for (headers, user, reason, restricted) in [
        (
            "History-Info: <sip:+15550011@c?Reason=SIP%3Bcause%3D486>;index=1, <sip:+15550100@c>;index=1.1;mp=1\r\n",
            "+15550011",
            RedirectReason::UserBusy,
            false,
        ),
        (
            "History-Info: <sip:a@c>;index=1, <sip:b@c;cause=408>;index=1.1;mp=1, <sip:b@phone>;index=1.1.1;rc=1.1\r\n",
            "a",
            RedirectReason::NoAnswer,
            false,
        ),
        (
            "History-Info: <sip:a@c>;index=1\r\nHistory-Info: <sip:b@c;cause=302>;index=1.1\r\n",
            "a",
            RedirectReason::Unconditional,
            false,
        ),
        (
            "History-Info: <sip:a@c?Privacy=history>;index=1, <sip:b@c;cause=480>;index=1.1;mp=1\r\n",
            "a",
            RedirectReason::Deflection,
            true,
        ),
        (
            "Diversion: <sip:d@c>;reason=follow-me\r\nHistory-Info: <sip:a@c>;index=1, <sip:b@c>;index=1.1;mp=1\r\n",
            "d",
            RedirectReason::FollowMe,
            false,
        ),
    ] {
        assert_eq!(sent_on(headers), Some((user.to_owned(), reason, restricted)), "{headers}");
    }
    for nobody in [
        "History-Info: <sip:a@c>;index=1\r\n",
        "History-Info: <sip:a@c>;index=1, <sip:a@phone>;index=1.1;rc=1\r\n",
        "History-Info: <sip:b@c;cause=302>;index=1\r\n",
    ] {
        assert_eq!(sent_on(nobody), None, "{nobody}");
    }
}

/// RFC 5806 §4.2: we stand above who sent it on before; RFC 7044: below. Who wants not to be known is not, whatever the
/// trunk is.
#[test]
fn who_sent_a_call_on_before_us_goes_along() {
    let by = |user: &str, restricted| Identity { restricted, ..shown(user, None) };
    let redirection = |restricted| {
        let reason = RedirectReason::UserBusy;
        Some(Box::new(Redirection { by: by("+15550011", restricted), reason }))
    };
    let from = |restricted, diverting: Option<&str>| Identity {
        diverting: diverting.map(str::to_owned),
        redirection: redirection(restricted),
        ..shown("+15550001", None)
    };
    let sent = |diversion, from| invite(Profile { diversion, ..Profile::default() }, from);
    let both = sent(DiversionHeader::Diversion, from(false, Some("+15550100")));
    let ours = "<sip:+15550100@127.0.0.1>;reason=unconditional;privacy=off;screen=yes";
    let theirs = "<sip:+15550011@127.0.0.1>;reason=user-busy;privacy=off;screen=yes";
    assert_eq!(both.headers("Diversion"), [ours, theirs]);
    let history = sent(DiversionHeader::HistoryInfo, from(false, Some("+15550100")));
    assert_eq!(
        history.header("History-Info"),
        "<sip:+15550011@127.0.0.1>;index=1, <sip:+15550100@127.0.0.1;cause=486>;index=1.1;mp=1, \
         <sip:+15557777@127.0.0.1;cause=302>;index=1.1.1;mp=1.1"
    );
    for diversion in [DiversionHeader::Diversion, DiversionHeader::HistoryInfo] {
        let hidden = sent(diversion, from(true, None));
        assert!(!hidden.text.contains("+15550011") && hidden.text.contains("anonymous"), "{}", hidden.text);
    }
    let off = sent(DiversionHeader::Off, from(false, None));
    assert!(!off.text.contains("+15550011"), "{}", off.text);
}
