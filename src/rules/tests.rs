use super::*;

use tandem_config::Disk;
use tandem_sbc::message::{HeaderIndex, Message};

struct Anything;

impl Disk for Anything {
    fn is_file(&self, _: &Path) -> bool {
        true
    }

    fn is_folder(&self, _: &Path) -> bool {
        true
    }

    fn is_writable(&self, _: &Path) -> bool {
        true
    }
}

const FILE: &str = "trunks.toml";

/// A configuration whose one trunk goes on with `rules`.
fn text(rules: &str) -> String {
    format!(
        "[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n[rtp]\naddress = \"127.0.0.1\"\nports = \"20000-20099\"\n\
         [store]\npath = \"calls.db\"\n[flows]\nfolder = \"flows\"\n[prompts]\nfolder = \"prompts\"\n[[trunk]]\n\
         name = \"a\"\nsources = [\"127.0.0.10\"]\npeer = \"127.0.0.10:5070\"\n{rules}"
    )
}

fn compiled(rules: &str) -> Result<Rulebook, Vec<Problem>> {
    let config = Config::parse(Path::new(FILE), &text(rules), &Anything).expect("a well-formed file");
    compile(Path::new(FILE), &config)
}

/// Asserts that the rule has the one mistake `expected`, at the place of `at`.
#[track_caller]
fn one_mistake(rule: &str, at: &str, expected: &str) {
    let text = text(rule);
    let offset = text.find(at).expect("the place");
    let line = text[..offset].matches('\n').count() + 1;
    let column = text[..offset].chars().rev().take_while(|c| *c != '\n').count() + 1;
    let problems = compiled(rule).expect_err("a mistake");
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told, [format!("{FILE}:{line}:{column}: trunk.a.{expected}")]);
}

const INVITE: &str = "INVITE sip:030123456@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.10:5070;branch=z9hG4bK1\r\n\
    Max-Forwards: 70\r\nFrom: \"Caller\" <sip:004940111222@carrier.example>;tag=1\r\n\
    To: <sip:030123456@10.0.0.1>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContact: <sip:127.0.0.10:5070>\r\n\
    P-Asserted-Identity: <tel:+49-40-111222>\r\nContent-Length: 0\r\n\r\n";

/// The message after the inbound rules.
fn inbound(rules: &str, message: &str) -> String {
    let book = compiled(rules).expect("rules without a mistake");
    let mut index = HeaderIndex::new();
    let message = Message::parse(message.as_bytes(), &mut index).expect("a message");
    let rewritten = book["a"].inbound.apply(&message);
    String::from_utf8(rewritten.map_or(message.bytes().to_vec(), |it| it.bytes)).expect("text")
}

fn outbound(rules: &str, message: &str) -> String {
    let book = compiled(rules).expect("rules without a mistake");
    let mut index = HeaderIndex::new();
    let message = Message::parse(message.as_bytes(), &mut index).expect("a message");
    let rewritten = book["a"].outbound.apply(&message);
    String::from_utf8(rewritten.map_or(message.bytes().to_vec(), |it| it.bytes)).expect("text")
}

#[test]
fn a_mistake_in_a_rule_is_told_with_its_line_and_column() {
    one_mistake(
        "[[trunk.rule]]\nname = \"r\"\ndirection = \"in\"\n\
         replace = [{ header = \"From\", pattern = \"(\", with = \"\" }]\n",
        "\"(\"",
        "rule.r.replace.1.pattern: bad pattern: unclosed group; the syntax is that of Rust's regex crate, without \
         look-around and back-references",
    );
    one_mistake(
        "[[trunk.rule]]\nname = \"r\"\ndirection = \"out\"\nremove = [\"X-A\", \"via\"]\n",
        "\"via\"",
        "rule.r.remove[2]: Via belongs to the transaction, the dialog or the body; leave it alone",
    );
    one_mistake(
        "[[trunk.rule]]\nname = \"r\"\ndirection = \"out\"\n\
         replace = [{ user = \"To\", pattern = \"^(.)\", with = \"${2}\" }]\n",
        "\"${2}\"",
        "rule.r.replace.1.with: there is no capture ${2}; there are ${0}, ${1}",
    );
    one_mistake(
        "[[trunk.rule]]\nname = \"r\"\ndirection = \"in\"\nmethods = [\"invite\"]\nremove = [\"X-A\"]\n",
        "\"invite\"",
        "rule.r.methods[1]: \"invite\" can never match: methods are told apart by case; write \"INVITE\"",
    );
    one_mistake(
        "[[trunk.rule]]\nname = \"all\"\ndirection = \"in\"\nstop = true\n\
         [[trunk.rule]]\nname = \"late\"\ndirection = \"in\"\nremove = [\"X-A\"]\n",
        "[[trunk.rule]]\nname = \"late\"",
        "rule.late: it is never reached: \"all\" stops before it; move it up, or give that one a condition",
    );
    one_mistake(
        "[trunk.numbers]\ncountry = \"XX\"\n",
        "\"XX\"",
        "numbers.country: there is no country \"XX\"; write the two letters of ISO 3166-1, such as \"DE\"",
    );
}

#[test]
fn numbers_that_come_are_e164_after_the_rules() {
    let after = inbound("[trunk.numbers]\ncountry = \"DE\"\n", INVITE);
    assert!(after.starts_with("INVITE sip:+4930123456@10.0.0.1 SIP/2.0\r\n"), "{after}");
    assert!(after.contains("\r\nFrom: \"Caller\" <sip:+4940111222@carrier.example>;tag=1\r\n"), "{after}");
    assert!(after.contains("\r\nTo: <sip:+4930123456@10.0.0.1>\r\n"), "{after}");
    assert!(after.contains("\r\nP-Asserted-Identity: <tel:+4940111222>\r\n"), "{after}");
}

#[test]
fn numbers_that_leave_have_the_form_the_carrier_wants() {
    let e164 = INVITE.replace("030123456", "+4930123456").replace("004940111222", "+12025550123");
    for (form, called, calling) in [
        ("e164", "4930123456", "12025550123"),
        ("00e164", "004930123456", "0012025550123"),
        ("national", "030123456", "0012025550123"),
        ("+e164", "+4930123456", "+12025550123"),
    ] {
        let after = outbound(&format!("[trunk.numbers]\ncountry = \"DE\"\nout = \"{form}\"\n"), &e164);
        assert!(after.starts_with(&format!("INVITE sip:{called}@")), "{form}: {after}");
        assert!(after.contains(&format!("<sip:{calling}@carrier.example>;tag=1")), "{form}: {after}");
    }
}

/// Emergency numbers, short codes, extensions and names mean something by themselves.
#[test]
fn what_is_no_number_of_the_plan_stays_as_it_was() {
    for user in ["112", "110", "911", "22833", "1001", "alice", "*21#", "%2A21%23", "0", "+"] {
        let message = INVITE.replace("030123456", user);
        let after = inbound("[trunk.numbers]\ncountry = \"DE\"\n", &message);
        assert!(after.starts_with(&format!("INVITE sip:{user}@10.0.0.1 ")), "{after}");
    }
}

/// RFC 3966 §5.1.4; `npdi` and `isub` (RFC 4694, RFC 4715) belong to the number and stay with it.
#[test]
fn the_parameters_of_a_number_are_understood() {
    let after = |user: &str| {
        let message = INVITE.replace("sip:030123456@10.0.0.1 SIP", &format!("{user} SIP"));
        let after = inbound("[trunk.numbers]\ncountry = \"DE\"\n", &message);
        after.split(' ').nth(1).expect("a Request-URI").to_owned()
    };
    assert_eq!(after("sip:030123456;phone-context=+49@h"), "sip:+4930123456@h");
    assert_eq!(after("sip:030123456;npdi;isub=9@h;user=phone"), "sip:+4930123456;npdi;isub=9@h;user=phone");
    assert_eq!(after("tel:123456;phone-context=+4930;npdi"), "tel:+4930123456;npdi");
    assert_eq!(
        after("tel:030-123.456;phone-context=example.com"),
        "tel:030-123.456;phone-context=example.com"
    );
}

/// Some carriers leave out the `+`; read as it is dialled, 4915… would be a number of Leer, area code 0491.
#[test]
fn a_carrier_s_word_that_digits_are_e164_is_taken() {
    let message = INVITE.replace("030123456", "4915123456789");
    let rules = "[trunk.numbers]\ncountry = \"DE\"\ne164_without_plus = true\n";
    assert!(inbound(rules, &message).starts_with("INVITE sip:+4915123456789@"));
}
