//! Speech from a local command, such as espeak-ng: the words on its standard input, a sound file on its standard output.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use tandem_switch::Utterance;

use super::{MAX_FILE_BYTES, Provider, SpeechError};

/// The command and its arguments; no shell sees them.
#[derive(Debug)]
pub(super) struct CommandProvider {
    pub(super) program: String,
    /// `{language}` in them is the language.
    pub(super) arguments: Vec<String>,
    pub(super) timeout: Duration,
}

impl Provider for CommandProvider {
    fn render(&self, utterance: &Utterance) -> Result<Vec<u8>, SpeechError> {
        let arguments = self.arguments.iter().map(|it| it.replace("{language}", &utterance.language));
        let mut child = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| SpeechError::Provider(format!("{} cannot be started: {error}", self.program)))?;
        let read = self.converse(&mut child, &utterance.text);
        if read.is_err() {
            // It may have ended by itself meanwhile.
            let _ = child.kill();
        }
        let status = child.wait().map_err(|error| SpeechError::Provider(error.to_string()))?;
        let file = read?;
        if status.success() {
            Ok(file)
        } else {
            Err(SpeechError::Provider(format!("{} ended with {status}", self.program)))
        }
    }
}

impl CommandProvider {
    /// Says the words to it and reads what it writes, in the time it has.
    fn converse(&self, child: &mut Child, text: &str) -> Result<Vec<u8>, SpeechError> {
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(SpeechError::Provider("it has no standard input or output".to_owned()));
        };
        let (done, result) = sync_channel(1);
        let text = text.to_owned();
        thread::Builder::new()
            .name("speech-pipe".to_owned())
            .spawn(move || {
                // One that wants no words says what it likes; a broken pipe shows in its output.
                let _ = input.write_all(text.as_bytes());
                drop(input);
                let mut file = Vec::new();
                let read = output.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut file);
                let _ = done.send(read.map(|_| file));
            })
            .map_err(|error| SpeechError::Provider(error.to_string()))?;
        match result.recv_timeout(self.timeout) {
            Ok(Ok(file)) if file.len() > MAX_FILE_BYTES => Err(SpeechError::TooLarge),
            Ok(Ok(file)) => Ok(file),
            Ok(Err(error)) => Err(SpeechError::Provider(error.to_string())),
            Err(RecvTimeoutError::Timeout) => Err(SpeechError::Timeout),
            Err(RecvTimeoutError::Disconnected) => {
                Err(SpeechError::Provider("its output could not be read".to_owned()))
            }
        }
    }
}
