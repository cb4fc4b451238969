//! The registrar of the carrier with two proxies, written by hand: it grants what it is asked for, for as long as its
//! plan says, and is in trouble for a while.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// What the registrar does.
#[derive(Clone, Debug)]
pub struct RegistrarPlan {
    /// How long a registration lasts.
    pub expires: Duration,
    /// When it grants none, if ever.
    pub trouble: Option<Trouble>,
}

/// A time in which nothing is granted.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// From when.
    pub from: Duration,
    /// Until when.
    pub until: Duration,
    /// What it says; nothing when absent.
    pub status: Option<u16>,
}

impl RegistrarPlan {
    /// Draws one, if the node registers at all.
    pub(crate) fn of(seed: u64) -> Option<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(7);
        let mut seconds = |from: u64, to: u64| Duration::from_secs(rng.random_range(from..=to));
        let (expires, from, length) = (seconds(20, 60), seconds(0, 60), seconds(1, 40));
        let (wanted, troubled, kind) = (seconds(0, 99), seconds(0, 99), seconds(0, 2));
        let status = [None, Some(503), Some(403)].into_iter().nth(kind.as_secs() as usize).flatten();
        let trouble = Trouble { from, until: from + length, status };
        let trouble = (troubled.as_secs() < 40).then_some(trouble);
        (wanted.as_secs() < 40).then_some(Self { expires, trouble })
    }

    /// What is said to a REGISTER (RFC 3261 §10.3).
    pub(crate) fn answer(&self, now: Duration, register: &str) -> Option<Vec<u8>> {
        let trouble = self.trouble.as_ref().filter(|trouble| (trouble.from..trouble.until).contains(&now));
        let status = trouble.map_or(Some(200), |trouble| trouble.status)?;
        let header =
            |name: &str| register.split("\r\n").find(|line| line.starts_with(name)).unwrap_or_default();
        let copied: String = ["Via:", "From:", "Call-ID:", "CSeq:"]
            .iter()
            .map(|name| format!("{}\r\n", header(name)))
            .collect();
        let (to, expires) = (header("To:"), self.expires.as_secs());
        let contact = header("Contact:").split('>').next().unwrap_or_default();
        let contact = if status == 200 { format!("{contact}>;expires={expires}\r\n") } else { String::new() };
        let text = format!(
            "SIP/2.0 {status} Said\r\n{copied}{to};tag=registrar\r\n{contact}Content-Length: 0\r\n\r\n"
        );
        Some(text.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grants_but_for_its_trouble() {
        let trouble =
            Trouble { from: Duration::from_secs(5), until: Duration::from_secs(9), status: Some(503) };
        let plan = RegistrarPlan { expires: Duration::from_secs(30), trouble: Some(trouble) };
        let register = "REGISTER sip:x SIP/2.0\r\nVia: v\r\nFrom: f\r\nTo: t\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n\
                        Contact: <sip:a@b>;expires=3600\r\nContent-Length: 0\r\n\r\n";
        let said =
            |s| plan.answer(Duration::from_secs(s), register).and_then(|it| String::from_utf8(it).ok());
        assert!(said(4).is_some_and(|it| it.contains("\r\nContact: <sip:a@b>;expires=30\r\n")));
        assert!(said(5).is_some_and(|it| it.starts_with("SIP/2.0 503 ")));
        assert!(said(9).is_some_and(|it| it.starts_with("SIP/2.0 200 ")));
    }
}
