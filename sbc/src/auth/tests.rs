use rand::SeedableRng;

use super::failures::{FAILURES_MAX, WINDOW};
use super::*;

const REALM: &str = "tandem";

fn credentials_of(text: &str) -> Credentials {
    let value = header::Credentials::parse(text.as_bytes()).expect("credentials");
    Credentials::of(&value).expect("a digest")
}

struct Setting {
    authenticator: Authenticator,
    rng: ChaCha8Rng,
    now: Instant,
}

impl Setting {
    fn new() -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let authenticator = Authenticator::new(&mut rng);
        Self { authenticator, rng, now: Instant::from_millis(1_000_000) }
    }

    fn challenge(&mut self) -> Vec<String> {
        self.challenge_again(false)
    }

    fn challenge_again(&mut self, stale: bool) -> Vec<String> {
        let algorithms = [DigestAlgorithm::Sha256, DigestAlgorithm::Md5];
        self.authenticator.challenges(self.now, &mut self.rng, REALM, &algorithms, stale)
    }

    fn nonce(&mut self) -> String {
        self.challenge()
            .swap_remove(0)
            .split("nonce=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .expect("a nonce")
            .to_owned()
    }

    fn verify(&mut self, header: &str) -> Verdict {
        let attempt =
            Attempt { method: b"REGISTER", source: "127.0.0.20".parse().expect("an address"), realm: REALM };
        self.authenticator.verify(self.now, attempt, header::Credentials::parse(header.as_bytes()), |user| {
            (user == "1001").then_some("secret")
        })
    }
}

fn header(algorithm: DigestAlgorithm, user: &str, password: &str, nonce: &str, nc: &str) -> String {
    let a1 = algorithm.hash(&[user.as_bytes(), REALM.as_bytes(), password.as_bytes()]);
    let a2 = algorithm.hash(&[b"REGISTER", b"sip:127.0.0.1"]);
    let response = algorithm.hash(&[
        a1.as_bytes(),
        nonce.as_bytes(),
        nc.as_bytes(),
        b"0a4f113b",
        b"auth",
        a2.as_bytes(),
    ]);
    format!(
        "Digest username=\"{user}\", realm=\"{REALM}\", nonce=\"{nonce}\", uri=\"sip:127.0.0.1\", \
         algorithm={}, qop=auth, nc={nc}, cnonce=\"0a4f113b\", response=\"{response}\"",
        algorithm.name()
    )
}

/// RFC 7616 §3.9.1: the example's two responses, computed from its own values.
#[test]
fn the_example_of_rfc_7616() {
    let credentials = |algorithm: &str, response: &str| {
        format!(
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
             algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
             cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, response=\"{response}\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        )
    };
    for (algorithm, response) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let text = credentials(algorithm, response);
        let parsed = credentials_of(&text);
        let expected = parsed.expected_response(b"GET", "Circle of Life").expect("qop is auth");
        assert_eq!(expected, response);
        assert_eq!(parsed.response, response);
    }
}

/// RFC 8760 §2.3: the more secure algorithm comes first; RFC 3261 §22.4: qop is offered.
#[test]
fn both_algorithms_are_offered() {
    let mut setting = Setting::new();
    let challenges = setting.challenge();
    let [first, second] = challenges.as_slice() else { panic!("{challenges:?}") };
    assert!(first.starts_with("Digest realm=\"tandem\", nonce=\""), "{first}");
    assert!(first.ends_with("algorithm=SHA-256, qop=\"auth\""), "{first}");
    assert!(second.ends_with("algorithm=MD5, qop=\"auth\""), "{second}");
}

#[test]
fn either_algorithm_opens() {
    for algorithm in [DigestAlgorithm::Md5, DigestAlgorithm::Sha256] {
        let mut setting = Setting::new();
        let nonce = setting.nonce();
        let verdict = setting.verify(&header(algorithm, "1001", "secret", &nonce, "00000001"));
        assert_eq!(verdict, Verdict::Authentic("1001".into()));
    }
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_both_refused() {
    let mut setting = Setting::new();
    let nonce = setting.nonce();
    let unknown = Verdict::Unknown("1002".into());
    for (user, password, expected) in [("1001", "guess", Verdict::Refused), ("1002", "secret", unknown)] {
        let verdict = setting.verify(&header(DigestAlgorithm::Sha256, user, password, &nonce, "00000001"));
        assert_eq!(verdict, expected);
    }
}

/// RFC 7616 §3.4: the count must grow with every use of a nonce.
#[test]
fn a_replayed_count_is_stale() {
    let mut setting = Setting::new();
    let nonce = setting.nonce();
    let mut with_count = |nc| setting.verify(&header(DigestAlgorithm::Md5, "1001", "secret", &nonce, nc));
    assert_eq!(with_count("00000001"), Verdict::Authentic("1001".into()));
    assert_eq!(with_count("00000001"), Verdict::Stale);
    assert_eq!(with_count("0000000a"), Verdict::Authentic("1001".into()));
    assert_eq!(with_count("00000009"), Verdict::Stale);
    assert_eq!(with_count("00000000"), Verdict::Stale);
}

#[test]
fn a_nonce_expires() {
    let mut setting = Setting::new();
    let nonce = setting.nonce();
    setting.now += NONCE_LIFETIME - Duration::from_nanos(1);
    let verdict = setting.verify(&header(DigestAlgorithm::Md5, "1001", "secret", &nonce, "00000001"));
    assert_eq!(verdict, Verdict::Authentic("1001".into()));
    setting.now += Duration::from_nanos(1);
    let verdict = setting.verify(&header(DigestAlgorithm::Md5, "1001", "secret", &nonce, "00000002"));
    assert_eq!(verdict, Verdict::Stale);
    let challenge = setting.challenge_again(true).swap_remove(0);
    assert!(challenge.ends_with(", stale=true"), "{challenge}");
}

#[test]
fn a_nonce_of_somebody_else_does_not_open() {
    let mut setting = Setting::new();
    let mut nonce = setting.nonce();
    let last = if nonce.pop() == Some('0') { '1' } else { '0' };
    nonce.push(last);
    let verdict = setting.verify(&header(DigestAlgorithm::Md5, "1001", "secret", &nonce, "00000001"));
    assert_eq!(verdict, Verdict::Stale);
}

#[test]
fn credentials_without_qop_are_refused() {
    let mut setting = Setting::new();
    let nonce = setting.nonce();
    let a1 = DigestAlgorithm::Md5.hash(&[b"1001", REALM.as_bytes(), b"secret"]);
    let a2 = DigestAlgorithm::Md5.hash(&[b"REGISTER", b"sip:127.0.0.1"]);
    let response = DigestAlgorithm::Md5.hash(&[a1.as_bytes(), nonce.as_bytes(), a2.as_bytes()]);
    let verdict = setting.verify(&format!(
        "Digest username=\"1001\", realm=\"{REALM}\", nonce=\"{nonce}\", uri=\"sip:127.0.0.1\", response=\"{response}\""
    ));
    assert_eq!(verdict, Verdict::Refused);
}

#[test]
fn other_realms_and_schemes_are_not_ours() {
    let mut setting = Setting::new();
    for value in ["Basic QWxhZGRpbg==", "Digest realm=\"other\", username=\"1001\"", "Digest", ""] {
        assert_eq!(setting.verify(value), Verdict::Missing, "{value}");
    }
}

#[test]
fn guessing_is_cut_short_at_the_limit_and_forgiven_after_the_window() {
    let mut setting = Setting::new();
    let nonce = setting.nonce();
    let right = header(DigestAlgorithm::Md5, "1001", "secret", &nonce, "00000001");
    let wrong = header(DigestAlgorithm::Md5, "1001", "guess", &nonce, "00000001");
    for _ in 1..FAILURES_MAX {
        assert_eq!(setting.verify(&wrong), Verdict::Refused);
    }
    assert_eq!(setting.verify(&right), Verdict::Authentic("1001".into()));
    for _ in 0..FAILURES_MAX {
        assert_eq!(setting.verify(&wrong), Verdict::Refused);
    }
    let right = header(DigestAlgorithm::Md5, "1001", "secret", &nonce, "00000002");
    assert_eq!(setting.verify(&right), Verdict::Refused);
    setting.now += WINDOW;
    assert_eq!(setting.verify(&right), Verdict::Authentic("1001".into()));
}

#[test]
fn remembered_nonces_are_bounded_and_a_forgotten_one_cannot_be_replayed() {
    let mut setting = Setting::new();
    let first = setting.nonce();
    let used = header(DigestAlgorithm::Md5, "1001", "secret", &first, "00000001");
    assert_eq!(setting.verify(&used), Verdict::Authentic("1001".into()));
    for index in 0..NONCES_MAX {
        assert_eq!(setting.authenticator.used.len(), index.min(NONCES_MAX) + 1);
        setting.now += Duration::from_nanos(1);
        let nonce = setting.nonce();
        let verdict = setting.verify(&header(DigestAlgorithm::Md5, "1001", "secret", &nonce, "00000001"));
        assert_eq!(verdict, Verdict::Authentic("1001".into()));
        if setting.authenticator.forgotten > Instant::START {
            break;
        }
    }
    assert_eq!(setting.authenticator.used.len(), NONCES_MAX);
    assert_eq!(setting.verify(&used), Verdict::Stale);
}
