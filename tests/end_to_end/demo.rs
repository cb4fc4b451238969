//! `tandem demo`: every number of the demo keeps its promise, and the exit status says so.

use std::process::Command;

use tandem_peers::{Configuration, Ports};

#[test]
fn all_of_the_demo_holds() {
    let ports = Ports::free().expect("free ports");
    let configuration = Configuration::new(&ports, |_, text| text).expect("a configuration");
    let output = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .arg("demo")
        .arg("--config")
        .arg(configuration.file())
        .output()
        .expect("tandem runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("INVITE +15550100"), "the ladder is there: {said}");
    assert!(said.contains("all 10 held"), "{said}");
    assert!(!said.contains('\u{1b}'), "no colours where nobody sees them");
}
