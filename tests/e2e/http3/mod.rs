//! HTTP/3 on the UDP port beside the HTTPS port, with a client of others.

mod connections;
mod handshakes;
mod requests;
mod rules;

use bfe_tests::{Backend, Bfe, Tree, python_module};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// `bfe.conf` with HTTP/3.
const ENABLED: &str = "[HttpsBasic]\nEnableHttp3 = true\n";

/// A tree that serves HTTP/3.
fn tree(backend: &Backend) -> Tree {
    Tree::proxy(backend).sections(ENABLED)
}

/// Python with the client's library. `None` where the machine has none.
fn python() -> Option<PathBuf> {
    python_module("aioquic")
}

/// Has the client do what it is told; see there.
#[track_caller]
fn run(python: &Path, bfe: &Bfe, mut plan: Value) -> Value {
    plan["port"] = json!(bfe.https_addr().port());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/http3_client.py");
    let mut client = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    client.stdin.take().unwrap().write_all(plan.to_string().as_bytes()).unwrap();
    let output = client.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the client failed: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The responses to requests that go out at once.
#[track_caller]
fn ask(python: &Path, bfe: &Bfe, requests: &Value) -> Vec<Value> {
    let out = run(python, bfe, json!({"batches": [requests]}));
    assert_eq!(out["error"], Value::Null, "{out}");
    out["responses"].as_array().unwrap().clone()
}

/// A field of a response.
fn field<'v>(response: &'v Value, name: &str) -> Option<&'v str> {
    let fields = response["fields"].as_array().unwrap();
    fields.iter().find(|field| field[0] == name).and_then(|field| field[1].as_str())
}

/// That a client which does nothing wrong is served.
#[track_caller]
fn unharmed(python: &Path, bfe: &Bfe) {
    let good = ask(python, bfe, &json!([{"path": "/good"}]));
    assert_eq!(good[0]["status"], 200, "a good client is served: {}", good[0]);
}
