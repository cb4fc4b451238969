//! Phones over WebSocket beside others: each is offered media as it understands it (RFC 8827, RFC 3264).

use tandem_sbc::user_agent::{Event, Fingerprint, FlowId, MediaSecurity, Transport};

use crate::support::{PHONE, Request, Sent, World, config, register};

const BROWSER: &str = "127.0.0.21:40000";

/// What a browser answers.
const WEB_RTC: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:0 PCMU/8000\r\na=rtcp-mux\r\n\
    a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:active\r\n\
    a=fingerprint:sha-256 02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02\r\n";
/// What a desk phone answers.
const PLAIN: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.20\r\ns=-\r\nc=IN IP4 127.0.0.20\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/// A user in a browser, and at a desk phone as well when `has_phone`.
fn world(has_phone: bool) -> World {
    let mut config = config();
    config.dtls_certificate = Some(Fingerprint([1; 32]));
    let mut world = World::with(config);
    if has_phone {
        world.register_phone(1, PHONE);
    }
    let browser = register(1, "Contact: <sip:1001@c7q2.invalid;transport=ws>\r\n").with(|register| {
        register.via = "SIP/2.0/WS c7q2.invalid;rport".into();
        register.call_id = "register-browser".into();
        register.branch = "z9hG4bK-register-browser".into();
    });
    world.register_on(Transport::Ws, Some(FlowId(7)), BROWSER, &browser);
    world.events();
    world
}

fn answer(world: &mut World, invite: &Sent, description: &str) {
    let text = invite.answer("200 OK", "theirs", "Contact: <sip:1001@127.0.0.20:5060>\r\n", description);
    match invite.transport {
        Transport::Ws => world.receive_on(Transport::Ws, Some(FlowId(7)), BROWSER, &text),
        _ => world.receive(PHONE, &text),
    }
}

/// Whether it has all of what browsers want, or nothing of it.
fn is_web_rtc(invite: &Sent) -> bool {
    let marks = ["UDP/TLS/RTP/SAVP", "a=fingerprint:sha-256 01:", "a=ice-ufrag:"];
    let has = marks.map(|mark| invite.body().contains(mark));
    assert!(has == [true; 3] || has == [false; 3], "{}", invite.body());
    has[0]
}

fn security(world: &mut World) -> Vec<MediaSecurity> {
    let events = world.events().into_iter();
    events
        .filter_map(
            |event| if let Event::Media { audio, .. } = event { Some(audio.security.clone()) } else { None },
        )
        .collect()
}

#[test]
fn a_user_with_a_browser_and_a_phone_is_rung_on_both_in_their_own_terms() {
    for browser_answers in [true, false] {
        let mut world = world(true);
        world.call_user();
        let invites = [world.expect("INVITE"), world.expect("INVITE")];
        for invite in &invites {
            assert_eq!(is_web_rtc(invite), invite.transport == Transport::Ws);
        }
        let [winner, loser] = match invites {
            [first, second] if (first.transport == Transport::Ws) == browser_answers => [first, second],
            [first, second] => [second, first],
        };
        let ringing = loser.answer("180 Ringing", "loser", "Contact: <sip:1001@127.0.0.20:5060>\r\n", "");
        match loser.transport {
            Transport::Ws => world.receive_on(Transport::Ws, Some(FlowId(7)), BROWSER, &ringing),
            _ => world.receive(PHONE, &ringing),
        }
        world.events();
        answer(&mut world, &winner, if browser_answers { WEB_RTC } else { PLAIN });
        world.expect("ACK");
        assert_eq!(world.expect("CANCEL").transport, loser.transport);
        let agreed = security(&mut world);
        assert!(
            matches!(
                (&agreed[..], browser_answers),
                ([MediaSecurity::Dtls(_)], true) | ([MediaSecurity::Plain], false)
            ),
            "{agreed:?}"
        );
        // Who answered hangs up.
        let bye = Request::from_callee("BYE", 2, &winner, "theirs").text();
        match winner.transport {
            Transport::Ws => world.receive_on(Transport::Ws, Some(FlowId(7)), BROWSER, &bye),
            _ => world.receive(PHONE, &bye),
        }
        world.expect("200 BYE");
    }
}

#[test]
fn a_user_in_a_browser_alone_is_offered_what_it_understands() {
    let mut world = world(false);
    world.call_user();
    let invite = world.expect("INVITE");
    assert!(is_web_rtc(&invite));
    world.expect_silence();
    answer(&mut world, &invite, WEB_RTC);
    assert!(matches!(security(&mut world)[..], [MediaSecurity::Dtls(_)]));
}
