//! Speech out of text: what the switch wants spoken is rendered by a provider, on threads of its own, and kept by content.
//!
//! Owner threads: [`SPEAKERS`] of them take what the core asks for and give it back through a channel that the core reads.
//! None of them can block a call: what they cannot take fails at once, and a provider has a time limit.

mod cache;
mod command;
mod http;

use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use arc_swap::ArcSwapOption;
use tandem_config::{Speech, SpeechProvider};
use tandem_media::Audio;
use tandem_sbc_net::Wake;
use tandem_switch::Utterance;

use cache::Cache;
use command::CommandProvider;
use http::HttpProvider;

/// Utterances rendered at a time.
const SPEAKERS: usize = 4;
/// Utterances that may wait for a speaker.
const MAX_WAITING: usize = 1_000;
/// The largest sound file of a provider.
const MAX_FILE_BYTES: usize = 16 << 20;

/// Why words could not be spoken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpeechError {
    /// It took too long.
    #[error("the provider took too long")]
    Timeout,
    /// A sound file larger than [`MAX_FILE_BYTES`].
    #[error("the provider's file is larger than {} MiB", MAX_FILE_BYTES >> 20)]
    TooLarge,
    /// What the provider made is no audio.
    #[error("what the provider made: {0}")]
    NoAudio(String),
    /// The provider failed.
    #[error("{0}")]
    Provider(String),
    /// More is asked for than can be rendered.
    #[error("too much is to be spoken at a time")]
    Busy,
    /// There is no `[speech]`.
    #[error("there is no provider")]
    NoProvider,
}

/// Something that speaks: a sound file for words.
trait Provider: fmt::Debug + Send + Sync {
    /// The words in a language, as a file that prompts may be.
    fn render(&self, utterance: &Utterance) -> Result<Vec<u8>, SpeechError>;
}

/// What was asked for, and what became of it.
pub(crate) type Spoken = (Utterance, Result<Arc<Audio>, SpeechError>);

/// A provider with what it has spoken before.
#[derive(Debug)]
struct Voice {
    provider: Box<dyn Provider>,
    cache: Option<Cache>,
}

/// The core's way to those who speak.
#[derive(Debug)]
pub(crate) struct Speaker {
    voice: Arc<ArcSwapOption<Voice>>,
    wanted: SyncSender<Utterance>,
    spoken: Receiver<Spoken>,
    /// What failed at once.
    failed: Vec<Spoken>,
}

impl Speaker {
    /// Starts the threads; `wake` is called when something was spoken.
    pub(crate) fn start(config: Option<&Speech>, wake: &Wake) -> std::io::Result<Self> {
        let voice = Arc::new(ArcSwapOption::from(config.map(|config| Arc::new(Voice::new(config)))));
        let (wanted, to_speak) = sync_channel(MAX_WAITING);
        let (done, spoken) = sync_channel(MAX_WAITING + SPEAKERS);
        let to_speak = Arc::new(Mutex::new(to_speak));
        for index in 0..SPEAKERS {
            let (voice, to_speak) = (Arc::clone(&voice), Arc::clone(&to_speak));
            let (done, wake) = (done.clone(), Arc::clone(wake));
            thread::Builder::new()
                .name(format!("speaker-{index}"))
                .spawn(move || speak(&voice, &to_speak, &done, &wake))?;
        }
        Ok(Self { voice, wanted, spoken, failed: Vec::new() })
    }

    /// What is spoken from now on is spoken so.
    pub(crate) fn reload(&self, config: Option<&Speech>) {
        self.voice.store(config.map(|config| Arc::new(Voice::new(config))));
    }

    /// Asks for words; what became of them is [`Speaker::poll`]ed.
    pub(crate) fn ask(&mut self, utterance: Utterance) {
        if let Err(refused) = self.wanted.try_send(utterance) {
            let (TrySendError::Full(utterance) | TrySendError::Disconnected(utterance)) = refused;
            self.failed.push((utterance, Err(SpeechError::Busy)));
        }
    }

    /// What was spoken, or failed, next.
    pub(crate) fn poll(&mut self) -> Option<Spoken> {
        self.failed.pop().or_else(|| self.spoken.try_recv().ok())
    }
}

/// One of the threads: until nobody asks any more.
fn speak(
    voice: &ArcSwapOption<Voice>,
    wanted: &Mutex<Receiver<Utterance>>,
    done: &SyncSender<Spoken>,
    wake: &Wake,
) {
    loop {
        // One that panicked with the lock has taken nothing out.
        let next = wanted.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(utterance) = next else { return };
        let spoken = match voice.load_full() {
            Some(voice) => voice.speak(&utterance),
            None => Err(SpeechError::NoProvider),
        };
        if done.send((utterance, spoken.map(Arc::new))).is_err() {
            return;
        }
        wake();
    }
}

impl Voice {
    fn new(config: &Speech) -> Self {
        let provider: Box<dyn Provider> = match &config.provider {
            SpeechProvider::Command { program, arguments } => Box::new(CommandProvider {
                program: program.clone(),
                arguments: arguments.clone(),
                timeout: config.timeout,
            }),
            SpeechProvider::Http { url, authorization } => {
                Box::new(HttpProvider::new(url.clone(), authorization.clone(), config.timeout))
            }
        };
        let cache = config.cache.as_ref().map(|folder| {
            Cache::new(folder.clone(), u64::from(config.max_cache_mib) << 20, &config.provider)
        });
        Self { provider, cache }
    }

    /// What was spoken before, or is now.
    fn speak(&self, utterance: &Utterance) -> Result<Audio, SpeechError> {
        if let Some(audio) = self.cache.as_ref().and_then(|cache| decode(&cache.find(utterance)?).ok()) {
            return Ok(audio);
        }
        let file = self.provider.render(utterance)?;
        let audio = decode(&file)?;
        if let Some(cache) = &self.cache {
            cache.keep(utterance, &file);
        }
        Ok(audio)
    }
}

fn decode(file: &[u8]) -> Result<Audio, SpeechError> {
    tandem_media::decode_prompt(file).map_err(|error| SpeechError::NoAudio(error.to_string()))
}

#[cfg(test)]
mod tests;
