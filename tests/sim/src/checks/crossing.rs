//! What crosses the node between two parties: relayed where it can be, made anew where it must be, and keys all the same.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tandem_control_api::{LegId, LegRecord};

use super::Judge;
use super::audio::{Conversations, SETTLING, Span, TYPING, holds_at, is_consultation, presses_in};
use super::talks::Talk;
use super::{packets, silence};
use crate::configuration::feature_codes;
use crate::tap::{Seen, Way};
use crate::world::{Observed, PartyReport};

/// So long a key may wait that begins a code.
const CODE_PATIENCE: Duration = Duration::from_secs(2);

/// Those of one codec hear each other's own packets, and nobody hears packets of a codec that it does not take.
pub(super) fn those_of_one_codec_are_relayed(run: &Observed, judge: &mut Judge) {
    // To find out what answers, or to hear keys as tones, the node listens; and what is lost on the way may be filled in.
    if run.scenario.knobs.listens {
        return;
    }
    let conversations = Conversations::of(run);
    for (talk, parties, span) in conversations.pairs(run) {
        let records = talk.legs.map(|leg| conversations.legs.get(&leg).copied());
        let [Some(one), Some(other)] = records else { continue };
        // The record has the last codec only.
        if [one, other].iter().any(|leg| is_offered_again(run, leg)) {
            continue;
        }
        let is_disturbed = |party: &PartyReport| {
            party.is_unbelievable(run)
                || party.manner(run).is_none_or(|manner| {
                    manner.events.is_none() || !manner.holds.is_empty() || presses_in(party, manner, span)
                })
        };
        if parties.iter().any(|party| is_disturbed(party)) {
            continue;
        }
        let [Some(one_codec), Some(other_codec)] = [one, other].map(codec) else { continue };
        let is_law = |codec: &str| matches!(codec, "PCMU" | "PCMA");
        let [one_manner, other_manner] = parties.map(|party| party.manner(run));
        let (Some(one_manner), Some(other_manner)) = (one_manner, other_manner) else { continue };
        let is_relayed = (one_codec == other_codec || (is_law(one_codec) && is_law(other_codec)))
            && silence::is_told_silence(run, one, one_manner)
                == silence::is_told_silence(run, other, other_manner)
            && packets::may_be_sent(run, one_manner, other_manner)
            && packets::may_be_sent(run, other_manner, one_manner);
        for (leg, party) in [one, other].into_iter().zip(parties) {
            let Some(address) = media_address(run, leg, party.host) else { continue };
            let in_span = |(at, _): &&(Duration, bool)| span.from <= *at && *at < span.until;
            let packets = run.rtp_to.get(&address).into_iter().flatten().filter(in_span);
            let (relayed, made): (Vec<bool>, Vec<bool>) =
                packets.map(|(_, is_relayed)| *is_relayed).partition(|is_relayed| *is_relayed);
            let unfit = if is_relayed { made.len() } else { relayed.len() };
            judge.looked();
            if unfit > 0 {
                judge.fail(format!(
                    "{} of {one_codec} with {other_codec}: {} packets relayed, {} made in {span:?}",
                    party.party,
                    relayed.len(),
                    made.len()
                ));
            }
        }
    }
}

/// Whether there was another offer in the dialog: the codec may have changed under way.
pub(super) fn is_offered_again(run: &Observed, leg: &LegRecord) -> bool {
    let mut of_leg = run.sip.iter().filter(|seen| seen.call_id == leg.sip_call_id);
    of_leg.any(|seen| seen.has_body && seen.to_tag.is_some() && seen.is_request("INVITE"))
}

fn codec(leg: &LegRecord) -> Option<&str> {
    leg.media.as_ref().map(|media| media.codec.as_str())
}

/// Where the party of a leg said that it hears.
fn media_address(run: &Observed, leg: &LegRecord, host: IpAddr) -> Option<SocketAddr> {
    let of_leg =
        |seen: &&Seen| seen.way == Way::In && seen.call_id == leg.sip_call_id && seen.peer.ip() == host;
    let port = run.sip.iter().filter(of_leg).find_map(|seen| {
        let (_, media) = seen.text.split_once("m=audio ")?;
        media.split(' ').next()?.parse().ok()
    })?;
    Some(SocketAddr::new(host, port))
}

/// RFC 4733: what a party presses while it talks to another one, that one is told once and in order, whatever the two
/// speak; lost packets or not.
pub(super) fn keys_reach_the_other_party(run: &Observed, judge: &mut Judge) {
    if run.scenario.weather.is_storm() {
        return;
    }
    let conversations = Conversations::of(run);
    for (talk, [one, other], span) in conversations.pairs(run) {
        if conversations.talks.is_direct(talk) {
            continue;
        }
        for (presser, listener) in [(one, other), (other, one)] {
            judge_keys(run, presser, listener, span, judge);
        }
    }
}

fn judge_keys(run: &Observed, presser: &PartyReport, listener: &PartyReport, span: Span, judge: &mut Judge) {
    let (Some(theirs), Some(ours)) = (presser.manner(run), listener.manner(run)) else { return };
    let hosts = [presser.host, listener.host];
    if presser.is_unbelievable(run)
        || is_consultation(presser)
        || theirs.events.is_none()
        || ours.events.is_none()
        || [theirs, ours].iter().any(|manner| !manner.holds.is_empty())
        || hosts.iter().any(|host| run.scenario.cut_off(*host, span.from, span.until))
    {
        return;
    }
    let Some(answered) = presser.report.answered else { return };
    // Codes of phones are for the node, and what may become one waits.
    let is_phone = presser.party.parse::<u16>().is_ok();
    let codes: Vec<&str> = feature_codes(&run.scenario.knobs).filter(|_| is_phone).collect();
    for (place, (at, keys)) in (0..).zip(&theirs.keys) {
        let begun = answered + *at;
        let waits = if !codes.is_empty() && keys.contains('*') { CODE_PATIENCE } else { Duration::ZERO };
        let over = begun + TYPING * u32::try_from(keys.len()).unwrap_or(u32::MAX) + SETTLING + waits;
        let next = theirs.keys.get(place + 1).map_or(Duration::MAX, |(at, _)| answered + *at);
        if begun < span.from || over > span.until || over > next {
            continue;
        }
        let events = listener.report.received.events.iter();
        let told: String =
            events.filter(|event| (begun..over).contains(&event.at)).map(|event| event.digit).collect();
        judge.looked();
        let for_others = codes.iter().fold(keys.clone(), |keys, code| keys.replace(code, ""));
        if told != for_others {
            judge.fail(format!(
                "{} pressed {keys} at {begun:?}, {} was told {told}",
                presser.party, listener.party
            ));
        }
    }
}

impl<'a> Conversations<'a> {
    /// Whoever two talked to each other, and for how long that was undisturbed.
    pub(super) fn pairs<'b>(
        &'b self,
        run: &'b Observed,
    ) -> impl Iterator<Item = (&'b Talk, [&'a PartyReport; 2], Span)> {
        let is_pair = |talk: &&Talk| talk.legs.first() != talk.legs.last();
        self.talks.all.iter().filter(is_pair).filter_map(move |talk| {
            let [one, other]: [LegId; 2] = talk.legs;
            let parties = [self.party(one)?, self.party(other)?];
            let from = parties.iter().filter_map(|party| party.report.answered).max()?.max(talk.from);
            let until = parties.map(|party| party.report.ended.min(holds_at(run, party)));
            let until = until.into_iter().min()?.min(talk.until);
            Some((talk, parties, Span::settled(from, until)?))
        })
    }
}
