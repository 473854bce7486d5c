//! Pickers of endpoints (balance 13), with a gRPC server of another make.

use crate::programs::Running;
use bfe_tests::{Backend, Bfe, Cluster, Tree, python_module, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A picker, and what it hears.
struct Picker {
    dir: TempDir,
    port: u16,
    _running: Running,
}

impl Picker {
    /// `None` where the machine has no gRPC for Python.
    fn start() -> Option<Self> {
        let python = python_module("grpc")?;
        let dir = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["picker".to_owned()]).unwrap();
        fs::write(dir.path().join("cert"), made.cert.pem()).unwrap();
        fs::write(dir.path().join("key"), made.signing_key.serialize_pem()).unwrap();
        fs::write(dir.path().join("log"), "").unwrap();
        let mut port = Backend::refusing();
        port.free_port();
        let port = port.port();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/endpoint_picker.py");
        let mut command = Command::new(python);
        command.arg(script).arg(port.to_string());
        command.args(["cert", "key", "log"].map(|name| dir.path().join(name)));
        Some(Self { _running: Running::start(&mut command, port), dir, port })
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// What it has heard up to the end of a response, since this was last asked.
    fn heard(&self) -> Vec<Value> {
        let mut heard = Vec::new();
        wait_until("the picker hears the end of a response", || {
            let text = fs::read_to_string(self.log()).unwrap();
            heard = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect();
            heard.last().is_some_and(|said| said["what"] == "response body" && said["end"] == true)
        });
        fs::write(self.log(), "").unwrap();
        heard
    }
}

/// A tree whose host `ok` leads to two backends by way of a picker.
fn tree(addr: &str, backends: &[&Backend]) -> Tree {
    let gslb = json!({"BalanceMode": "epp", "EPPAddr": [addr]});
    Tree::new()
        .host("p", "ok")
        .route("p", "default_t()", "c")
        .cluster(Cluster::new("c").sub("c.s", 100, backends))
        .cluster_conf("c", json!({"GslbBasic": gslb}))
}

fn get(epp: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: ok\r\nX-Epp: {epp}\r\nConnection: keep-alive\r\nX-A: 1\r\nX-A: 2\r\n\r\n"
    )
}

fn post(epp: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: ok\r\nX-Epp: {epp}\r\nContent-Length: 5\r\n\r\nhello")
}

#[test]
fn bal_111_and_112_what_pickers_hear_and_choose() {
    let Some(picker) = Picker::start() else { return };
    let [a, b, out] = ["a", "b", "out"].map(Backend::ok);
    let bfe = Bfe::start(&tree(&format!("127.0.0.1:{}", picker.port), &[&a, &b]));
    let mut client = bfe.client();
    for _ in 0..3 {
        assert_eq!(client.ask(get(&format!("{}, other", b.addr()))).text(), "b");
        let heard = picker.heard();
        let head = &heard[0];
        assert_eq!(head["what"], "request head");
        assert_eq!(head["fields"], json!({"X-Epp": format!("{}, other", b.addr()), "X-A": "1"}));
        assert_eq!((&head["raw"], &head["end"]), (&json!(true), &json!(true)));
        assert_eq!((&heard[1]["what"], &heard[1]["end"]), (&json!("response head"), &json!(false)));
        assert_eq!(heard[1]["fields"], json!({"Content-Length": "1"}));
        assert_eq!(heard[2], json!({"what": "response body", "body": "b", "end": false}));
        assert_eq!(heard[3], json!({"what": "response body", "body": "", "end": true}));
    }
    // One that is in no file.
    assert_eq!(client.ask(get(&out.addr())).text(), "out");
    picker.heard();
    // With a body both are told of, whichever answer it is that counts.
    for (epp, want) in [(b.addr(), "b"), (format!("only-body={}", out.addr()), "out")] {
        assert_eq!(client.ask(post(&epp)).text(), want);
        let heard = picker.heard();
        assert_eq!(heard[0]["end"], false);
        assert_eq!(heard[0]["fields"]["Content-Length"], "5");
        assert_eq!(heard[1], json!({"what": "request body", "body": "hello", "end": true}));
    }
    // Without a choice the backends take turns.
    for epp in ["none", "fail", &format!("body={}", out.addr())] {
        let answers = [client.ask(post(epp)).text().to_owned(), client.ask(post(epp)).text().to_owned()];
        assert!(answers.contains(&"a".into()) && answers.contains(&"b".into()), "{epp}: {answers:?}");
    }
    // An attempt that fails is made again, and asked about again, until the retries are used up.
    fs::write(picker.log(), "").unwrap();
    let refusing = Backend::refusing();
    let before = bfe.counters("bal_state")["ERR_BK_RETRY_TOO_MANY"];
    assert_eq!(client.ask(get(&refusing.addr())).status, 500);
    let asked = fs::read_to_string(picker.log()).unwrap().matches("request head").count();
    assert_eq!(asked, 3, "RetryMax is 2");
    assert_eq!(bfe.counters("bal_state")["ERR_BK_RETRY_TOO_MANY"], before + 2);
    drop(client);
    bfe.wait_idle();
}

#[test]
fn a_picker_that_is_not_there_or_mute_costs_a_bounded_time() {
    let a = Backend::ok("a");
    let gone = Backend::refusing();
    let bfe = Bfe::start(&tree(&gone.addr(), &[&a]));
    let begin = Instant::now();
    for _ in 0..50 {
        assert_eq!(bfe.ask(post(&a.addr())).text(), "a");
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    let Some(picker) = Picker::start() else { return };
    let bfe = Bfe::start(&tree(&format!("127.0.0.1:{}", picker.port), &[&a]));
    let mut mute = bfe.client();
    mute.set_patience(Duration::from_secs(30));
    mute.send(get("mute"));
    // Others do not wait for it.
    assert_eq!(bfe.ask(get(&a.addr())).text(), "a");
    assert_eq!(mute.read_response("GET").text(), "a");
}

#[test]
fn responses_do_not_wait_for_pickers() {
    let Some(picker) = Picker::start() else { return };
    let long = "0123456789abcdef".repeat(1 << 16);
    let a = Backend::ok(&long);
    let bfe = Bfe::start(&tree(&format!("127.0.0.1:{}", picker.port), &[&a]));
    assert_eq!(bfe.ask(get(&a.addr())).text(), long);
    let heard = picker.heard();
    let told: usize = heard.iter().map(|said| said["body"].as_str().map_or(0, str::len)).sum();
    // Pieces may have been dropped, none comes twice.
    assert!((1..=long.len()).contains(&told), "{told}");
    // Another picker after a reload.
    let other = tree("127.0.0.1:1", &[&a]).version(2);
    bfe.rewrite(&other);
    assert_eq!(bfe.reload("gslb_data_conf"), None);
    assert_eq!(bfe.reload("server_data_conf"), None);
    assert_eq!(bfe.ask(get(&a.addr())).text(), long);
    assert_eq!(fs::read_to_string(picker.log()).unwrap(), "");
}
