//! Whether a peer is who it should be: its chain of certificates by `webpki`, its name by RFC 5922.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};

use super::identity::{self, PeerName};
use super::{Refusals, TlsTrunk};

/// The cryptography of all connections.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())))
}

/// Accepts one peer, as server and as client.
#[derive(Debug)]
pub(super) struct PeerVerifier {
    trunk: String,
    roots: Arc<RootCertStore>,
    expected: PeerName,
    as_client: Arc<dyn ClientCertVerifier>,
    refusals: Arc<Refusals>,
}

impl PeerVerifier {
    pub(super) fn new(trunk: &TlsTrunk, refusals: Arc<Refusals>) -> Result<Self, String> {
        let roots = Arc::new(trunk.authorities.roots());
        let as_client = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider());
        Ok(Self {
            trunk: trunk.name.clone(),
            roots,
            expected: trunk.peer_name.clone(),
            as_client: as_client.build().map_err(|error| error.to_string())?,
            refusals,
        })
    }

    /// The chain's verdict, then that of the name; a refusal is told.
    fn decide<T>(&self, certificate: &CertificateDer<'_>, chain: Result<T, Error>) -> Result<T, Error> {
        let verdict = chain.and_then(|verified| {
            let fits = identity::fits(certificate, &self.expected);
            fits.then_some(verified).ok_or(Error::InvalidCertificate(CertificateError::NotValidForName))
        });
        if let Err(error) = &verdict {
            let presented = identity::told(certificate);
            self.refusals.refused(&self.trunk, &presented, &self.expected, &reason(error));
        }
        verdict
    }
}

/// What is wrong with a certificate, in an operator's words.
fn reason(error: &Error) -> String {
    let Error::InvalidCertificate(error) = error else { return error.to_string() };
    match error {
        CertificateError::NotValidForName => "its certificate names somebody else".to_owned(),
        CertificateError::UnknownIssuer => "nobody in tls_ca vouches for its certificate".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet".to_owned()
        }
        other => other.to_string(),
    }
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let algorithms = provider().signature_verification_algorithms.all;
        let chain = ParsedCertificate::try_from(end_entity).and_then(|parsed| {
            verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, algorithms)
        });
        self.decide(end_entity, chain).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.as_client.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.as_client.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.as_client.supported_verify_schemes()
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.as_client.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.decide(end_entity, self.as_client.verify_client_cert(end_entity, intermediates, now))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.as_client.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.as_client.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.as_client.supported_verify_schemes()
    }
}
