//! Offer and answer for one audio stream with telephone events (RFC 3264).
//!
//! Owner thread: the signalling core. This module must not know messages: it is handed descriptions and gives them.

mod address;
mod codecs;
mod exchange;
mod protection;

use std::net::IpAddr;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;

pub(crate) use address::is_reachable_over;
use address::{remote_address, remote_rtcp};
use codecs::{
    Events, all_codecs_in, codec_in, event_in, has_comfort_noise, number_of, opus_format, packet_times, ptime,
};
use exchange::Exchange;
pub(crate) use exchange::{Step, Verdict};

use crate::sdp::{
    Attribute, Connection, Crypto, Direction, Fingerprint, Media, Origin, SessionDescription, Setup, SrtpKey,
    SrtpSuite,
};
use crate::user_agent::{
    AudioCodec, DtlsAssociation, DtlsRole, Dtmf, ExtendedReports, IceCredentials, LocalMedia, MediaDirection,
    MediaSecurity, NegotiatedAudio, OpusFormat, Profile, Reoffer, Repacketise, SrtpKeys, SrtpPolicy,
};
use protection::{Secured, Terms, draw_ice, dtls_role, ice_attributes};

/// Why there is nothing to agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disagreement {
    /// It is no session description.
    Malformed,
    /// No audio stream of a kind we speak, at an address we can reach.
    NothingInCommon,
}

/// Our side of a session's descriptions.
#[derive(Clone, Debug)]
pub(crate) struct Negotiation {
    origin_id: u64,
    version: u64,
    local: LocalMedia,
    /// Where we are too, at the same ports: of the other family.
    other_address: Option<IpAddr>,
    terms: Terms,
    dtmf: Dtmf,
    /// What the peer's Opus should be like.
    opus: OpusFormat,
    repacketise: Repacketise,
    comfort_noise: bool,
    rtcp_xr: ExtendedReports,
    /// Codecs that we do not offer, and take where nothing else is offered.
    others: Vec<AudioCodec>,
    /// Whether the peer may be asked for another codec than the one agreed.
    codec_change: bool,
    /// Our side of ICE, and the peer's fragment that it answers; both are new when the peer begins anew.
    ice: Option<(String, IceCredentials)>,
    /// The keys of our last offer.
    offered_keys: Vec<Crypto>,
    /// What we sent last, as it went: a call keeps it for hours and looks at it seldom.
    described: Option<Box<[u8]>>,
    /// What stands agreed.
    agreed: Option<Arc<NegotiatedAudio>>,
    /// Whose turn it is.
    exchange: Exchange,
    /// Which ways we let audio flow.
    direction: MediaDirection,
    /// What stood before the change that we offered last.
    before: Option<Box<Before>>,
}

/// What an offer of ours changes (RFC 3261 §14.1: until it is answered nothing has changed).
#[derive(Clone, Debug)]
struct Before {
    local: LocalMedia,
    other_address: Option<IpAddr>,
    direction: MediaDirection,
    offered_keys: Vec<Crypto>,
    described: Option<Box<[u8]>>,
    agreed: Option<Arc<NegotiatedAudio>>,
}

/// Whether an offer has an audio stream that we could take with some codec of ours.
pub(crate) fn is_acceptable(offer: &[u8], profile: &Profile, certificate: Option<Fingerprint>) -> bool {
    let terms = Terms::new(profile, certificate);
    let Ok(offer) = SessionDescription::parse(offer) else { return false };
    let allowed: Vec<AudioCodec> =
        AudioCodec::ALL.into_iter().filter(|codec| profile.allows(*codec)).collect();
    offer.media.iter().any(|media| {
        remote_address(&offer, media).is_some()
            && codec_in(media, &allowed).is_some()
            && terms.secured(&offer, media).is_some()
    })
}

/// Whether it is a description at all.
pub(crate) fn is_description(description: &[u8]) -> bool {
    SessionDescription::parse(description).is_ok()
}

impl Disagreement {
    /// What an offer is refused with.
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::NothingInCommon => 488,
        }
    }
}

impl Negotiation {
    /// `origin_id` names the session in `o=`; `certificate` is ours.
    pub(crate) fn new(
        origin_id: u64,
        local: LocalMedia,
        profile: &Profile,
        certificate: Option<Fingerprint>,
    ) -> Self {
        // Some peers read the numbers of `o=` as signed 64 bits.
        let origin_id = origin_id >> 1;
        let offered_keys = Vec::new();
        Self {
            origin_id,
            version: 0,
            local: profile.fit(local),
            other_address: None,
            terms: Terms::new(profile, certificate),
            dtmf: profile.dtmf,
            opus: profile.opus,
            repacketise: profile.repacketise,
            comfort_noise: profile.comfort_noise,
            rtcp_xr: profile.rtcp_xr,
            others: profile.others(),
            codec_change: profile.codec_change,
            ice: None,
            offered_keys,
            described: None,
            agreed: None,
            exchange: Exchange::default(),
            direction: MediaDirection::SendReceive,
            before: None,
        }
    }

    /// Asks what a message may do, or must be answered with, and holds to it.
    pub(crate) fn step(&mut self, step: Step) -> Verdict {
        let (next, verdict) = self.exchange.step(step);
        self.exchange = next;
        verdict
    }

    /// Makes the next offer another one.
    pub(crate) fn change(&mut self, reoffer: &Reoffer) {
        self.before = Some(Box::new(Before {
            local: self.local.clone(),
            other_address: self.other_address,
            direction: self.direction,
            offered_keys: self.offered_keys.clone(),
            described: self.described.clone(),
            agreed: self.agreed.clone(),
        }));
        self.direction = reoffer.direction.unwrap_or(self.direction);
        if let Some(local) = &reoffer.media {
            let (before, is_ipv4) = (self.local.rtp.ip(), self.local.rtp.is_ipv4());
            self.local.clone_from(local);
            if self.local.rtp.is_ipv4() != is_ipv4 {
                self.other_address = self.other_address.map(|_| before);
            }
            self.turn_to(is_ipv4);
        }
    }

    /// The change was answered.
    pub(crate) fn settle_change(&mut self) {
        self.before = None;
    }

    /// The change was refused. What stood before is said again as another version, since the peer has seen this one.
    pub(crate) fn undo(&mut self) {
        if let Some(before) = self.before.take() {
            let Before { local, other_address, direction, offered_keys, described, agreed } = *before;
            self.version += 1;
            self.local = local;
            self.other_address = other_address;
            self.direction = direction;
            self.offered_keys = offered_keys;
            self.described = described;
            self.agreed = agreed;
        }
    }

    /// Our offer: all our codecs, and the streams refused before, refused again (§8).
    pub(crate) fn offer(&mut self, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let audio = self.offered_audio(rng);
        let media = match self.own_description() {
            None => vec![audio],
            Some(SessionDescription { mut media, .. }) => {
                match media.iter_mut().find(|media| media.port != 0) {
                    Some(slot) => *slot = audio,
                    None => media.push(audio),
                }
                media
            }
        };
        self.describe(media)
    }

    /// What we sent last, as an offer: word for word, so that nothing changes by it (§8, RFC 4028 §7.4).
    pub(crate) fn offer_again(&mut self, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let Some(described) = self.described() else { return self.offer(rng) };
        let media = self.own_description().map(|description| description.media).unwrap_or_default();
        let ours = media.iter().find(|media| media.port != 0);
        self.offered_keys = ours.map(|media| media.cryptos().collect()).unwrap_or_default();
        described
    }

    /// Answers an offer (§6): the first stream we can take, in the offerer's order of codecs; every other one is
    /// refused with port 0, in its place.
    pub(crate) fn answer(
        &mut self,
        offer: &[u8],
        signalling_source: IpAddr,
        rng: &mut ChaCha8Rng,
    ) -> Result<(Vec<u8>, Arc<NegotiatedAudio>), Disagreement> {
        let offer = SessionDescription::parse(offer).map_err(|_| Disagreement::Malformed)?;
        let (place, mut audio, theirs) = offer
            .media
            .iter()
            .enumerate()
            .find_map(|(place, media)| {
                let audio = self.agree(&offer, media, signalling_source)?;
                Some((place, audio, self.terms.secured(&offer, media)?))
            })
            .ok_or(Disagreement::NothingInCommon)?;
        let tag = match &theirs {
            Secured::Sdes(crypto) => Some(crypto.tag),
            Secured::Plain | Secured::Dtls { .. } => None,
        };
        // An address that says "send me nothing" says nothing of where we are to be heard.
        if !audio.remote_rtp.ip().is_unspecified() && self.can_speak_to(&audio.remote_rtp) {
            self.turn_to(audio.remote_rtp.is_ipv4());
        }
        audio.security = self.answering(theirs, rng);
        let fragment = offer.media.get(place).and_then(|media| self.terms.ice_asked(&offer, media));
        audio.ice = fragment.map(|fragment| self.ice_for(fragment, rng));
        let answered = |(index, media): (usize, &Media)| {
            if index == place { self.answered_audio(&audio, &media.protocol, tag) } else { refused(media) }
        };
        let media: Vec<Media> = offer.media.iter().enumerate().map(answered).collect();
        let answer = self.describe(media);
        let audio = Arc::new(audio);
        self.agreed = Some(Arc::clone(&audio));
        Ok((answer, audio))
    }

    /// Takes the answer to our offer.
    pub(crate) fn accept_answer(
        &mut self,
        answer: &[u8],
        signalling_source: IpAddr,
    ) -> Result<Arc<NegotiatedAudio>, Disagreement> {
        let answer = SessionDescription::parse(answer).map_err(|_| Disagreement::Malformed)?;
        let ours = self.own_description().ok_or(Disagreement::NothingInCommon)?;
        let ours = ours.media.iter().enumerate().find(|(_, media)| media.port != 0);
        let (place, ours) = ours.ok_or(Disagreement::NothingInCommon)?;
        let media = answer.media.get(place).ok_or(Disagreement::NothingInCommon)?;
        let mut audio = self.agree(&answer, media, signalling_source).ok_or(Disagreement::NothingInCommon)?;
        let is_found_by_ice = self.terms.ice_asked(&answer, media).is_some();
        if !is_found_by_ice && audio.remote_rtp.is_ipv4() != self.local.rtp.is_ipv4() {
            // It was told of the other family.
            return Err(Disagreement::NothingInCommon);
        }
        let theirs = self.terms.secured(&answer, media).ok_or(Disagreement::NothingInCommon)?;
        audio.security = self.answered(theirs).ok_or(Disagreement::NothingInCommon)?;
        audio.ice = self.ice.as_ref().filter(|_| is_found_by_ice).map(|(_, ours)| ours.clone());
        // §5.1: each side sends with the numbers the other one gave.
        let receive = codec_in(ours, &[audio.codec]).map(|(_, number)| number);
        audio.receive_payload_type = receive.ok_or(Disagreement::NothingInCommon)?;
        audio.receive_event_payload_type = audio
            .send_event_payload_type
            .and_then(|_| event_in(ours, audio.event_clock_hz))
            .filter(|events| events.clock_hz == audio.event_clock_hz)
            .map(|events| events.number);
        let audio = Arc::new(audio);
        self.agreed = Some(Arc::clone(&audio));
        Ok(audio)
    }

    /// What we sent last.
    pub(crate) fn described(&self) -> Option<Vec<u8>> {
        self.described.as_ref().map(|text| text.to_vec())
    }

    /// The same, read.
    fn own_description(&self) -> Option<SessionDescription> {
        self.described.as_ref().and_then(|text| SessionDescription::parse(text).ok())
    }

    /// What stands agreed.
    pub(crate) const fn agreed(&self) -> Option<&Arc<NegotiatedAudio>> {
        self.agreed.as_ref()
    }

    /// What a stream of the peer's description comes to, if it is one for us.
    fn agree(
        &self,
        theirs: &SessionDescription,
        media: &Media,
        signalling_source: IpAddr,
    ) -> Option<NegotiatedAudio> {
        let remote_rtp = remote_address(theirs, media)?;
        // With ICE the address of the description is a guess, or says that there is none yet (RFC 8839 §4.3.1).
        let is_found_by_ice = self.terms.ice_asked(theirs, media).is_some();
        if !is_found_by_ice && !self.can_speak_to(&remote_rtp) {
            return None;
        }
        let hold_address = if is_found_by_ice { self.local.rtp.ip() } else { remote_rtp.ip() };
        let (codec, number) =
            codec_in(media, &self.local.codecs).or_else(|| codec_in(media, &self.others))?;
        let events = event_in(media, codec.clock_hz()).filter(|_| self.dtmf == Dtmf::Rfc4733);
        let event_number = events.map(|events| events.number);
        Some(NegotiatedAudio {
            remote_rtp,
            remote_rtcp: remote_rtcp(media, remote_rtp),
            codec,
            others: self.other_codecs(media, codec),
            opus: opus_format(media, number, self.opus),
            send_payload_type: number,
            receive_payload_type: number,
            send_event_payload_type: event_number,
            receive_event_payload_type: event_number,
            event_clock_hz: events.map_or(codec.clock_hz(), |events| events.clock_hz),
            comfort_noise: self.comfort_noise && codec != AudioCodec::Opus && has_comfort_noise(media),
            dtmf: self.dtmf,
            direction: both(self.direction, our_direction(theirs.direction_of(media), hold_address)),
            ptime: ptime(media, self.repacketise, self.local.ptime),
            packet_times: packet_times(media, self.repacketise),
            signalling_source,
            rtcp_mux: media.has_rtcp_mux(),
            extended_reports: (self.rtcp_xr != ExtendedReports::Off)
                .then(|| codecs::wants_metrics(theirs, media)),
            security: MediaSecurity::Plain,
            ice: None,
        })
    }

    /// What the peer speaks beside a codec: what it has named now or before, since an answer names but what it takes.
    fn other_codecs(&self, media: &Media, codec: AudioCodec) -> Vec<AudioCodec> {
        let known = self.agreed.iter().flat_map(|agreed| agreed.others.iter().copied().chain([agreed.codec]));
        let known: Vec<AudioCodec> = all_codecs_in(media).chain(known).collect();
        let may_speak = |it: &AudioCodec| self.local.codecs.contains(it) || self.others.contains(it);
        let is_other = |it: &AudioCodec| *it != codec && known.contains(it) && may_speak(it);
        if self.codec_change { AudioCodec::ALL.into_iter().filter(is_other).collect() } else { Vec::new() }
    }

    /// How our answer says that the stream is protected.
    fn answering(&self, theirs: Secured, rng: &mut ChaCha8Rng) -> MediaSecurity {
        match theirs {
            Secured::Plain => MediaSecurity::Plain,
            Secured::Sdes(crypto) => MediaSecurity::Sdes(self.keys_for(&crypto.key, rng)),
            Secured::Dtls { setup, fingerprints } => {
                MediaSecurity::Dtls(DtlsAssociation { role: self.role(setup), fingerprints })
            }
        }
    }

    /// How the answer to our offer says that it is.
    fn answered(&self, theirs: Secured) -> Option<MediaSecurity> {
        Some(match theirs {
            Secured::Plain => MediaSecurity::Plain,
            Secured::Sdes(crypto) => MediaSecurity::Sdes(self.answered_keys(crypto)?),
            Secured::Dtls { setup, fingerprints } => {
                MediaSecurity::Dtls(DtlsAssociation { role: self.role(setup), fingerprints })
            }
        })
    }

    fn role(&self, theirs: Option<Setup>) -> DtlsRole {
        let before = match self.agreed.as_ref().map(|agreed| &agreed.security) {
            Some(MediaSecurity::Dtls(association)) => Some(association.role),
            _ => None,
        };
        dtls_role(theirs, before)
    }

    /// Our side of ICE for the peer's: the same for as long as the peer's is (RFC 8445 §9).
    fn ice_for(&mut self, fragment: &str, rng: &mut ChaCha8Rng) -> IceCredentials {
        match &self.ice {
            Some((known, ours)) if known == fragment => ours.clone(),
            _ => {
                let ours = draw_ice(rng);
                self.ice = Some((fragment.to_owned(), ours.clone()));
                ours
            }
        }
    }

    fn agreed_keys(&self) -> Option<&SrtpKeys> {
        self.agreed.as_ref()?.security.sdes()
    }

    /// Our key beside theirs in an answer: ours stays as long as theirs does, so that a session that is only
    /// refreshed keeps its keys.
    fn keys_for(&self, theirs: &SrtpKey, rng: &mut ChaCha8Rng) -> SrtpKeys {
        let kept = self.agreed_keys().filter(|before| before.receive == *theirs);
        let send = kept.map_or_else(|| SrtpKey::random(theirs.suite(), rng), |before| before.send.clone());
        SrtpKeys { send, receive: theirs.clone() }
    }

    /// The keys of an answer: it names a line of our offer by its tag, and has its suite (RFC 4568 §5.1.3).
    fn answered_keys(&self, theirs: Crypto) -> Option<SrtpKeys> {
        let ours = self.offered_keys.iter().find(|ours| ours.tag == theirs.tag)?;
        let same = ours.key.suite() == theirs.key.suite();
        same.then(|| SrtpKeys { send: ours.key.clone(), receive: theirs.key })
    }

    /// A key for each suite; the one in use stays.
    fn keys_to_offer(&self, rng: &mut ChaCha8Rng) -> Vec<SrtpKey> {
        if self.terms.srtp == SrtpPolicy::Off || self.terms.offers_dtls().is_some() {
            return Vec::new();
        }
        let in_use = self.agreed_keys().map(|keys| &keys.send);
        let key = |suite| match in_use {
            Some(key) if key.suite() == suite => key.clone(),
            _ => SrtpKey::random(suite, rng),
        };
        SrtpSuite::ALL.into_iter().map(key).collect()
    }

    fn offered_audio(&mut self, rng: &mut ChaCha8Rng) -> Media {
        let keys = self.keys_to_offer(rng);
        self.offered_keys = (1..).zip(keys).map(|(tag, key)| Crypto { tag, key }).collect();
        let mut protection: Vec<Attribute> = self.offered_keys.iter().map(Attribute::from).collect();
        let shares_port = self.terms.offers_dtls().is_some() || self.terms.offers_ice();
        if self.terms.offers_dtls().is_some() {
            protection.extend(self.terms.dtls_attributes(Setup::ActPass));
        }
        if shares_port {
            protection.push(Attribute::flag("rtcp-mux"));
        }
        if self.terms.offers_ice() {
            let addresses = self.addresses();
            let (_, ours) = self.ice.get_or_insert_with(|| (String::new(), draw_ice(rng)));
            protection.extend(ice_attributes(ours, self.local.rtp.port(), &addresses, shares_port));
        }
        protection.extend((self.rtcp_xr == ExtendedReports::Offer).then(codecs::metrics_wanted));
        let protocol = self.terms.offered_protocol();
        let codecs: Vec<(AudioCodec, u8)> =
            self.local.codecs.iter().map(|codec| (*codec, number_of(*codec))).collect();
        let events = if self.dtmf == Dtmf::Rfc4733 { Events::beside(&codecs) } else { Vec::new() };
        let has_noise = |(codec, _): &(AudioCodec, u8)| *codec != AudioCodec::Opus;
        let comfort_noise = self.comfort_noise && codecs.iter().any(has_noise);
        self.audio(protocol, protection, &codecs, &events, comfort_noise, written(self.direction))
    }

    /// An answer has the offer's profile, and the tag of the line it takes.
    fn answered_audio(&self, audio: &NegotiatedAudio, protocol: &str, tag: Option<u32>) -> Media {
        let mut protection: Vec<Attribute> = match &audio.security {
            MediaSecurity::Plain => Vec::new(),
            MediaSecurity::Sdes(keys) => {
                tag.map(|tag| Attribute::from(&Crypto { tag, key: keys.send.clone() })).into_iter().collect()
            }
            MediaSecurity::Dtls(association) => self.terms.dtls_attributes(match association.role {
                DtlsRole::Client => Setup::Active,
                DtlsRole::Server => Setup::Passive,
            }),
        };
        if audio.rtcp_mux {
            protection.push(Attribute::flag("rtcp-mux"));
        }
        if let Some(ice) = &audio.ice {
            protection.extend(ice_attributes(ice, self.local.rtp.port(), &self.addresses(), audio.rtcp_mux));
        }
        protection.extend((audio.extended_reports == Some(true)).then(codecs::metrics_wanted));
        let direction = written(audio.direction);
        let codec = (audio.codec, audio.receive_payload_type);
        let clock_hz = audio.event_clock_hz;
        let events = audio.receive_event_payload_type.map(|number| Events { number, clock_hz });
        self.audio(protocol, protection, &[codec], events.as_slice(), audio.comfort_noise, direction)
    }

    fn audio(
        &self,
        protocol: &str,
        protection: Vec<Attribute>,
        codecs: &[(AudioCodec, u8)],
        events: &[Events],
        comfort_noise: bool,
        direction: Direction,
    ) -> Media {
        let mut media = Media::new("audio", self.local.rtp.port(), protocol);
        codecs::describe(&mut media, codecs, events, self.opus, comfort_noise);
        media.attributes.extend(protection);
        let ptime_ms = self.local.ptime.as_millis();
        media.attributes.push(Attribute::new("ptime", ptime_ms.to_string()));
        media.attributes.push(Attribute::flag(direction.as_str()));
        media
    }

    /// Writes our description; its version grows when it differs from the one before (§8).
    fn describe(&mut self, media: Vec<Media>) -> Vec<u8> {
        let address = self.local.rtp.ip();
        let mut description = SessionDescription::new(Origin {
            username: "-".to_owned(),
            session_id: self.origin_id,
            session_version: self.version,
            address: address.into(),
        });
        description.connection = Some(Connection::from(address));
        if media.iter().any(|media| media.attribute("ice-ufrag").is_some()) {
            description.attributes.push(Attribute::flag("ice-lite"));
        }
        description.media = media;
        let mut text = description.to_string();
        if self.described.as_deref().is_some_and(|before| content(before) != content(text.as_bytes())) {
            self.version += 1;
            description.origin.session_version = self.version;
            text = description.to_string();
        }
        self.described = Some(text.as_bytes().into());
        text.into_bytes()
    }
}

/// What a description of ours says: all that follows `v=` and `o=`, where its version is (RFC 8866 §5).
fn content(description: &[u8]) -> Option<&[u8]> {
    description.splitn(3, |octet| *octet == b'\n').nth(2)
}

/// A stream we do not take (§6): its port is 0, its formats stand.
fn refused(media: &Media) -> Media {
    let mut refused = Media::new(media.kind.clone(), 0, media.protocol.clone());
    refused.formats.clone_from(&media.formats);
    refused
}

/// What both sides let flow.
const fn both(one: MediaDirection, other: MediaDirection) -> MediaDirection {
    use MediaDirection as D;
    let sends = matches!(one, D::SendReceive | D::SendOnly) && matches!(other, D::SendReceive | D::SendOnly);
    let receives =
        matches!(one, D::SendReceive | D::ReceiveOnly) && matches!(other, D::SendReceive | D::ReceiveOnly);
    match (sends, receives) {
        (true, true) => D::SendReceive,
        (true, false) => D::SendOnly,
        (false, true) => D::ReceiveOnly,
        (false, false) => D::Inactive,
    }
}

/// A direction of ours as a description has it.
const fn written(direction: MediaDirection) -> Direction {
    match direction {
        MediaDirection::SendReceive => Direction::SendRecv,
        MediaDirection::SendOnly => Direction::SendOnly,
        MediaDirection::ReceiveOnly => Direction::RecvOnly,
        MediaDirection::Inactive => Direction::Inactive,
    }
}

/// Their direction seen from us (§6.1). An unspecified address says "send me nothing", as clients of RFC 2543 put
/// a call on hold (§8.4).
fn our_direction(theirs: Direction, address: IpAddr) -> MediaDirection {
    let held = address.is_unspecified();
    match theirs {
        Direction::SendRecv if held => MediaDirection::ReceiveOnly,
        Direction::SendRecv => MediaDirection::SendReceive,
        Direction::SendOnly => MediaDirection::ReceiveOnly,
        Direction::RecvOnly if held => MediaDirection::Inactive,
        Direction::RecvOnly => MediaDirection::SendOnly,
        Direction::Inactive => MediaDirection::Inactive,
    }
}

#[cfg(test)]
mod tests;
