//! Parties that are transcoded although they need not be: one of the two, that has named a codec which the other one
//! speaks, is asked for it by re-INVITE, and both are relayed again.
//!
//! It comes to that when a caller was answered before it was known whom it would talk to, and after transfers. The
//! worker goes by what is agreed and needs no word; whoever declines is transcoded as before.

use tandem_control_api::LegId;
use tandem_sbc::user_agent::{AudioCodec, MediaDirection, Reoffer, SessionId};

use super::leg::{CodecAsked, Leg, LegState};
use super::translate::{self, PeerKind};
use super::{Action, Calls};

impl Calls {
    /// A leg has just begun to talk to another one: should they be transcoded, one of them is asked for the other's
    /// codec. Phones before carriers, for which a re-INVITE is rarer.
    pub(super) fn spare_transcoding(&mut self, leg_id: LegId) {
        let Some(LegState::Bridged { peer, .. }) = self.legs.get(leg_id).map(|leg| leg.state) else { return };
        let (Some(leg), Some(other)) = (self.legs.get(leg_id), self.legs.get(peer)) else { return };
        let is_asked = |leg: &Leg| matches!(leg.codec_asked, CodecAsked::For(_));
        if is_asked(leg) || is_asked(other) {
            return;
        }
        let asked = [(leg_id, leg.codec_for(other)), (peer, other.codec_for(leg))];
        let mut asked: Vec<_> = asked.into_iter().filter_map(|(leg, codec)| Some((leg, codec?))).collect();
        asked.sort_by_key(|(leg, _)| self.legs.get(*leg).is_some_and(|leg| leg.peer == PeerKind::Trunk));
        if let Some((leg, codec)) = asked.first() {
            self.ask_for_codec(*leg, *codec);
        }
    }

    /// A party has said whether it speaks what it was asked for. Should it not, the other one may be asked.
    pub(super) fn codec_asked(&mut self, leg_id: LegId) {
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        let CodecAsked::For(codec) = leg.codec_asked else { return };
        let is_spoken = leg.audio.as_ref().is_some_and(|audio| audio.codec == codec);
        leg.codec_asked = if is_spoken { CodecAsked::Never } else { CodecAsked::Declined };
        self.spare_transcoding(leg_id);
    }

    fn ask_for_codec(&mut self, leg_id: LegId, codec: AudioCodec) {
        let Some(leg) = self.legs.get(leg_id) else { return };
        let (Some(session), Some(endpoint)) = (leg.state.session(), leg.state.endpoint()) else { return };
        let Some(call) = self.calls.get(leg.call) else { return };
        let Some(rtp) = self.endpoints.address_of(endpoint, call.config.media_address) else { return };
        let media = Some(translate::local_media(rtp, Some(codec)));
        if let Some(leg) = self.legs.get_mut(leg_id) {
            leg.codec_asked = CodecAsked::For(codec);
        }
        self.counters.codecs_asked += 1;
        let reoffer = Box::new(Reoffer { media, ..Reoffer::default() });
        self.actions.push_back(Action::Reoffer { session, reoffer });
    }

    /// It could not be asked now: something else is being changed.
    pub(crate) fn codec_not_asked(&mut self, session: SessionId) {
        let leg = self.sessions.get(&session).and_then(|leg| self.legs.get_mut(*leg));
        if let Some(leg) = leg.filter(|leg| matches!(leg.codec_asked, CodecAsked::For(_))) {
            leg.codec_asked = CodecAsked::Never;
        }
    }
}

impl Leg {
    /// The codec with which it need not be transcoded to another one, and that it has named. A party on hold is let be.
    fn codec_for(&self, other: &Self) -> Option<AudioCodec> {
        let (audio, theirs) = (self.audio.as_ref()?, other.audio.as_ref()?);
        let may_be_asked = self.codec_asked == CodecAsked::Never
            && matches!(self.state, LegState::Bridged { endpoint: Some(_), .. })
            && matches!(other.state, LegState::Bridged { .. })
            && audio.direction == MediaDirection::SendReceive;
        let is_needed = audio.codec != theirs.codec && audio.others.contains(&theirs.codec);
        (may_be_asked && is_needed).then_some(theirs.codec)
    }
}
