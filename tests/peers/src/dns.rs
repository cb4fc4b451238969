//! A DNS server with a zone of the test's own.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, NAPTR, SOA, SRV};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// How often the server looks whether it is to end.
const PACE: Duration = Duration::from_millis(50);

/// What the server says; names without a dot at the end.
#[derive(Clone, Debug, Default)]
pub struct Zone {
    records: BTreeMap<(String, u16), Vec<RData>>,
    /// Seconds.
    ttl: u32,
}

impl Zone {
    /// An empty one whose answers are good for `ttl` seconds.
    #[must_use]
    pub fn new(ttl: u32) -> Self {
        Self { records: BTreeMap::new(), ttl }
    }

    /// With an address of a name.
    ///
    /// # Panics
    /// When `address` is none.
    #[must_use]
    pub fn address(self, name: &str, address: &str) -> Self {
        let data = match address.parse().expect("an address") {
            std::net::IpAddr::V4(address) => RData::A(A(address)),
            std::net::IpAddr::V6(address) => RData::AAAA(AAAA(address)),
        };
        self.with(name, data)
    }

    /// With a host of a service.
    #[must_use]
    pub fn srv(self, service: &str, (priority, weight): (u16, u16), host: &str, port: u16) -> Self {
        self.with(service, RData::SRV(SRV::new(priority, weight, port, name(host))))
    }

    /// With a way to a service.
    #[must_use]
    pub fn naptr(self, domain: &str, order: u16, service: &str, replacement: &str) -> Self {
        let bytes = |text: &str| text.as_bytes().into();
        let naptr = NAPTR::new(order, 10, bytes("s"), bytes(service), bytes(""), name(replacement));
        self.with(domain, RData::NAPTR(naptr))
    }

    fn with(mut self, owner: &str, data: RData) -> Self {
        let key = (owner.to_ascii_lowercase(), data.record_type().into());
        self.records.entry(key).or_default().push(data);
        self
    }

    fn answer(&self, query: &Message) -> Option<Message> {
        let question = query.queries.first()?;
        let mut answer = Message::response(query.metadata.id, OpCode::Query);
        answer.metadata.recursion_desired = query.metadata.recursion_desired;
        answer.metadata.recursion_available = true;
        answer.add_query(question.clone());
        let owner = question.name().to_lowercase().to_ascii().trim_end_matches('.').to_owned();
        let kind: u16 = RecordType::into(question.query_type());
        let records = self.records.get(&(owner.clone(), kind)).cloned().unwrap_or_default();
        if records.is_empty() {
            let is_known = self.records.keys().any(|(known, _)| *known == owner);
            answer.metadata.response_code =
                if is_known { ResponseCode::NoError } else { ResponseCode::NXDomain };
            let soa = SOA::new(name("ns.example"), name("admin.example"), 1, 60, 60, 60, self.ttl);
            answer.authorities.push(Record::from_rdata(name("example"), self.ttl, RData::SOA(soa)));
        }
        for data in records {
            answer.add_answer(Record::from_rdata(question.name().clone(), self.ttl, data));
        }
        Some(answer)
    }
}

fn name(text: &str) -> Name {
    let mut name = Name::from_ascii(text).expect("a name");
    name.set_fqdn(true);
    name
}

/// A running server; ends when dropped.
pub struct DnsServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// None while the server is silent.
    zone: Mutex<Option<Zone>>,
    ends: AtomicBool,
}

impl DnsServer {
    /// Serves `zone` on a free port of 127.0.0.1, over UDP.
    ///
    /// # Errors
    /// When there is none.
    pub fn start(zone: Zone) -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(PACE))?;
        let address = socket.local_addr()?;
        let shared = Arc::new(Shared { zone: Mutex::new(Some(zone)), ends: AtomicBool::new(false) });
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || serve(&socket, &shared)
        });
        Ok(Self { address, shared, thread: Some(thread) })
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says something else from now on, or nothing at all.
    pub fn say(&self, zone: Option<Zone>) {
        *self.shared.zone.lock().unwrap_or_else(PoisonError::into_inner) = zone;
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Nothing more can be done about one that panicked.
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; 1_500];
    while !shared.ends.load(Ordering::Relaxed) {
        let Ok((len, source)) = socket.recv_from(&mut buffer) else { continue };
        let Ok(query) = Message::from_vec(&buffer[..len]) else { continue };
        let answer = shared.zone.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answer.as_ref().and_then(|zone| zone.answer(&query));
        if let Some(bytes) = answer.and_then(|answer| answer.to_vec().ok()) {
            // A resolver that is gone is no concern of the server's.
            let _ = socket.send_to(&bytes, source);
        }
    }
}
