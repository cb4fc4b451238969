//! What media workers report of endpoints.

use std::sync::Arc;

use tandem_control_api::{CallFact, CallId, CommandError, DialFailure, Event, LegId, Outcome};
use tandem_media as media;
use tandem_media::{EndpointId, EndpointStatistics};
use tandem_time::Instant;

use super::cause::EndCause;
use super::ending::Hangup;
use super::endpoints::Opened;
use super::leg::{LegState, Opening, Settled};
use super::recording::BEEP;
use super::{Action, Calls, MAX_OPEN_ATTEMPTS, translate};
use crate::WorkerIndex;

impl Calls {
    /// Takes an event of a media worker.
    pub(crate) fn handle_media_event(&mut self, now: Instant, worker: WorkerIndex, event: media::Event) {
        let taken = match event {
            media::Event::Opened { endpoint } => self.opened(worker, endpoint),
            media::Event::OpenFailed { endpoint } => self.open_failed(now, worker, endpoint),
            media::Event::PlayEnded { endpoint, play, end } => {
                self.play_ended(now, worker, endpoint, play, end)
            }
            media::Event::Collected { endpoint, collect, digits, end } => {
                self.collected(worker, endpoint, collect, &digits, end)
            }
            media::Event::Digit { endpoint, digit } => self.digit(worker, endpoint, digit),
            media::Event::KeyPassed { endpoint, digit } => self.key_passed(worker, endpoint, digit),
            media::Event::Progress { endpoint, finding, evidence } => {
                self.progress_found(now, worker, endpoint, finding, &evidence)
            }
            media::Event::MediaStarted { endpoint, .. } => {
                self.endpoints.leg_of(endpoint, worker).map(|_| ())
            }
            media::Event::OneWay { endpoint } => self.unheard(now, worker, endpoint),
            media::Event::MediaTimeout { endpoint } => self.media_timeout(now, worker, endpoint),
            media::Event::HandshakeFailed { endpoint } => self.handshake_failed(now, worker, endpoint),
            media::Event::HandedOver { endpoint, parcel } => self.handed_over(worker, endpoint, parcel),
            media::Event::Closed { endpoint, statistics } => self.closed(now, worker, endpoint, &statistics),
        };
        if taken.is_none() {
            self.counters.media_events_stale += 1;
        }
    }

    fn opened(&mut self, worker: WorkerIndex, endpoint: EndpointId) -> Option<()> {
        let leg = self.endpoints.owner(endpoint, worker)?;
        let address = self.calls.get(self.legs.get(leg)?.call)?.config.media_address;
        match self.endpoints.opened(endpoint, address)? {
            Opened::For(leg, rtp) => {
                self.endpoint_ready(leg, rtp);
                self.arrived(leg, endpoint);
            }
            Opened::Unwanted => {
                let command = media::Command::Close { endpoint };
                self.actions.push_back(Action::Media { worker, command });
            }
        }
        Some(())
    }

    /// Tries the next port, [`MAX_OPEN_ATTEMPTS`] in all.
    fn open_failed(&mut self, now: Instant, worker: WorkerIndex, endpoint: EndpointId) -> Option<()> {
        self.endpoints.owner(endpoint, worker)?;
        let leg_id = self.endpoints.failed(now, endpoint)?;
        self.counters.endpoints_failed += 1;
        let leg = self.legs.get(leg_id)?;
        let (state, call) = (leg.state, leg.call);
        match state {
            LegState::Preparing { session, opening, attempts, .. } => {
                let next = self.next_endpoint(now, call, leg_id, attempts);
                if let Some(endpoint) = next {
                    let attempts = attempts + 1;
                    self.set_state(leg_id, LegState::Preparing { session, endpoint, opening, attempts });
                } else {
                    self.set_state(leg_id, LegState::Offered { session });
                    let error = CommandError::Limit("media endpoints".to_owned());
                    match opening {
                        Opening::Answer(answer) => {
                            self.done(Settled::new("answer", answer, Err(error)));
                            self.refuse(leg_id, 503, EndCause::NoMedia);
                        }
                        Opening::Progress(progress) => {
                            self.done(Settled::new("progress", progress, Err(error)));
                        }
                    }
                }
            }
            LegState::Dialling { dial, attempts, ring_until, .. } => {
                match self.next_endpoint(now, call, leg_id, attempts) {
                    Some(endpoint) => {
                        let attempts = attempts + 1;
                        self.set_state(
                            leg_id,
                            LegState::Dialling { endpoint: Some(endpoint), dial, attempts, ring_until },
                        );
                    }
                    None => self.dial_failed(now, leg_id, DialFailure::Media, 0),
                }
            }
            _ => self.endpoint_gone(leg_id, None),
        }
        Some(())
    }

    fn next_endpoint(&mut self, now: Instant, call: CallId, leg: LegId, attempts: u8) -> Option<EndpointId> {
        if attempts < MAX_OPEN_ATTEMPTS { self.open_endpoint(now, call, leg) } else { None }
    }

    fn play_ended(
        &mut self,
        now: Instant,
        worker: WorkerIndex,
        endpoint: EndpointId,
        id: media::PlayId,
        end: media::PlayEnd,
    ) -> Option<()> {
        let leg_id = self.endpoints.leg_of(endpoint, worker)?;
        if id == BEEP {
            return Some(());
        }
        let leg = self.legs.get(leg_id)?;
        let play = leg.state.playing().filter(|play| play.id == id)?;
        if end == media::PlayEnd::Finished && self.speech_is_late(now, id) {
            return Some(());
        }
        let leg = self.legs.get_mut(leg_id)?;
        leg.state = leg.state.hearing(None);
        let outcome = Outcome::Played { end: translate::play_end(end) };
        self.done(Settled::new("play", play.command, Ok(outcome)));
        Some(())
    }

    fn collected(
        &mut self,
        worker: WorkerIndex,
        endpoint: EndpointId,
        id: media::CollectId,
        digits: &media::DigitString,
        end: media::CollectEnd,
    ) -> Option<()> {
        let leg_id = self.endpoints.leg_of(endpoint, worker)?;
        let leg = self.legs.get_mut(leg_id)?;
        let LegState::Answered { session, endpoint, play, collect: Some(collect) } = leg.state else {
            return None;
        };
        if collect.id != id {
            return None;
        }
        leg.state = LegState::Answered { session, endpoint, play, collect: None };
        let outcome = Outcome::Collected { digits: digits.to_string(), end: translate::collect_end(end) };
        self.done(Settled::new("collect", collect.command, Ok(outcome)));
        Some(())
    }

    /// Passes a key press on, unless it belongs to a collection that nobody may watch.
    fn digit(&mut self, worker: WorkerIndex, endpoint: EndpointId, digit: media::Digit) -> Option<()> {
        let leg_id = self.endpoints.leg_of(endpoint, worker)?;
        let leg = self.legs.get(leg_id)?;
        let call = leg.call;
        match leg.state {
            LegState::Answered { collect: Some(collect), .. } if collect.sensitive => {}
            LegState::Answered { .. } | LegState::Bridged { .. } | LegState::Conferring { .. } => {
                let peer = leg.state.peer().or_else(|| self.relayed_with(leg_id));
                let is_held_back = peer != Some(leg_id) && !self.codes_of(leg_id).is_empty();
                self.tell(Event::Digit { call, leg: leg_id, digit: digit.as_char() });
                if !is_held_back {
                    self.pass_on_digit(peer?, digit);
                }
            }
            _ => {}
        }
        Some(())
    }

    /// A key that might have been of a code was none.
    fn key_passed(&mut self, worker: WorkerIndex, endpoint: EndpointId, digit: media::Digit) -> Option<()> {
        let leg_id = self.endpoints.leg_of(endpoint, worker)?;
        let peer = self.legs.get(leg_id)?.state.peer().or_else(|| self.relayed_with(leg_id));
        self.pass_on_digit(peer?, digit);
        Some(())
    }

    /// The codes that a leg may key: phones have some.
    pub(super) fn codes_of(&self, leg_id: LegId) -> Arc<[media::DigitString]> {
        let leg = self.legs.get(leg_id).filter(|leg| leg.trunk.is_none());
        let call = leg.and_then(|leg| self.calls.get(leg.call));
        call.map(|call| Arc::clone(&call.config.feature_codes)).unwrap_or_default()
    }

    /// A key that one party pressed goes to the other one by its signalling, when its media has no telephone events.
    fn pass_on_digit(&mut self, peer: LegId, digit: media::Digit) {
        let Some(leg) = self.legs.get(peer) else { return };
        let takes_events = leg.audio.as_ref().is_none_or(|audio| audio.send_event_payload_type.is_some());
        if let LegState::Bridged { session, .. } | LegState::Conferring { session, .. } = leg.state
            && !takes_events
        {
            self.actions.push_back(Action::SendDigit { session, digit: digit.as_char() });
        }
    }

    /// Too many digits wait for their turn.
    pub(crate) const fn digit_not_sent(&mut self) {
        self.counters.digits_not_sent += 1;
    }

    /// One-way audio is told and kept; it is the control plane's, or the media timeout's, to end the leg.
    fn unheard(&mut self, now: Instant, worker: WorkerIndex, endpoint: EndpointId) -> Option<()> {
        let leg_id = self.endpoints.leg_of(endpoint, worker)?;
        let leg = self.legs.get(leg_id)?;
        if let LegState::Answered { .. } | LegState::Bridged { .. } = leg.state {
            let call = leg.call;
            self.counters.legs_unheard += 1;
            self.calls.get_mut(call)?.add_fact(now, CallFact::LegUnheard { leg: leg_id });
            self.tell(Event::LegUnheard { call, leg: leg_id });
        }
        Some(())
    }

    fn media_timeout(&mut self, now: Instant, worker: WorkerIndex, endpoint: EndpointId) -> Option<()> {
        let leg_id = self.endpoints.leg_of(endpoint, worker)?;
        if let LegState::Answered { .. } | LegState::Bridged { .. } | LegState::Conferring { .. } =
            self.legs.get(leg_id)?.state
        {
            self.end_by_us(now, leg_id, Hangup::by_switch(EndCause::NoMedia));
        }
        Some(())
    }

    /// There are no keys, so there will be nothing to hear.
    fn handshake_failed(&mut self, now: Instant, worker: WorkerIndex, endpoint: EndpointId) -> Option<()> {
        let leg_id = self.endpoints.leg_of(endpoint, worker)?;
        if !self.legs.get(leg_id)?.state.is_ended() {
            self.end_by_us(now, leg_id, Hangup::by_switch(EndCause::NoKeys));
        }
        Some(())
    }

    fn closed(
        &mut self,
        now: Instant,
        worker: WorkerIndex,
        endpoint: EndpointId,
        totals: &EndpointStatistics,
    ) -> Option<()> {
        self.endpoints.owner(endpoint, worker)?;
        let leg_id = self.endpoints.closed(now, endpoint)?;
        let leg = self.legs.get(leg_id)?;
        if !leg.state.is_ended() {
            // A worker closes of itself only when it stops; the leg cannot go on.
            self.end_by_us(now, leg_id, Hangup::by_switch(EndCause::NoMedia));
        }
        self.endpoint_gone(leg_id, Some(totals));
        Some(())
    }
}
