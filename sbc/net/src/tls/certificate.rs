//! Certificates, keys and authorities from PEM text, with what an operator wants to know of them.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::verify::provider;

/// The most certificates of a chain.
pub(crate) const MAX_CHAIN: usize = 16;

/// The most authorities of a list; Mozilla's has about 150.
pub(crate) const MAX_AUTHORITIES: usize = 1_000;

/// What is wrong with a PEM file. The operator's to mend; each says how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// Nothing in it is of use.
    #[error("holds no certificate; write the PEM file that has \"BEGIN CERTIFICATE\"")]
    NoCertificate,
    /// More than anybody needs.
    #[error("holds more than {0} certificates")]
    TooMany(usize),
    /// One that cannot be read.
    #[error("certificate {0} of the file cannot be read: {1}")]
    Certificate(usize, String),
    /// The key's file has none.
    #[error("holds no private key; write the PEM file that has \"BEGIN PRIVATE KEY\", without a pass phrase")]
    NoKey,
    /// A kind of key that TLS has no use for.
    #[error("the key cannot be used: {0}; RSA of 2048 bits or more, P-256, P-384 and Ed25519 can")]
    Key(String),
    /// They do not belong together.
    #[error("the key is not that of the certificate; write the pair that was made together")]
    Mismatch,
}

impl PemError {
    /// Whether the file of the key is meant.
    #[must_use]
    pub fn is_of_key(&self) -> bool {
        matches!(self, Self::NoKey | Self::Key(_) | Self::Mismatch)
    }
}

/// One of our certificates with its chain and key.
pub struct Certificate {
    file: String,
    key: Arc<CertifiedKey>,
    names: Vec<String>,
    not_before: SystemTime,
    not_after: SystemTime,
}

impl Certificate {
    /// The chain, our certificate first, and its key. `file` is what operators know it by.
    ///
    /// # Errors
    /// When one of them cannot be read, or they do not belong together.
    pub fn from_pem(file: String, chain: &[u8], key: &[u8]) -> Result<Self, PemError> {
        let chain = read_certificates(chain, MAX_CHAIN)?;
        let own = chain.first().ok_or(PemError::NoCertificate)?;
        let unreadable = |error: String| PemError::Certificate(1, error);
        let (_, parsed) = X509Certificate::from_der(own).map_err(|error| unreadable(error.to_string()))?;
        let validity = parsed.validity();
        let (not_before, not_after) = (time(validity.not_before), time(validity.not_after));
        let names = names_of(&parsed);
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| PemError::NoKey)?;
        let key = provider()
            .key_provider
            .load_private_key(key)
            .map_err(|error| PemError::Key(error.to_string()))?;
        let key = CertifiedKey::new(chain, key);
        match key.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => return Err(PemError::Mismatch),
            Err(error) => return Err(unreadable(error.to_string())),
        }
        Ok(Self { file, key: Arc::new(key), names, not_before, not_after })
    }

    /// What operators know it by.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The last moment it is valid.
    #[must_use]
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// The first moment it is valid.
    #[must_use]
    pub fn not_before(&self) -> SystemTime {
        self.not_before
    }

    /// The domains it names, in small letters.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }

    /// Whether it is the one to show to who asks for `name` (RFC 6066 §3). Browsers know wildcards (RFC 6125
    /// §6.4.3); RFC 5922 §7.2, which does not, is about whom we accept.
    pub(super) fn is_for(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let parent = name.split_once('.').map(|(_, parent)| parent);
        self.names.iter().any(|own| match own.strip_prefix("*.") {
            Some(own) => parent == Some(own),
            None => *own == name,
        })
    }
}

impl PartialEq for Certificate {
    /// The same chain; the key follows from it.
    fn eq(&self, other: &Self) -> bool {
        self.key.cert == other.key.cert
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("file", &self.file)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// Who may vouch for a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// The certificates of a file.
    ///
    /// # Errors
    /// When there is none, or one cannot be read.
    pub fn from_pem(text: &[u8]) -> Result<Self, PemError> {
        let certificates = read_certificates(text, MAX_AUTHORITIES)?;
        let mut roots = RootCertStore::empty();
        for (index, certificate) in certificates.iter().enumerate() {
            roots
                .add(certificate.clone())
                .map_err(|error| PemError::Certificate(index + 1, error.to_string()))?;
        }
        Ok(Self(certificates))
    }

    pub(super) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.0.iter().cloned());
        roots
    }
}

fn read_certificates(text: &[u8], max: usize) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(text) {
        if certificates.len() == max {
            return Err(PemError::TooMany(max));
        }
        let number = certificates.len() + 1;
        certificates.push(certificate.map_err(|error| PemError::Certificate(number, error.to_string()))?);
    }
    if certificates.is_empty() { Err(PemError::NoCertificate) } else { Ok(certificates) }
}

fn names_of(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternative)) = certificate.subject_alternative_name() else { return Vec::new() };
    let dns = alternative.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    dns.collect()
}

fn time(time: x509_parser::time::ASN1Time) -> SystemTime {
    let seconds = Duration::from_secs(u64::try_from(time.timestamp()).unwrap_or(0));
    SystemTime::UNIX_EPOCH + seconds
}
