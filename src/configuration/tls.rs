//! The PEM files that a configuration names, read and checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tandem_config::{ClientCertificate, Config, KeyPair, Place, Placed, Target, Transport, Trunk};
use tandem_sbc_net::{Authorities, Certificate, PeerName, TlsConfig, TlsTrunk};

use crate::node::wiring;

/// The largest PEM file: the authorities of the whole world are a fifth of it.
const MAX_PEM_BYTES: u64 = 1024 * 1024;

const DAY: Duration = Duration::from_secs(86_400);

/// What the transports are told. Certificates that are out of date are not mistakes here: a node that runs must not
/// be kept from a restart by them.
pub(super) fn read(file: &Path, config: &Config, mistakes: &mut Vec<String>) -> TlsConfig {
    let mut files = PemFiles { file, mistakes, authorities: BTreeMap::new() };
    let mut certificates = Vec::new();
    for pair in &config.tls.certificates {
        certificates.extend(files.certificate(pair));
    }
    if config.tls.ca.place.line > 0 {
        // What is written is to be right, whether a trunk needs it or not.
        files.authorities(&config.tls.ca);
    }
    let mut trunks = Vec::new();
    for trunk in config.trunks.iter().filter(|trunk| trunk.uses(Transport::Tls)) {
        trunks.extend(files.trunk(config, trunk, certificates.first()));
    }
    let tls = TlsConfig { certificates, trunks };
    if let Err(error) = tls.check() {
        files.mistakes.push(format!("{}: {error}", file.display()));
    }
    tls
}

/// What there is to say about the certificates' dates at `now`, worst first: what is out of date, and what soon will
/// be.
pub(crate) fn out_of_date(config: &Config, tls: &TlsConfig, now: SystemTime) -> (Vec<String>, Vec<String>) {
    let (mut expired, mut expiring) = (Vec::new(), Vec::new());
    for certificate in tls.all_certificates() {
        let name = certificate.file();
        let left = certificate.not_after().duration_since(now);
        match left {
            Err(error) => {
                expired.push(format!("certificate {name} expired {} ago; renew it", days(error.duration())))
            }
            Ok(_) if certificate.not_before() > now => {
                expired
                    .push(format!("certificate {name} is not valid yet; look at the clock, or at its dates"));
            }
            Ok(left) if left < config.tls.expiry_warning => {
                expiring.push(format!("certificate {name} expires in {}; renew it", days(left)));
            }
            Ok(_) => {}
        }
    }
    (expired, expiring)
}

/// The certificates of `new` that `old` has not.
pub(super) fn news(new: &TlsConfig, old: &TlsConfig) -> TlsConfig {
    let is_new = |it: &&Arc<Certificate>| !old.all_certificates().any(|known| known == *it);
    TlsConfig { certificates: new.all_certificates().filter(is_new).cloned().collect(), trunks: Vec::new() }
}

fn days(duration: Duration) -> String {
    match duration.as_secs() / DAY.as_secs() {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

struct PemFiles<'a> {
    file: &'a Path,
    mistakes: &'a mut Vec<String>,
    /// Trunks share lists, which are long.
    authorities: BTreeMap<&'a Path, Option<Authorities>>,
}

impl<'a> PemFiles<'a> {
    fn trunk(
        &mut self,
        config: &'a Config,
        trunk: &'a Trunk,
        shown: Option<&Arc<Certificate>>,
    ) -> Option<TlsTrunk> {
        let authorities = self.authorities(trunk.tls.ca.as_ref().unwrap_or(&config.tls.ca));
        let certificate = match &trunk.tls.own {
            Some(own) => Some(self.certificate(own)?),
            None => shown.cloned(),
        };
        // A name is what the certificate must name (RFC 5922 §7.1), not where DNS leads; and who is at an address that
        // DNS names is known by the trunk's sources.
        let peer_name = match (&trunk.tls.name, &trunk.peer) {
            (Some(name), _) => PeerName::Domain(name.clone()),
            (None, Target::Address { address, .. }) => PeerName::Address(address.ip()),
            (None, Target::Domain(domain)) => PeerName::Domain(domain.name.clone()),
        };
        let targets = trunk.routes.iter().map(|route| &route.to).chain([&trunk.peer]);
        Some(TlsTrunk {
            name: trunk.name.clone(),
            sources: trunk.sources.iter().map(wiring::prefix).collect(),
            peers: targets.filter_map(Target::address).collect(),
            authorities: authorities?,
            peer_name,
            needs_certificate: trunk.tls.client_certificate == ClientCertificate::Required,
            certificate,
        })
    }

    fn authorities(&mut self, ca: &'a Placed<PathBuf>) -> Option<Authorities> {
        let path = ca.value.as_path();
        if let Some(known) = self.authorities.get(path) {
            return known.clone();
        }
        let read = self.read(ca).and_then(|text| {
            let authorities = Authorities::from_pem(&text);
            self.mend(ca, authorities)
        });
        self.authorities.insert(path, read.clone());
        read
    }

    fn certificate(&mut self, pair: &KeyPair) -> Option<Arc<Certificate>> {
        let chain = self.read(&pair.certificate);
        let key = self.read(&pair.key);
        let name = pair.certificate.value.display().to_string();
        let certificate = Certificate::from_pem(name, &chain?, &key?);
        let wrong = match &certificate {
            Err(error) if error.is_of_key() => &pair.key,
            _ => &pair.certificate,
        };
        self.mend(wrong, certificate).map(Arc::new)
    }

    fn read(&mut self, from: &Placed<PathBuf>) -> Option<Vec<u8>> {
        let path = &from.value;
        let about = std::fs::metadata(path);
        let read = match about {
            Ok(about) if about.len() > MAX_PEM_BYTES => {
                Err(format!("is larger than {MAX_PEM_BYTES} bytes; write the path of a PEM file"))
            }
            _ => std::fs::read(path)
                .map_err(|error| format!("cannot be read: {error}; name a file that this user may read")),
        };
        self.mend(from, read)
    }

    fn mend<T, E: std::fmt::Display>(&mut self, from: &Placed<PathBuf>, read: Result<T, E>) -> Option<T> {
        let Place { line, column, field } = &from.place;
        let file = self.file.display();
        let place = if *line > 0 { format!("{file}:{line}:{column}") } else { file.to_string() };
        let wrong = |error: E| format!("{place}: {field}: {}: {error}", from.value.display());
        read.map_err(|error| self.mistakes.push(wrong(error))).ok()
    }
}
