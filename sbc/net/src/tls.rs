//! TLS 1.2 and 1.3: which certificate we show, whose we accept, and how that depends on the peer.
//!
//! A peer is known by its address before a byte is read, so each trunk has a configuration of its own, with its own
//! authorities, its own name, and its own session cache: what one trunk has shown is worth nothing to another.
//! Ciphers are those of RFC 9325 §4.2: ephemeral ECDH with AES-GCM or ChaCha20-Poly1305 and nothing else, which is
//! all that `rustls` has.
//!
//! Built by the operator's start or reload from files that somebody else has read; used by every connection's task.

mod certificate;
mod identity;
mod refusals;
mod verify;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ServerConfig};
use tandem_sbc::source::IpPrefix;

pub use certificate::{Authorities, Certificate, PemError};
pub use identity::PeerName;
pub(crate) use refusals::Refusals;
use verify::{PeerVerifier, provider};

/// TLS sessions a trunk, or all phones together, may resume.
const MAX_SESSIONS: usize = 1_024;

/// What the operator decides about TLS.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TlsConfig {
    /// What we show: the one whose names fit the one asked for (RFC 6066 §3), else the first.
    pub certificates: Vec<Arc<Certificate>>,
    /// The trunks.
    pub trunks: Vec<TlsTrunk>,
}

/// What the operator decides about TLS with a trunk.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsTrunk {
    /// Its name in logs.
    pub name: String,
    /// Where it connects from.
    pub sources: Vec<IpPrefix>,
    /// Where we connect to.
    pub peers: Vec<SocketAddr>,
    /// Who may vouch for it.
    pub authorities: Authorities,
    /// Whom its certificate must name.
    pub peer_name: PeerName,
    /// Whether it must show one when it connects to us.
    pub needs_certificate: bool,
    /// What we show when we connect to it and it asks.
    pub certificate: Option<Arc<Certificate>>,
}

/// What a trunk is given makes no sense to TLS. The operator's to mend.
#[derive(Debug, thiserror::Error)]
#[error("trunk {trunk:?}: {reason}")]
pub struct TlsError {
    /// Which.
    pub trunk: String,
    /// Why.
    pub reason: String,
}

/// The configuration as connections use it.
#[derive(Debug)]
pub(crate) struct Contexts {
    /// For everybody who is no trunk.
    phones: Option<Arc<ServerConfig>>,
    trunks: Vec<TrunkContext>,
    pub(crate) certificates: Vec<Arc<Certificate>>,
}

#[derive(Debug)]
pub(crate) struct TrunkContext {
    pub(crate) name: String,
    sources: Vec<IpPrefix>,
    peers: Vec<SocketAddr>,
    server: Option<Arc<ServerConfig>>,
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) server_name: ServerName<'static>,
}

impl TlsConfig {
    /// Our own certificates, each once.
    pub fn all_certificates(&self) -> impl Iterator<Item = &Arc<Certificate>> {
        let of_trunks = self.trunks.iter().filter_map(|trunk| trunk.certificate.as_ref());
        let mut seen: Vec<&str> = Vec::new();
        self.certificates.iter().chain(of_trunks).filter(move |certificate| {
            let is_new = !seen.contains(&certificate.file());
            seen.push(certificate.file());
            is_new
        })
    }

    /// Whether it can be used.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), TlsError> {
        Contexts::new(self, &Arc::new(Refusals::new(Arc::default()))).map(drop)
    }
}

impl Contexts {
    pub(crate) fn new(config: &TlsConfig, refusals: &Arc<Refusals>) -> Result<Self, TlsError> {
        let shown = (!config.certificates.is_empty())
            .then(|| Arc::new(Shown::new(&config.certificates)) as Arc<dyn ResolvesServerCert>);
        let trunks = config.trunks.iter().map(|trunk| TrunkContext::new(trunk, shown.as_ref(), refusals));
        Ok(Self {
            trunks: trunks.collect::<Result<_, _>>()?,
            certificates: config.all_certificates().cloned().collect(),
            phones: shown.map(|shown| {
                let mut server = server_builder().with_no_client_auth().with_cert_resolver(shown);
                server.session_storage = ServerSessionMemoryCache::new(MAX_SESSIONS);
                Arc::new(server)
            }),
        })
    }

    /// How we speak to a client at `source`, and the name of the trunk it is.
    pub(crate) fn accepting(&self, source: IpAddr) -> (Option<&str>, Option<&Arc<ServerConfig>>) {
        let is_from = |trunk: &&TrunkContext| trunk.sources.iter().any(|prefix| prefix.contains(source));
        match self.trunks.iter().find(is_from) {
            Some(trunk) => (Some(&trunk.name), trunk.server.as_ref()),
            None => (None, self.phones.as_ref()),
        }
    }

    /// How we speak to a server at `destination`: one that a trunk names, else one that a trunk also sends from.
    pub(crate) fn connecting(&self, destination: SocketAddr) -> Option<&TrunkContext> {
        let is_peer = |trunk: &&TrunkContext| trunk.peers.contains(&destination);
        let is_source = |trunk: &&TrunkContext| trunk.sources.iter().any(|it| it.contains(destination.ip()));
        self.trunks.iter().find(is_peer).or_else(|| self.trunks.iter().find(is_source))
    }
}

impl TrunkContext {
    fn new(
        trunk: &TlsTrunk,
        shown: Option<&Arc<dyn ResolvesServerCert>>,
        refusals: &Arc<Refusals>,
    ) -> Result<Self, TlsError> {
        let error = |reason: String| TlsError { trunk: trunk.name.clone(), reason };
        let verifier = PeerVerifier::new(trunk, Arc::clone(refusals)).map_err(error)?;
        let verifier = Arc::new(verifier);
        let client =
            client_builder().dangerous().with_custom_certificate_verifier(Arc::clone(&verifier) as _);
        let client = match &trunk.certificate {
            Some(certificate) => client.with_client_cert_resolver(Arc::new(Own(certificate.key()))),
            None => client.with_no_client_auth(),
        };
        let server = shown.map(|shown| {
            let builder = if trunk.needs_certificate {
                server_builder().with_client_cert_verifier(verifier)
            } else {
                server_builder().with_no_client_auth()
            };
            let mut server = builder.with_cert_resolver(Arc::clone(shown));
            server.session_storage = ServerSessionMemoryCache::new(MAX_SESSIONS);
            Arc::new(server)
        });
        Ok(Self {
            name: trunk.name.clone(),
            sources: trunk.sources.clone(),
            peers: trunk.peers.clone(),
            server,
            client: Arc::new(client),
            server_name: trunk.peer_name.server_name().map_err(error)?,
        })
    }
}

/// RFC 9325 §3.1.1: TLS 1.2 and 1.3, nothing older.
fn server_builder() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    #[expect(clippy::expect_used, reason = "fails only when a provider lacks a cipher for a version")]
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("ring has ciphers for TLS 1.2 and 1.3")
}

fn client_builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    #[expect(clippy::expect_used, reason = "fails only when a provider lacks a cipher for a version")]
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("ring has ciphers for TLS 1.2 and 1.3")
}

/// Our certificates, as a client's server name picks one.
#[derive(Debug)]
struct Shown(Vec<Arc<Certificate>>);

impl Shown {
    fn new(certificates: &[Arc<Certificate>]) -> Self {
        Self(certificates.to_vec())
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| self.0.iter().find(|it| it.is_for(name)));
        named.or_else(|| self.0.first()).map(|certificate| certificate.key())
    }
}

/// The one certificate we show to a server that asks.
#[derive(Debug)]
struct Own(Arc<CertifiedKey>);

impl rustls::client::ResolvesClientCert for Own {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
