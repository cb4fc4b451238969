//! Every mistake is told with its place, its field and what to write instead.

#[path = "problems/addresses.rs"]
mod addresses;
#[path = "problems/contact_centre.rs"]
mod contact_centre;
#[path = "problems/entry_points.rs"]
mod entry_points;
#[path = "problems/pickup_groups.rs"]
mod pickup_groups;
#[path = "problems/prompts.rs"]
mod prompts;
#[path = "problems/recordings.rs"]
mod recordings;
#[path = "support/mod.rs"]
mod support;
#[path = "problems/transfers.rs"]
mod transfers;

use std::time::Duration;

use support::{SAMPLE, changed, parse};

/// Asserts that the sample with `from` replaced by `to` has the one problem `expected`. `LINE:COLUMN` in it stands
/// for the place of `at` in the changed text.
#[track_caller]
fn one_problem(from: &str, to: &str, at: &str, expected: &str) {
    let text = changed(from, to);
    let start = text.find(to).expect("the changed text");
    let offset = start + text[start..].find(at).expect("the place within it");
    let line = text[..offset].matches('\n').count() + 1;
    let column = text[..offset].chars().rev().take_while(|c| *c != '\n').count() + 1;
    let problems = parse(&text).expect_err("a problem").to_string();
    assert_eq!(problems, format!("demo/tandem.toml:{line}:{column}: {expected}"));
}

#[test]
fn an_unknown_key_suggests_the_nearest() {
    one_problem(
        "max_legs_per_call = 8",
        "max_leg_per_call = 8",
        "max_leg",
        "limits.max_leg_per_call: unknown key \"max_leg_per_call\"; write \"max_legs_per_call\"",
    );
    one_problem(
        "[http]\n",
        "[http]\ncolour = 1\n",
        "colour",
        "http.colour: unknown key \"colour\"; known here: listen",
    );
    one_problem("[limits]", "[limit]", "limit", "limit: unknown key \"limit\"; write \"limits\"");
}

#[test]
fn a_wrong_type_says_what_was_found_and_what_is_expected() {
    one_problem(
        "drain_timeout_s = 60 ",
        "drain_timeout_s = \"long\" ",
        "\"long\"",
        "node.drain_timeout_s: found \"long\"; write a whole number from 0 to 86400",
    );
    one_problem(
        "phones_behind_nat = true",
        "phones_behind_nat = 1",
        "1",
        "rtp.phones_behind_nat: found 1; write true or false",
    );
    one_problem(
        "io = \"auto\"",
        "io = \"epoll\"",
        "\"epoll\"",
        "rtp.io: found \"epoll\"; write \"auto\", \"mmsg\" or \"io_uring\"",
    );
    one_problem(
        "port_rest_ms = 2000",
        "port_rest_ms = 60001",
        "60001",
        "rtp.port_rest_ms: found 60001; write a whole number from 0 to 60000",
    );
    one_problem(
        "level = \"info\"",
        "level = \"loud\"",
        "\"loud\"",
        "log.level: found \"loud\"; write error, warn, info, debug or trace",
    );
    one_problem(
        "srtp = \"off\"",
        "srtp = \"always\"",
        "\"always\"",
        "trunk.carrier-a.srtp: found \"always\"; write off, offered or required",
    );
    one_problem(
        "srtp_keys = \"sdes\"",
        "srtp_keys = \"dtls\"",
        "\"dtls\"",
        "trunk.carrier-a.srtp_keys: only protected media has keys by dtls; write srtp = \"required\" as well; a peer \
         that asks for a handshake gets one all the same, unless srtp is off",
    );
    one_problem(
        "refer = \"execute\"",
        "refer = \"yes\"",
        "\"yes\"",
        "trunk.carrier-a.refer: found \"yes\"; write execute or refuse",
    );
}

#[test]
fn a_profile_names_what_there_is() {
    one_problem(
        "# codecs = [\"PCMU\", \"opus\"]",
        "codecs = [\"PCMU\", \"G729\"]",
        "\"G729\"",
        "trunk.carrier-a.codecs[2]: found \"G729\"; write \"PCMU\", \"PCMA\", \"G722\" or \"opus\"; \
         other codecs are not spoken",
    );
    one_problem(
        "# codecs = [\"PCMU\", \"opus\"]",
        "codecs = [\"PCMU\", \"pcmu\"]",
        "\"pcmu\"",
        "trunk.carrier-a.codecs[2]: \"pcmu\" stands here twice; remove one",
    );
    let empty = changed("# codecs = [\"PCMU\", \"opus\"]", "codecs = []");
    assert!(parse(&empty).unwrap_err().to_string().contains("codecs is empty, so no call could be made"));
    one_problem(
        "ptime_ms = 20               # milli",
        "ptime_ms = 25               # milli",
        "25",
        "trunk.carrier-a.ptime_ms: found 25; write 10, 20, 30, 40, 50 or 60",
    );
    one_problem(
        "repacketise = \"limit\"       # packets",
        "repacketise = \"yes\"         # packets",
        "\"yes\"",
        "trunk.carrier-a.repacketise: found \"yes\"; write off, limit or always",
    );
    one_problem(
        "max_forwards = 70           # hops",
        "max_forwards = 0            # hops",
        "0 ",
        "trunk.carrier-a.max_forwards: found 0; write a whole number from 1 to 255",
    );
    one_problem(
        "dtmf = \"rfc4733\"            # digits",
        "dtmf = \"pulses\"             # digits",
        "\"pulses\"",
        "trunk.carrier-a.dtmf: found \"pulses\"; write rfc4733, inband, info, info-dtmf or off",
    );
    one_problem(
        "srtp_keys = \"dtls\"          # (",
        "srtp_keys = \"zrtp\"          # (",
        "\"zrtp\"",
        "browsers.srtp_keys: found \"zrtp\"; write sdes or dtls",
    );
    one_problem(
        "early_media = \"accept\"      # what",
        "early_media = \"gated\"       # what",
        "\"gated\"",
        "trunk.carrier-a.early_media: found \"gated\"; write accept or ignore",
    );
    one_problem(
        "reliable_provisional = \"supported\" # ring",
        "reliable_provisional = \"on\" # ring",
        "\"on\"",
        "trunk.carrier-a.reliable_provisional: found \"on\"; write off, supported or required",
    );
}

#[test]
fn credentials_of_a_trunk_have_a_name_and_a_password() {
    let problem = |key: &str, missing: &str| {
        let text = changed("srtp = \"off\"", &format!("{key} = \"us\"\nsrtp = \"off\""));
        let problems = parse(&text).expect_err("a problem").to_string();
        assert!(
            problems.contains(&format!("trunk.carrier-a.{missing}: \"{missing}\" is missing")),
            "{problems}"
        );
    };
    problem("username", "password");
    problem("password", "username");
    problem("realm", "password");
}

#[test]
fn routes_of_a_trunk_and_route_sets_are_checked() {
    let peer = "peer = \"127.0.0.10:5070\"    # where calls to it go\ntransport = \"udp\" ";
    assert!(SAMPLE.contains(peer));
    let problem = |from: &str, to: &str, expected: &str| {
        let problems = parse(&changed(from, to)).expect_err("a problem").to_string();
        assert!(problems.contains(expected), "{problems}");
    };
    let route = |to: &str| format!("srtp = \"off\"\n[[trunk.route]]\nto = \"{to}\"\n");
    problem("srtp = \"off\"", &route("sip:127.0.0.10"), "there are both peer and routes; leave out peer");
    problem(
        "srtp = \"off\"",
        &route("sip:127.0.0.10;transport=pigeon"),
        "trunk.carrier-a.route.sip:127.0.0.10;transport=pigeon.to: found \"sip:127.0.0.10;transport=pigeon\"; write a SIP URI",
    );
    problem(
        "srtp = \"off\"",
        &route("sip:127.0.0.99"),
        "127.0.0.99 is none of the trunk's sources, so its answers would not be heard; add \"127.0.0.99\" to sources",
    );
    problem(
        "srtp = \"off\"",
        "failover_on = [\"5xx\", \"603\"]\nsrtp = \"off\"",
        "trunk.carrier-a.failover_on[2]: found \"603\"; write a status from 300 to 599, \"3xx\", \"4xx\" or \"5xx\"",
    );
    let health = |text: &str| format!("srtp = \"off\"\nhealth = {{ {text} }}");
    problem(
        "srtp = \"off\"",
        &health("interval_s = 0"),
        "trunk.carrier-a.health.interval_s: found 0; write a whole number from 1 to 3600",
    );
    problem(
        "srtp = \"off\"",
        &health("dead_on = [\"2xx\"]"),
        "trunk.carrier-a.health.dead_on[1]: found \"2xx\"; write a status from 300 to 599",
    );
    let set = |text: &str| format!("[[route_set]]\n{text}\n[phones]");
    problem("[phones]", &set("name = \"all\"\ntrunks = [\"carrier-x\"]"), "there is no trunk \"carrier-x\"");
    problem("[phones]", &set("name = \"all\"\ntrunks = []"), "trunks is empty, so nothing could be called");
    problem("[phones]", &set("name = \"carrier-a\"\ntrunks = [\"carrier-a\"]"), "\"carrier-a\" is taken");
    let route = "[[trunk.route]]\nto = \"sip:127.0.0.10:5071;transport=tcp\"\npriority = 2\n";
    let whole = format!("{route}{}", set("name = \"all\"\ntrunks = [\"carrier-a\"]"));
    let text = changed("[phones]", &whole).replace(peer, "");
    let config = parse(&text).expect("a sound configuration");
    assert_eq!(config.route_sets[0].trunks, ["carrier-a"]);
    assert_eq!(config.trunks[0].routes[0].priority, 2);
    assert_eq!(config.trunks[0].peer.address(), Some("127.0.0.10:5071".parse().expect("an address")));
}

#[test]
fn a_caller_id_is_a_number_and_stands_beside_its_prefixes() {
    one_problem(
        "identity = \"from\" ",
        "identity = \"pai\" ",
        "\"pai\"",
        "trunk.carrier-a.identity: found \"pai\"; write from, p-asserted-identity, p-preferred-identity or \
         remote-party-id",
    );
    one_problem(
        "# caller_id = \"+15550100\"",
        "caller_id = \"sales\"",
        "\"sales\"",
        "trunk.carrier-a.caller_id: found \"sales\"; write a number such as \"+15550100\"",
    );
    let alone = changed("# caller_id_prefixes = ", "caller_id_prefixes = ");
    let told = parse(&alone).unwrap_err().to_string();
    assert!(
        told.contains("caller_id_prefixes has no caller_id beside it; write caller_id as a number"),
        "{told}"
    );
}

#[test]
fn session_timers_are_held_to_sense() {
    one_problem(
        "session_timers = \"accept\"  ",
        "session_timers = \"on\"  ",
        "\"on\"",
        "trunk.carrier-a.session_timers: found \"on\"; write off, accept, offer or require",
    );
    one_problem(
        "session_refresher = \"either\" #",
        "session_refresher = \"uac\" #",
        "\"uac\"",
        "trunk.carrier-a.session_refresher: found \"uac\"; write either, us or peer",
    );
    one_problem(
        "session_expires_s = 1800  ",
        "session_expires_s = 86401  ",
        "86401",
        "trunk.carrier-a.session_expires_s: found 86401; write a whole number from 2 to 86400",
    );
    let told = parse(&changed("min_se_s = 90  ", "min_se_s = 1801  ")).unwrap_err().to_string();
    assert!(
        told.contains(
            "min_se_s (1801 s) is longer than session_expires_s (1800 s); write a shorter min_se_s"
        ),
        "{told}"
    );
    assert!(parse(&changed("min_se_s = 90  ", "min_se_s = 1800  ")).is_ok());
}

#[test]
fn a_trunk_s_own_timers_are_held_to_sense() {
    let own = |keys: &str| {
        changed("session_refresher = \"either\" #", &format!("{keys}\nsession_refresher = \"either\" #"))
    };
    let problem = |keys: &str, expected: &str| {
        let told = parse(&own(keys)).expect_err("a problem").to_string();
        assert!(told.contains(expected), "{told}");
    };
    problem("t1_ms = 9", "trunk.carrier-a.t1_ms: found 9; write a whole number from 10 to 10000");
    problem(
        "timer_b_ms = 640001",
        "trunk.carrier-a.timer_b_ms: found 640001; write a whole number from 100 to 640000",
    );
    problem(
        "max_ringing_s = 601",
        "trunk.carrier-a.max_ringing_s: found 601; write a whole number from 1 to 600",
    );
    problem(
        "t1_ms = 500\nt2_ms = 400",
        "t1_ms (500) is longer than t2_ms (400); write a shorter t1_ms or a longer t2_ms",
    );
    let config = parse(&own("t1_ms = 100\ntimer_b_ms = 640000\nmax_ringing_s = 600")).expect("a sound one");
    let timers = config.trunks[0].profile.timers;
    assert_eq!((timers.t1, timers.t2), (Some(Duration::from_millis(100)), None));
}

#[test]
fn numbers_are_held_to_their_range() {
    let low = "trunk.carrier-a.max_calls_per_second: found 0; write a whole number from 1 to 100000";
    one_problem("max_calls_per_second = 1000 #", "max_calls_per_second = 0 #", "0", low);
    one_problem(
        "max_legs_per_call = 8",
        "max_legs_per_call = 65",
        "65",
        "limits.max_legs_per_call: found 65; write a whole number from 2 to 64",
    );
    assert!(parse(&changed("max_legs_per_call = 8", "max_legs_per_call = 64")).is_ok());
}

#[test]
fn protection_is_held_to_sense() {
    one_problem(
        "ban_s = 60 ",
        "ban_s = 86401 ",
        "86401",
        "protection.ban_s: found 86401; write a whole number from 0 to 86400",
    );
    one_problem(
        "unknown_users = 10 ",
        "unknown_users = 201 ",
        "201",
        "protection.unknown_users: found 201; write a whole number from 0 to 200",
    );
    one_problem(
        "exempt = [] ",
        "exempt = [\"home\"] ",
        "\"home\"",
        "protection.exempt[1]: \"home\" is not an IP address; write an address, PREFIX/BITS or FIRST-LAST",
    );
    let long = changed("max_ban_s = 86400", "max_ban_s = 59");
    let problems = parse(&long).expect_err("a problem").to_string();
    let expected = "protection: ban_s (60 s) is longer than max_ban_s (59 s); write a shorter ban_s or a longer max_ban_s";
    assert!(problems.ends_with(expected), "{problems}");
}

#[test]
fn emergency_numbers_are_numbers_or_services() {
    one_problem(
        "\"112\", ",
        "\"urn:sos\", ",
        "\"urn:sos\"",
        "emergency.numbers[1]: found \"urn:sos\"; write a number as it is dialled, or a service such as \
         \"urn:service:sos\"",
    );
    one_problem(
        "max_queue_delay_ms = 250",
        "max_queue_delay_ms = 9",
        "9",
        "limits.max_queue_delay_ms: found 9; write a whole number from 10 to 10000",
    );
}

#[test]
fn port_ranges_begin_even_and_end_odd() {
    let odd = "RTP takes an even port and RTCP the odd one above, so a range begins even and ends odd";
    one_problem(
        "ports = \"20000-29999\"",
        "ports = \"20001-30000\"",
        "\"20001",
        &format!("rtp.ports: {odd}; write for example \"20000-30001\""),
    );
    one_problem(
        "ports = \"20000-29999\"",
        "ports = \"29999-20000\"",
        "\"29999",
        "rtp.ports: the range is empty; write for example \"20000-29999\"",
    );
    one_problem(
        "ports = \"20000-29999\"",
        "ports = \"80000\"",
        "\"80000",
        "rtp.ports: found \"80000\"; write a range such as \"20000-29999\"",
    );
}

#[test]
fn names_are_given_once() {
    let text = changed("name = \"1002\"", "name = \"1001\"");
    let first = SAMPLE[..SAMPLE.find("name = \"1001\"").unwrap()].matches('\n').count() + 1;
    let problems = parse(&text).unwrap_err().0;
    let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages[0], format!("\"1001\" is taken by line {first}"));
    let gone = "there is no user \"1002\"";
    assert_eq!(messages[1..], [gone, gone], "bob's phone is gone, and picks up no colleague's calls");
}

#[test]
fn an_address_belongs_to_one_peer() {
    one_problem(
        "\"127.0.0.20-127.0.0.29\"]",
        "\"127.0.0.8/30\"]",
        "\"127.0.0.8/30",
        "phones.sources[2]: 127.0.0.8/30 overlaps 127.0.0.10 of trunk \"carrier-a\"; give each address to one peer",
    );
    one_problem(
        "\"127.0.0.20-127.0.0.29\"]",
        "\"127.0.0.20-127.0.0.2x\"]",
        "\"127.0.0.20",
        "phones.sources[2]: \"127.0.0.2x\" is not an IP address; write an address, PREFIX/BITS or FIRST-LAST",
    );
}

#[test]
fn references_must_name_something() {
    one_problem(
        "user = \"1003\"",
        "user = \"1103\"",
        "\"1103\"",
        "agent.carol.user: there is no user \"1103\"; write \"1003\", or add [[user]] name = \"1103\"",
    );
    one_problem(
        "\"frank\", \"grace\"",
        "\"franc\", \"grace\"",
        "\"franc\"",
        "queue.support.agents[1]: there is no agent \"franc\"; write \"frank\", or add [[agent]] name = \"franc\"",
    );
    one_problem(
        "\ntrunk = \"carrier-a\"",
        "\ntrunk = \"elsewhere\"",
        "\"elsewhere\"",
        "agent.zoe.trunk: there is no trunk \"elsewhere\"; add [[trunk]] name = \"elsewhere\"",
    );
}

#[test]
fn files_must_be_there() {
    one_problem(
        "flow = \"echo\"",
        "flow = \"missing\"",
        "\"missing\"",
        "entry_point.+15550103.flow: there is no file demo/flows/missing.toml; \
         create it, or write the name of one that is there",
    );
    one_problem(
        "folder = \"prompts\"",
        "folder = \"missing\"",
        "\"missing\"",
        "prompts.folder: there is no folder demo/missing; create it, or write where it is",
    );
}

#[test]
fn an_agent_is_rung_at_one_place() {
    one_problem(
        "[[agent]]\nname = \"alice\"\n",
        "[[agent]]\nname = \"alice\"\nnumber = \"+15550198\"\n",
        "",
        "agent.alice: there is both user and number; \
         write user = \"…\" for a softphone, or number = \"…\" and trunk = \"…\"",
    );
}

#[test]
fn two_agents_cannot_share_a_phone() {
    one_problem(
        "[[agent]]\nname = \"carol\"\nuser = \"1003\"",
        "[[agent]]\nname = \"carol\"\nuser = \"1001\"",
        "[[agent]]",
        "agent.carol: agent \"alice\" has the same phone; give each its own",
    );
}

#[test]
fn what_is_missing_is_named() {
    let problems = parse("").unwrap_err();
    let fields: Vec<_> = problems.0.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(
        fields,
        ["sip.listen", "rtp.address", "rtp.ports", "store.path", "flows.folder", "prompts.folder"]
    );
}

#[test]
fn all_problems_are_told_in_the_order_of_the_file() {
    let text = changed("[node]", "[knot]").replacen("max_wait_s", "max_weight_s", 1).replacen(
        "t1_ms = 500",
        "t1_ms = 1",
        1,
    );
    let problems = parse(&text).unwrap_err().0;
    let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["knot", "sip.t1_ms", "queue.sales.max_weight_s"]);
}

#[test]
fn a_hundred_problems_are_enough() {
    let text = SAMPLE.to_owned() + &"[[trunk]]\nnonsense = 1\n".repeat(60);
    assert_eq!(parse(&text).unwrap_err().0.len(), 100);
}

#[test]
fn text_that_is_not_toml_is_shown_where_it_goes_wrong() {
    let text = changed("[log]", "[log");
    let line = SAMPLE[..SAMPLE.find("[log]").unwrap()].matches('\n').count() + 1;
    let problem = parse(&text).unwrap_err().0.remove(0);
    assert_eq!((problem.line, problem.field.as_str()), (line, ""));
    assert!(problem.to_string().starts_with(&format!("demo/tandem.toml:{line}:5: ")), "{problem}");
}

#[test]
fn a_listener_within_tls_needs_a_certificate() {
    one_problem(
        "\"tcp:127.0.0.1:5060\"]",
        "\"tcp:127.0.0.1:5060\", \"tls:127.0.0.1:5061\"]",
        "[tls]",
        "tls: sip.listen has \"tls:127.0.0.1:5061\" and there is no certificate; \
         add [[tls.certificate]] with certificate = \"FILE.pem\" and key = \"FILE.key\"",
    );
}

#[test]
fn a_file_of_tls_that_is_not_there_is_named() {
    one_problem(
        "expiry_warning_days = 21",
        "[[tls.certificate]]\ncertificate = \"node.pem\"\nkey = \"missing.key\"",
        "\"missing.key\"",
        "tls.certificate.1.key: there is no file demo/missing.key; create it, or write where it is",
    );
}

#[test]
fn a_trunk_needs_a_listener_of_its_transport() {
    one_problem(
        "# Carriers.",
        "[[trunk]]\nname = \"b\"\nsources = [\"127.0.0.11\"]\npeer = \"127.0.0.11:5061\"\ntransport = \"tls\"\n\n# Carriers.",
        "[[trunk]]",
        "trunk.b: nothing listens on tls over IPv4, so it could not answer; \
         add \"tls:ADDRESS:PORT\" to sip.listen",
    );
}

#[test]
fn keys_of_tls_need_tls() {
    one_problem(
        "transport = \"udp\" ",
        "transport = \"udp\"\ntls_name = \"carrier.example\" ",
        "\"carrier.example\"",
        "trunk.carrier-a.tls_name: this is for TLS, and the transport is another; write transport = \"tls\", or remove the key",
    );
}

#[test]
fn a_name_in_a_certificate_is_a_domain() {
    let secure = SAMPLE
        .replace("\"tcp:127.0.0.1:5060\"]", "\"tcp:127.0.0.1:5060\", \"tls:127.0.0.1:5061\"]")
        .replace("expiry_warning_days = 21", "[[tls.certificate]]\ncertificate = \"a.pem\"\nkey = \"a.key\"");
    for (name, is_domain) in [
        ("sip.carrier.example", true),
        ("*.carrier.example", false),
        ("192.0.2.1", false),
        ("carrier_example", false),
        ("-carrier.example", false),
    ] {
        let text =
            secure.replace("transport = \"udp\" ", &format!("transport = \"tls\"\ntls_name = \"{name}\" "));
        let problems = parse(&text).err().map(|problems| problems.to_string());
        let expected = format!("trunk.carrier-a.tls_name: found {name:?}; write a domain");
        assert_eq!(problems.is_none(), is_domain, "{name}: {problems:?}");
        assert!(problems.is_none_or(|problems| problems.contains(&expected)), "{name}");
    }
}

#[test]
fn a_trunk_is_no_browser() {
    one_problem(
        "transport = \"udp\" ",
        "transport = \"ws\" ",
        "\"ws\"",
        "trunk.carrier-a.transport: found \"ws\"; write udp, tcp or tls",
    );
}

#[test]
fn an_origin_has_a_scheme_and_no_path() {
    one_problem(
        "max_ringing_s = 180 ",
        "websocket_origins = [\"https://desk.example\", \"https://desk.example/agents\"]\nmax_ringing_s = 180 ",
        "\"https://desk.example/agents\"",
        "sip.websocket_origins[2]: found \"https://desk.example/agents\"; \
         write \"https://HOST\", with the port if it is not 443",
    );
}
