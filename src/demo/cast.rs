//! Who takes part: where the carrier and the agents are, as the configuration says.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use tandem_config::{Agent, Config, EntryPoint, Reach, Transport, Treatment};
use tandem_phone::{Credentials, Manner, PhoneConfig};
use tandem_phone_net::LivePhone;
use tokio::runtime::Handle;

/// Everybody's voice is a tone of their own, none of which is in the music or in a digit.
pub(super) const CALLER_HZ: u16 = 1_150;
pub(super) const ALICE_HZ: u16 = 1_750;
pub(super) const BOB_HZ: u16 = 2_050;
/// How long an agent's phone rings before it answers.
const RING: Duration = Duration::from_millis(1_200);
/// Where ports for a phone's RTP are looked for, beyond the node's own.
const MEDIA_PORTS: Range<u16> = 40_000..50_000;
/// How many a phone takes.
const MEDIA_PORTS_EACH: u16 = 8;

/// Who takes part.
pub(super) struct Cast {
    node: SocketAddr,
    carrier: SocketAddr,
    alice: Softphone,
    bob: Softphone,
    http: SocketAddr,
    entry_points: Vec<(String, String)>,
}

/// A softphone that can register.
pub(super) struct Softphone {
    agent: String,
    user: String,
    password: String,
    address: SocketAddr,
    hz: u16,
    place: u16,
}

impl Cast {
    /// The first carrier, and the first two agents with softphones, which sit at addresses phones may come from.
    pub(super) fn of(config: &Config) -> Result<Self, String> {
        let missing = |what: &str| format!("the demo needs {what}; config/demo/tandem.toml has it");
        let listen = config.sip.listen.iter().find(|listen| listen.transport == Transport::Udp);
        let trunk = config.trunks.first().ok_or_else(|| missing("a trunk"))?;
        let mut softphones = config.agents.iter().filter_map(|agent| credentials_of(agent, config));
        // A single address may be a host on which something else runs.
        let range = config.phones.sources.iter().find_map(|prefix| match prefix.address {
            IpAddr::V4(first) if prefix.bits <= 31 => Some(first),
            _ => None,
        });
        let first = range.ok_or_else(|| missing("an IPv4 range of addresses for phones"))?;
        let mut softphone = |place: u8, hz| {
            let (agent, user, password) =
                softphones.next().ok_or_else(|| missing("two agents with softphones"))?;
            let address = Ipv4Addr::from_bits(first.to_bits() + u32::from(place));
            let address = free_port(address.into()).map_err(|error| format!("{address}: {error}"))?;
            Ok::<_, String>(Softphone { agent, user, password, address, hz, place: u16::from(place) })
        };
        Ok(Self {
            node: listen.ok_or_else(|| missing("a UDP address in sip.listen"))?.address,
            carrier: trunk.peer.address().ok_or_else(|| missing("a trunk at an address"))?,
            alice: softphone(0, ALICE_HZ)?,
            bob: softphone(1, BOB_HZ)?,
            http: config.http_listen,
            entry_points: config.entry_points.iter().map(described).collect(),
        })
    }

    /// The node's SIP address.
    pub(super) const fn node(&self) -> SocketAddr {
        self.node
    }

    /// The agent of the main call.
    pub(super) const fn alice(&self) -> &Softphone {
        &self.alice
    }

    /// The agent who comes late.
    pub(super) const fn bob(&self) -> &Softphone {
        &self.bob
    }

    /// The carrier's name and address on the ladder.
    pub(super) const fn carrier_lifeline(&self) -> (&str, SocketAddr) {
        ("carrier", self.carrier)
    }

    /// The agent's.
    pub(super) fn agent_lifeline(&self) -> (&str, SocketAddr) {
        (&self.alice.agent, self.alice.address)
    }

    /// The carrier at its own address, the one the node calls.
    pub(super) fn carrier(&self, runtime: &Handle) -> io::Result<LivePhone> {
        self.carrier_at(runtime, self.carrier, 2)
    }

    /// One more caller of the carrier's, beside others; `place` tells them apart.
    pub(super) fn another_caller(&self, runtime: &Handle, place: u16) -> io::Result<LivePhone> {
        self.carrier_at(runtime, free_port(self.carrier.ip())?, 3 + place)
    }

    fn carrier_at(&self, runtime: &Handle, address: SocketAddr, place: u16) -> io::Result<LivePhone> {
        let config =
            self.phone("carrier", address, None, Manner::polite(CALLER_HZ, Duration::ZERO), place)?;
        start(runtime, config, place)
    }

    /// A softphone, registered.
    pub(super) fn register(&self, runtime: &Handle, softphone: &Softphone) -> io::Result<LivePhone> {
        let credentials = Credentials { user: softphone.user.clone(), password: softphone.password.clone() };
        let manner = Manner::polite(softphone.hz, RING);
        let config =
            self.phone(&softphone.user, softphone.address, Some(credentials), manner, softphone.place)?;
        let phone = start(runtime, config, softphone.place)?;
        phone.register(super::scenes::PATIENCE)?;
        Ok(phone)
    }

    fn phone(
        &self,
        user: &str,
        address: SocketAddr,
        credentials: Option<Credentials>,
        manner: Manner,
        place: u16,
    ) -> io::Result<PhoneConfig> {
        Ok(PhoneConfig {
            user: user.to_owned(),
            address,
            media_address: address.ip(),
            media_ports: free_media_ports(address.ip(), place)?,
            server: self.node,
            credentials,
            expires: Duration::from_secs(300),
            manner,
            numbers: BTreeMap::new(),
            lines: 4,
            listen_for: PhoneConfig::all_frequencies(),
        })
    }

    /// Says how to call the node oneself.
    pub(super) fn invite_guests(&self) {
        let Softphone { user, password, .. } = &self.alice;
        println!("\n The node stays up. Register a softphone from this machine:");
        println!("   registrar {}, user {user}, password {password}, then dial", self.node);
        for (number, leads_to) in &self.entry_points {
            println!("   {number}  {leads_to}");
        }
        println!(" Metrics: http://{}/metrics. Ctrl-C ends it.", self.http);
    }
}

/// A number and what it leads to.
fn described(entry_point: &EntryPoint) -> (String, String) {
    let leads_to = match &entry_point.treatment {
        Treatment::Flow(flow) => flow.clone(),
        Treatment::Refuse(_) => "refused".to_owned(),
        Treatment::Route { reach: Reach::User(user), .. } => format!("straight to {user}"),
        Treatment::Route { reach: Reach::Number { number, trunk }, .. } => {
            format!("straight to {number} over {trunk}")
        }
    };
    (entry_point.number.clone(), leads_to)
}

fn start(runtime: &Handle, config: PhoneConfig, place: u16) -> io::Result<LivePhone> {
    let address = config.address;
    LivePhone::start(runtime, config, u64::from(place))
        .map_err(|error| io::Error::new(error.kind(), format!("{address} is not free for a phone: {error}")))
}

fn credentials_of(agent: &Agent, config: &Config) -> Option<(String, String, String)> {
    let Reach::User(name) = &agent.reach else { return None };
    let user = config.phones.users.iter().find(|user| user.name == *name)?;
    Some((agent.name.clone(), name.clone(), user.password.clone()))
}

fn free_port(address: IpAddr) -> io::Result<SocketAddr> {
    UdpSocket::bind((address, 0))?.local_addr()
}

/// Even and odd ports that are free now, beginning at another place for each phone and process.
fn free_media_ports(address: IpAddr, place: u16) -> io::Result<RangeInclusive<u16>> {
    let blocks = MEDIA_PORTS.len() / usize::from(MEDIA_PORTS_EACH);
    let from = usize::from(place) * 16 + std::process::id() as usize;
    (0..blocks)
        .filter_map(|tried| u16::try_from((from + tried) % blocks).ok())
        .map(|block| MEDIA_PORTS.start + block * MEDIA_PORTS_EACH)
        .map(|first| first..=first + MEDIA_PORTS_EACH - 1)
        .find(|ports| ports.clone().all(|port| UdpSocket::bind((address, port)).is_ok()))
        .ok_or_else(|| io::Error::other(format!("{address} has no ports left for RTP")))
}
