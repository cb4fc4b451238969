use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::*;

/// A WAV file of so many samples.
fn wav(samples: u16) -> Vec<u8> {
    let mut file =
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x07\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data".to_vec();
    file.extend(u32::from(samples).to_le_bytes());
    file.extend(vec![0x90; usize::from(samples)]);
    file
}

fn command(words: &[&str]) -> SpeechProvider {
    let mut words = words.iter().map(|word| (*word).to_owned());
    SpeechProvider::Command { program: words.next().expect("a program"), arguments: words.collect() }
}

fn speech(provider: SpeechProvider, cache: Option<&Path>) -> Speech {
    Speech {
        provider,
        timeout: Duration::from_millis(400),
        cache: cache.map(Path::to_owned),
        max_cache_mib: 1,
        fallback: None,
    }
}

fn utterance(text: &str) -> Utterance {
    Utterance { language: "en".to_owned(), text: text.to_owned() }
}

/// How many samples the words have, or what went wrong.
fn spoken(provider: SpeechProvider, text: &str) -> Result<usize, String> {
    let audio = Voice::new(&speech(provider, None)).speak(&utterance(text));
    audio.map(|audio| audio.samples().len()).map_err(|error| error.to_string())
}

#[test]
fn a_command_hears_the_words_and_no_shell_sees_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let heard = folder.path().join("heard");
    fs::write(folder.path().join("a.wav"), wav(800)).expect("written");
    let script = format!("cat >{}; echo $1 >>{0}; cat {}/a.wav", heard.display(), folder.path().display());
    let text = "it's $(touch /x) \"so\"; -v";
    assert_eq!(spoken(command(&["sh", "-c", &script, "sh", "{language}"]), text), Ok(800));
    assert_eq!(fs::read_to_string(heard).expect("it heard"), format!("{text}en\n"));
}

#[test]
fn a_command_that_fails_is_slow_or_says_too_much_costs_its_words_only() {
    assert!(
        spoken(command(&["no-such-program"]), "x").is_err_and(|error| error.contains("cannot be started"))
    );
    assert!(spoken(command(&["false"]), "x").is_err_and(|error| error.contains("ended with")));
    assert_eq!(spoken(command(&["sleep", "60"]), "x"), Err("the provider took too long".into()));
    assert_eq!(
        spoken(command(&["cat", "/dev/zero"]), "x"),
        Err("the provider's file is larger than 16 MiB".into())
    );
    assert!(
        spoken(command(&["echo", "hello"]), "x")
            .is_err_and(|error| error.contains("neither WAV nor Ogg Opus"))
    );
}

/// A service that answers each request with a body and tells what it was asked; nothing for a body is silence.
fn service(status: &'static str, body: Option<Vec<u8>>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/say/{{language}}", listener.local_addr().expect("bound"));
    let (tell, asked) = channel();
    thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(&stream);
            let (mut head, mut line) = (String::new(), String::new());
            while reader.read_line(&mut line).is_ok_and(|len| len > 2) {
                head.push_str(&line.to_lowercase());
                line.clear();
            }
            let length =
                head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            let mut words = vec![0; length.unwrap_or(0)];
            let _ = reader.read_exact(&mut words);
            let _ = tell.send(format!("{head}{}", String::from_utf8_lossy(&words)));
            if let Some(body) = &body {
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = (&stream).write_all(&[head.into_bytes(), body.clone()].concat());
            }
            open.push(stream.try_clone());
        }
    });
    (url, asked)
}

#[test]
fn a_service_is_sent_the_words_and_its_key() {
    let (url, asked) = service("200 OK", Some(wav(400)));
    let authorization = Some("Bearer secret".to_owned());
    assert_eq!(spoken(SpeechProvider::Http { url, authorization }, "Grüße"), Ok(400));
    let asked = asked.recv().expect("it was asked");
    assert!(asked.starts_with("post /say/en http/1.1"), "{asked}");
    assert!(asked.contains("authorization: bearer secret") && asked.ends_with("Grüße"), "{asked}");
}

#[test]
fn a_service_that_fails_is_slow_or_says_too_much_costs_its_words_only() {
    let http = |url| SpeechProvider::Http { url, authorization: None };
    let (url, _asked) = service("503 Service Unavailable", Some(b"busy".to_vec()));
    assert!(spoken(http(url), "x").is_err_and(|error| error.contains("503")));
    let (url, _asked) = service("302 Found\r\nLocation: http://127.0.0.1:1/", Some(Vec::new()));
    assert!(spoken(http(url), "x").is_err(), "it is not followed elsewhere");
    let (url, _asked) = service("200 OK", Some(vec![0; MAX_FILE_BYTES + 1]));
    assert_eq!(spoken(http(url), "x"), Err("the provider's file is larger than 16 MiB".into()));
    let (url, _asked) = service("200 OK", None);
    assert_eq!(spoken(http(url), "x"), Err("the provider took too long".into()));
    assert!(spoken(http("http://127.0.0.1:1/".to_owned()), "x").is_err());
}

#[test]
fn what_was_spoken_is_kept_by_what_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, cache) = (folder.path().join("a.wav"), folder.path().join("cache"));
    fs::write(&source, wav(800)).expect("written");
    let source_path = source.display().to_string();
    let voice = Voice::new(&speech(command(&["cat", &source_path]), Some(&cache)));
    let samples = |text: &str| voice.speak(&utterance(text)).map(|audio| audio.samples().len()).ok();
    assert_eq!(samples("secret words"), Some(800));
    fs::remove_file(&source).expect("it was there");
    assert_eq!(samples("secret words"), Some(800), "kept");
    assert_eq!(samples("other words"), None, "not kept");
    let french = Utterance { language: "fr".to_owned(), text: "secret words".to_owned() };
    assert!(voice.speak(&french).is_err(), "nor in another language");
    let other = Voice::new(&speech(command(&["cat", &source_path, "-u"]), Some(&cache)));
    assert!(other.speak(&utterance("secret words")).is_err(), "nor by another voice");
    let names: Vec<_> = fs::read_dir(&cache).expect("a folder").flatten().map(|it| it.file_name()).collect();
    assert!(names.len() == 1 && !names[0].to_string_lossy().contains("secret"), "{names:?}");
    // A file that was damaged is spoken anew.
    fs::write(cache.join(&names[0]), "damaged").expect("written");
    fs::write(&source, wav(400)).expect("written");
    assert_eq!(samples("secret words"), Some(400));
}

#[test]
fn the_cache_keeps_as_much_as_it_may_and_forgets_the_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    let provider = command(&["true"]);
    let cache = Cache::new(folder.path().to_owned(), 1_000, &provider);
    fs::write(folder.path().join("somebody-elses.txt"), vec![0; 5_000]).expect("written");
    let used_at = |text: &str, seconds: u64| {
        let path = cache.path(&utterance(text));
        let at = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        fs::File::options().append(true).open(path).and_then(|file| file.set_modified(at)).expect("dated");
    };
    for (index, text) in ["a", "b"].into_iter().enumerate() {
        cache.keep(&utterance(text), &[0; 500]);
        used_at(text, index as u64);
    }
    assert!(cache.find(&utterance("a")).is_some(), "a thousand bytes fit, and it is used now");
    cache.keep(&utterance("c"), &[0; 1]);
    let known = ["a", "b", "c"].map(|text| cache.find(&utterance(text)).is_some());
    assert_eq!(known, [true, false, true]);
    assert!(folder.path().join("somebody-elses.txt").exists());
}

#[test]
fn what_is_asked_for_comes_back_and_too_much_fails_at_once() {
    let (rung, bell) = channel();
    let rung = Mutex::new(rung);
    let wake: Wake = Arc::new(move || {
        let _ = rung.lock().expect("unbroken").send(());
    });
    let mut speaker = Speaker::start(None, &wake).expect("threads");
    speaker.ask(utterance("hello"));
    bell.recv_timeout(Duration::from_secs(10)).expect("it rings");
    let (asked, spoken) = speaker.poll().expect("something came back");
    assert_eq!(asked, utterance("hello"));
    assert!(matches!(spoken, Err(SpeechError::NoProvider)));
    // All speakers are busy for longer than this takes.
    speaker
        .reload(Some(&Speech { timeout: Duration::from_secs(2), ..speech(command(&["sleep", "2"]), None) }));
    for n in 0..=MAX_WAITING + SPEAKERS {
        speaker.ask(utterance(&n.to_string()));
    }
    let (_, spoken) = speaker.poll().expect("one too many at least");
    assert!(matches!(spoken, Err(SpeechError::Busy)));
}
