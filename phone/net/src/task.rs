//! The task that owns a phone and its sockets.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tandem_phone::{Event, Output, Phone, PhoneConfig};
use tokio::net::UdpSocket;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::Action;

/// RTP packets read and not yet taken; the kernel's buffers hold the rest.
const MAX_HEARD: usize = 256;
const MAX_DATAGRAM: usize = 65_535;
/// How long a phone with nothing to do rests at most.
const REST: Duration = Duration::from_secs(3_600);

/// A datagram that came to one of the phone's RTP addresses.
struct Heard {
    local: SocketAddr,
    source: SocketAddr,
    bytes: Vec<u8>,
}

/// An open RTP address, and the RTCP address after it.
struct Media {
    rtp: Socket,
    rtcp: Socket,
}

/// A bound socket and the task that reads it.
struct Socket {
    socket: Arc<UdpSocket>,
    reader: JoinHandle<()>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

pub(crate) struct Task {
    phone: Phone,
    began: Instant,
    sip: UdpSocket,
    media: BTreeMap<SocketAddr, Media>,
    heard: (Sender<Heard>, Receiver<Heard>),
    happened: SyncSender<Event>,
}

impl Task {
    pub(crate) fn new(config: PhoneConfig, seed: u64, sip: UdpSocket, happened: SyncSender<Event>) -> Self {
        let phone = Phone::new(config, ChaCha8Rng::seed_from_u64(seed));
        let media = BTreeMap::new();
        Self { phone, began: Instant::now(), sip, media, heard: channel(MAX_HEARD), happened }
    }

    /// Runs until nobody can ask anything any more.
    pub(crate) async fn run(mut self, mut asked: Receiver<Action>) {
        let mut datagram = vec![0; MAX_DATAGRAM];
        loop {
            // A phone may name a time that no clock reaches.
            let rest = self.now() + REST;
            let due = self.began + self.phone.poll_timeout().map_or(rest, |at| at.min(rest));
            tokio::select! {
                action = asked.recv() => match action {
                    Some(action) => action(&mut self.phone, self.began.elapsed()),
                    None => return,
                },
                Ok((len, source)) = self.sip.recv_from(&mut datagram) => {
                    self.phone.handle_sip(self.began.elapsed(), source, datagram.get(..len).unwrap_or_default());
                }
                Some(heard) = self.heard.1.recv() => {
                    self.phone.handle_rtp(self.began.elapsed(), heard.local, heard.source, &heard.bytes);
                }
                () = sleep_until(due) => self.phone.handle_timeout(self.began.elapsed()),
            }
            while let Some(output) = self.phone.poll_output() {
                self.perform(output).await;
            }
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// What cannot be sent is lost, as on any network: the phone's own timers notice.
    async fn perform(&mut self, output: Output) {
        match output {
            Output::Sip { destination, bytes } => {
                let _ = self.sip.send_to(&bytes, destination).await;
            }
            Output::Rtp { local, destination, bytes } => {
                if let Some(socket) = self.media_socket(local) {
                    let _ = socket.send_to(&bytes, destination).await;
                }
            }
            Output::OpenMedia { local } => {
                if let Ok(media) = self.open(local).await {
                    self.media.insert(local, media);
                }
            }
            Output::CloseMedia { local } => {
                self.media.remove(&local);
            }
            Output::Event(event) => {
                let _ = self.happened.try_send(event);
            }
        }
    }

    /// The socket bound to `local`: an RTP port, or the one after it.
    fn media_socket(&self, local: SocketAddr) -> Option<&UdpSocket> {
        match self.media.get(&local) {
            Some(media) => Some(&media.rtp.socket),
            None => {
                let even = SocketAddr::new(local.ip(), local.port().checked_sub(1)?);
                self.media.get(&even).map(|media| &*media.rtcp.socket)
            }
        }
    }

    async fn open(&self, rtp: SocketAddr) -> io::Result<Media> {
        let rtcp = SocketAddr::new(rtp.ip(), rtp.port() + 1);
        Ok(Media { rtp: self.bind(rtp).await?, rtcp: self.bind(rtcp).await? })
    }

    async fn bind(&self, local: SocketAddr) -> io::Result<Socket> {
        let socket = Arc::new(UdpSocket::bind(local).await?);
        let (reading, heard) = (Arc::clone(&socket), self.heard.0.clone());
        let reader = tokio::spawn(async move {
            let mut datagram = vec![0; MAX_DATAGRAM];
            while let Ok((len, source)) = reading.recv_from(&mut datagram).await {
                let bytes = datagram.get(..len).unwrap_or_default().to_vec();
                if heard.send(Heard { local, source, bytes }).await.is_err() {
                    return;
                }
            }
        });
        Ok(Socket { socket, reader })
    }
}
