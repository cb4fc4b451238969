//! Kamailio as the edge proxy that phones register and are called through (RFC 3327).

use std::io;
use std::net::SocketAddr;

use crate::kamailio::Kamailio;

/// A proxy that puts itself into Path and Record-Route, and knows nothing of who is registered.
pub struct EdgeProxy(Kamailio);

impl EdgeProxy {
    /// Starts one at a free port of `ip` whose registrar is at `registrar`.
    ///
    /// # Errors
    /// When it is not installed (Debian's `kamailio`) or does not start.
    pub fn start(ip: [u8; 4], registrar: SocketAddr) -> io::Result<Self> {
        Kamailio::start(ip, |_| script(registrar)).map(Self)
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

fn script(registrar: SocketAddr) -> String {
    format!(
        r#"loadmodule "rr.so"
loadmodule "path.so"
request_route {{
    if (is_method("OPTIONS") && !has_totag()) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (is_method("REGISTER")) {{
        add_path();
        $du = "sip:{registrar}";
        t_relay();
        exit;
    }}
    if (is_method("INVITE") && !has_totag()) record_route();
    loose_route();
    # Our own Route is gone with that, and leaves the way to whom it asks for.
    if (is_present_hf("Route")) {{ t_relay(); exit; }}
    $du = "sip:{registrar}";
    t_relay();
}}
"#
    )
}
