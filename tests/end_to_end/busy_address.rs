//! A node that cannot have what it was told to take says so in one line, and does not start.

use std::net::{TcpListener, UdpSocket};
use std::process::Command;

use tandem_peers::{Configuration, Ports};

/// Tries to start a node; returns the last line it said.
fn refused(ports: &Ports, edit: impl FnOnce(String) -> String) -> String {
    let configuration = Configuration::new(ports, |_, text| edit(text)).expect("a configuration");
    let output = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .arg("serve")
        .arg("--config")
        .arg(configuration.file())
        .output()
        .expect("tandem runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn a_taken_sip_address_is_named_with_what_to_do() {
    let ports = Ports::free().expect("free ports");
    let _taken = UdpSocket::bind(ports.sip).expect("the address");
    let said = refused(&ports, |text| text);
    assert!(said.contains(&format!("cannot listen on UDP {}", ports.sip)), "{said}");
    assert!(said.contains("free it, or change sip.listen"), "{said}");
}

#[test]
fn a_taken_http_address_is_named_with_what_to_do() {
    let ports = Ports::free().expect("free ports");
    let _taken = TcpListener::bind(ports.http).expect("the address");
    let said = refused(&ports, |text| text);
    assert!(said.contains(&format!("cannot listen on {}", ports.http)), "{said}");
    assert!(said.contains("free it, or change http.listen"), "{said}");
}

#[test]
fn a_store_that_cannot_be_written_is_named() {
    let ports = Ports::free().expect("free ports");
    let said = refused(&ports, |text| text.replace("\"calls.db\"", "\"flows\""));
    assert!(said.contains("/flows as the store"), "{said}");
}
