//! What the kernel's source filter saves under a flood of datagrams from an unlisted source.
//!
//! `cargo bench -p tandem-benches --bench source_filter -- [--seconds 3] [--rounds 3] [--rate 50000]`
//!
//! The same flood, with the filter and without, in turn. The flood's own time is shown beside the receiver's, since on
//! loopback the filter runs in the sender's system call: on a wire it would run in the interrupt of the packet.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tandem_benches::relay::account::Account;
use tandem_sbc::source::IpPrefix;
use tandem_sbc::transport::Transport;
use tandem_sbc::user_agent::ListenAddress;
use tandem_sbc_net::{
    Bell, Datagrams, Inbox, PacketRates, TcpLimits, TlsConfig, Transports, TransportsConfig,
};

const RECEIVER: &str = "sip-receiver";
const LISTED: &str = "127.0.0.10";
const UNLISTED: &str = "127.0.0.66:0";
/// The flood comes in steps of this.
const STEP: Duration = Duration::from_millis(1);
/// As long as a scanner's OPTIONS.
const DATAGRAM: [u8; 400] = [b'x'; 400];

/// Processor time a datagram, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Cost {
    receiver: f64,
    sender: f64,
}

fn main() -> io::Result<()> {
    let (mut seconds, mut rounds, mut rate) = (3, 3, 50_000);
    let given: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    for pair in given.chunks(2) {
        let [name, value] = pair else { return Err(io::Error::other("each argument needs a value")) };
        let value = value.parse().map_err(io::Error::other)?;
        match name.as_str() {
            "--seconds" => seconds = value,
            "--rounds" => rounds = value,
            "--rate" => rate = value,
            _ => return Err(io::Error::other(format!("what is {name}? See the head of this file"))),
        }
    }
    let flood = Flood { steps: seconds * 1_000, datagrams_per_step: rate / 1_000 };
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        without.push(measure(false, flood)?);
        with.push(measure(true, flood)?);
    }
    println!(
        "{rate} unlisted datagrams/s for {seconds} s; medians of {rounds}, µs of processor time a datagram"
    );
    println!("{:<20}{:>10}{:>10}{:>10}", "", "receiver", "sender", "both");
    for (name, costs) in [("user space only", &without), ("kernel filter", &with)] {
        let (receiver, sender) = (median(costs, |it| it.receiver), median(costs, |it| it.sender));
        println!("{name:<20}{receiver:>10.3}{sender:>10.3}{:>10.3}", receiver + sender);
    }
    let both = |costs: &[Cost]| median(costs, |it| it.receiver + it.sender);
    println!("with the filter the flood costs {:.2} of what it costs without", both(&with) / both(&without));
    Ok(())
}

#[derive(Clone, Copy)]
struct Flood {
    steps: u64,
    datagrams_per_step: u64,
}

fn measure(kernel_filter: bool, flood: Flood) -> io::Result<Cost> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name(RECEIVER)
        .enable_all()
        .build()?;
    let config = TransportsConfig {
        listen: vec![ListenAddress {
            transport: Transport::Udp,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        }],
        allowed: vec![IpPrefix { address: LISTED.parse().map_err(io::Error::other)?, bits: 32 }],
        carriers: Vec::new(),
        rates: PacketRates::default(),
        kernel_filter,
        tcp: TcpLimits::default(),
        tls: TlsConfig::default(),
        websocket_origins: Vec::new(),
    };
    let (inbox, _reader) = Inbox::new(1, Arc::new(|| {}));
    let (transports, datagrams) =
        runtime.block_on(async { Transports::bind(&config, &inbox) }).map_err(io::Error::other)?;
    let receiving = Receiving::start(datagrams)?;
    let destination = transports.listening()[0].address;
    let (receiver, sender) = (Account::own_threads(RECEIVER), Account::own_threads("source_filter"));
    let (received, sent) = (receiver.cpu()?, sender.cpu()?);
    flood.send(destination)?;
    let datagrams = (flood.steps * flood.datagrams_per_step) as f64;
    let micros = |since: Duration, now: Duration| (now - since).as_secs_f64() * 1e6 / datagrams;
    let cost = Cost { receiver: micros(received, receiver.cpu()?), sender: micros(sent, sender.cpu()?) };
    receiving.stop()?;
    Ok(cost)
}

/// A thread that receives as the signalling core's does.
struct Receiving {
    stop: Arc<AtomicBool>,
    bell: Arc<Bell>,
    thread: JoinHandle<()>,
}

impl Receiving {
    fn start(mut datagrams: Datagrams) -> io::Result<Self> {
        let (stop, bell) = (Arc::new(AtomicBool::new(false)), Arc::new(Bell::new()?));
        let (stopped, rung) = (Arc::clone(&stop), Arc::clone(&bell));
        let thread = std::thread::Builder::new().name(RECEIVER.into()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if !datagrams.receive() {
                    datagrams.wait(&rung, Duration::from_secs(1));
                }
            }
        })?;
        Ok(Self { stop, bell, thread })
    }

    fn stop(self) -> io::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.bell.ring();
        self.thread.join().map_err(|_| io::Error::other("the receiver panicked"))
    }
}

impl Flood {
    fn send(self, destination: SocketAddr) -> io::Result<()> {
        let socket = UdpSocket::bind(UNLISTED)?;
        let began = Instant::now();
        for step in 0..self.steps {
            for _ in 0..self.datagrams_per_step {
                socket.send_to(&DATAGRAM, destination)?;
            }
            let due = began + STEP * (step as u32 + 1);
            std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
        }
        Ok(())
    }
}

fn median(costs: &[Cost], of: impl Fn(&Cost) -> f64) -> f64 {
    let mut values: Vec<f64> = costs.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
