//! Calls that are answered by people, machines, faxes, networks and nobody, each with what it is.

use std::io;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use tandem_media::codec::g711::Law;
use tandem_media::progress::{SpecialInformation, Verdict};
use tandem_peers::Voice;

use super::sounds::{at_level, cadence, coded, mixed, music, noise, samples, silence, tone};

/// What a sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A person says a few words and waits.
    Person,
    /// A recorded greeting, with a beep at its end.
    Machine,
    /// Fax, answering or calling.
    Fax,
    /// Busy tone.
    Busy,
    /// Reorder or congestion tone.
    Reorder,
    /// Special information tone, and an announcement.
    Special,
    /// It rings and rings.
    Ringing,
    /// Music.
    Music,
    /// Noise of a room or a line.
    Noise,
    /// Nothing.
    Silence,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Person,
        Self::Machine,
        Self::Fax,
        Self::Busy,
        Self::Reorder,
        Self::Special,
        Self::Ringing,
        Self::Music,
        Self::Noise,
        Self::Silence,
    ];

    /// As a table shows it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Machine => "machine",
            Self::Fax => "fax",
            Self::Busy => "busy",
            Self::Reorder => "reorder",
            Self::Special => "special information",
            Self::Ringing => "ringing",
            Self::Music => "music",
            Self::Noise => "noise",
            Self::Silence => "silence",
        }
    }
}

/// A call from its answer on.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What it is, in words.
    pub name: String,
    /// What it is.
    pub class: Class,
    /// What is right to say of it, beside [`Verdict::Unsure`].
    pub right: Verdict,
    /// What is heard, at 8 kHz.
    pub audio: Vec<i16>,
    /// When what matters begins, in samples.
    pub begins: usize,
    /// When the beep is over, in samples.
    pub beep_ends: Option<usize>,
}

const PEOPLE: &[(&[&str], &[&str])] = &[
    (
        &["en-us", "en-us+f2", "en-us+m3", "en-gb", "en-gb+f4", "en-gb-scotland", "en-029+m5"],
        &["Hello?", "Yes?", "Hello, who is there?", "This is Susan.", "Good morning, Miller speaking."],
    ),
    (
        &["de", "de+f1", "de+m4"],
        &["Hallo?", "Ja bitte?", "Schneider.", "Guten Tag, hier ist Petra Schneider."],
    ),
    (&["fr-fr", "fr-fr+f3"], &["Allô?", "Oui, allô?", "Bonjour, ici Marie Dupont."]),
    (&["es", "es-419+f2"], &["¿Diga?", "¿Hola?", "¿Bueno, quién habla?"]),
    (&["it", "it+f4"], &["Pronto?", "Sì, pronto, chi parla?"]),
    (&["nl", "nl+f2"], &["Hallo?", "Met Jan de Vries."]),
    (&["pt-br", "pl+f1", "sv"], &["Alô?", "Halo?", "Hallå?"]),
];

const MACHINES: &[(&[&str], &[&str])] = &[
    (
        &["en-us", "en-us+f2", "en-us+m3", "en-gb", "en-gb+f4", "en-gb-scotland", "en-029+m5"],
        &[
            "You have reached the voice mail of Susan Miller. I can not take your call right now. Please leave a message after the tone.",
            "The person you are trying to reach is not available. At the tone, please record your message.",
            "Hi, this is Tom, sorry I missed your call, leave your name and number and I will call you back.",
            "Thank you for calling. Our office is closed at the moment. Office hours are Monday to Friday from nine to five.",
        ],
    ),
    (
        &["de", "de+f1", "de+m4"],
        &[
            "Hier ist der Anschluss von Familie Schneider. Wir sind leider nicht zu Hause. Bitte sprechen Sie nach dem Signalton.",
            "Der gewünschte Gesprächspartner ist zur Zeit nicht erreichbar. Bitte hinterlassen Sie eine Nachricht.",
        ],
    ),
    (
        &["fr-fr", "fr-fr+f3"],
        &[
            "Bonjour, vous êtes bien sur la messagerie de Marie Dupont. Laissez un message après le signal sonore.",
        ],
    ),
    (
        &["es", "es-419+f2"],
        &[
            "Ha llamado al contestador de la familia García. En este momento no podemos atenderle. Deje su mensaje después de la señal.",
        ],
    ),
    (
        &["it", "it+f4"],
        &[
            "Risponde la segreteria telefonica di Marco Rossi. Lasciate un messaggio dopo il segnale acustico.",
        ],
    ),
    (
        &["nl", "nl+f2"],
        &["Dit is het antwoordapparaat van de familie De Vries. Spreek een bericht in na de piep."],
    ),
    (
        &["pt-br", "sv"],
        &["A pessoa para quem você ligou não está disponível no momento. Deixe sua mensagem após o sinal."],
    ),
];

/// The beeps of machines and networks: frequency and how long.
const BEEPS: [(f64, u32); 6] =
    [(1_000.0, 400), (440.0, 600), (1_400.0, 250), (850.0, 1_000), (2_000.0, 150), (620.0, 300)];

/// What surrounds a voice: the level it comes in at, how far below it the noise of its room is, and the law.
const LINES: [(f64, Option<f64>, Law); 3] =
    [(-18.0, None, Law::Pcmu), (-24.0, Some(20.0), Law::Pcma), (-30.0, Some(15.0), Law::Pcmu)];

/// All samples, the same each time.
///
/// # Errors
/// When espeak-ng is not there.
pub fn corpus() -> io::Result<Vec<Sample>> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut samples = voices(&mut rng, PEOPLE, Class::Person)?;
    samples.extend(voices(&mut rng, MACHINES, Class::Machine)?);
    samples.extend(faxes());
    samples.extend(ringing());
    samples.extend(busy());
    samples.extend(special()?);
    samples.extend(nobody(&mut rng));
    Ok(samples)
}

fn voices(
    rng: &mut ChaCha8Rng,
    said: &[(&[&'static str], &[&str])],
    class: Class,
) -> io::Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for (names, sentences) in said {
        for name in *names {
            for sentence in *sentences {
                let words_per_minute = 145 + rng.next_u32() % 50;
                let voice = Voice { words_per_minute, pitch: 35 + rng.next_u32() % 30, ..Voice::new(name) };
                let audio = voice.say(sentence)?;
                for line in LINES {
                    samples.push(answered(rng, &audio, class, line, format!("{name}: {sentence}")));
                }
            }
        }
    }
    Ok(samples)
}

/// A voice on a line, after a moment; a person waits, a machine beeps.
fn answered(
    rng: &mut ChaCha8Rng,
    said: &[i16],
    class: Class,
    (level_dbm0, noise_below, law): (f64, Option<f64>, Law),
    name: String,
) -> Sample {
    let before_ms = 200 + rng.next_u32() % 1_200;
    let mut audio = silence(before_ms);
    audio.extend(at_level(said.to_vec(), level_dbm0));
    let mut beep_ends = None;
    if class == Class::Machine {
        let (hz, ms) = BEEPS[rng.next_u32() as usize % BEEPS.len()];
        audio.extend(silence(100 + rng.next_u32() % 900));
        audio.extend(tone(&[hz], level_dbm0 + 2.0, ms));
        beep_ends = Some(audio.len());
    }
    audio.extend(silence(3_000));
    if let Some(below) = noise_below {
        let ms = (audio.len() / 8) as u32;
        let noise = noise(rng, level_dbm0 - below, ms, true);
        audio = mixed(audio, &noise);
    }
    let right = if class == Class::Machine { Verdict::AnsweringMachine } else { Verdict::LiveVoice };
    let name = format!("{name} ({level_dbm0} dBm0, {law:?})");
    Sample { name, class, right, audio: coded(audio, law), begins: samples(before_ms), beep_ends }
}

fn sample(name: String, class: Class, right: Verdict, audio: Vec<i16>) -> Sample {
    let mut all = silence(300);
    let begins = all.len();
    all.extend(audio);
    Sample { name, class, right, audio: coded(all, Law::Pcma), begins, beep_ends: None }
}

fn faxes() -> Vec<Sample> {
    let fax = |name: &str, audio| sample(name.to_owned(), Class::Fax, Verdict::Fax, audio);
    let mut reversed = tone(&[2_100.0], -13.0, 3_300);
    // V.8 §3.2: its phase turns every 450 ms.
    for (n, sample) in reversed.iter_mut().enumerate() {
        if !(n / samples(450)).is_multiple_of(2) {
            *sample = -*sample;
        }
    }
    vec![
        fax("CED", tone(&[2_100.0], -13.0, 3_000)),
        fax("CED, high", tone(&[2_114.0], -25.0, 3_000)),
        fax("ANS with phase reversals", reversed),
        fax("CNG", cadence(&[1_100.0], &[500, 3_000], 3)),
        fax("CNG, low and short", cadence(&[1_063.0], &[430, 2_600], 3)),
        fax("Bell 103 answer", tone(&[2_225.0], -15.0, 3_000)),
    ]
}

/// ITU-T E.180 supplement 2.
fn ringing() -> Vec<Sample> {
    let rings: [(&str, &[f64], &[u32]); 9] = [
        ("North America", &[440.0, 480.0], &[2_000, 4_000]),
        ("Germany", &[425.0], &[1_000, 4_000]),
        ("France", &[440.0], &[1_500, 3_500]),
        ("Britain", &[400.0, 450.0], &[400, 200, 400, 2_000]),
        ("Australia", &[400.0, 425.0], &[400, 200, 400, 2_000]),
        ("Sweden", &[425.0], &[1_000, 5_000]),
        ("China", &[450.0], &[1_000, 4_000]),
        ("Japan", &[384.0, 416.0], &[1_000, 2_000]),
        ("Spain", &[425.0], &[1_500, 3_000]),
    ];
    rings
        .iter()
        .map(|(country, hz, ms)| {
            sample(format!("ringing, {country}"), Class::Ringing, Verdict::Ringback, cadence(hz, ms, 30))
        })
        .collect()
}

fn busy() -> Vec<Sample> {
    let busy: [(&str, &[f64], &[u32]); 7] = [
        ("North America", &[480.0, 620.0], &[500, 500]),
        ("Germany", &[425.0], &[480, 480]),
        ("Britain", &[400.0], &[375, 375]),
        ("China", &[450.0], &[350, 350]),
        ("France", &[440.0], &[500, 500]),
        ("Australia", &[425.0], &[375, 375]),
        ("Japan", &[400.0], &[500, 500]),
    ];
    let reorder: [(&str, &[f64], &[u32]); 5] = [
        ("North America", &[480.0, 620.0], &[250, 250]),
        ("Germany", &[425.0], &[240, 240]),
        ("Italy", &[425.0], &[200, 200]),
        ("Britain", &[400.0], &[400, 350, 225, 525]),
        ("Switzerland", &[425.0], &[200, 200]),
    ];
    let busy = busy.iter().map(|(country, hz, ms)| {
        sample(format!("busy, {country}"), Class::Busy, Verdict::Busy, cadence(hz, ms, 10))
    });
    let reorder = reorder.iter().map(|(country, hz, ms)| {
        sample(format!("reorder, {country}"), Class::Reorder, Verdict::Reorder, cadence(hz, ms, 10))
    });
    busy.chain(reorder).collect()
}

/// Telcordia GR-1162, and the plain ones of ITU-T E.180 §5.
fn special() -> io::Result<Vec<Sample>> {
    use SpecialInformation::{Intercept, NoCircuit, Other, Reorder, VacantCode};
    let announcement = Voice::new("en-us+f2")
        .say("We are sorry. Your call can not be completed as dialled. Please check the number.")?;
    let kinds = [
        ("intercept", Intercept, (913.8, 274), (1_370.6, 274)),
        ("vacant code", VacantCode, (985.2, 380), (1_370.6, 274)),
        ("reorder within the area", Reorder, (913.8, 274), (1_428.5, 380)),
        ("reorder", Reorder, (985.2, 274), (1_370.6, 380)),
        ("no circuit within the area", NoCircuit, (985.2, 380), (1_428.5, 380)),
        ("no circuit", NoCircuit, (913.8, 380), (1_370.6, 380)),
        ("reserved 1", Other, (913.8, 380), (1_428.5, 274)),
        ("reserved 2", Other, (985.2, 274), (1_428.5, 274)),
        ("E.180", Other, (950.0, 330), (1_400.0, 330)),
    ];
    let samples = kinds.iter().map(|(name, kind, first, second)| {
        let mut audio = tone(&[first.0], -24.0, first.1);
        audio.extend(tone(&[second.0], -24.0, second.1));
        audio.extend(if *name == "E.180" {
            tone(&[1_800.0], -24.0, 330)
        } else {
            tone(&[1_776.7], -24.0, 380)
        });
        audio.extend(silence(300));
        audio.extend(at_level(announcement.clone(), -18.0));
        sample(
            format!("special information, {name}"),
            Class::Special,
            Verdict::SpecialInformation(*kind),
            audio,
        )
    });
    Ok(samples.collect())
}

fn nobody(rng: &mut ChaCha8Rng) -> Vec<Sample> {
    let mut samples = vec![
        sample("digital silence".into(), Class::Silence, Verdict::Silence, silence(8_000)),
        sample("a quiet line".into(), Class::Silence, Verdict::Silence, noise(rng, -62.0, 8_000, false)),
        sample("comfort noise".into(), Class::Silence, Verdict::Silence, noise(rng, -55.0, 8_000, true)),
    ];
    for level_dbm0 in [-45.0, -35.0, -25.0] {
        for is_dull in [false, true] {
            let name = format!("{} noise at {level_dbm0} dBm0", if is_dull { "dull" } else { "white" });
            let audio = noise(rng, level_dbm0, 8_000, is_dull);
            samples.push(sample(name, Class::Noise, Verdict::Unsure, audio));
        }
    }
    for beat_ms in [300, 400, 500, 650, 800, 250] {
        let audio = music(rng, beat_ms, 8_000);
        samples.push(sample(
            format!("music, a beat each {beat_ms} ms"),
            Class::Music,
            Verdict::Unsure,
            audio,
        ));
    }
    samples
}
