//! `[speech]`: how words are spoken that are not recorded.

use crate::model::{Prompts, Speech, SpeechProvider};
use crate::reader::Section;

use super::Files;

/// The most arguments of a command.
const MAX_ARGUMENTS: usize = 64;

/// `Some(None)` when there is none, `None` when it is wrong.
pub(super) fn read_speech(
    root: &Section<'_, '_>,
    files: &Files<'_>,
    prompts: Option<&Prompts>,
) -> Option<Option<Speech>> {
    root.know(&["speech"]);
    if !root.has("speech") {
        return Some(None);
    }
    let section = root.table("speech");
    section.know(&["command", "url", "authorization", "cache", "fallback"]);
    let provider = read_provider(&section);
    let timeout = section.millis_or("timeout_ms", 100..=60_000, 5_000);
    let max_cache_mib = section.integer_or("max_cache_mib", 1..=1_048_576, 256);
    let text = |key| section.string(key, "the path of a folder").map(|(path, _)| files.folder.join(path));
    let cache = section.has("cache").then(|| text("cache"));
    let folder = prompts.map(|prompts| prompts.folder.as_path());
    let fallback = section.has("fallback").then(|| files.prompt(&section, "fallback", folder));
    section.finish();
    Some(Some(Speech {
        provider: provider?,
        timeout: timeout?,
        cache: cache.map_or(Some(None), |cache| cache.map(Some))?,
        max_cache_mib: max_cache_mib?,
        fallback: fallback.map_or(Some(None), |fallback| fallback.map(Some))?,
    }))
}

fn read_provider(section: &Section<'_, '_>) -> Option<SpeechProvider> {
    match (section.has("command"), section.has("url")) {
        (true, false) => {
            let expected = "a program and its arguments, each in quotes";
            let mut words = section.strings("command", expected, MAX_ARGUMENTS)?.into_iter();
            let Some((program, _)) = words.next() else {
                section.problem_with(
                    "command",
                    "there is no program".to_owned(),
                    format!("write {expected}"),
                );
                return None;
            };
            Some(SpeechProvider::Command { program, arguments: words.map(|(word, _)| word).collect() })
        }
        (false, true) => {
            let is_http = |text: &str| text.starts_with("http://") || text.starts_with("https://");
            let read = |text: &str| is_http(text).then(|| text.to_owned());
            let url = section.parsed("url", "a URL that begins with http:// or https://", read);
            let authorization = section
                .has("authorization")
                .then(|| section.secret("authorization", "the value of the header"));
            Some(SpeechProvider::Http {
                url: url?,
                authorization: authorization.map_or(Some(None), |value| value.map(Some))?,
            })
        }
        (both, _) => {
            let found = if both { "both command and url" } else { "neither command nor url" };
            let advice =
                "write command = [\"espeak-ng\", …] for a program, or url = \"https://…\" for a service";
            section.problem_here(format!("there is {found}"), advice.into());
            None
        }
    }
}
