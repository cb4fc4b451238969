use crate::one_problem;
use crate::support::{SAMPLE, parse};

#[test]
fn prompts_have_a_folder_and_a_most_of_memory() {
    one_problem(
        "max_memory_mib = 512",
        "max_memory_mib = 0",
        "0",
        "prompts.max_memory_mib: found 0; write a whole number from 1 to 65536",
    );
    one_problem(
        "grammars = \"grammars\"",
        "grammars = \"missing\"",
        "\"missing\"",
        "prompts.grammars: there is no folder demo/missing; create it, or write where it is",
    );
}

#[test]
fn speech_has_one_provider() {
    let problem = |speech: &str| {
        let text = SAMPLE.replacen("[[trunk]]", &format!("[speech]\n{speech}\n\n[[trunk]]"), 1);
        parse(&text).err().map_or_else(String::new, |problems| problems.to_string())
    };
    assert_eq!(problem("command = [\"espeak-ng\", \"--stdout\"]"), "");
    assert_eq!(problem("url = \"https://speech.example/{language}\"\nauthorization = \"Bearer x\""), "");
    let both = "command = [\"espeak-ng\"]\nurl = \"https://speech.example\"";
    for (speech, expected) in [
        ("timeout_ms = 5000", "speech: there is neither command nor url; write command = [\"espeak-ng\", …]"),
        (both, "speech: there is both command and url; write command = [\"espeak-ng\", …] for a program"),
        ("command = []", "speech.command: there is no program; write a program and its arguments"),
        (
            "url = \"ftp://x\"",
            "speech.url: found \"ftp://x\"; write a URL that begins with http:// or https://",
        ),
        (
            "command = [\"x\"]\ntimeout_ms = 99",
            "speech.timeout_ms: found 99; write a whole number from 100 to 60000",
        ),
        (
            "command = [\"x\"]\nfallback = \"missing\"",
            "speech.fallback: there is no file demo/prompts/missing.wav or demo/prompts/missing.opus or demo/prompts/missing.ogg; create it, or write the name of one that is there",
        ),
    ] {
        assert!(problem(speech).contains(expected), "{speech}: {}", problem(speech));
    }
}
