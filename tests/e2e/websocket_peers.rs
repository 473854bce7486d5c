//! WebSocket with a library as client and as backend, in the clear and inside TLS (lifecycle 18).

use crate::programs::Running;
use bfe_tests::{Backend, Bfe, Tree, python_module};
use std::path::Path;
use std::process::Command;

#[test]
fn a_websocket_library_talks_through_the_proxy() {
    let Some(python) = python_module("websockets.asyncio.server") else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/websocket_peer.py");
    let mut backend = Backend::refusing();
    backend.free_port();
    let port = backend.port();
    let _server =
        Running::start(Command::new(&python).arg(&script).args(["server", &port.to_string()]), port);
    let bfe = Bfe::start(&Tree::proxy(&backend).default_product("p"));
    let certificate = bfe.conf().join("tls_conf/server.crt").display().to_string();
    for arguments in [
        vec![format!("ws://{}/", bfe.http_addr())],
        vec![format!("wss://{}/", bfe.https_addr()), certificate],
    ] {
        let output = Command::new(&python).arg(&script).arg("client").args(&arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    bfe.wait_idle();
    let counters = bfe.counters("proxy_state");
    assert_eq!((counters["WS_CLIENT_CONN_SERVED"], counters["WSS_CLIENT_CONN_SERVED"]), (1, 1));
}
