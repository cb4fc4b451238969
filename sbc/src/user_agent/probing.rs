//! Destinations of carriers are asked by OPTIONS whether they are there (RFC 3261 §11.1), where their trunk wants that.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use tandem_time::Instant;

use super::compose;
use super::session::Peer;
use super::{RegistrationState, Role, UserAgent};
use crate::dns::Question;
use crate::health::{DestinationHealth, HealthConfig, Place, ProbeId, Way};
use crate::message::{Builder, HeaderName, Method};
use crate::transaction::{Outgoing, Routed, TransactionId};
use crate::transport::Transport;
use crate::uri::Scheme;

/// The most news that wait for the owner; the oldest go.
const NEWS_MAX: usize = 1_024;

/// What an operator should hear of, once for each change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A destination is passed over from now on, or called again.
    Destination(DestinationHealth),
    /// A registration of ours was granted, or is so no more, or fails for the first time.
    Registration(RegistrationState),
    /// DNS does not answer a question, and what it said before is gone by; or it answers again.
    Lookup {
        /// Which.
        question: Question,
        /// Whether it does now.
        is_answered: bool,
    },
    /// Where a name leads, when that has changed; nowhere when it is empty.
    Located {
        /// The trunk.
        trunk: String,
        /// The name.
        name: String,
        /// The servers that calls go to, in no order.
        servers: Vec<(Transport, SocketAddr)>,
    },
    /// DNS leads to an address that is none of its trunk's sources, and is passed over.
    Unlisted {
        /// The trunk.
        trunk: String,
        /// The name.
        name: String,
        /// The address.
        address: IpAddr,
    },
}

impl UserAgent {
    /// The next thing that an operator should hear of.
    pub fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Every destination that is asked whether it is there.
    pub fn destinations(&self) -> impl Iterator<Item = DestinationHealth> {
        self.destinations.shown()
    }

    pub(super) fn tell(&mut self, news: News) {
        if self.news.len() == NEWS_MAX {
            self.news.pop_front();
        }
        self.news.push_back(news);
    }

    /// Whether the destinations to be asked have yet to be found out.
    pub(super) fn wants_probes(&self) -> bool {
        let wanted = |trunk: &super::TrunkConfig| trunk.destinations().iter().any(|it| it.health.is_some());
        self.destinations.has_probes() || self.config.trunks.iter().any(wanted)
    }

    /// Asks the destinations of the configuration from now on. New ones are not all asked at once.
    pub(super) fn renew_probes(&mut self, now: Instant) {
        let wanted = self.places_to_ask();
        let rng = &mut self.rng;
        let first = |interval: Duration| interval.mul_f64(rng.random_range(0.0..0.1));
        for transaction in self.destinations.probe(now, wanted, first) {
            self.transactions.abandon(transaction);
        }
    }

    fn places_to_ask(&self) -> Vec<(Place, Way, HealthConfig)> {
        let mut wanted = Vec::new();
        for (trunk, peer) in self.config.trunks.iter().zip(&self.trunks) {
            let Peer::Trunk(name) = peer else { continue };
            for route in trunk.destinations() {
                let Some(health) = &route.health else { continue };
                for hop in self.all_hops_to(trunk, &route) {
                    let (transport, address) = (hop.transport, hop.destination);
                    let place = Place { trunk: Arc::clone(name), transport, address };
                    wanted.push((
                        place,
                        Way { hop, uri: compose::sip_uri_of(route.scheme, &route.to) },
                        health.clone(),
                    ));
                }
            }
        }
        wanted
    }

    /// Asks those that are due; who has not answered by then does not answer.
    pub(super) fn ask_destinations(&mut self, now: Instant) {
        while let Some((id, unanswered)) = self.destinations.due(now) {
            if let Some(unanswered) = unanswered {
                self.transactions.abandon(unanswered);
                self.handle_probed(now, id, None);
            }
            self.send_options(now, id);
        }
    }

    fn send_options(&mut self, now: Instant, id: ProbeId) {
        let Some(probe) = self.destinations.probed(id) else { return };
        let (peer, hop) = (Peer::Trunk(Arc::clone(&probe.place.trunk)), self.aliases.apply(probe.way.hop));
        let uri = probe.way.uri.clone();
        let (branch, tag) = (self.branch(), self.tag());
        let call_id = format!("{:016x}", rand::Rng::next_u64(&mut self.rng));
        let builder = Builder::request(Method::Options, &uri)
            .header(HeaderName::Via, compose::via(&hop, &branch))
            .header(HeaderName::MaxForwards, self.profile(&peer).max_forwards)
            .header(HeaderName::From, format_args!("<sip:{}>;tag={tag}", compose::host(hop.local)))
            .header(HeaderName::To, format_args!("<{uri}>"))
            .header(HeaderName::CallId, call_id)
            .header(HeaderName::CSeq, "1 OPTIONS")
            .header(HeaderName::Contact, compose::contact(Scheme::of(uri.as_bytes()), &hop))
            .header(HeaderName::Accept, compose::ACCEPT);
        let bytes = compose::with_user_agent(builder, self.product(&peer)).finish();
        let first = Routed { hop, bytes };
        let method = Method::Options;
        let outgoing = Outgoing { method, branch: &branch, first, fallback: None, user: Role::Probe(id) };
        let transaction = self.send(now, &peer, outgoing);
        self.destinations.asked(id, transaction);
    }

    /// Takes a final response to an OPTIONS of ours, or that none came.
    pub(super) fn handle_probed(&mut self, now: Instant, id: ProbeId, status: Option<u16>) {
        if let Some(changed) = self.destinations.answered(now, id, status) {
            self.tell(News::Destination(changed));
        }
    }

    /// Takes it for the OPTIONS that still asks; an older one speaks of the past.
    pub(super) fn handle_probe_failure(&mut self, now: Instant, id: ProbeId, transaction: TransactionId) {
        if self.destinations.is_asked_by(id, transaction) {
            self.handle_probed(now, id, None);
        }
    }
}
