//! What phones and carriers tell of themselves in every message: what they are, who owns them, what is behind them, why
//! they say no. Each word bears a mark of its side, so that whatever gets through to the other one is known by it.

/// In every word that a phone says of itself.
pub(crate) const OF_PHONES: &str = "inner-";
/// In every word that a carrier says of itself.
pub(crate) const OF_CARRIERS: &str = "outer-";

/// The same message with all that its sender could say in it. `mark` begins each word.
pub(crate) fn talkative(mark: &str, bytes: Vec<u8>) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(&bytes) else { return bytes };
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return bytes };
    let body = description(mark, body);
    let mut lines = head.split("\r\n");
    let start = lines.next().unwrap_or_default();
    let mut told = format!("{start}\r\n");
    for line in lines {
        told.push_str(&header(mark, line, body.len()));
        told.push_str("\r\n");
    }
    told.push_str(&format!("Organization: {mark}office\r\nX-Behind: {mark}host.example\r\n"));
    if start.starts_with("SIP/2.0 ") {
        told.push_str(&format!("Warning: 399 {mark}host \"{mark}says\"\r\n"));
    } else {
        told.push_str(&format!(
            "P-Asserted-Identity: \"{mark}name\" <sip:{mark}user@{mark}host.example>\r\n"
        ));
    }
    if start.starts_with("BYE ") || start.starts_with("CANCEL ") {
        told.push_str(&format!("Reason: Q.850;cause=16;text=\"{mark}reason\"\r\n"));
    }
    format!("{told}\r\n{body}").into_bytes()
}

fn header(mark: &str, line: &str, body_length: usize) -> String {
    let (name, value) = line.split_once(": ").unwrap_or((line, ""));
    match name {
        "User-Agent" | "Server" => format!("{name}: {mark}product/1.0"),
        "Content-Length" => format!("{name}: {body_length}"),
        "Contact" if value.starts_with('<') => format!("{name}: \"{mark}contact\" {value}"),
        _ => line.to_owned(),
    }
}

/// Whose session it is and what it is called (RFC 8866 §5.2 to §5.4), and a name for its stream (RFC 4574).
fn description(mark: &str, body: &str) -> String {
    if !body.starts_with("v=0") {
        return body.to_owned();
    }
    let line = |line: &str| match line.split_once('=') {
        Some(("o", origin)) => {
            let rest = origin.split_once(' ').map_or("", |(_, rest)| rest);
            format!("o={mark}owner {rest}")
        }
        Some(("s", _)) => format!("s={mark}session\r\ni={mark}information"),
        _ => line.to_owned(),
    };
    let lines: Vec<String> = body.lines().map(line).collect();
    format!("{}\r\na=label:{mark}stream\r\n", lines.join("\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stays_one() {
        let body = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
        let invite = format!(
            "INVITE sip:a@127.0.0.1 SIP/2.0\r\nUser-Agent: x\r\nContact: <sip:b@127.0.0.2>\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let told = String::from_utf8(talkative("inner-1-", invite.into_bytes())).expect("text");
        let (head, body) = told.split_once("\r\n\r\n").expect("head and body");
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
        assert!(head.contains("\r\nUser-Agent: inner-1-product/1.0\r\n"));
        assert!(head.contains("\r\nContact: \"inner-1-contact\" <sip:b@127.0.0.2>\r\n"));
        assert!(body.starts_with("v=0\r\no=inner-1-owner 1 2 IN IP4 127.0.0.1\r\ns=inner-1-session\r\ni="));
        assert!(body.ends_with("\r\nm=audio 4000 RTP/AVP 0\r\na=label:inner-1-stream\r\n"));
    }
}
