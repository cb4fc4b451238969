//! Prompts of many formats, and values said by grammars: what a caller hears, in order.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hound::{SampleFormat, WavSpec, WavWriter};
use tandem_peers::Configuration;
use tandem_peers::Ports;
use tandem_phone::Heard;

use crate::support::{PATIENCE, caller, carrier, node_with, only_record, runtime};

/// How long each word sounds.
const WORD: Duration = Duration::from_millis(400);

/// Writes a prompt of one tone after the other, each as long as a word.
fn write(file: &Path, rate_hz: u32, channels: u16, bits: u16, tones_hz: &[u16]) {
    let sample_format = if bits == 32 { SampleFormat::Float } else { SampleFormat::Int };
    let spec = WavSpec { channels, sample_rate: rate_hz, bits_per_sample: bits, sample_format };
    let mut writer = WavWriter::create(file, spec).expect("a file");
    let samples = rate_hz as usize * WORD.as_millis() as usize / 1_000;
    for hz in tones_hz {
        for n in 0..samples * usize::from(channels) {
            let time = (n / usize::from(channels)) as f64 / f64::from(rate_hz);
            let sample = 0.3 * (std::f64::consts::TAU * f64::from(*hz) * time).sin();
            match sample_format {
                SampleFormat::Float => writer.write_sample(sample as f32),
                SampleFormat::Int => {
                    writer.write_sample((sample * f64::from((1u32 << (bits - 1)) - 1)).round() as i32)
                }
            }
            .expect("written");
        }
    }
    writer.finalize().expect("written");
}

/// Says 42 in German, after a pause in English, and the middle of a longer prompt.
const FLOW: &str = "\
start = \"say\"

[variables]
answer = 42
tongue = \"de\"

[activities.say]
type = \"play\"
prompts = [
    { say = \"{{answer}}\", as = \"number\", language = \"{{tongue}}\" },
    { pause_ms = 600 },
    { say = \"{{answer}}\", as = \"number\", language = \"en\" },
    { prompt = \"long/er\", from_ms = 400, for_ms = 400 },
]
repeat = 2
exits = { done = \"end\" }

[activities.end]
type = \"disconnect\"
";

fn words(folder: &Path, config: &str) -> String {
    let prompt = |name: &str| folder.join("prompts").join(name).with_extension("wav");
    fs::create_dir(folder.join("prompts/long")).expect("a folder");
    write(&prompt("de/2"), 8_000, 1, 8, &[600]);
    write(&prompt("de/und"), 44_100, 2, 16, &[800]);
    write(&prompt("de/40"), 48_000, 1, 24, &[1_000]);
    write(&prompt("en/40"), 16_000, 1, 32, &[1_200]);
    write(&prompt("en/2"), 22_050, 2, 24, &[1_400]);
    write(&prompt("long/er"), 11_025, 1, 16, &[700, 900, 1_100]);
    fs::write(folder.join("flows/words.toml"), FLOW).expect("the flow is written");
    format!("{config}\n[[entry_point]]\nnumber = \"+15550121\"\nflow = \"words\"\n")
}

/// The tones in the order in which they were heard; 0 for a silence of 300 ms or more.
fn in_order(heard: &Heard) -> Vec<u16> {
    let mut order: Vec<u16> = Vec::new();
    let mut silence = 0;
    for window in &heard.windows {
        silence = if window.level_dbov < -60 { silence + 1 } else { 0 };
        let now = if silence == 3 { Some(0) } else { window.tones.first().copied() };
        order.extend(now.filter(|now| order.last() != Some(now)));
    }
    order
}

#[test]
fn values_are_heard_word_by_word_and_prompts_in_part() {
    let mut node = node_with(|folder, config| words(folder, &config));
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let call = carrier.call("+15551234", "+15550121", caller()).expect("a call");
    let report = carrier.ended(call, PATIENCE).expect("the node hangs up");
    let once = [600, 800, 1_000, 0, 1_200, 1_400, 900];
    assert_eq!(in_order(&report.heard), once.repeat(2), "{:?}", report.heard.windows);
    let record = only_record(&mut node);
    assert_eq!((record.end_side.as_str(), record.end_status), ("control", 200));
    assert!(record.legs[0].packets_received > 100, "the caller was received meanwhile: {record:?}");
}

const SPEAKING: &str = "\
start = \"speak\"
language = \"en\"

[variables]
name = \"Ada\"

[activities.speak]
type = \"play\"
prompts = [{ text = \"Hello {{name}}\" }, \"after\"]
exits = { done = \"again\" }

[activities.again]
type = \"play\"
prompts = [{ text = \"Hello {{name}}\" }]
exits = { done = \"lost\" }

[activities.lost]
type = \"play\"
prompts = [{ text = \"Goodbye\", language = \"lost\" }]
exits = { done = \"end\" }

[activities.end]
type = \"disconnect\"
";

/// A provider that knows one language: words are a tone. What it does not know is another tone, and in the record.
#[test]
fn words_are_spoken_once_and_what_cannot_be_is_replaced() {
    let mut node = node_with(|folder, config| {
        write(&folder.join("en.wav"), 22_050, 1, 16, &[600]);
        write(&folder.join("prompts/after.wav"), 8_000, 1, 16, &[800]);
        write(&folder.join("prompts/sorry.wav"), 8_000, 1, 16, &[1_000]);
        fs::write(folder.join("flows/speaking.toml"), SPEAKING).expect("the flow is written");
        let speech = format!(
            "[speech]\ncommand = [\"cat\", \"{}/{{language}}.wav\"]\ncache = \"spoken\"\nfallback = \"sorry\"\n",
            folder.display()
        );
        format!("{config}\n[[entry_point]]\nnumber = \"+15550122\"\nflow = \"speaking\"\n\n{speech}")
    });
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let call = carrier.call("+15551234", "+15550122", caller()).expect("a call");
    let report = carrier.ended(call, PATIENCE).expect("the node hangs up");
    let heard: Vec<u16> = in_order(&report.heard).into_iter().filter(|hz| *hz > 0).collect();
    assert_eq!(heard, [600, 800, 600, 1_000], "{:?}", report.heard.windows);
    let kept = fs::read_dir(node.folder().join("spoken")).expect("the cache").count();
    assert_eq!(kept, 1, "what was spoken, once");
    let metrics = node.metrics("tandem_speech").expect("metrics");
    assert_eq!(metrics.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [2.0, 1.0, 0.0], "{metrics:?}");
    let record = only_record(&mut node);
    assert_eq!((record.end_side.as_str(), record.end_status), ("control", 200));
}

#[test]
fn a_word_that_is_not_recorded_and_prompts_beyond_their_memory_are_named() {
    let check = |edit: &dyn Fn(&Path, String) -> String| {
        let configuration =
            Configuration::new(&Ports::demo(), |folder, text| edit(folder, text)).expect("a configuration");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_tandem"))
            .args(["check", "--config"])
            .arg(configuration.file())
            .output()
            .expect("tandem runs");
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        said.replace(&configuration.folder().display().to_string(), "demo")
    };
    let said = check(&|folder, text| {
        fs::remove_file(folder.join("prompts/de/uhr.wav")).expect("it was there");
        text
    });
    let missing = "the grammar of language `de` needs prompts that do not exist: de/uhr; record them";
    assert!(said.starts_with(&format!("demo/tandem.toml: {missing}")), "{said}");
    let said = check(&|folder, text| {
        fs::write(folder.join("grammars/de.toml"), "number = \"n\"\n").expect("written");
        text
    });
    assert!(said.starts_with("demo/grammars/de.toml:1: `rules` is missing"), "{said}");
    let said = check(&|folder, text| {
        fs::write(folder.join("prompts/cut.opus"), "OggS").expect("written");
        fs::write(folder.join("prompts/welcome.ogg"), "OggS").expect("written");
        text
    });
    assert!(said.contains("demo/prompts/cut.opus: not an Ogg file, or a damaged one"), "{said}");
    assert!(said.contains("has the same name; rename or remove one"), "{said}");
    let said = check(&|folder, text| {
        write(&folder.join("prompts/zz.wav"), 8_000, 1, 16, &[600; 200]);
        text.replace("max_memory_mib = 512", "max_memory_mib = 1")
    });
    assert!(said.contains("with it prompts take more than 1 MiB when decoded; raise"), "{said}");
}
