//! Codes that who talks keys on its phone: what each does, and which keys are one.

use std::collections::BTreeMap;
use std::time::Duration;

use tandem_control_api::{CallId, Command, LegId, RecordAction};
use tandem_time::Instant;

use super::ContactCentre;
use crate::config::{Feature, Features};

/// Keys of one code follow each other within this time: media holds them back from the other party for as long.
const KEY_GAP: Duration = Duration::from_secs(2);

/// What phones keyed last, by their legs.
pub(super) type KeyedCodes = BTreeMap<LegId, Keyed>;

/// What a phone keyed last: no more than a code has keys.
#[derive(Debug)]
pub(super) struct Keyed {
    at: Instant,
    keys: String,
}

impl Keyed {
    /// Another key: the feature whose code it ends.
    fn press(&mut self, now: Instant, digit: char, features: &Features) -> Option<Feature> {
        if now.saturating_duration_since(self.at) > KEY_GAP {
            self.keys.clear();
        }
        self.at = now;
        self.keys.push(digit);
        let longest = features.keyed().map(|(code, _)| code.len()).max()?;
        if self.keys.len() > longest {
            self.keys.remove(0);
        }
        let ended = features.keyed().filter(|(code, _)| self.keys.ends_with(code));
        let (_, feature) = ended.max_by_key(|(code, _)| code.len())?;
        self.keys.clear();
        Some(feature)
    }
}

impl ContactCentre {
    /// A key of a party, outside a collection.
    pub(super) fn key_pressed(&mut self, now: Instant, call: CallId, leg: LegId, digit: char) {
        if self.guest_pressed(call, leg, digit) || self.phone_of(call, leg).is_none() {
            return;
        }
        let keyed = self.keyed.entry(leg).or_insert_with(|| Keyed { at: now, keys: String::new() });
        match keyed.press(now, digit, &self.config.features) {
            Some(Feature::Conference) => self.merge(call, leg),
            Some(Feature::Record) => self.record_conversation(call, leg, RecordAction::BeginOrEnd),
            Some(Feature::Pause) => self.record_conversation(call, leg, RecordAction::PauseOrResume),
            None => {}
        }
    }

    /// The caller is on the left of a recording, whoever keyed its code.
    fn record_conversation(&mut self, call: CallId, keyed_on: LegId, action: RecordAction) {
        let leg = self.talkers(call).map_or(keyed_on, |(caller, _)| caller);
        self.outbox.send(Command::Record { leg, action });
    }
}
