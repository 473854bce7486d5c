//! Backends that speak HTTP/2 in the clear (lifecycle 21.1): gRPC through the HTTPS port, and what HTTP/1
//! clients see of such a backend.

use super::tree;
use crate::programs::Running;
use bfe_tests::{Backend, Bfe, peer, python_module};
use serde_json::json;
use std::path::Path;
use std::process::Command;

#[test]
fn bal_93_grpc_goes_through() {
    let Some(python) = python_module("grpc") else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/grpc_peer.py");
    let mut backend = Backend::refusing();
    let conf = json!({
        "BackendConf": {"Protocol": "h2c", "TimeoutResponseHeader": 1000},
        "GslbBasic": {"RetryMax": 1}
    });
    let rules = r#"{"Version": "1", "DefaultNextProtos": ["h2", "http/1.1"], "Config": {}}"#;
    let bfe = Bfe::start(&tree(&backend, conf).file("tls_conf/tls_rule_conf.data", rules));
    // Nobody is there yet.
    assert_eq!(bfe.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n").status, 500);
    assert_eq!(bfe.counter("ERR_BK_CONNECT_BACKEND"), 2);
    backend.free_port();
    let port = backend.port();
    let server = Running::start(Command::new(&python).arg(&script).args(["server", &port.to_string()]), port);
    let certificate = bfe.conf().join("tls_conf/server.crt");
    let ask = || {
        let output = Command::new(&python)
            .arg(&script)
            .args(["client", &bfe.https_addr().port().to_string()])
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    ask();
    ask();
    bfe.wait_idle();
    // Another server in its place: what was open is noticed, and made anew.
    drop(server);
    let _server =
        Running::start(Command::new(&python).arg(&script).args(["server", &port.to_string()]), port);
    ask();
    // A client of HTTP/1 gets the answer, without what follows it.
    let call = "POST /t.T/Unary HTTP/1.1\r\nHost: ok\r\nContent-Type: application/grpc\r\nTe: trailers\r\nContent-Length: 7\r\n\r\n\0\0\0\0\x02hi";
    let answer = bfe.ask(call);
    assert_eq!((answer.status, answer.text()), (200, "\0\0\0\0\x02HI"), "{answer:?}");
    bfe.wait_idle();
}

#[test]
fn life_h2c_curl_sees_an_answer() {
    let (Some(nghttpd), Some(curl)) = (peer("nghttpd"), peer("curl")) else { return };
    let dir = tempfile::tempdir().unwrap();
    let text = "0123456789abcdef".repeat(1 << 16);
    std::fs::write(dir.path().join("file.txt"), &text).unwrap();
    let mut backend = Backend::refusing();
    backend.free_port();
    let port = backend.port();
    let mut command = Command::new(nghttpd);
    command.args(["--no-tls", "-d"]).arg(dir.path()).arg(port.to_string());
    let _nghttpd = Running::start(&mut command, port);
    let bfe = Bfe::start(&tree(&backend, json!({"BackendConf": {"Protocol": "h2c"}})));
    let mut client = bfe.client();
    for _ in 0..3 {
        let answer = client.ask("GET /file.txt HTTP/1.1\r\nHost: ok\r\nX-A: 1\r\n\r\n");
        assert_eq!((answer.status, answer.text() == text), (200, true), "{:?}", answer.head);
        assert_eq!(answer.header("Content-Length"), Some("1048576"));
        assert_eq!(client.ask("GET /missing HTTP/1.1\r\nHost: ok\r\n\r\n").status, 404);
    }
    client.send("HEAD /file.txt HTTP/1.1\r\nHost: ok\r\n\r\n");
    assert_eq!(client.read_response("HEAD").status, 200);
    let upload = dir.path().join("file.txt").display().to_string();
    let output = Command::new(curl)
        .args([
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "-H",
            "Host: ok",
            "-T",
            &upload,
            "--noproxy",
            "*",
        ])
        .arg(format!("http://{}/file.txt", bfe.http_addr()))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "200");
    drop(client);
    bfe.wait_idle();
}
