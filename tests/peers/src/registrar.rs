//! Kamailio as a carrier's registrar and proxy: who has registered there is called there.

use std::io;
use std::net::SocketAddr;

use crate::kamailio::Kamailio;

/// A registrar whose users all have one password.
pub struct Registrar(Kamailio);

impl Registrar {
    /// Starts one at a free port of `ip`, over UDP (STUN beside it) and TCP, for the domain `carrier.example`; whoever
    /// registers shorter than 60 s gets 423.
    ///
    /// # Errors
    /// When it is not installed (Debian's `kamailio`) or does not start.
    pub fn start(ip: [u8; 4], password: &str) -> io::Result<Self> {
        Kamailio::start(ip, |_| script(password, "")).map(Self)
    }

    /// The same that knows of flows (RFC 5626) and wants each to be kept alive every `flow_timer_s`.
    ///
    /// # Errors
    /// As those of [`Registrar::start`].
    pub fn start_with_flows(ip: [u8; 4], password: &str, flow_timer_s: u32) -> io::Result<Self> {
        let headers = format!(r#"append_to_reply("Require: outbound\r\nFlow-Timer: {flow_timer_s}\r\n");"#);
        Kamailio::start(ip, |_| script(password, &headers)).map(Self)
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

/// `granting` is done before a REGISTER is granted.
fn script(password: &str, granting: &str) -> String {
    format!(
        r#"alias="carrier.example"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "stun.so"
modparam("registrar", "min_expires", 60)
request_route {{
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("carrier.example", "{password}", "0")) {{
            www_challenge("carrier.example", "1");
            exit;
        }}
        {granting}
        save("location");
        exit;
    }}
    if (has_totag()) {{ t_relay(); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    $rd = "carrier.example";
    if (!lookup("location")) {{ sl_send_reply("404", "Not registered"); exit; }}
    t_relay();
}}
"#
    )
}
