//! How a peer is spoken to: keys that stand in a trunk's section, and in that of the phones.

use std::time::Duration;

use super::codecs::{read_codecs, read_opus};
use super::timers::{read_peer_timers, read_session_timers};
use crate::model::{
    DiversionHeader, Dtmf, EarlyMedia, ExtendedReports, IdentityHeader, Keying, Profile, ReferPolicy,
    ReliableProvisional, Repacketise, SessionId, SrtpPolicy,
};
use crate::reader::Section;

/// The most beginnings of numbers that may be shown.
const MAX_PREFIXES: usize = 100;

const IDENTITY: &str = "from, p-asserted-identity, p-preferred-identity or remote-party-id";
const NUMBER: &str = "a number such as \"+15550100\"";
const PREFIXES: &str = "a list of how numbers begin, such as [\"+1555\"]";

/// The keys of a profile, those that are left out as in `usual`.
pub(super) fn read_profile(section: &Section<'_, '_>, usual: Profile) -> Option<Profile> {
    let srtp = read_srtp(section, usual.srtp);
    let usual_keys = if srtp == Some(usual.srtp) { usual.srtp_keys } else { Keying::Sdes };
    let srtp_keys = read_srtp_keys(section, srtp, usual_keys);
    let ice = section.boolean_or("ice", usual.ice);
    let codecs = read_codecs(section);
    let opus = read_opus(section, usual.opus);
    let comfort_noise = section.boolean_or("comfort_noise", usual.comfort_noise);
    let rtcp_xr = read_rtcp_xr(section, usual.rtcp_xr);
    let codec_change = section.boolean_or("codec_change", usual.codec_change);
    let ptime = read_ptime(section, usual.ptime);
    let repacketise = read_repacketise(section, usual.repacketise);
    let dtmf = section.parsed_or("dtmf", "rfc4733, inband, info, info-dtmf or off", usual.dtmf, parse_dtmf);
    let early_media =
        section.parsed_or("early_media", "accept or ignore", usual.early_media, |text| match text {
            "accept" => Some(EarlyMedia::Accept),
            "ignore" => Some(EarlyMedia::Ignore),
            _ => None,
        });
    let reliable_provisional = read_reliable(section, usual.reliable_provisional);
    let session_timers = read_session_timers(section, usual.session_timers);
    let timers = read_peer_timers(section);
    let max_forwards = section.integer_or("max_forwards", 1..=255, usual.max_forwards.into());
    let session_id = read_session_id(section, usual.session_id);
    let product_header = section.boolean_or("product_header", usual.product_header);
    let refer = section.parsed_or("refer", "execute or refuse", usual.refer, |text| match text {
        "execute" => Some(ReferPolicy::Execute),
        "refuse" => Some(ReferPolicy::Refuse),
        _ => None,
    });
    let refer_subscription = section.boolean_or("refer_subscription", usual.refer_subscription);
    let usual_check = usual.alive_check.map_or(0, |check| u32::try_from(check.as_secs()).unwrap_or(u32::MAX));
    let alive_check = section.seconds_or("alive_check_s", 0..=86_400, usual_check);
    let trust_identity = section.boolean_or("trust_identity", usual.trust_identity);
    let identity = section.parsed_or("identity", IDENTITY, usual.identity, parse_identity);
    let diversion = read_diversion(section, usual.diversion);
    let (caller_id, caller_id_prefixes) = read_caller_id(section);
    Some(Profile {
        srtp: srtp?,
        srtp_keys: srtp_keys?,
        ice: ice?,
        codecs: codecs?,
        opus: opus?,
        comfort_noise: comfort_noise?,
        rtcp_xr: rtcp_xr?,
        codec_change: codec_change?,
        ptime: ptime?,
        repacketise: repacketise?,
        dtmf: dtmf?,
        early_media: early_media?,
        reliable_provisional: reliable_provisional?,
        session_timers: session_timers?,
        timers: timers?,
        max_forwards: u8::try_from(max_forwards?).ok()?,
        session_id: session_id?,
        product_header: product_header?,
        refer: refer?,
        refer_subscription: refer_subscription?,
        alive_check: alive_check.map(|check| (!check.is_zero()).then_some(check))?,
        trust_identity: trust_identity?,
        identity: identity?,
        diversion: diversion?,
        caller_id: caller_id?,
        caller_id_prefixes: caller_id_prefixes?,
    })
}

fn read_session_id(section: &Section<'_, '_>, usual: SessionId) -> Option<SessionId> {
    section.parsed_or("session_id", "off, accept or send", usual, |text| match text {
        "off" => Some(SessionId::Off),
        "accept" => Some(SessionId::Accept),
        "send" => Some(SessionId::Send),
        _ => None,
    })
}

fn read_diversion(section: &Section<'_, '_>, usual: DiversionHeader) -> Option<DiversionHeader> {
    section.parsed_or("diversion", "off, diversion or history-info", usual, |text| match text {
        "off" => Some(DiversionHeader::Off),
        "diversion" => Some(DiversionHeader::Diversion),
        "history-info" => Some(DiversionHeader::HistoryInfo),
        _ => None,
    })
}

fn read_reliable(section: &Section<'_, '_>, usual: ReliableProvisional) -> Option<ReliableProvisional> {
    section.parsed_or("reliable_provisional", "off, supported or required", usual, |text| match text {
        "off" => Some(ReliableProvisional::Off),
        "supported" => Some(ReliableProvisional::Supported),
        "required" => Some(ReliableProvisional::Required),
        _ => None,
    })
}

fn parse_dtmf(text: &str) -> Option<Dtmf> {
    match text {
        "rfc4733" => Some(Dtmf::Rfc4733),
        "inband" => Some(Dtmf::InBand),
        "info" => Some(Dtmf::Info),
        "info-dtmf" => Some(Dtmf::InfoDtmf),
        "off" => Some(Dtmf::Off),
        _ => None,
    }
}

fn parse_identity(text: &str) -> Option<IdentityHeader> {
    match text {
        "from" => Some(IdentityHeader::From),
        "p-asserted-identity" => Some(IdentityHeader::PAssertedIdentity),
        "p-preferred-identity" => Some(IdentityHeader::PPreferredIdentity),
        "remote-party-id" => Some(IdentityHeader::RemotePartyId),
        _ => None,
    }
}

/// The number we show for those whose own may not be shown, and what those that may begin with. Without a number of
/// our own nothing could be shown for the others.
fn read_caller_id(section: &Section<'_, '_>) -> (Option<Option<String>>, Option<Vec<String>>) {
    let caller_id =
        section.parsed_or("caller_id", NUMBER, None, |text| is_number(text).then(|| Some(text.to_owned())));
    section.know(&["caller_id_prefixes"]);
    if !section.has("caller_id_prefixes") {
        return (caller_id, Some(Vec::new()));
    }
    if !section.has("caller_id") {
        let message = "caller_id_prefixes has no caller_id beside it";
        section.problem_here(message.into(), format!("write caller_id as {NUMBER}"));
    }
    let Some(entries) = section.strings("caller_id_prefixes", PREFIXES, MAX_PREFIXES) else {
        return (caller_id, None);
    };
    let mut prefixes = Vec::new();
    for (text, field) in entries {
        if is_number(&text) {
            prefixes.push(text);
        } else {
            section.problem(
                &field,
                format!("found {text:?}"),
                "write how a number begins, such as \"+1555\"".into(),
            );
        }
    }
    (caller_id, Some(prefixes))
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (1..=20).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit())
}

fn read_srtp(section: &Section<'_, '_>, usual: SrtpPolicy) -> Option<SrtpPolicy> {
    section.parsed_or("srtp", "off, offered or required", usual, |text| match text {
        "off" => Some(SrtpPolicy::Off),
        "offered" => Some(SrtpPolicy::Offered),
        "required" => Some(SrtpPolicy::Required),
        _ => None,
    })
}

/// A description that asks for a handshake leaves no room for media without keys, nor for keys of its own.
fn read_srtp_keys(section: &Section<'_, '_>, srtp: Option<SrtpPolicy>, usual: Keying) -> Option<Keying> {
    let keys = section.parsed_or("srtp_keys", "sdes or dtls", usual, |text| match text {
        "sdes" => Some(Keying::Sdes),
        "dtls" => Some(Keying::Dtls),
        _ => None,
    });
    if keys == Some(Keying::Dtls) && srtp.is_some_and(|srtp| srtp != SrtpPolicy::Required) {
        let advice = "write srtp = \"required\" as well; a peer that asks for a handshake gets one all the same, \
                      unless srtp is off";
        section.problem_at("srtp_keys", "only protected media has keys by dtls".into(), advice.into());
    }
    keys
}

fn read_rtcp_xr(section: &Section<'_, '_>, usual: ExtendedReports) -> Option<ExtendedReports> {
    section.parsed_or("rtcp_xr", "off, accept or offer", usual, |text| match text {
        "off" => Some(ExtendedReports::Off),
        "accept" => Some(ExtendedReports::Accept),
        "offer" => Some(ExtendedReports::Offer),
        _ => None,
    })
}

fn read_repacketise(section: &Section<'_, '_>, usual: Repacketise) -> Option<Repacketise> {
    section.parsed_or("repacketise", "off, limit or always", usual, |text| match text {
        "off" => Some(Repacketise::Off),
        "limit" => Some(Repacketise::Limit),
        "always" => Some(Repacketise::Always),
        _ => None,
    })
}

/// Packets shorter than 10 ms or longer than 60 ms are sent by nothing here (media's own limits).
fn read_ptime(section: &Section<'_, '_>, usual: Duration) -> Option<Duration> {
    let usual_ms = u32::try_from(usual.as_millis()).unwrap_or(20);
    let ms = section.integer_or("ptime_ms", 10..=60, usual_ms)?;
    if !ms.is_multiple_of(10) {
        section.problem_at("ptime_ms", format!("found {ms}"), "write 10, 20, 30, 40, 50 or 60".into());
    }
    Some(Duration::from_millis(ms.into()))
}
