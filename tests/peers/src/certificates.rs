//! Authorities and certificates made for a test.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, SanType,
};

const DAY: Duration = Duration::from_secs(86_400);

/// Somebody who vouches for others.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, as PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// When there is no entropy.
    pub fn new() -> io::Result<Self> {
        // No two have the same name: a chain is found by it.
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut params = CertificateParams::default();
        params.distinguished_name = called(&format!("Test authority {number}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().map_err(io::Error::other)?;
        Ok(Self(CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)?))
    }

    /// Its own certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate valid for ten days from now, for `names`: domains, addresses, or `sip:` URIs.
    ///
    /// # Errors
    /// When a name cannot be in a certificate.
    pub fn issue(&self, names: &[&str]) -> io::Result<Pair> {
        self.issue_until(names, SystemTime::now() + 10 * DAY)
    }

    /// One that was valid until a day ago.
    ///
    /// # Errors
    /// When a name cannot be in a certificate.
    pub fn issue_expired(&self, names: &[&str]) -> io::Result<Pair> {
        self.issue_until(names, SystemTime::now() - DAY)
    }

    fn issue_until(&self, names: &[&str], not_after: SystemTime) -> io::Result<Pair> {
        let mut params = CertificateParams::default();
        params.distinguished_name = called("Test peer");
        params.not_before = (SystemTime::now() - 10 * DAY).into();
        params.not_after = not_after.into();
        for name in names {
            params.subject_alt_names.push(match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) if name.starts_with("sip:") => {
                    SanType::URI((*name).try_into().map_err(io::Error::other)?)
                }
                Err(_) => SanType::DnsName((*name).try_into().map_err(io::Error::other)?),
            });
        }
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.signed_by(&key, &self.0).map_err(io::Error::other)?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

fn called(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

impl Pair {
    /// Writes `NAME.pem` and `NAME.key`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, folder: &Path, name: &str) -> io::Result<()> {
        fs::write(folder.join(format!("{name}.pem")), &self.certificate)?;
        fs::write(folder.join(format!("{name}.key")), &self.key)
    }
}
