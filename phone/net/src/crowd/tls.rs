//! Who we are under TLS, and whom we believe (`rustls`).

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, Error, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme,
};

/// What an operator names.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// The certificates (PEM) that vouch for the other side; nobody does when it is left out.
    pub authorities: Option<PathBuf>,
    /// Our certificate chain (PEM).
    pub certificate: Option<PathBuf>,
    /// Its key (PEM).
    pub key: Option<PathBuf>,
    /// The name the other side's certificate must have; its address when left out.
    pub server_name: Option<String>,
    /// Believe anybody.
    pub insecure: bool,
}

/// Both sides' configuration.
#[derive(Clone)]
pub struct Tls {
    client: Arc<ClientConfig>,
    server: Option<Arc<ServerConfig>>,
    name: Option<ServerName<'static>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When one of them cannot be used, or nothing says whom to believe.
    pub fn read(files: &TlsFiles) -> io::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let identity = match (&files.certificate, &files.key) {
            (Some(certificate), Some(key)) => Some((chain(certificate)?, private_key(key)?)),
            (None, None) => None,
            _ => return Err(io::Error::other("a certificate needs its key, and a key its certificate")),
        };
        let roots = files.authorities.as_deref().map(roots).transpose()?;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let builder = match (&roots, files.insecure) {
            (_, true) => {
                let anybody = Arc::new(Anybody(Arc::clone(&provider)));
                builder.dangerous().with_custom_certificate_verifier(anybody)
            }
            (Some(roots), false) => builder.with_root_certificates(Arc::clone(roots)),
            (None, false) => {
                return Err(io::Error::other("TLS needs --ca FILE to know whom to believe, or --insecure"));
            }
        };
        let client = match &identity {
            Some((chain, key)) => {
                builder.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(io::Error::other)?
            }
            None => builder.with_no_client_auth(),
        };
        let server = identity.map(|identity| server(identity, roots, &provider)).transpose()?;
        let name =
            files.server_name.clone().map(ServerName::try_from).transpose().map_err(io::Error::other)?;
        Ok(Self { client: Arc::new(client), server, name })
    }

    pub(super) fn connect(&self, destination: SocketAddr) -> io::Result<Connection> {
        let name = self.name.clone().unwrap_or_else(|| ServerName::IpAddress(destination.ip().into()));
        let session = ClientConnection::new(Arc::clone(&self.client), name).map_err(io::Error::other)?;
        Ok(session.into())
    }

    pub(super) fn accept(&self) -> io::Result<Connection> {
        let server = self.server.as_ref().ok_or_else(|| io::Error::other("no certificate to answer with"))?;
        let session = ServerConnection::new(Arc::clone(server)).map_err(io::Error::other)?;
        Ok(session.into())
    }
}

fn server(
    (chain, key): (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>),
    roots: Option<Arc<RootCertStore>>,
    provider: &Arc<CryptoProvider>,
) -> io::Result<Arc<ServerConfig>> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let builder = match roots {
        // Whoever has a certificate must have a good one; whoever has none may come, too.
        Some(roots) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
            let verifier = verifier.allow_unauthenticated().build().map_err(io::Error::other)?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(builder.with_single_cert(chain, key).map_err(io::Error::other)?))
}

fn unusable(path: &Path, error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

fn chain(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match certificates {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(unusable(path, "there is no certificate in it")),
        Err(error) => Err(unusable(path, error)),
    }
}

fn private_key(path: &Path) -> io::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| unusable(path, error))
}

fn roots(path: &Path) -> io::Result<Arc<RootCertStore>> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(path)? {
        roots.add(certificate).map_err(|error| unusable(path, error))?;
    }
    Ok(Arc::new(roots))
}

/// Believes anybody's certificate, though not that somebody has its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
