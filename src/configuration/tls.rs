//! The PEM files that a configuration names, read and checked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tandem_config::{ClientCertificate, Config, KeyPair, Target, Transport, Trunk};
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
    for (pair, number) in config.tls.certificates.iter().zip(1..) {
        certificates.extend(files.certificate(&format!("tls.certificate.{number}"), "", pair));
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
        let field = format!("trunk.{}", trunk.name);
        let authorities = match &trunk.tls.ca {
            Some(ca) => self.authorities(&format!("{field}.tls_ca"), ca),
            None => self.authorities("tls.ca", &config.tls.ca),
        };
        let certificate = match &trunk.tls.own {
            Some(own) => Some(self.certificate(&field, "tls_", own)?),
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

    fn authorities(&mut self, field: &str, path: &'a Path) -> Option<Authorities> {
        if let Some(known) = self.authorities.get(path) {
            return known.clone();
        }
        let read = self.read(field, path).and_then(|text| {
            let authorities = Authorities::from_pem(&text);
            self.mend(field, path, authorities)
        });
        self.authorities.insert(path, read.clone());
        read
    }

    /// The pair under `section.PREFIXcertificate` and `section.PREFIXkey`.
    fn certificate(&mut self, section: &str, prefix: &str, pair: &KeyPair) -> Option<Arc<Certificate>> {
        let field = |key: &str| format!("{section}.{prefix}{key}");
        let chain = self.read(&field("certificate"), &pair.certificate);
        let key = self.read(&field("key"), &pair.key);
        let certificate = Certificate::from_pem(pair.certificate.display().to_string(), &chain?, &key?);
        let (wrong, path) = match &certificate {
            Err(error) if error.is_of_key() => ("key", &pair.key),
            _ => ("certificate", &pair.certificate),
        };
        self.mend(&field(wrong), path, certificate).map(Arc::new)
    }

    fn read(&mut self, field: &str, path: &Path) -> Option<Vec<u8>> {
        let about = std::fs::metadata(path);
        let read = match about {
            Ok(about) if about.len() > MAX_PEM_BYTES => Err(format!("is larger than {MAX_PEM_BYTES} bytes")),
            _ => std::fs::read(path)
                .map_err(|error| format!("cannot be read: {error}; name a file that this user may read")),
        };
        self.mend(field, path, read)
    }

    fn mend<T, E: std::fmt::Display>(&mut self, field: &str, path: &Path, read: Result<T, E>) -> Option<T> {
        let wrong = |error: E| format!("{}: {field}: {}: {error}", self.file.display(), path.display());
        read.map_err(|error| self.mistakes.push(wrong(error))).ok()
    }
}
