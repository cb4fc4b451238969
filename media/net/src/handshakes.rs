//! DTLS handshakes beside the media (RFC 5764), by `dimpl`, on a thread of their own: an elliptic curve takes longer
//! than a packet may wait.
//!
//! ```text
//! media thread ── Began, Came, Ended ──► handshake thread
//!      ▲                                       │
//!      └────────────── Send, Done ─────────────┘
//! ```
//!
//! Both ways are bounded. What finds the way there full is lost, as a datagram is, and the handshake's own
//! retransmission makes up for it; a handshake that cannot even begin has failed.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, DtlsCertificate, Output, SrtpProfile};
use sha2::{Digest, Sha256};
use tandem_media::srtp::{MasterKey, SrtpKeys, Suite};
use tandem_media::{
    DtlsParameters, DtlsRole, EndpointId, Fingerprint, HandshakeFailed, HandshakeId, HandshakeOutcome,
};

use crate::threads::Shared;

/// Packets and news that may wait between the two threads, each way.
const MAX_WAITING: usize = 512;

/// Handshakes and finished associations kept at a time; one more fails.
const MAX_ASSOCIATIONS: usize = 65_536;

/// How long a handshake may take. A party that rings off the hook this long has gone.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// The largest record we send: what passes every path (RFC 8261 §5).
const MAX_RECORD: usize = 1_200;

/// How long the thread rests when nothing is due.
const REST: Duration = Duration::from_secs(60);

/// The certificate that this node shows in handshakes; self-signed, since its fingerprint is what vouches for it
/// (RFC 5763 §5).
#[derive(Clone)]
pub struct DtlsIdentity {
    certificate: DtlsCertificate,
    fingerprint: Fingerprint,
}

impl DtlsIdentity {
    /// A new key (ECDSA, P-256: RFC 8827 §6.5) and a certificate for it.
    ///
    /// # Errors
    /// When the machine has no entropy.
    pub fn generate() -> io::Result<Self> {
        let certificate = rcgen::generate_simple_self_signed(Vec::new()).map_err(io::Error::other)?;
        let der = certificate.cert.der().to_vec();
        let fingerprint = fingerprint(&der);
        let private_key = certificate.signing_key.serialize_der();
        Ok(Self { certificate: DtlsCertificate { certificate: der, private_key }, fingerprint })
    }

    /// What stands in our session descriptions.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl std::fmt::Debug for DtlsIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("DtlsIdentity").field(&self.fingerprint).finish()
    }
}

/// What the media thread tells.
enum Told {
    Began { endpoint: EndpointId, handshake: HandshakeId, parameters: DtlsParameters },
    Came { endpoint: EndpointId, packet: Vec<u8> },
    Ended { endpoint: EndpointId },
}

/// What it is told.
pub(crate) enum News {
    /// Send this for the endpoint's handshake.
    Send { endpoint: EndpointId, handshake: HandshakeId, packet: Vec<u8> },
    /// It is over.
    Done { endpoint: EndpointId, handshake: HandshakeId, outcome: HandshakeOutcome },
}

/// The media thread's end.
pub(crate) struct Handshakes {
    /// Both ends are let go of before the thread is joined: it may wait for either.
    ends: Option<(SyncSender<Told>, Receiver<News>)>,
    thread: Option<JoinHandle<()>>,
}

impl Handshakes {
    /// Starts the thread; `shared` wakes the media thread.
    pub(crate) fn start(identity: &DtlsIdentity, shared: Arc<Shared>, name: String) -> io::Result<Self> {
        let config = Config::builder()
            .mtu(MAX_RECORD)
            .handshake_timeout(HANDSHAKE_TIMEOUT)
            .build()
            .map_err(io::Error::other)?;
        let (tell, told) = sync_channel(MAX_WAITING);
        let (news_in, news) = sync_channel(MAX_WAITING);
        let associations = Associations {
            config: Arc::new(config),
            certificate: identity.certificate.clone(),
            open: BTreeMap::new(),
            news: news_in,
            shared,
        };
        let thread = std::thread::Builder::new().name(name).spawn(move || associations.run(&told))?;
        Ok(Self { ends: Some((tell, news)), thread: Some(thread) })
    }

    /// A handshake begins, or begins anew; false when there is no room.
    pub(crate) fn begin(
        &self,
        endpoint: EndpointId,
        handshake: HandshakeId,
        parameters: DtlsParameters,
    ) -> bool {
        self.tell(Told::Began { endpoint, handshake, parameters })
    }

    /// A packet of it came.
    pub(crate) fn receive(&self, endpoint: EndpointId, packet: &[u8]) {
        self.tell(Told::Came { endpoint, packet: packet.to_vec() });
    }

    /// Its endpoint has closed.
    pub(crate) fn end(&self, endpoint: EndpointId) {
        self.tell(Told::Ended { endpoint });
    }

    pub(crate) fn poll_news(&self) -> Option<News> {
        self.ends.as_ref()?.1.try_recv().ok()
    }

    fn tell(&self, told: Told) -> bool {
        self.ends.as_ref().is_some_and(|(tell, _)| tell.try_send(told).is_ok())
    }
}

impl Drop for Handshakes {
    fn drop(&mut self) {
        self.ends = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a handshake thread had panicked");
        }
    }
}

/// The handshake thread's end.
struct Associations {
    config: Arc<Config>,
    certificate: DtlsCertificate,
    /// By the endpoint's slot, so that an association nobody was told to end goes when the slot is used again.
    open: BTreeMap<u32, Association>,
    news: SyncSender<News>,
    shared: Arc<Shared>,
}

struct Association {
    endpoint: EndpointId,
    handshake: HandshakeId,
    dtls: Dtls,
    parameters: DtlsParameters,
    /// Whether the party has shown a certificate that was signalled.
    is_verified: bool,
    /// Whether the media thread has heard how it ended.
    is_done: bool,
    due: Instant,
}

impl Associations {
    fn run(mut self, told: &Receiver<Told>) {
        loop {
            let now = Instant::now();
            let rest = self.next_due().map_or(REST, |due| due.saturating_duration_since(now));
            match told.recv_timeout(rest.min(REST)) {
                Ok(Told::Began { endpoint, handshake, parameters }) => {
                    self.begin(endpoint, handshake, parameters);
                }
                Ok(Told::Came { endpoint, packet }) => {
                    self.drive(endpoint, |dtls| dtls.handle_packet(&packet));
                }
                Ok(Told::Ended { endpoint }) => drop(self.take(endpoint)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.run_timers();
        }
    }

    fn take(&mut self, endpoint: EndpointId) -> Option<Association> {
        self.open.get(&endpoint.index).filter(|association| association.endpoint == endpoint)?;
        self.open.remove(&endpoint.index)
    }

    fn next_due(&self) -> Option<Instant> {
        self.open.values().filter(|association| !association.is_done).map(|association| association.due).min()
    }

    fn run_timers(&mut self) {
        let now = Instant::now();
        let is_due = |association: &Association| !association.is_done && association.due <= now;
        let due: Vec<EndpointId> = self.open.values().filter(|it| is_due(it)).map(|it| it.endpoint).collect();
        for endpoint in due {
            self.drive(endpoint, |_| Ok(()));
        }
    }

    fn begin(&mut self, endpoint: EndpointId, handshake: HandshakeId, parameters: DtlsParameters) {
        if self.open.len() >= MAX_ASSOCIATIONS {
            return self.tell(News::Done { endpoint, handshake, outcome: Err(HandshakeFailed) });
        }
        let now = Instant::now();
        let mut dtls = Dtls::new_auto(Arc::clone(&self.config), self.certificate.clone(), now);
        dtls.set_active(parameters.role == DtlsRole::Client);
        let association = Association {
            endpoint,
            handshake,
            dtls,
            parameters,
            is_verified: false,
            is_done: false,
            due: now,
        };
        self.open.insert(endpoint.index, association);
        self.drive(endpoint, |_| Ok(()));
    }

    /// Gives an association the time and `input`, and does what it says. An association that is done is kept for the
    /// retransmissions of its last flight.
    fn drive(&mut self, endpoint: EndpointId, input: impl FnOnce(&mut Dtls) -> Result<(), dimpl::Error>) {
        let association = self.open.get_mut(&endpoint.index).filter(|it| it.endpoint == endpoint);
        let Some(association) = association else { return };
        let outputs = association.drive(input);
        let (is_done, handshake) = (association.is_done, association.handshake);
        let mut news = Vec::new();
        for output in outputs {
            match output {
                Said::Packet(packet) => news.push(News::Send { endpoint, handshake, packet }),
                Said::Outcome(_) if is_done => {}
                Said::Outcome(outcome) => {
                    association.is_done = true;
                    news.push(News::Done { endpoint, handshake, outcome });
                }
            }
        }
        for news in news {
            self.tell(news);
        }
    }

    /// A packet that finds no room is lost; an outcome waits for room, since nobody would say it again.
    fn tell(&self, news: News) {
        let is_outcome = matches!(news, News::Done { .. });
        match self.news.try_send(news) {
            Err(TrySendError::Full(news)) if is_outcome => {
                self.shared.wake.signal();
                // The media thread has ended when nobody takes it.
                let _ = self.news.send(news);
            }
            _ => {}
        }
        self.shared.wake.signal();
    }
}

/// What comes of an input.
enum Said {
    Packet(Vec<u8>),
    Outcome(HandshakeOutcome),
}

impl Association {
    fn drive(&mut self, input: impl FnOnce(&mut Dtls) -> Result<(), dimpl::Error>) -> Vec<Said> {
        let mut said = Vec::new();
        let handled = self.dtls.handle_timeout(Instant::now()).and_then(|()| input(&mut self.dtls));
        if let Err(error) = handled {
            if !self.is_done {
                tracing::info!(endpoint = self.endpoint.index, %error, "a DTLS handshake failed");
            }
            said.push(Said::Outcome(Err(HandshakeFailed)));
            return said;
        }
        let mut buffer = vec![0; 2 * MAX_RECORD];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => said.push(Said::Packet(packet.to_vec())),
                Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                Output::Timeout(due) => {
                    self.due = due;
                    return said;
                }
                Output::PeerCert(certificate) => {
                    let shown = fingerprint(certificate);
                    self.is_verified = self.parameters.fingerprints.contains(&shown);
                    if !self.is_verified {
                        tracing::info!(
                            endpoint = self.endpoint.index,
                            "a DTLS handshake failed: the certificate has another fingerprint than was signalled"
                        );
                        said.push(Said::Outcome(Err(HandshakeFailed)));
                    }
                }
                Output::KeyingMaterial(material, profile) if self.is_verified => {
                    let keys = keys(&material, profile, self.parameters.role);
                    said.push(Said::Outcome(keys.map(Box::new).ok_or(HandshakeFailed)));
                }
                // Nothing is said over the association itself.
                _ => {}
            }
        }
    }
}

fn fingerprint(certificate: &[u8]) -> Fingerprint {
    Fingerprint(Sha256::digest(certificate).into())
}

/// RFC 5764 §4.2: the client's key, the server's key, the client's salt, the server's salt.
fn keys(material: &[u8], profile: SrtpProfile, role: DtlsRole) -> Option<SrtpKeys> {
    let suite = match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Suite::AesCm128HmacSha1_80,
        SrtpProfile::AEAD_AES_128_GCM => Suite::AeadAes128Gcm,
        SrtpProfile::AEAD_AES_256_GCM => Suite::AeadAes256Gcm,
        _ => return None,
    };
    let (key_len, salt_len) = (suite.key_len(), suite.salt_len());
    let (keys, salts) = material.split_at_checked(2 * key_len)?;
    let of = |place: usize| {
        let key = keys.get(place * key_len..)?.get(..key_len)?;
        let salt = salts.get(place * salt_len..)?.get(..salt_len)?;
        MasterKey::new(suite, &[key, salt].concat())
    };
    let (client, server) = (of(0)?, of(1)?);
    Some(match role {
        DtlsRole::Client => SrtpKeys { send: client, receive: server },
        DtlsRole::Server => SrtpKeys { send: server, receive: client },
    })
}
