//! The people of these flows, and what all of their calls have in common.

use std::net::SocketAddr;
use std::time::Duration;

use rsip::Method;
use tandem_sim::Seen;
use tandem_sim::ladder::{Ladder, audio_of, audio_port};

use crate::messages::{
    Peer, ack_of_refusal, answer, credentials, header, in_dialog, invite, request, sdp, uri_of,
};
use crate::rfc3665::registration::{own_contact, register};

/// The number that Bob's phone is called by, and the same with media past the node.
pub(crate) const BOB: &str = "+15550110";
pub(crate) const BOB_DIRECTLY: &str = "+15550113";
/// A queue that Bob and Carol serve; whoever waits there hears music.
pub(crate) const QUEUE: &str = "+15550101";

/// User 1002.
pub(crate) fn carol() -> Peer {
    Peer { user: "1002", at: Ladder::phone(2) }
}

/// A peer's side of an answered call.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) peer: Peer,
    /// The 200 that answered the peer, or the INVITE that the peer answered.
    seen: Seen,
    /// As the called party: its own tag.
    tag: Option<&'static str>,
    cseq: u32,
    /// Where the node has its audio.
    port: u16,
}

impl Leg {
    /// The node's dialog with this peer as the peer names it in a Replaces, escaped for a URI (RFC 3891 §4.2): the tags
    /// as whoever the INVITE with it goes to sees them.
    pub(crate) fn as_replaces(&self) -> String {
        let node = if self.tag.is_some() { &self.seen.from_tag } else { &self.seen.to_tag };
        let own = self.tag.map(str::to_owned).or_else(|| self.seen.from_tag.clone());
        let (node, own) = (node.clone().unwrap_or_default(), own.unwrap_or_default());
        format!("Replaces={}%3Bto-tag%3D{node}%3Bfrom-tag%3D{own}", self.seen.call_id)
    }

    /// A request of the peer's in this call.
    pub(crate) fn sends(&mut self, ladder: &mut Ladder, method: &str, headers: &str, body: &str) {
        self.cseq += 1;
        let request = self.request(method, headers, body);
        ladder.sends(self.peer.at, &request);
    }

    fn request(&self, method: &str, headers: &str, body: &str) -> String {
        let (from, to) = (header(&self.seen, "From"), header(&self.seen, "To"));
        let (ours, theirs) = match self.tag {
            Some(tag) => (format!("{to};tag={tag}"), from),
            None => (from, to),
        };
        let uri = uri_of(&header(&self.seen, "Contact"));
        in_dialog(method, self.cseq, &self.seen, (&ours, &theirs), &uri, headers, body)
    }

    /// The peer offers another direction of its audio, which the node answers with the one that fits (RFC 3264 §8.4).
    pub(crate) fn offers(&mut self, ladder: &mut Ladder, direction: &str, answered: &str) {
        let version = self.cseq + 1;
        let offer = sdp(self.peer.at).replace("o=- 1 1", &format!("o=- 1 {version}"));
        self.sends(ladder, "INVITE", "", &format!("{offer}a={direction}\r\n"));
        let ok = ladder.gets(self.peer.at, "200 INVITE");
        assert!(ok.text.contains(&format!("a={answered}\r\n")), "{direction} is answered by\n{}", ok.text);
        self.acknowledges(ladder);
        ladder.pass(Duration::from_millis(50));
    }

    /// The ACK of the 200 to the peer's latest INVITE.
    pub(crate) fn acknowledges(&self, ladder: &mut Ladder) {
        ladder.sends(self.peer.at, &self.request("ACK", "", ""));
    }

    /// The peer hangs up.
    pub(crate) fn hangs_up(mut self, ladder: &mut Ladder) {
        self.sends(ladder, "BYE", "", "");
        ladder.gets(self.peer.at, "200 BYE");
    }

    /// The peer is hung up.
    pub(crate) fn gets_bye(self, ladder: &mut Ladder) {
        let bye = ladder.gets(self.peer.at, "BYE");
        assert_eq!(bye.call_id, self.seen.call_id);
        ladder.sends(self.peer.at, &answer(&bye, "200 OK", "", "", ""));
    }

    /// The peer speaks; where it is heard.
    pub(crate) fn speaks(&self, ladder: &mut Ladder, octet: u8) -> Option<SocketAddr> {
        ladder.speaks(audio_of(self.peer.at), self.port, octet)
    }
}

/// Bob and Carol have their phones on.
pub(crate) fn phones_on(ladder: &mut Ladder, peers: &[Peer]) {
    for peer in peers {
        register(ladder, *peer, &peer.at.ip().to_string(), &own_contact(*peer), "200 REGISTER");
    }
}

/// `caller` at the carrier calls a number.
pub(crate) fn calls(ladder: &mut Ladder, caller: Peer, number: &str, call_id: &str) {
    ladder.sends(caller.at, &invite(caller, number, call_id, 1, ""));
    ladder.gets(caller.at, "100 INVITE");
}

/// `caller` calls with its phone: INVITE, 401, ACK, INVITE. Gives back the last one.
pub(crate) fn dials(ladder: &mut Ladder, caller: Peer, number: &str, call_id: &str, headers: &str) -> String {
    let uri = format!("sip:{number}@127.0.0.1");
    ladder.sends(caller.at, &invite(caller, number, call_id, 1, headers));
    let challenge = ladder.gets(caller.at, "401 INVITE");
    ladder.sends(caller.at, &ack_of_refusal(caller, &challenge));
    let password = Ladder::password(caller.user);
    let authorization = credentials(&challenge, caller.user, &password, Method::Invite, &uri);
    let again = invite(caller, number, call_id, 2, &format!("{headers}{authorization}"));
    ladder.sends(caller.at, &again);
    again
}

/// `caller` calls `callee` with its phone, who sees who calls and answers. The two calls, the caller's first.
pub(crate) fn reaches(
    ladder: &mut Ladder,
    caller: Peer,
    callee: Peer,
    call_id: &str,
    headers: &str,
) -> (Leg, Leg) {
    dials(ladder, caller, callee.user, call_id, headers);
    ladder.gets(caller.at, "100 INVITE");
    let invite = rings(ladder, callee);
    let shown = format!("sip:{}@", caller.user);
    assert!(header(&invite, "From").contains(&shown), "who is called sees who calls: {}", invite.text);
    ladder.gets(caller.at, "180 INVITE");
    let callees = picks_up(ladder, callee, invite);
    (is_answered(ladder, caller), callees)
}

/// `callee` is rung, and says so.
pub(crate) fn rings(ladder: &mut Ladder, callee: Peer) -> Seen {
    let invite = ladder.gets(callee.at, "INVITE");
    ladder.sends(callee.at, &answer(&invite, "180 Ringing", callee.user, "", ""));
    invite
}

/// `callee` answers an INVITE.
pub(crate) fn picks_up(ladder: &mut Ladder, callee: Peer, invite: Seen) -> Leg {
    ladder.sends(callee.at, &answer(&invite, "200 OK", callee.user, "", &sdp(callee.at)));
    ladder.gets(callee.at, "ACK");
    Leg { peer: callee, port: audio_port(&invite), seen: invite, tag: Some(callee.user), cseq: 0 }
}

/// `callee` refuses an INVITE.
pub(crate) fn turns_down(ladder: &mut Ladder, callee: Peer, invite: &Seen, status: &str) {
    ladder.sends(callee.at, &answer(invite, status, callee.user, "", ""));
    ladder.gets(callee.at, "ACK");
}

/// `callee` is not wanted any more.
pub(crate) fn is_cancelled(ladder: &mut Ladder, callee: Peer, invite: &Seen) {
    let cancel = ladder.gets(callee.at, "CANCEL");
    assert_eq!(cancel.branch, invite.branch, "RFC 3261 §9.1");
    ladder.sends(callee.at, &answer(&cancel, "200 OK", callee.user, "", ""));
    turns_down(ladder, callee, invite, "487 Request Terminated");
}

/// `caller` has been answered.
pub(crate) fn is_answered(ladder: &mut Ladder, caller: Peer) -> Leg {
    let ok = ladder.gets(caller.at, "200 INVITE");
    let leg = Leg { peer: caller, port: audio_port(&ok), cseq: ok.cseq, seen: ok, tag: None };
    leg.acknowledges(ladder);
    leg
}

/// Alice and Bob talk; she called.
pub(crate) fn alice_talks_to_bob(ladder: &mut Ladder, alice: Peer, bob: Peer) -> (Leg, Leg) {
    calls(ladder, alice, BOB, "alice-bob");
    let invite = rings(ladder, bob);
    ladder.gets(alice.at, "180 INVITE");
    let bobs = picks_up(ladder, bob, invite);
    let alices = is_answered(ladder, alice);
    talk(ladder, &alices, &bobs, 0x10);
    (alices, bobs)
}

/// Both hear each other; `octet` is nobody else's yet, nor the next one.
#[track_caller]
pub(crate) fn talk(ladder: &mut Ladder, a: &Leg, b: &Leg, octet: u8) {
    ladder.pass(Duration::from_millis(50));
    assert_eq!(a.speaks(ladder, octet), Some(audio_of(b.peer.at)));
    assert_eq!(b.speaks(ladder, octet + 1), Some(audio_of(a.peer.at)));
}

/// A REFER within `leg` to the user or number `to`, which is accepted; the NOTIFY that follows at once says 100.
pub(crate) fn asks_for(ladder: &mut Ladder, leg: &mut Leg, to: &str, replaces: &str) {
    let refer_to = format!("Refer-To: <sip:{to}@127.0.0.1{replaces}>\r\n");
    let contact = format!("Contact: <sip:{}@{}>\r\n", leg.peer.user, leg.peer.at);
    leg.sends(ladder, "REFER", &format!("{refer_to}{contact}"), "");
    ladder.gets(leg.peer.at, "202 REFER");
    is_told(ladder, leg.peer, "100 Trying");
}

/// The transferor is told how far its transfer is (RFC 3515 §2.4.4).
pub(crate) fn is_told(ladder: &mut Ladder, transferor: Peer, fragment: &str) {
    let notify = ladder.gets(transferor.at, "NOTIFY");
    assert!(notify.text.ends_with(&format!("\r\n\r\nSIP/2.0 {fragment}\r\n")), "{}", notify.text);
    ladder.sends(transferor.at, &answer(&notify, "200 OK", "", "", ""));
}

/// A request outside any dialog.
pub(crate) fn asks(ladder: &mut Ladder, peer: Peer, method: &str, to: &str, headers: &str) {
    let uri = format!("sip:{to}@127.0.0.1");
    ladder.sends(peer.at, &request(peer, method, &uri, method, 1, headers, ""));
}
