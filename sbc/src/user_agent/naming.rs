//! Trunks whose destinations are names: what has to be asked of DNS, and the ways it leads to (RFC 3263).
//!
//! DNS says where a carrier is, never who may speak to us: an address that is none of its trunk's sources is passed
//! over, so that nobody who spoils an answer gets our calls.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use rand::seq::SliceRandom as _;
use tandem_time::Instant;

use super::route::in_order;
use super::{News, RouteConfig, Target, TrunkConfig, UserAgent};
use crate::dns::{Answer, Domain, IpVersion, Located, LookupFailed, Question, Server, Turn, locate};
use crate::transport::{Hop, Transport};
use crate::uri::Scheme;

/// Where names lead, by trunk and name, as told.
pub(super) type Whereabouts = BTreeMap<(String, String), Vec<(Transport, SocketAddr)>>;

/// Addresses that DNS named and no trunk lists, as told.
pub(super) type Unlisted = BTreeSet<(String, String, IpAddr)>;

impl UserAgent {
    /// The next question to ask DNS; answer it by [`UserAgent::handle_answer`].
    pub fn poll_question(&mut self) -> Option<Question> {
        self.names.poll_question()
    }

    /// Takes what DNS answered, or that it did not.
    pub fn handle_answer(&mut self, now: Instant, question: &Question, answer: Result<Answer, LookupFailed>) {
        let turn = self.names.handle_answer(now, question, answer, &self.config.names);
        match turn {
            None => return,
            Some(Turn::Changed) => {}
            Some(Turn::Lost) => self.tell(News::Lookup { question: question.clone(), is_answered: false }),
            Some(Turn::Regained) => {
                self.tell(News::Lookup { question: question.clone(), is_answered: true });
            }
        }
        self.renew_names(now);
    }

    /// Whether any destination is a name, or was.
    pub(super) fn wants_names(&self) -> bool {
        self.names.poll_timeout().is_some() || self.domains().next().is_some()
    }

    /// Does what is due of names by `now`.
    pub(super) fn refresh_names(&mut self, now: Instant) {
        if self.names.poll_timeout().is_none_or(|due| due > now) {
            return;
        }
        for question in self.names.handle_timeout(now) {
            self.handle_answer(now, &question, Err(LookupFailed));
        }
    }

    /// Finds out what has to be known now, and goes by what is.
    pub(super) fn renew_names(&mut self, now: Instant) {
        let located = self.domains().map(|(_, domain, scheme)| self.located(domain, scheme));
        let questions: BTreeSet<Question> = located.flat_map(|located| located.questions).collect();
        self.names.need(now, questions);
        self.tell_located();
        self.tell_unlisted();
        if self.wants_probes() {
            self.renew_probes(now);
        }
    }

    /// The ways to a destination, in the order to be tried.
    pub(super) fn hops_to(&mut self, trunk: &TrunkConfig, route: &RouteConfig) -> Vec<Hop> {
        let Target::Domain(domain) = &route.to else { return self.all_hops_to(trunk, route) };
        let mut hops = Vec::new();
        // §4.1: the transports as the domain prefers them; RFC 2782: the servers of each by lot.
        for equals in self.listed(trunk, domain, route.scheme).chunk_by(|one, other| one.rank == other.rank) {
            let ordered = in_order(equals.to_vec(), |it| (it.priority, it.weight), &mut self.rng);
            for server in ordered {
                hops.extend(self.drawn(&server));
            }
        }
        hops
    }

    /// The same in no order.
    pub(super) fn all_hops_to(&self, trunk: &TrunkConfig, route: &RouteConfig) -> Vec<Hop> {
        match &route.to {
            Target::Address { address, transport } => self.hop_to(*transport, *address).into_iter().collect(),
            Target::Domain(domain) => self
                .listed(trunk, domain, route.scheme)
                .iter()
                .flat_map(|server| self.hops_of(server))
                .collect(),
        }
    }

    /// The addresses of a server by lot, so that each gets its share; IPv4 first.
    fn drawn(&mut self, server: &Server) -> Vec<Hop> {
        let mut hops = self.hops_of(server);
        hops.shuffle(&mut self.rng);
        hops.sort_by_key(|hop| hop.destination.is_ipv6());
        hops
    }

    fn hops_of(&self, server: &Server) -> Vec<Hop> {
        server.addresses.iter().filter_map(|address| self.hop_to(server.transport, *address)).collect()
    }

    /// The way to an address, on a connection of our own.
    pub(super) fn hop_to(&self, transport: Transport, destination: SocketAddr) -> Option<Hop> {
        let local = self.local_address(transport, destination)?;
        Some(Hop { transport, local, destination, flow: None })
    }

    /// The servers of a name that its trunk lists.
    fn listed(&self, trunk: &TrunkConfig, domain: &Domain, scheme: Scheme) -> Vec<Server> {
        let mut servers = self.located(domain, scheme).servers;
        for server in &mut servers {
            server.addresses.retain(|address| is_listed(trunk, address.ip()));
        }
        servers
    }

    /// RFC 3263 §4.1: of sips only what keeps to TLS is asked for.
    fn located(&self, domain: &Domain, scheme: Scheme) -> Located {
        let speaks = |transport: Transport, version: IpVersion| {
            let is_v4 = version == IpVersion::V4;
            let mut listen = self.config.listen.iter();
            scheme.allows(transport)
                && listen.any(|it| it.transport == transport && it.address.is_ipv4() == is_v4)
        };
        locate(&self.names, domain, &speaks)
    }

    fn domains(&self) -> impl Iterator<Item = (&TrunkConfig, &Domain, Scheme)> {
        self.config.trunks.iter().flat_map(|trunk| {
            let peer = trunk.routes.is_empty().then_some((&trunk.peer, Scheme::Sip));
            let routes = trunk.routes.iter().map(|route| (&route.to, route.scheme));
            let targets = peer.into_iter().chain(routes);
            targets.filter_map(move |(target, scheme)| Some((trunk, target.domain()?, scheme)))
        })
    }

    /// Says where names lead, once for each change, when all that they lead through is known.
    fn tell_located(&mut self) {
        let mut located = Whereabouts::new();
        for (trunk, domain, scheme) in self.domains() {
            let questions = self.located(domain, scheme).questions;
            let name = (trunk.name.clone(), domain.to_string());
            if questions.iter().all(|question| self.names.known(question).is_some()) {
                let servers = self.listed(trunk, domain, scheme).into_iter();
                let places = |it: Server| it.addresses.into_iter().map(move |at| (it.transport, at));
                located.insert(name, servers.flat_map(places).collect());
            } else if let Some(known) = self.whereabouts.get(&name) {
                located.insert(name, known.clone());
            }
        }
        for ((trunk, name), servers) in &located {
            if self.whereabouts.get(&(trunk.clone(), name.clone())) != Some(servers) {
                let (trunk, name, servers) = (trunk.clone(), name.clone(), servers.clone());
                self.tell(News::Located { trunk, name, servers });
            }
        }
        self.whereabouts = located;
    }

    /// Says which addresses are passed over since no trunk lists them, once for as long as it is so.
    fn tell_unlisted(&mut self) {
        let mut unlisted = Unlisted::new();
        for (trunk, domain, scheme) in self.domains() {
            let addresses =
                self.located(domain, scheme).servers.into_iter().flat_map(|server| server.addresses);
            let strange = addresses.map(|address| address.ip()).filter(|ip| !is_listed(trunk, *ip));
            unlisted.extend(strange.map(|ip| (trunk.name.clone(), domain.name.clone(), ip)));
        }
        for (trunk, name, address) in unlisted.difference(&self.unlisted.clone()).cloned() {
            self.counters.dns_addresses_unlisted += 1;
            self.tell(News::Unlisted { trunk, name, address });
        }
        self.unlisted = unlisted;
    }
}

fn is_listed(trunk: &TrunkConfig, ip: IpAddr) -> bool {
    trunk.sources.iter().any(|prefix| prefix.contains(ip))
}
