//! Whom a certificate names, by the rules of SIP (RFC 5922 §7).

use std::fmt;
use std::net::IpAddr;

use rustls::pki_types::{CertificateDer, DnsName, ServerName};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The most names of a certificate that are looked at.
const MAX_NAMES: usize = 256;

/// The most names of a certificate that are told.
const MAX_TOLD: usize = 8;

/// Whom we expect at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerName {
    /// A SIP domain, in small letters.
    Domain(String),
    /// An address, for peers that have no name. RFC 5922 knows domains only; here the certificate has an
    /// `iPAddress`, or a `sip:` URI with the address as its host.
    Address(IpAddr),
}

impl PeerName {
    /// What is asked for by server name, which is the domain only (RFC 6066 §3).
    pub(super) fn server_name(&self) -> Result<ServerName<'static>, String> {
        match self {
            Self::Domain(domain) => DnsName::try_from(domain.clone())
                .map(ServerName::DnsName)
                .map_err(|_| format!("{domain:?} is no domain name")),
            Self::Address(address) => Ok(ServerName::IpAddress((*address).into())),
        }
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => f.write_str(domain),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// Whether `certificate` is that of `expected`.
pub(super) fn fits(certificate: &CertificateDer<'_>, expected: &PeerName) -> bool {
    identities(certificate).iter().any(|identity| match (expected, identity) {
        // RFC 5922 §7.2: the whole name, in whatever case, and no wildcard of any form.
        (PeerName::Domain(domain), Identity::Domain(named)) => named.eq_ignore_ascii_case(domain),
        (PeerName::Address(address), Identity::Address(named)) => named == address,
        _ => false,
    })
}

/// Whom it names, for an operator to read.
pub(super) fn told(certificate: &CertificateDer<'_>) -> String {
    let names = identities(certificate).into_iter().map(|identity| match identity {
        Identity::Domain(domain) => domain,
        Identity::Address(address) => address.to_string(),
    });
    let names: Vec<String> = names.take(MAX_TOLD).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

#[derive(Debug, PartialEq, Eq)]
enum Identity {
    Domain(String),
    Address(IpAddr),
}

/// RFC 5922 §7.1: the hosts of `sip:` URIs without a user; DNS names only when there is no such URI. The common name
/// of the subject, which the RFC lets one look at when there are no alternative names, counts for nothing here.
fn identities(certificate: &CertificateDer<'_>) -> Vec<Identity> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let Ok(Some(alternative)) = certificate.subject_alternative_name() else { return Vec::new() };
    let (mut by_uri, mut by_dns) = (Vec::new(), Vec::new());
    for name in alternative.value.general_names.iter().take(MAX_NAMES) {
        match name {
            GeneralName::URI(uri) => by_uri.extend(sip_domain(uri)),
            GeneralName::DNSName(name) => by_dns.push(Identity::Domain((*name).to_owned())),
            GeneralName::IPAddress(octets) => by_dns.extend(address(octets).map(Identity::Address)),
            _ => {}
        }
    }
    if by_uri.is_empty() { by_dns } else { by_uri }
}

fn sip_domain(uri: &str) -> Option<Identity> {
    let uri = tandem_sbc::uri::Uri::parse(uri.as_bytes()).ok()?;
    let sip = uri.as_sip().filter(|sip| !sip.secure && sip.user_bytes.is_none())?;
    Some(match sip.host.ip() {
        Some(address) => Identity::Address(address),
        None => Identity::Domain(sip.host.to_string()),
    })
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn certificate(names: Vec<SanType>) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.distinguished_name.push(rcgen::DnType::CommonName, "common.example");
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn uri(text: &str) -> SanType {
        SanType::URI(text.try_into().unwrap())
    }

    fn dns(text: &str) -> SanType {
        SanType::DnsName(text.try_into().unwrap())
    }

    fn names(certificate: &CertificateDer<'_>, domain: &str) -> bool {
        fits(certificate, &PeerName::Domain(domain.to_owned()))
    }

    /// RFC 5922 §7.1 rule 1.
    #[test]
    fn a_sip_uri_without_a_user_is_the_identity_and_dns_names_count_no_more() {
        let both =
            certificate(vec![dns("dns.example"), uri("SIP:carrier.example"), uri("sips:secure.example")]);
        assert!(names(&both, "carrier.example"));
        assert!(!names(&both, "dns.example") && !names(&both, "secure.example"));
        let of_a_user = certificate(vec![dns("dns.example"), uri("sip:alice@carrier.example")]);
        assert!(names(&of_a_user, "dns.example") && !names(&of_a_user, "carrier.example"));
    }

    /// RFC 5922 §7.1: other schemes are no SIP identities.
    #[test]
    fn uris_of_other_schemes_leave_the_dns_names() {
        let web = certificate(vec![uri("https://carrier.example"), dns("dns.example")]);
        assert!(names(&web, "dns.example") && !names(&web, "carrier.example"));
    }

    /// RFC 5922 §7.2.
    #[test]
    fn a_name_is_compared_whole_and_without_wildcards() {
        let plain = certificate(vec![dns("Carrier.Example")]);
        assert!(names(&plain, "carrier.example"));
        assert!(!names(&plain, "sip.carrier.example") && !names(&plain, "example"));
        let wild = certificate(vec![dns("*.carrier.example")]);
        assert!(!names(&wild, "sip.carrier.example") && !names(&wild, "carrier.example"));
    }

    #[test]
    fn the_common_name_counts_for_nothing() {
        let bare = certificate(Vec::new());
        assert!(!names(&bare, "common.example"));
        assert_eq!(told(&bare), "nobody");
    }

    #[test]
    fn an_address_is_named_as_an_address_or_as_the_host_of_a_uri() {
        let expected = PeerName::Address("192.0.2.1".parse().unwrap());
        let san = certificate(vec![SanType::IpAddress("192.0.2.1".parse().unwrap())]);
        assert!(fits(&san, &expected));
        assert!(fits(&certificate(vec![uri("sip:192.0.2.1")]), &expected));
        let other = certificate(vec![SanType::IpAddress("192.0.2.2".parse().unwrap()), dns("a.example")]);
        assert!(!fits(&other, &expected));
        assert_eq!(told(&other), "192.0.2.2, a.example");
    }
}
