//! Asks DNS what the signalling core wants to know about names of carriers, through `hickory-resolver`.
//!
//! Owner: each question is a task of the runtime, begun by the core's thread; its answer comes through the inbox. The
//! core keeps the answers, and knows how long they are good for: nothing is cached here. It asks each question once at
//! a time, which is what bounds the tasks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tandem_sbc::user_agent::{Answer, LookupFailed, Question, Record, RecordKind};
use tokio::runtime::Handle;

use crate::inbox::{Inbound, Inbox};

/// How often a server is asked that does not answer.
const ATTEMPTS: usize = 2;

/// How long it is believed that there is nothing when no zone says how long (RFC 2308 §5).
const NEGATIVE_TTL: Duration = Duration::from_secs(60);

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsConfig {
    /// These, in no order; those of the system when empty.
    pub servers: Vec<SocketAddr>,
    /// How long each is given to answer.
    pub timeout: Duration,
}

/// Asks questions for the core.
#[derive(Debug)]
pub struct Resolver {
    /// None when the system names no server.
    resolver: ArcSwapOption<TokioResolver>,
    runtime: Handle,
    inbox: Inbox,
}

impl Resolver {
    /// One whose answers go to `inbox`. Must be called on the tokio runtime that is to ask.
    #[must_use]
    pub fn new(config: &DnsConfig, inbox: &Inbox) -> Self {
        let resolver = ArcSwapOption::from(resolver(config));
        Self { resolver, runtime: Handle::current(), inbox: inbox.clone() }
    }

    /// Asks others from now on; what is under way goes on.
    pub fn reload(&self, config: &DnsConfig) {
        self.resolver.store(resolver(config));
    }

    /// Asks. Never blocks and needs no runtime: meant for the core's thread.
    pub fn ask(&self, question: Question) {
        let (resolver, inbox) = (self.resolver.load_full(), self.inbox.clone());
        self.runtime.spawn(async move {
            let answer = match resolver {
                Some(resolver) => look_up(&resolver, &question).await,
                None => Err(LookupFailed),
            };
            inbox.put(Inbound::Answer { question, answer }).await;
        });
    }
}

fn resolver(config: &DnsConfig) -> Option<Arc<TokioResolver>> {
    let builder = if config.servers.is_empty() {
        TokioResolver::builder_tokio()
    } else {
        let servers = config.servers.iter().map(|server| name_server(*server)).collect();
        let servers = ResolverConfig::from_name_servers(servers);
        Ok(TokioResolver::builder_with_config(servers, TokioRuntimeProvider::default()))
    };
    let resolver = builder.and_then(|mut builder| {
        let options = builder.options_mut();
        options.timeout = config.timeout;
        options.attempts = ATTEMPTS;
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Auto;
        builder.build()
    });
    match resolver {
        Ok(resolver) => Some(Arc::new(resolver)),
        Err(error) => {
            tracing::debug!(%error, "no DNS server is known; dns.servers names one");
            None
        }
    }
}

fn name_server(server: SocketAddr) -> NameServerConfig {
    let at_port = |mut connection: ConnectionConfig| {
        connection.port = server.port();
        connection
    };
    let connections = vec![at_port(ConnectionConfig::udp()), at_port(ConnectionConfig::tcp())];
    NameServerConfig::new(server.ip(), true, connections)
}

async fn look_up(resolver: &TokioResolver, question: &Question) -> Result<Answer, LookupFailed> {
    let mut name = Name::from_ascii(&question.name).map_err(|_| LookupFailed)?;
    // Names of the configuration are whole; the system's search list is for people.
    name.set_fqdn(true);
    let kind = match question.kind {
        RecordKind::Naptr => RecordType::NAPTR,
        RecordKind::Srv => RecordType::SRV,
        RecordKind::A => RecordType::A,
        RecordKind::Aaaa => RecordType::AAAA,
    };
    match resolver.lookup(name, kind).await {
        Ok(lookup) => Ok(answer(&lookup)),
        Err(NetError::Dns(DnsError::NoRecordsFound(nothing))) => negative(&nothing),
        Err(error) => {
            tracing::debug!(%question, %error, "a question to DNS has no answer");
            Err(LookupFailed)
        }
    }
}

fn answer(lookup: &Lookup) -> Answer {
    let records: Vec<Record> = lookup.answers().iter().filter_map(|record| read(&record.data)).collect();
    let ttl = lookup.valid_until().saturating_duration_since(Instant::now());
    // Aliases (CNAME) that lead nowhere are no answer of the kind.
    let ttl = if records.is_empty() { ttl.min(NEGATIVE_TTL) } else { ttl };
    Answer { records, ttl }
}

/// RFC 2308: no such name, or none of that kind, is an answer as well; a server that fails has given none.
fn negative(nothing: &NoRecords) -> Result<Answer, LookupFailed> {
    if !matches!(nothing.response_code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return Err(LookupFailed);
    }
    let ttl = nothing.negative_ttl.map_or(NEGATIVE_TTL, |seconds| Duration::from_secs(seconds.into()));
    Ok(Answer { records: Vec::new(), ttl })
}

fn read(data: &RData) -> Option<Record> {
    Some(match data {
        RData::A(address) => Record::Address(address.0.into()),
        RData::AAAA(address) => Record::Address(address.0.into()),
        RData::SRV(srv) => Record::Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: text(&srv.target),
        },
        RData::NAPTR(naptr) => Record::Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: String::from_utf8_lossy(&naptr.flags).into_owned(),
            service: String::from_utf8_lossy(&naptr.services).into_owned(),
            replacement: text(&naptr.replacement),
        },
        _ => return None,
    })
}

/// In small letters, without the dot at the end.
fn text(name: &Name) -> String {
    name.to_lowercase().to_ascii().trim_end_matches('.').to_owned()
}
