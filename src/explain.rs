//! A call as its record tells it: who, when, what happened, and how it was to be heard.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};
use tandem_store::{Archive, StoreError, StoredCall, StoredHeard, StoredLeg};

use crate::configuration::{LoadError, Loaded};
use crate::quality_plot::{PlottedLeg, plot};

/// Which call, and how it is shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The call: its row in the store, its identifier in logs, or the SIP Call-ID of one of its legs. The latest one when
    /// left out.
    call: Option<String>,
    /// The node's configuration.
    #[arg(long, value_name = "FILE", default_value = crate::demo::DEFAULT_CONFIG)]
    config: PathBuf,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    /// Also writes its quality over time as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Why nothing could be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExplainError {
    #[error("{0}")]
    Config(#[from] LoadError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("there is no call {0:?}; `tandem explain` without a name tells the latest one")]
    Unknown(String),
    #[error("there is no call yet")]
    None,
    #[error("{path}: cannot be written: {source}")]
    Svg { path: String, source: std::io::Error },
}

/// Finds the call and prints it.
pub(crate) fn explain(arguments: &Arguments) -> Result<(), ExplainError> {
    let loaded = Loaded::read(&arguments.config)?;
    let archive = Archive::open(&loaded.config.store_path)?;
    let name = match &arguments.call {
        Some(name) => name.clone(),
        None => match archive.newest()? {
            0 => return Err(ExplainError::None),
            newest => newest.to_string(),
        },
    };
    let call = archive.call_named(&name)?.ok_or(ExplainError::Unknown(name))?;
    if let Some(path) = &arguments.svg {
        std::fs::write(path, quality_svg(&call))
            .map_err(|source| ExplainError::Svg { path: path.display().to_string(), source })?;
    }
    if arguments.json {
        println!("{:#}", as_json(&call));
    } else {
        print!("{}", Explained(&call));
    }
    Ok(())
}

/// The plot of its quality over time.
pub(crate) fn quality_svg(call: &StoredCall) -> String {
    let legs: Vec<PlottedLeg<'_>> =
        call.legs.iter().map(|leg| PlottedLeg { party: &leg.party, points: &leg.quality }).collect();
    let from = or_withheld(&call.from);
    plot(&format!("{}: {from} to {}, {}", call.call, call.dialled, call.started), &legs)
}

/// All of it, for machines.
pub(crate) fn as_json(call: &StoredCall) -> Value {
    let timeline = call.timeline.iter().map(
        |fact| json!({ "at": fact.at, "kind": fact.kind, "subject": fact.subject, "detail": fact.detail }),
    );
    json!({
        "id": call.id,
        "call": call.call,
        "origin": call.origin,
        "from": call.from,
        "from_withheld": call.from_withheld,
        "dialled": call.dialled,
        "started": call.started,
        "answered": call.answered,
        "ended": call.ended,
        "duration_ms": call.duration_ms,
        "end": { "by": call.end_side, "cause": call.end_cause, "status": call.end_status },
        "flow": call.flow,
        "queue": call.queue,
        "wait_ms": call.wait_ms,
        "agent": call.agent,
        "talk_ms": call.talk_ms,
        "legs": Value::from_iter(call.legs.iter().map(leg_as_json)),
        "timeline": Value::from_iter(timeline),
    })
}

fn leg_as_json(leg: &StoredLeg) -> Value {
    let heard = |heard: StoredHeard| json!({ "loss_percent": heard.loss_percent, "jitter_ms": heard.jitter_ms, "mos": heard.mos });
    let quality = leg.quality.iter().map(|point| {
        json!({
            "at_s": point.at_s,
            "received": point.received.map(heard),
            "sent": point.sent.map(heard),
            "round_trip_ms": point.round_trip_ms,
        })
    });
    json!({
        "direction": leg.direction,
        "party": leg.party,
        "sip_call_id": leg.sip_call_id,
        "session_id": leg.session_id,
        "started": leg.started,
        "answered": leg.answered,
        "ended": leg.ended,
        "end": { "by": leg.end_side, "status": leg.end_status, "reason": leg.reason },
        "media_path": leg.media_path,
        "codec": leg.codec,
        "packets_received": leg.packets_received,
        "packets_sent": leg.packets_sent,
        "packets_lost": leg.packets_lost,
        "jitter_us": leg.jitter_us,
        "mos": leg.mos,
        "remote_loss_percent": leg.remote_loss_percent,
        "remote_jitter_us": leg.remote_jitter_us,
        "remote_mos": leg.remote_mos,
        "round_trip_us": leg.round_trip_us,
        "quality": Value::from_iter(quality),
    })
}

/// A call for people.
struct Explained<'a>(&'a StoredCall);

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.0;
        writeln!(f, "{} (row {}): {} to {}", call.call, call.id, or_withheld(&call.from), call.dialled)?;
        writeln!(f, "  offered  {} by {}", call.started, call.origin)?;
        match &call.answered {
            Some(answered) => writeln!(f, "  answered {answered}")?,
            None => writeln!(f, "  not answered")?,
        }
        writeln!(
            f,
            "  ended    {} by {}: {} ({})",
            call.ended, call.end_side, call.end_cause, call.end_status
        )?;
        for leg in &call.legs {
            explain_leg(f, leg)?;
        }
        for fact in &call.timeline {
            let detail = fact.detail.as_deref().unwrap_or_default();
            writeln!(f, "{}  {} {} {detail}", fact.at, fact.kind, fact.subject)?;
        }
        Ok(())
    }
}

fn explain_leg(f: &mut fmt::Formatter<'_>, leg: &StoredLeg) -> fmt::Result {
    let codec = leg.codec.as_deref().unwrap_or("no media");
    writeln!(f, "leg {} {}, {codec}, {}: {}", leg.direction, leg.party, leg.media_path, leg.sip_call_id)?;
    if leg.codec.is_none() {
        return Ok(());
    }
    let mos = |mos: Option<f64>| mos.map_or_else(|| "MOS unknown".to_owned(), |mos| format!("MOS {mos:.2}"));
    writeln!(
        f,
        "  from it: {}, {} packets, {} lost, jitter {:.1} ms",
        mos(leg.mos),
        leg.packets_received,
        leg.packets_lost,
        leg.jitter_us as f64 / 1_000.0
    )?;
    write!(f, "  to it:   {}, {} packets", mos(leg.remote_mos), leg.packets_sent)?;
    if let Some(loss) = leg.remote_loss_percent {
        write!(f, ", {loss:.1} % lost")?;
    }
    if let Some(jitter_us) = leg.remote_jitter_us {
        write!(f, ", jitter {:.1} ms", jitter_us as f64 / 1_000.0)?;
    }
    if let Some(trip_us) = leg.round_trip_us {
        write!(f, ", round trip {:.1} ms", trip_us as f64 / 1_000.0)?;
    }
    writeln!(f)?;
    let worst = |way: fn(&tandem_store::StoredPoint) -> Option<StoredHeard>| {
        let heard = leg.quality.iter().filter_map(|point| Some((point.at_s, way(point)?.mos)));
        heard.min_by(|one, other| one.1.total_cmp(&other.1))
    };
    for (name, way) in [("from", worst(|point| point.received)), ("to", worst(|point| point.sent))] {
        if let Some((at_s, mos)) = way {
            writeln!(f, "  {name} it worst at {at_s:.0} s: MOS {mos:.2}")?;
        }
    }
    Ok(())
}

fn or_withheld(number: &str) -> &str {
    if number.is_empty() { "(withheld)" } else { number }
}
