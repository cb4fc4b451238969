//! Speech from an HTTP service: the words as the body of a POST, a sound file as that of the answer.

use std::time::Duration;

use tandem_switch::Utterance;
use ureq::Agent;

use super::{MAX_FILE_BYTES, Provider, SpeechError};

/// The service.
#[derive(Debug)]
pub(super) struct HttpProvider {
    agent: Agent,
    /// `{language}` in it is the language.
    url: String,
    /// The value of the Authorization header.
    authorization: Option<String>,
}

impl HttpProvider {
    pub(super) fn new(url: String, authorization: Option<String>, timeout: Duration) -> Self {
        let agent = Agent::config_builder().timeout_global(Some(timeout)).max_redirects(0).build().into();
        Self { agent, url, authorization }
    }
}

impl Provider for HttpProvider {
    fn render(&self, utterance: &Utterance) -> Result<Vec<u8>, SpeechError> {
        let url = self.url.replace("{language}", &utterance.language);
        let mut request = self
            .agent
            .post(&url)
            .header("content-type", "text/plain; charset=utf-8")
            .header("accept", "audio/wav, audio/ogg");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let mut response = request.send(utterance.text.as_str()).map_err(failure)?;
        if !response.status().is_success() {
            return Err(SpeechError::Provider(format!("{url} answered {}", response.status())));
        }
        response.body_mut().with_config().limit(MAX_FILE_BYTES as u64).read_to_vec().map_err(failure)
    }
}

fn failure(error: ureq::Error) -> SpeechError {
    match error {
        ureq::Error::Timeout(_) => SpeechError::Timeout,
        ureq::Error::BodyExceedsLimit(_) => SpeechError::TooLarge,
        other => SpeechError::Provider(other.to_string()),
    }
}
