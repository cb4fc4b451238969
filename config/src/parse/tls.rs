//! TLS: the certificates we show, and what a trunk must show.

use std::path::PathBuf;
use std::time::Duration;

use super::Files;
use crate::model::{ClientCertificate, KeyPair, Place, Placed, SipListen, Tls, TrunkTls};
use crate::reader::Section;

/// The most certificates.
const MAX_CERTIFICATES: usize = 64;

/// Where Debian and its like keep the authorities that browsers trust.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

const DAY_S: u64 = 86_400;

pub(super) fn read_tls(section: Section<'_, '_>, listen: &[SipListen], files: &Files<'_>) -> Option<Tls> {
    let certificates: Vec<_> = section
        .tables("certificate", "", MAX_CERTIFICATES)
        .into_iter()
        .map(|entry| {
            let pair = read_key_pair(&entry, "certificate", "key", files);
            entry.finish();
            pair
        })
        .collect();
    let needs_one = listen.iter().find(|it| it.transport.is_secure());
    if let (Some(listen), true) = (needs_one, certificates.is_empty()) {
        let message = format!("sip.listen has {:?} and there is no certificate", listen.to_string());
        let advice = "add [[tls.certificate]] with certificate = \"FILE.pem\" and key = \"FILE.key\"";
        section.problem_here(message, advice.into());
    }
    let ca = if section.has("ca") {
        files.file(&section, "ca", "the path of a PEM file of authorities")
    } else {
        section.know(&["ca"]);
        let place = Place { line: 0, column: 0, field: "tls.ca".to_owned() };
        Some(Placed { value: PathBuf::from(SYSTEM_AUTHORITIES), place })
    };
    let days = section.integer_or("expiry_warning_days", 0..=365, 21);
    section.finish();
    Some(Tls {
        certificates: certificates.into_iter().collect::<Option<_>>()?,
        ca: ca?,
        expiry_warning: Duration::from_secs(u64::from(days?) * DAY_S),
    })
}

/// The TLS keys of a trunk; they make no sense with another transport.
pub(super) fn read_trunk_tls(section: &Section<'_, '_>, is_tls: bool, files: &Files<'_>) -> Option<TrunkTls> {
    const KEYS: [&str; 5] = ["tls_name", "tls_ca", "tls_client_certificate", "tls_certificate", "tls_key"];
    section.know(&KEYS);
    if !is_tls {
        if let Some(key) = KEYS.into_iter().find(|key| section.has(key)) {
            let message = "this is for TLS, and the transport is another".to_owned();
            section.problem_with(key, message, "write transport = \"tls\", or remove the key".into());
        }
        return Some(TrunkTls::default());
    }
    let name = section.parsed_or("tls_name", "a domain such as \"sip.carrier.example\"", None, |text| {
        is_domain(text).then(|| Some(text.to_ascii_lowercase()))
    });
    let ca =
        optional(section, "tls_ca", |key| files.file(section, key, "the path of a PEM file of authorities"));
    let client_certificate =
        section.parsed_or("tls_client_certificate", "required or off", ClientCertificate::Off, |text| {
            match text {
                "required" => Some(ClientCertificate::Required),
                "off" => Some(ClientCertificate::Off),
                _ => None,
            }
        });
    let own = if section.has("tls_certificate") || section.has("tls_key") {
        read_key_pair(section, "tls_certificate", "tls_key", files).map(Some)
    } else {
        Some(None)
    };
    Some(TrunkTls { name: name?, ca: ca?, client_certificate: client_certificate?, own: own? })
}

fn read_key_pair(
    section: &Section<'_, '_>,
    certificate: &'static str,
    key: &'static str,
    files: &Files<'_>,
) -> Option<KeyPair> {
    let certificate =
        files.file(section, certificate, "the path of a PEM file with the certificate and its chain");
    let key = files.file(section, key, "the path of the PEM file with the certificate's key");
    Some(KeyPair { certificate: certificate?, key: key? })
}

fn optional<T>(
    section: &Section<'_, '_>,
    key: &'static str,
    read: impl FnOnce(&'static str) -> Option<T>,
) -> Option<Option<T>> {
    if section.has(key) { read(key).map(Some) } else { Some(None) }
}

/// Letters, digits and hyphens between dots (RFC 1123 §2.1): no wildcard, no address.
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_address = text.split('.').all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    text.len() <= 253 && !is_address && text.split('.').all(label)
}
