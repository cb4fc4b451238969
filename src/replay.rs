//! Replay: what outside parties sent in a capture is played into the real core in virtual time.
//!
//! The same capture and configuration give the same bytes every time: no clock is read, no socket opened, and all
//! randomness is seeded. Only [`capture`] reads a file; everything else is a function of the frames. What the captured
//! node said is only laid beside what the replayed one says ([`correspondence`]), never played.
//!
//! A capture must hold what the node had to know: phones that are to be rung must register in it.

mod audio;
mod capture;
mod correspondence;
mod ladder;
mod node;
mod packet;
mod player;
mod tcp;
mod traffic;
mod transactions;
mod verdict;
mod witness;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tandem_control_api::CallRecord;
use tandem_store::StoredPoint;
use tandem_time::Instant;

use crate::configuration::{LoadError, Loaded};
use crate::quality_plot::{PlottedLeg, plot};
use capture::CaptureError;
use node::Node;
use packet::Skipped;
use player::{Played, Player};
use traffic::Sorter;
use verdict::Verdict;

/// What is replayed, and how it is shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The capture: pcap or pcapng.
    capture: PathBuf,
    /// The configuration of the node that was captured.
    #[arg(long, value_name = "FILE", default_value = crate::demo::DEFAULT_CONFIG)]
    config: PathBuf,
    /// Prints the verdict alone, as JSON.
    #[arg(long)]
    json: bool,
    /// Also writes the ladder as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Also writes how the legs of the calls were to be heard over time, as SVG.
    #[arg(long, value_name = "FILE")]
    quality: Option<PathBuf>,
    /// Also writes what is to be heard in each stream as a WAV file into this folder.
    #[arg(long, value_name = "FOLDER")]
    wav: Option<PathBuf>,
}

/// Why nothing could be replayed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    #[error("{0}")]
    Config(#[from] LoadError),
    #[error("{path}: {source}")]
    Capture { path: String, source: CaptureError },
    #[error("{0}")]
    ContactCentre(#[from] tandem_control::ConfigError),
    #[error("{path}: cannot be written: {source}")]
    Svg { path: String, source: std::io::Error },
    #[error("{path}: cannot be written: {source}")]
    Wav { path: String, source: std::io::Error },
}

/// Replays and prints; whether all was well.
pub(crate) fn replay(arguments: &Arguments) -> Result<bool, ReplayError> {
    let loaded = Loaded::read(&arguments.config)?;
    let played = run(&arguments.capture, &loaded)?;
    let (ladder, verdict) = (&played.0.ladder, &played.1);
    if let Some(folder) = &arguments.wav {
        write_audio(folder, &played.0)?;
    }
    if let Some(path) = &arguments.svg {
        std::fs::write(path, ladder.svg())
            .map_err(|source| ReplayError::Svg { path: path.display().to_string(), source })?;
    }
    if let Some(path) = &arguments.quality {
        std::fs::write(path, quality_svg(played.0.node.records()))
            .map_err(|source| ReplayError::Svg { path: path.display().to_string(), source })?;
    }
    if arguments.json {
        // Plain data: it always becomes JSON.
        println!("{}", serde_json::to_string_pretty(verdict).unwrap_or_default());
    } else {
        print!("{}\n{verdict}", ladder.text());
    }
    Ok(verdict.is_clean())
}

/// The plot of all calls of the capture, from its beginning.
fn quality_svg(records: &[CallRecord]) -> String {
    let legs = records.iter().flat_map(|record| &record.legs);
    let points: Vec<(&str, Vec<StoredPoint>)> = legs
        .filter_map(|leg| {
            let points = leg.media.as_ref()?.quality.iter();
            Some((leg.party.as_str(), points.map(|point| StoredPoint::of(point, Instant::START)).collect()))
        })
        .collect();
    let legs: Vec<PlottedLeg<'_>> =
        points.iter().map(|(party, points)| PlottedLeg { party, points }).collect();
    plot("as the replayed node heard it", &legs)
}

/// A file for each stream that was decoded, named by who sent it to whom.
fn write_audio(folder: &Path, played: &Played) -> Result<(), ReplayError> {
    let wav = |path: &Path, source| ReplayError::Wav { path: path.display().to_string(), source };
    std::fs::create_dir_all(folder).map_err(|error| wav(folder, error))?;
    let file = |address: &SocketAddr| address.to_string().replace([':', '[', ']'], "-");
    let came =
        played.streams.iter().map(|((party, port), watch)| (format!("{}-to-{port}.wav", file(party)), watch));
    let went =
        played.sent.iter().map(|((port, party), watch)| (format!("{port}-to-{}.wav", file(party)), watch));
    for (name, watch) in came.chain(went).filter(|(_, watch)| watch.heard_ms() > 0) {
        let path = folder.join(name);
        watch.write_wav(&path).map_err(|error| wav(&path, error))?;
    }
    Ok(())
}

fn run(path: &Path, loaded: &Loaded) -> Result<(Played, Verdict), ReplayError> {
    let frames = capture::read(path)
        .map_err(|source| ReplayError::Capture { path: path.display().to_string(), source })?;
    let mut skipped = Skipped::default();
    let mut sorter = Sorter::new(&loaded.config);
    for frame in &frames {
        if let Some(packet) = packet::decode(frame, &mut skipped) {
            sorter.take(packet);
        }
    }
    let played = Player::new(loaded, Node::new(loaded)?).play(sorter.finish());
    let verdict = Verdict::of(&played, skipped, played.node.witness());
    Ok((played, verdict))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// A capture comes from outside, whoever took it: whatever is in it, it is replayed or refused.
    #[test]
    fn a_damaged_capture_is_no_danger() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let loaded = Loaded::read(&root.join("config/demo/tandem.toml")).expect("the demo's configuration");
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut replayed, mut refused) = (0, 0);
        for name in ["tcp.pcapng", "silent-caller-and-noise.pcap"] {
            let capture = std::fs::read(root.join("captures").join(name)).expect("the capture is there");
            for _ in 0..100 {
                let mut damaged = capture.clone();
                for _ in 0..rng.random_range(1..20) {
                    let at = rng.random_range(0..damaged.len());
                    damaged[at] = rng.random();
                }
                damaged.truncate(rng.random_range(0..=2 * damaged.len()));
                let mut file = tempfile::NamedTempFile::new().expect("a file");
                file.write_all(&damaged).expect("written");
                match run(file.path(), &loaded) {
                    Ok((played, verdict)) => {
                        assert!(!played.ladder.text().is_empty() && !verdict.to_string().is_empty());
                        replayed += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(replayed > 50 && refused > 5, "{replayed} replayed, {refused} refused: too little was tried");
    }
}
