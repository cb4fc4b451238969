//! What we are registered as with carriers.

use super::addresses::check_destination;
use super::route::{Destination, parse_destination, read_credentials};
use crate::address::IpPrefix;
use crate::model::{Register, SipListen};
use crate::reader::Section;

/// The most registrations with one carrier.
const MAX_REGISTRATIONS: usize = 1_000;

const AOR: &str = "what the carrier calls us, such as \"sip:4711@carrier.example\"";
const REGISTRAR: &str = "a SIP URI such as \"sip:registrar.carrier.example;transport=tcp\"";
const USER: &str = "a name or number such as \"4711\"";

pub(super) fn read_registrations(
    trunk: &Section<'_, '_>,
    listen: &[SipListen],
    sources: Option<&[IpPrefix]>,
) -> Option<Vec<Register>> {
    let mut aors = Vec::new();
    let entries = trunk.tables("register", "aor", MAX_REGISTRATIONS);
    entries.into_iter().map(|section| read_registration(section, &mut aors, listen, sources)).collect()
}

fn read_registration(
    section: Section<'_, '_>,
    aors: &mut Vec<String>,
    listen: &[SipListen],
    sources: Option<&[IpPrefix]>,
) -> Option<Register> {
    let aor = section.parsed("aor", AOR, parse_aor);
    if let Some(aor) = &aor {
        if aors.contains(aor) {
            section.problem_at("aor", format!("{aor} is registered twice"), "remove one".into());
        }
        aors.push(aor.clone());
    }
    let registrar = section.parsed_or("registrar", REGISTRAR, None, |text| parse_destination(text).map(Some));
    let is_sips = |aor: &String| aor.starts_with("sips:");
    if registrar.iter().flatten().any(|registrar: &Destination| registrar.is_sips)
        && aor.as_ref().is_some_and(|aor| !is_sips(aor))
    {
        let message = "the registrar is asked for TLS on every hop, and aor is not".to_owned();
        section
            .problem_here(message, "write aor as \"sips:\" too, or registrar with \";transport=tls\"".into());
    }
    let registrar = registrar.map(|registrar| registrar.map(|it| it.target));
    if let Some(Some(to)) = &registrar {
        check_destination(&section, "registrar", to, listen, sources);
    }
    let usual = aor.as_deref().and_then(user_of).unwrap_or_default().to_owned();
    let contact_user = section.parsed_or("contact_user", USER, usual, parse_user);
    let credentials = read_credentials(&section);
    let expires = section.seconds_or("expires_s", 30..=86_400, 3_600);
    section.know(&["keep_alive_s"]);
    let keep_alive = match section.has("keep_alive_s") {
        true => section.seconds_or("keep_alive_s", 5..=3_600, 25).map(Some),
        false => Some(None),
    };
    let outbound = section.boolean_or("outbound", false);
    section.finish();
    Some(Register {
        aor: aor?,
        registrar: registrar?,
        contact_user: contact_user?,
        credentials: credentials?,
        expires: expires?,
        keep_alive: keep_alive?,
        outbound: outbound?,
    })
}

/// `sip:USER@DOMAIN`, or with `sips:`, of characters that need no escaping in a URI.
fn parse_aor(text: &str) -> Option<String> {
    let rest = text.strip_prefix("sip:").or_else(|| text.strip_prefix("sips:"))?;
    let (user, domain) = rest.split_once('@')?;
    parse_user(user)?;
    let is_domain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    (!domain.is_empty() && domain.chars().all(is_domain)).then(|| text.to_owned())
}

fn parse_user(text: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.!~*'()&=+$,".contains(c);
    (!text.is_empty() && text.chars().all(is_plain)).then(|| text.to_owned())
}

fn user_of(aor: &str) -> Option<&str> {
    aor.split_once(':')?.1.split_once('@').map(|(user, _)| user)
}
