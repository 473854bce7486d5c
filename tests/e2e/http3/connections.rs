//! What clients are told of HTTP/3, and how connections go on and end.

use super::{ENABLED, field, python, run, tree, unharmed};
use bfe_tests::h2::TlsClient;
use bfe_tests::{Backend, Bfe, Launch, Reply, Tree, certificate_pin, peer, wait_until};
use serde_json::json;
use std::net::UdpSocket;
use std::process::Command;
use std::thread;
use std::time::Duration;

const RULES: &str = "tls_conf/tls_rule_conf.data";

#[test]
fn clients_that_come_by_tcp_are_told() {
    let backend = Backend::start(|request| match request.line() {
        line if line.contains("/own") => {
            Reply::bytes("HTTP/1.1 200 OK\r\nAlt-Svc: clear\r\nContent-Length: 0\r\n\r\n")
        }
        _ => Reply::ok("ok"),
    });
    let tell = |tree| {
        let bfe = Bfe::start(&tree);
        let port = bfe.https_addr().port();
        let told = |path: &str| {
            let request = format!("GET {path} HTTP/1.1\r\nHost: ok\r\nConnection: close\r\n\r\n");
            let mut client = TlsClient::connect(bfe.https_addr(), &[]);
            client.send(request.as_bytes());
            let reply = String::from_utf8(client.read_to_end()).unwrap();
            let line = reply.lines().find_map(|line| line.strip_prefix("Alt-Svc: ").map(str::to_owned));
            line.map(|line| line.replace(&port.to_string(), "PORT"))
        };
        let plain = bfe.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n");
        assert_eq!(plain.header("Alt-Svc"), None, "who comes in the clear is not told");
        [told("/"), told("/own")]
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(tell(tree(&backend)), [text("h3=\":PORT\"; ma=86400"), text("clear")]);
    let more = "Http3AdvertisedPort = 9443\nHttp3AdvertisedSeconds = 60\n";
    assert_eq!(tell(tree(&backend).sections(more)), [text("h3=\":9443\"; ma=60"), text("clear")]);
    assert_eq!(tell(tree(&backend).sections("Http3AdvertisedSeconds = 0\n")), [None, text("clear")]);
    assert_eq!(tell(Tree::proxy(&backend)), [None, text("clear")]);
    let insists = r#"{"Version": "1", "DefaultNextProtos": ["http/1.1;level=2"], "Config": {}}"#;
    assert_eq!(tell(tree(&backend).file(RULES, insists)), [None, text("clear")]);
}

/// A client that changes its address keeps its connection, whichever worker the kernel gives its packets to.
#[test]
fn a_client_that_moves() {
    let Some(python) = python() else { return };
    let backend = Backend::ok("fine");
    let bfe = Bfe::start(&tree(&backend).set("MaxCpus", 4));
    for _ in 0..5 {
        let out =
            run(&python, &bfe, json!({"migrate": true, "batches": [[{}], [{"path": "/moved"}]], "limit": 5}));
        assert_eq!(out["responses"][1]["body"], "fine", "{out}");
    }
    assert_eq!(bfe.counters("http3_state")["H3_CLIENT_CONN_SERVED"], 5);
}

/// Requests under way are served to their end, and the client is told to go elsewhere with others.
#[test]
fn the_process_ends() {
    let Some(python) = python() else { return };
    let backend =
        Backend::always(Reply::new().hold().send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast"));
    let mut bfe = Bfe::start(&tree(&backend));
    thread::scope(|scope| {
        let client = scope.spawn(|| run(&python, &bfe, json!({"batches": [[{}]], "linger": 2})));
        backend.wait_held(1);
        bfe.signal("QUIT");
        bfe.wait_signals_handled("QUIT");
        thread::sleep(Duration::from_millis(300));
        backend.release();
        let out = client.join().unwrap();
        assert_eq!((&out["responses"][0]["body"], &out["closed"]), (&json!("last"), &json!(0x100)), "{out}");
    });
    assert_eq!(bfe.wait_exit(), Some(0));
}

#[test]
fn what_is_wrong_in_the_configuration() {
    let backend = Backend::ok("fine");
    for (keys, want) in [
        ("MaxTlsVersion = VersionTLS12\n", "EnableHttp3: HTTP/3 needs VersionTLS13 as MaxTlsVersion"),
        ("Http3MaxStreams = 0\n", "Http3MaxStreams[0] should > 0"),
        ("Http3MaxStreams = 10001\n", "Http3MaxStreams[10001] should be in [1, 10000]"),
        ("Http3AdvertisedPort = 65536\n", "Http3AdvertisedPort[65536] should be in [1, 65535]"),
        ("Http3AdvertisedSeconds = -1\n", "Http3AdvertisedSeconds[-1] should >= 0"),
    ] {
        let ended = Launch::new(&tree(&backend).sections(keys)).finish_with(&["-t"]);
        assert_ne!(ended.code, Some(0));
        let said = format!("{}{}{}", ended.stdout, ended.stderr, ended.log);
        assert!(said.contains(want) && said.contains("bfe.conf"), "{keys}: {said}");
    }
    // None of it counts where HTTP/3 is not enabled.
    let off =
        Tree::proxy(&backend).sections(&format!("{}Http3MaxStreams = 0\n", ENABLED.replace("true", "false")));
    assert_eq!(Launch::new(&off).finish_with(&["-t"]).code, Some(0));
}

/// A browser that is sent to HTTP/3 gets its page by it.
#[test]
fn a_browser_gets_its_page() {
    let Some(chromium) = peer("chromium") else { return };
    let page = "<!doctype html><title>t</title><p>by HTTP/3</p>";
    let backend = Backend::start(move |_| {
        Reply::bytes(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}",
            page.len()
        ))
    });
    let bfe = Bfe::start(&tree(&backend));
    let (profile, port) = (tempfile::tempdir().unwrap(), bfe.https_addr().port());
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--no-proxy-server"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("--host-resolver-rules=MAP ok 127.0.0.1")
        .arg(format!("--origin-to-force-quic-on=ok:{port}"))
        .arg(format!("--ignore-certificate-errors-spki-list={}", certificate_pin()))
        .arg(format!("https://ok:{port}/page"))
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("by HTTP/3"), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(bfe.counters("http3_state")["H3_CLIENT_REQ_SERVED"] >= 1);
    assert_eq!(bfe.counters("proxy_state")["HTTPS_CLIENT_REQ_SERVED"], 0);
}

/// A connection that a module closes ends, a client that one turns away is refused, and a redirect ends nothing.
#[test]
fn what_modules_decide() {
    let Some(python) = python() else { return };
    let backend = Backend::ok("fine");
    let tree = tree(&backend)
        .module("mod_block")
        .file(
            "mod_block/mod_block.conf",
            "[Basic]\nProductRulePath = mod_block/block_rules.data\nIPBlocklistPath = mod_block/ip.data\n",
        )
        .file(
            "mod_block/block_rules.data",
            r#"{"Version": "1", "Config": {"p": [{"Cond": "req_path_in(\"/closed\", false)", "Name": "n",
                "Action": {"Cmd": "CLOSE", "Params": []}}]}}"#,
        )
        .file("mod_block/ip.data", "")
        .module("mod_redirect")
        .file("mod_redirect/mod_redirect.conf", "[Basic]\nDataPath = mod_redirect/redirect.data\n")
        .file(
            "mod_redirect/redirect.data",
            r#"{"Version": "1", "Config": {"p": [{"Cond": "req_path_in(\"/old\", false)", "Status": 302,
                "Actions": [{"Cmd": "URL_SET", "Params": ["https://ok/new"]}]}]}}"#,
        );
    let bfe = Bfe::start(&tree);
    let out = run(
        &python,
        &bfe,
        json!({"batches": [[{"path": "/old"}], [{"path": "/"}], [{"path": "/closed"}]], "linger": 0.3}),
    );
    let answers = out["responses"].as_array().unwrap();
    assert_eq!(
        (&answers[0]["status"], field(&answers[0], "location")),
        (&json!(302), Some("https://ok/new"))
    );
    assert_eq!(
        (&answers[1]["body"], &answers[2]["status"], &out["closed"]),
        (&json!("fine"), &json!(null), &json!(0x100))
    );
    std::fs::write(bfe.conf().join("mod_block/ip.data"), "127.0.0.1\n").unwrap();
    assert_eq!(bfe.reload("mod_block.global_ip_table"), None);
    let out = run(&python, &bfe, json!({"batches": [[{}]]}));
    assert_ne!(out["error"], json!(null), "{out}");
    assert_eq!(bfe.counters("http3_state")["H3_REFUSED"], 1);
}

#[test]
fn a_port_that_somebody_else_has() {
    let backend = Backend::ok("fine");
    // A port that is free for one is not always free for the other: then another one is tried.
    let said = (0..5).find_map(|_| {
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = other.local_addr().unwrap().port();
        let ended = Launch::new(&tree(&backend).set("HttpsPort", port)).finish();
        assert_ne!(ended.code, Some(0));
        let said = format!("{}{}{}", ended.stdout, ended.stderr, ended.log);
        (!said.contains(&format!("listen on 127.0.0.1:{port}: "))).then_some(said)
    });
    let said = said.unwrap();
    assert!(said.contains("listen on UDP 127.0.0.1:") && said.contains("in use"), "{said}");
}

/// Clients that begin handshakes and never answer have to prove their address before they cost more than a hello, and
/// are forgotten after a while.
#[test]
fn handshakes_that_never_end() {
    let Some(python) = python() else { return };
    let backend = Backend::ok("fine");
    let bfe = Bfe::start(&tree(&backend).set("MaxCpus", 1).set("TlsHandshakeTimeout", 2));
    let out = run(&python, &bfe, json!({"half_open": 300, "batches": [[{}]]}));
    assert_eq!(out["responses"][0]["body"], "fine", "{out}");
    let counters = bfe.counters("http3_state");
    assert_eq!(counters["H3_HANDSHAKE_SUCC"], 1);
    assert!(counters["H3_RETRY"] > 200 && counters["H3_HANDSHAKE_ALL"] < 100, "{counters:?}");
    bfe.wait_idle();
    wait_until("they are forgotten", || bfe.log().matches("TLS handshake failed: i/o timeout").count() >= 64);
    unharmed(&python, &bfe);
}

/// Packets that are none, and hellos that never end, harm nobody.
#[test]
fn noise() {
    let Some(python) = python() else { return };
    let backend = Backend::ok("fine");
    let bfe = Bfe::start(&tree(&backend));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut seed = 1u64;
    for i in 0..5000usize {
        let packet: Vec<u8> = (0..i % 1300)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                u8::try_from(seed >> 56).unwrap()
            })
            .collect();
        let _ = socket.send_to(&packet, bfe.https_addr());
    }
    unharmed(&python, &bfe);
    assert_eq!(bfe.counters("proxy_state")["PANIC_CLIENT_CONN_SERVE"], 0);
}
