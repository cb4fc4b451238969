//! What a reload changes, in words.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tandem_config::Config;
use tandem_sbc_net::Certificate;

use crate::configuration::Loaded;

/// The differences between two configurations.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Taken at once: `users: +1011, -1003, ~1001`.
    pub(crate) taken: Vec<String>,
    /// Fields whose new value waits for a restart.
    pub(crate) needs_restart: Vec<&'static str>,
}

impl Changes {
    /// From `old` to `new`.
    pub(super) fn between(old: &Loaded, new: &Loaded) -> Self {
        let (a, b) = (&old.config, &new.config);
        let mut taken = Vec::new();
        taken.extend(difference("trunks", named(&a.trunks, |it| &it.name), &named(&b.trunks, |it| &it.name)));
        let sets = named(&a.route_sets, |it| &it.name);
        taken.extend(difference("route sets", sets, &named(&b.route_sets, |it| &it.name)));
        let users = |config: &'_ Config| -> BTreeMap<String, String> {
            config.phones.users.iter().map(|user| (user.name.clone(), user.password.clone())).collect()
        };
        taken.extend(difference("users", users(a), &users(b)));
        taken.extend(difference("agents", named(&a.agents, |it| &it.name), &named(&b.agents, |it| &it.name)));
        taken.extend(difference("queues", named(&a.queues, |it| &it.name), &named(&b.queues, |it| &it.name)));
        let numbers = named(&a.entry_points, |it| &it.number);
        taken.extend(difference("entry points", numbers, &named(&b.entry_points, |it| &it.number)));
        let flows = named(&old.contact_centre.flows, |flow| flow.name());
        taken.extend(difference("flows", flows, &named(&new.contact_centre.flows, |flow| flow.name())));
        let certificates = |loaded: &'_ Loaded| -> BTreeMap<String, Arc<Certificate>> {
            let all = loaded.tls.all_certificates();
            all.map(|certificate| (certificate.file().to_owned(), Arc::clone(certificate))).collect()
        };
        taken.extend(difference("certificates", certificates(old), &certificates(new)));
        taken.extend(difference("prompts", old.prompts.clone(), &new.prompts));
        taken.extend(fields_taken(a, b).into_iter().map(str::to_owned));
        Self { taken, needs_restart: fields_kept(a, b) }
    }

    /// Puts the old values of what needs a restart into `new`.
    pub(super) fn keep_what_needs_a_restart(old: &Config, new: &mut Config) {
        new.node_name.clone_from(&old.node_name);
        new.log = old.log;
        new.sip.listen.clone_from(&old.sip.listen);
        new.sip.kernel_filter = old.sip.kernel_filter;
        new.sip.realtime = old.sip.realtime;
        (new.rtp.address, new.rtp.other_address) = (old.rtp.address, old.rtp.other_address);
        new.rtp.ports.clone_from(&old.rtp.ports);
        new.rtp.threads = old.rtp.threads;
        new.rtp.realtime = old.rtp.realtime;
        new.rtp.io = old.rtp.io;
        new.http_listen = old.http_listen;
        new.store_path.clone_from(&old.store_path);
        // Who writes is there from the start, or not at all.
        match (&old.recording, &mut new.recording) {
            (Some(old), Some(new)) => new.folder.clone_from(&old.folder),
            (None, new) => *new = None,
            (Some(_), None) => {}
        }
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.taken.is_empty() {
            f.write_str("nothing changed")?;
        } else {
            write!(f, "changed {}", self.taken.join("; "))?;
        }
        if self.needs_restart.is_empty() {
            return Ok(());
        }
        write!(f, "; restart for {}", self.needs_restart.join(", "))
    }
}

/// Fields that are taken at once and are no list.
fn fields_taken(old: &Config, new: &Config) -> Vec<&'static str> {
    let phones = |config: &Config| {
        let it = &config.phones;
        (
            it.sources.clone(),
            it.realm.clone(),
            it.digest.clone(),
            (it.min_expires, it.max_expires, it.keep_alive, it.flow_timer),
            (it.max_calls_per_source, it.max_calls_per_second_per_source),
            (it.profile.clone(), it.browsers.clone(), it.pickup_groups.clone()),
        )
    };
    let sip = |config: &Config| {
        (
            config.sip.product.clone(),
            config.sip.websocket_origins.clone(),
            config.sip.timers,
            config.sip.max_ringing,
        )
    };
    let contact_centre = |config: &Config| {
        (
            (config.not_responding_pause, config.hold_music.clone(), config.outbound_trunk.clone()),
            (config.supervisors.clone(), config.features.clone()),
        )
    };
    let rtp = |config: &Config| {
        let rtp = &config.rtp;
        (rtp.port_rest, rtp.media_timeout, rtp.phones_behind_nat, rtp.phone_gateway)
    };
    let recording = |config: &Config| {
        let folder = std::path::PathBuf::new();
        config.recording.clone().map(|recording| tandem_config::Recording { folder, ..recording })
    };
    [
        ("node.drain_timeout_s", old.drain_timeout != new.drain_timeout),
        ("sip", sip(old) != sip(new)),
        ("rtp", rtp(old) != rtp(new)),
        ("tls", old.tls != new.tls),
        ("dns", old.dns != new.dns),
        ("limits", old.limits != new.limits),
        ("protection", old.protection != new.protection),
        ("emergency", old.emergency_numbers != new.emergency_numbers),
        ("phones", phones(old) != phones(new)),
        ("speech", old.speech != new.speech),
        ("recording", recording(old) != recording(new)),
        ("contact_centre", contact_centre(old) != contact_centre(new)),
    ]
    .into_iter()
    .filter_map(|(field, changed)| changed.then_some(field))
    .collect()
}

/// Fields whose new value waits for a restart.
fn fields_kept(old: &Config, new: &Config) -> Vec<&'static str> {
    let addresses = |config: &Config| (config.rtp.address, config.rtp.other_address);
    [
        ("node.name", old.node_name != new.node_name),
        ("log", old.log != new.log),
        ("sip.listen", old.sip.listen != new.sip.listen),
        ("sip.kernel_filter", old.sip.kernel_filter != new.sip.kernel_filter),
        ("sip.realtime", old.sip.realtime != new.sip.realtime),
        ("rtp.address", addresses(old) != addresses(new)),
        ("rtp.ports", old.rtp.ports != new.rtp.ports),
        ("rtp.threads", old.rtp.threads != new.rtp.threads),
        ("rtp.realtime", old.rtp.realtime != new.rtp.realtime),
        ("rtp.io", old.rtp.io != new.rtp.io),
        ("http.listen", old.http_listen != new.http_listen),
        ("store.path", old.store_path != new.store_path),
        ("recording.folder", recordings_move(old, new)),
    ]
    .into_iter()
    .filter_map(|(field, changed)| changed.then_some(field))
    .collect()
}

/// Whether recordings would go elsewhere.
fn recordings_move(old: &Config, new: &Config) -> bool {
    let folder = |config: &'_ Config| config.recording.as_ref().map(|recording| recording.folder.clone());
    folder(new).is_some() && folder(old) != folder(new)
}

fn named<'a, T: Clone>(list: &'a [T], name: impl Fn(&'a T) -> &'a str) -> BTreeMap<String, T> {
    list.iter().map(|item| (name(item).to_owned(), item.clone())).collect()
}

/// `what: +added, -removed, ~changed`; nothing when both are the same.
fn difference<T: PartialEq>(
    what: &str,
    old: BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
) -> Option<String> {
    let added = new.keys().filter(|name| !old.contains_key(*name)).map(|name| format!("+{name}"));
    let removed = old.keys().filter(|name| !new.contains_key(*name)).map(|name| format!("-{name}"));
    let changed = old
        .iter()
        .filter(|(name, item)| new.get(*name).is_some_and(|other| other != *item))
        .map(|(name, _)| format!("~{name}"));
    let all: Vec<String> = added.chain(removed).chain(changed).collect();
    (!all.is_empty()).then(|| format!("{what}: {}", all.join(", ")))
}
