//! What the captured node called things, and what the replayed node calls them.
//!
//! The replayed node makes its own tags, branches, Call-IDs, nonces and ports. Each message it says is laid beside
//! the one that the captured node said in its place; what differs there is put into whatever the outside parties
//! say afterwards. A response is found by the request it answers, a request within a dialog by its dialog, a request
//! that begins a dialog by its method, its target and its turn.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use tandem_sbc::header::Credentials;
use tandem_sbc::message::{HeaderIndex, HeaderName, Message, Method, StartLine};
use tandem_sbc::sdp::SessionDescription;
use tandem_sbc::uri::Uri;

use super::traffic::Said;

/// What a message of the node is known by, in the captured node's words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// The request's branch and method; the status, but all final ones are one.
    Response { branch: String, cseq: u32, method: String, status: u16 },
    /// Within a dialog that is known.
    Request { call_id: String, cseq: u32, method: String },
}

/// What begins a dialog: method, user part of the target, where to.
type Opening = (String, String, SocketAddr);

/// The two vocabularies.
#[derive(Debug, Default)]
pub(super) struct Correspondence {
    said: Vec<Said>,
    keyed: BTreeMap<Key, usize>,
    openings: BTreeMap<Opening, VecDeque<usize>>,
    /// Messages of the captured node that the replayed one said too.
    found: BTreeSet<Key>,
    /// Captured word → replayed word: tags, branches, Call-IDs, nonces.
    words: BTreeMap<String, String>,
    /// The other way round, for Call-IDs.
    call_ids: BTreeMap<String, String>,
    /// Captured RTP port → replayed RTP port.
    ports: BTreeMap<u16, u16>,
}

impl Correspondence {
    pub(super) fn new(said: Vec<Said>) -> Self {
        let mut correspondence = Self::default();
        for (index, message) in said.iter().enumerate() {
            let mut headers = HeaderIndex::new();
            let Ok(parsed) = Message::parse(&message.bytes, &mut headers) else { continue };
            let Some(key) = key(&parsed, None) else { continue };
            if let Some(opening) = opening(&parsed, message.destination)
                && !correspondence.keyed.contains_key(&key)
            {
                correspondence.openings.entry(opening).or_default().push_back(index);
            }
            correspondence.keyed.entry(key).or_insert(index);
        }
        Self { said, ..correspondence }
    }

    /// Lays a message of the replayed node beside the captured one. False when there is none.
    pub(super) fn learn(&mut self, bytes: &[u8], destination: SocketAddr) -> bool {
        let mut headers = HeaderIndex::new();
        let Ok(replayed) = Message::parse(bytes, &mut headers) else { return false };
        let call_id = replayed.call_id().ok().and_then(|id| self.call_ids.get(id).cloned());
        let index = match opening(&replayed, destination) {
            Some(opening) if call_id.is_none() => {
                self.openings.get_mut(&opening).and_then(VecDeque::pop_front)
            }
            _ => key(&replayed, call_id.as_deref()).and_then(|key| self.keyed.get(&key).copied()),
        };
        let Some(said) = index.and_then(|index| self.said.get(index)) else { return false };
        let mut headers = HeaderIndex::new();
        let bytes = said.bytes.clone();
        let Ok(captured) = Message::parse(&bytes, &mut headers) else { return false };
        self.found.extend(key(&captured, None));
        self.pair(&captured, &replayed);
        true
    }

    fn pair(&mut self, captured: &Message<'_>, replayed: &Message<'_>) {
        if let (Ok(from), Ok(to)) = (captured.call_id(), replayed.call_id())
            && from != to
        {
            self.call_ids.insert(to.to_owned(), from.to_owned());
        }
        let words: [fn(&Message<'_>) -> Option<String>; 4] = [
            |message| message.call_id().ok().map(str::to_owned),
            |message| message.from().ok()?.tag().map(str::to_owned),
            |message| message.to().ok()?.tag().map(str::to_owned),
            |message| message.top_via().ok()?.branch().map(str::to_owned),
        ];
        for word in words {
            self.pair_words(word(captured), word(replayed));
        }
        for (from, to) in nonces(captured).into_iter().zip(nonces(replayed)) {
            self.pair_words(Some(from), Some(to));
        }
        if let (Some(from), Some(to)) = (audio_port(captured), audio_port(replayed)) {
            self.ports.insert(from, to);
        }
    }

    fn pair_words(&mut self, captured: Option<String>, replayed: Option<String>) {
        if let (Some(captured), Some(replayed)) = (captured, replayed)
            && captured != replayed
        {
            self.words.insert(captured, replayed);
        }
    }

    /// The port at which the replayed node hears what came to a captured port.
    pub(super) fn port(&self, captured: u16) -> Option<u16> {
        // RTCP is on the odd port above (RFC 3550 §11).
        let rtp = self.ports.get(&(captured & !1))?;
        Some(rtp + (captured & 1))
    }

    /// A message of an outside party, in the replayed node's words. `password` gives a user's, since an answer to
    /// another challenge is another answer.
    pub(super) fn translate(&self, bytes: &[u8], password: impl Fn(&str) -> Option<String>) -> Vec<u8> {
        let mut headers = HeaderIndex::new();
        let Ok(message) = Message::parse(bytes, &mut headers) else { return bytes.to_vec() };
        let credentials: Vec<Credentials<'_>> = message
            .credentials(HeaderName::Authorization)
            .chain(message.credentials(HeaderName::ProxyAuthorization))
            .filter_map(Result::ok)
            .collect();
        let mut replaced: Vec<(String, String)> = Vec::new();
        for word in spoken_words(&message, &credentials) {
            if let Some(other) = self.words.get(&word) {
                replaced.push((word, other.clone()));
            }
        }
        let method = message.method().map_or("", |method| method.as_str());
        let head_length = message.bytes().len() - message.body().len();
        let (head, body) = message.bytes().split_at(head_length);
        let mut head = head.to_vec();
        for (from, to) in &replaced {
            head = replace(&head, from.as_bytes(), to.as_bytes());
        }
        for credentials in &credentials {
            if let Some((from, to)) = response_to_other_nonce(credentials, &self.words, method, &password) {
                head = replace(&head, from.as_bytes(), to.as_bytes());
            }
        }
        [head.as_slice(), body].concat()
    }

    /// What the captured node said that the replayed one did not; 100 Trying is nobody's loss.
    pub(super) fn missing(&self) -> Vec<String> {
        let missing = self.keyed.iter().filter(|(key, _)| !self.found.contains(key));
        let mut by_turn: Vec<(usize, &Key)> = missing.map(|(key, index)| (*index, key)).collect();
        by_turn.sort();
        by_turn
            .into_iter()
            .filter(|(_, key)| !matches!(key, Key::Response { status: 100..=199, .. }))
            .filter_map(|(index, _)| self.said.get(index))
            .filter_map(|said| describe(&said.bytes, said.destination))
            .collect()
    }
}

/// `INVITE sip:1001@… to 127.0.0.21:5060`, `486 (INVITE) to …`.
pub(super) fn describe(bytes: &[u8], destination: SocketAddr) -> Option<String> {
    let mut headers = HeaderIndex::new();
    let message = Message::parse(bytes, &mut headers).ok()?;
    Some(format!("{} to {destination}", label(&message)))
}

/// A message in a few words.
pub(super) fn label(message: &Message<'_>) -> String {
    let body = if message.body().is_empty() { "" } else { " +sdp" };
    match message.start() {
        StartLine::Request { method, uri } => {
            let target = match Uri::parse(uri) {
                Ok(Uri::Sip(sip)) => {
                    sip.user_bytes.map_or_else(String::new, |user| format!(" {}", user.escape_ascii()))
                }
                _ => format!(" {}", uri.escape_ascii()),
            };
            format!("{method}{target}{body}")
        }
        StartLine::Response { status, reason } => {
            let method = message.cseq().map_or_else(|_| String::new(), |cseq| format!(" ({})", cseq.method));
            format!("{status} {}{method}{body}", reason.escape_ascii())
        }
    }
}

fn key(message: &Message<'_>, call_id: Option<&str>) -> Option<Key> {
    let cseq = message.cseq().ok()?;
    let method = cseq.method.as_str().to_owned();
    match message.start() {
        StartLine::Response { status, .. } => {
            let branch = message.top_via().ok()?.branch()?.to_owned();
            let status = if status < 200 { status } else { 200 };
            Some(Key::Response { branch, cseq: cseq.number, method, status })
        }
        StartLine::Request { .. } => {
            let call_id = call_id.or(message.call_id().ok())?.to_owned();
            Some(Key::Request { call_id, cseq: cseq.number, method })
        }
    }
}

/// A request outside of dialogs (no To tag) other than those that belong to one before (ACK, CANCEL).
fn opening(message: &Message<'_>, destination: SocketAddr) -> Option<Opening> {
    let method = message.method()?;
    if matches!(method, Method::Ack | Method::Cancel) || message.to().ok()?.tag().is_some() {
        return None;
    }
    let user = match message.request_uri().ok()? {
        Uri::Sip(sip) => sip.user_bytes.unwrap_or_default().escape_ascii().to_string(),
        _ => String::new(),
    };
    Some((method.as_str().to_owned(), user, destination))
}

/// The words of a message that the node may have made.
fn spoken_words(message: &Message<'_>, credentials: &[Credentials<'_>]) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    words.extend(message.call_id().ok().map(str::to_owned));
    words.extend(message.from().ok().and_then(|from| from.tag().map(str::to_owned)));
    words.extend(message.to().ok().and_then(|to| to.tag().map(str::to_owned)));
    words.extend(message.vias().filter_map(Result::ok).filter_map(|via| via.branch().map(str::to_owned)));
    words.extend(credentials.iter().filter_map(|it| it.param("nonce")).map(|nonce| nonce.into_owned()));
    words
}

fn nonces(message: &Message<'_>) -> Vec<String> {
    let challenges = message.credentials(HeaderName::WwwAuthenticate);
    let challenges = challenges.chain(message.credentials(HeaderName::ProxyAuthenticate));
    challenges.filter_map(|it| Some(it.ok()?.param("nonce")?.into_owned())).collect()
}

fn audio_port(message: &Message<'_>) -> Option<u16> {
    let description = SessionDescription::parse(message.body()).ok()?;
    description.media.iter().find(|media| media.kind == "audio" && media.port != 0).map(|media| media.port)
}

/// The response as it was, and as it is to the other nonce. A response that was wrong stays wrong.
fn response_to_other_nonce(
    credentials: &Credentials<'_>,
    words: &BTreeMap<String, String>,
    method: &str,
    password: impl Fn(&str) -> Option<String>,
) -> Option<(String, String)> {
    let param = |name| credentials.param(name).map(|value| value.into_owned());
    let (nonce, response) = (param("nonce")?, param("response")?);
    let password = password(&param("username")?)?;
    let right = tandem_sbc::digest_response(credentials, method.as_bytes(), &password)?;
    if !right.eq_ignore_ascii_case(&response) {
        return None;
    }
    let others: String = credentials
        .params
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case(b"nonce"))
        .map(|(name, value)| format!("{}={}, ", name.escape_ascii(), String::from_utf8_lossy(value)))
        .collect();
    let replayed = format!("Digest {others}nonce=\"{}\"", words.get(&nonce)?);
    let replayed = Credentials::parse(replayed.as_bytes()).ok()?;
    Some((response, tandem_sbc::digest_response(&replayed, method.as_bytes(), &password)?))
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        match rest.strip_prefix(from).filter(|_| !from.is_empty()) {
            Some(after) => {
                replaced.extend_from_slice(to);
                rest = after;
            }
            None => {
                replaced.extend_from_slice(&rest[..1]);
                rest = &rest[1..];
            }
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTY: &str = "127.0.0.10:5070";

    fn said(messages: &[String]) -> Correspondence {
        let destination = PARTY.parse().expect("an address");
        Correspondence::new(
            messages
                .iter()
                .map(|message| Said { destination, bytes: message.clone().into_bytes() })
                .collect(),
        )
    }

    fn learn(correspondence: &mut Correspondence, message: &str) -> bool {
        correspondence.learn(message.as_bytes(), PARTY.parse().expect("an address"))
    }

    fn translated(correspondence: &Correspondence, message: &str) -> String {
        let password = |user: &str| (user == "1001").then(|| "secret".to_owned());
        String::from_utf8(correspondence.translate(message.as_bytes(), password)).expect("text")
    }

    fn message(start: &str, branch: &str, tags: (&str, &str), call_id: &str, rest: &str) -> String {
        let (from, to) = tags;
        let to = if to.is_empty() { String::new() } else { format!(";tag={to}") };
        format!(
            "{start}\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{branch}\r\nFrom: <sip:a@x>;tag={from}\r\n\
             To: <sip:b@x>{to}\r\nCall-ID: {call_id}\r\n{rest}"
        )
    }

    fn answer(tag: &str, port: u16) -> String {
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
        );
        let rest = format!("CSeq: 1 INVITE\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
        message("SIP/2.0 200 OK", "theirs", ("caller", tag), "call", &rest)
    }

    #[test]
    fn the_tag_and_port_of_an_answer_are_carried_over() {
        let mut correspondence = said(&[answer("captured", 20_000)]);
        assert_eq!(correspondence.port(20_000), None, "nothing is known before it is said");
        assert!(learn(&mut correspondence, &answer("replayed", 20_400)));
        assert_eq!((correspondence.port(20_000), correspondence.port(20_001)), (Some(20_400), Some(20_401)));
        let ack = |tag| message("ACK sip:b@x SIP/2.0", "ack", ("caller", tag), "call", "CSeq: 1 ACK\r\n\r\n");
        assert_eq!(translated(&correspondence, &ack("captured")), ack("replayed"));
        assert!(correspondence.missing().is_empty());
    }

    #[test]
    fn an_answer_to_a_call_of_the_node_finds_the_call_of_the_replayed_one() {
        let invite = |branch, tag, call_id| {
            message("INVITE sip:1001@x SIP/2.0", branch, (tag, ""), call_id, "CSeq: 1 INVITE\r\n\r\n")
        };
        let captured = [invite("first", "tag-1", "id-1"), invite("second", "tag-2", "id-2")];
        let mut correspondence = said(&captured);
        assert!(learn(&mut correspondence, &invite("one", "tag-a", "id-a")));
        assert!(learn(&mut correspondence, &invite("two", "tag-b", "id-b")));
        assert!(!learn(&mut correspondence, &invite("three", "tag-c", "id-c")), "one more than there were");
        let ringing = |branch, tag, call_id| {
            message("SIP/2.0 180 Ringing", branch, (tag, "phone"), call_id, "CSeq: 1 INVITE\r\n\r\n")
        };
        assert_eq!(
            translated(&correspondence, &ringing("second", "tag-2", "id-2")),
            ringing("two", "tag-b", "id-b")
        );
    }

    #[test]
    fn what_is_no_longer_said_is_missing() {
        let correspondence = said(&[answer("captured", 20_000)]);
        assert_eq!(correspondence.missing(), [format!("200 OK (INVITE) +sdp to {PARTY}")]);
    }

    #[test]
    fn a_right_digest_stays_right_and_a_wrong_one_wrong() {
        let challenge = |nonce: &str| {
            let rest = format!(
                "CSeq: 1 REGISTER\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\"\r\n\r\n"
            );
            message("SIP/2.0 401 Unauthorized", "register", ("phone", "tag"), "id", &rest)
        };
        let mut correspondence = said(&[challenge("captured")]);
        assert!(learn(&mut correspondence, &challenge("replayed")));
        let digest = |nonce: &str, response: &str| {
            format!(
                "Digest username=\"1001\", realm=\"r\", nonce=\"{nonce}\", uri=\"sip:x\", cnonce=\"c\", nc=00000001, \
                 qop=auth, response=\"{response}\""
            )
        };
        let right = |nonce: &str| {
            let unanswered = digest(nonce, "");
            let credentials = Credentials::parse(unanswered.as_bytes()).expect("credentials");
            tandem_sbc::digest_response(&credentials, b"REGISTER", "secret").expect("made as asked")
        };
        let register = |digest: &str| {
            let rest = format!("CSeq: 2 REGISTER\r\nAuthorization: {digest}\r\n\r\n");
            message("REGISTER sip:x SIP/2.0", "again", ("phone", ""), "id", &rest)
        };
        let answered = register(&digest("captured", &right("captured")));
        assert_eq!(translated(&correspondence, &answered), register(&digest("replayed", &right("replayed"))));
        let wrong = register(&digest("captured", "0123456789abcdef"));
        assert_eq!(translated(&correspondence, &wrong), register(&digest("replayed", "0123456789abcdef")));
    }
}
