//! Authorities and certificates made for a test, as the transports and as a foreign peer want them.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tandem_sbc_net::{Authorities, Certificate};

/// Somebody who vouches for others.
pub(crate) struct Authority(tandem_peers::Authority);

/// A certificate with its key.
pub(crate) struct Pair(tandem_peers::Pair);

impl Authority {
    pub(crate) fn new() -> Self {
        Self(tandem_peers::Authority::new().expect("an authority"))
    }

    pub(crate) fn authorities(&self) -> Authorities {
        Authorities::from_pem(self.0.pem().as_bytes()).expect("its own certificate")
    }

    pub(crate) fn roots(&self) -> Arc<rustls::RootCertStore> {
        let own = CertificateDer::from_pem_slice(self.0.pem().as_bytes()).expect("its own certificate");
        let mut roots = rustls::RootCertStore::empty();
        roots.add(own).expect("an authority");
        Arc::new(roots)
    }

    pub(crate) fn issue(&self, names: &[&str]) -> Pair {
        Pair(self.0.issue(names).expect("a certificate"))
    }

    pub(crate) fn issue_expired(&self, names: &[&str]) -> Pair {
        Pair(self.0.issue_expired(names).expect("a certificate"))
    }
}

impl Pair {
    pub(crate) fn ours(&self) -> Arc<Certificate> {
        let (chain, key) = self.pem();
        let certificate = Certificate::from_pem("test.pem".to_owned(), chain.as_bytes(), key.as_bytes());
        Arc::new(certificate.expect("they belong together"))
    }

    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_slice(self.0.certificate.as_bytes()).expect("a certificate")]
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.0.key.as_bytes()).expect("a key")
    }

    pub(crate) fn pem(&self) -> (&str, &str) {
        (&self.0.certificate, &self.0.key)
    }
}
