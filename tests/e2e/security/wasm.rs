//! mod_wasm.

use super::{expect_refused, write};
use bfe_tests::{Backend, Bfe, Launch, Reply, Tree, wait_until};
use std::fs;
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

const DATA: &str = "mod_wasm/mod_wasm.data";

/// A folder with the plugin of these tests. It is outside the tree, which holds texts only.
struct Plugins(TempDir);

impl Plugins {
    fn new() -> Self {
        let plugins = Self(tempfile::tempdir().unwrap());
        fs::create_dir(plugins.0.path().join("sign")).unwrap();
        plugins.file("wasm", wat::parse_str(include_str!("wasm.wat")).unwrap());
        plugins.file("conf", "first");
        plugins.sum();
        plugins
    }

    fn file(&self, extension: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.0.path().join("sign/sign").with_extension(extension), bytes).unwrap();
    }

    /// Writes down the sum of the plugin, as `md5sum` does.
    fn sum(&self) {
        let file = self.0.path().join("sign/sign.wasm");
        let sum = Command::new("md5sum").arg(&file).output().unwrap();
        self.file("md5", sum.stdout);
    }

    fn tree(&self, backend: &Backend, rules: &str) -> Tree {
        let conf = format!("[Basic]\nWasmPluginPath = {}\nDataPath = {DATA}\n", self.0.path().display());
        Tree::proxy(backend).module("mod_wasm").file("mod_wasm/mod_wasm.conf", conf).file(DATA, rules)
    }
}

/// Rules by which every request gets the plugin, that is one instance.
fn rules(version: &str, conf_version: &str) -> String {
    format!(
        r#"{{"Version": "{version}",
            "FoundProductRules": {{"p": [{{"Cond": "default_t()", "PluginList": ["sign"]}}]}},
            "PluginMap": {{"sign": {{"WasmVersion": "1", "ConfVersion": "{conf_version}", "InstanceNum": 1}}}}}}"#
    )
}

fn get(what: &str) -> String {
    format!("GET /a HTTP/1.1\r\nHost: ok\r\nX-Do: {what}\r\n\r\n")
}

/// A request for which the plugin asks that server.
fn get_by_way_of(side: &Backend, path: &str) -> String {
    let url = format!("http://127.0.0.1:{}{path}", side.port());
    format!("GET /a HTTP/1.1\r\nHost: ok\r\nX-Do: http\r\nX-Url: {url}\r\n\r\n")
}

#[test]
fn wasm_1_7_12_and_13_requests() {
    let backend = Backend::ok("hello");
    let side = Backend::start(|req| match req.line() {
        "GET /stall HTTP/1.1" => Reply::new().stall(),
        _ => Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nfrom far"),
    });
    let plugins = Plugins::new();
    let bfe = Bfe::start(&plugins.tree(&backend, &rules("1", "1")));
    let mut client = bfe.client();

    let answer = client.ask(get("-"));
    assert_eq!((answer.status, answer.text(), answer.header("X-Plugin")), (200, "hello", Some("first")));
    assert_eq!(backend.requests()[0].header("X-Plugin"), Some("first"));
    wait_until("the plugin's line in the log", || bfe.log().contains("plugin sign: seen by the plugin"));

    let answer = client.ask(get("local"));
    assert_eq!((answer.status, answer.text()), (403, "answered by the plugin"));
    assert_eq!((answer.header("X-Plugin"), answer.header("Server")), (Some("first"), None));
    assert_eq!(backend.requests().len(), 1);

    assert_eq!(client.ask(get_by_way_of(&side, "/x?y")).status, 200);
    assert_eq!(backend.requests()[1].header("X-Answer"), Some("from far"));
    assert!(side.requests()[0].head.starts_with("GET /x?y HTTP/1.1\r\n"));
    let begin = Instant::now();
    assert_eq!(client.ask(get_by_way_of(&side, "/stall")).status, 200);
    assert!((450..3000).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());
    assert_eq!(backend.requests()[2].header("X-Answer"), None);

    let answer = client.ask(get("trap"));
    assert_eq!((answer.status, answer.header("X-Plugin")), (200, Some("first")));
    let begin = Instant::now();
    assert_eq!(client.ask(get("ever")).status, 200);
    assert!((150..3000).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());
    wait_until("two failed calls in the log", || {
        bfe.log().matches("plugin sign: proxy_on_request_headers fails").count() == 2
    });
    assert_eq!(client.ask(get("-")).header("X-Plugin"), Some("first"));
    let handlers = bfe.monitor("/monitor/module_handlers");
    assert_eq!(handlers.matches("mod_wasm").count(), 3, "{handlers}");
}

#[test]
fn wasm_4_5_and_19_reload() {
    let backend = Backend::start(|req| match req.header("X-Do") {
        Some("stall") => Reply::new().stall(),
        _ => Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    });
    let plugins = Plugins::new();
    let bfe = Bfe::start(&plugins.tree(&backend, &rules("1", "1")));
    let sign = || bfe.ask(get("-")).header("X-Plugin").map(str::to_owned);
    let reload = |text: &str| {
        write(&bfe, DATA, text);
        assert_eq!(bfe.monitor("/reload/mod_wasm"), r#"{"error":null}"#);
    };
    // A request that is in the middle of its way while its plugin goes.
    let mut waiting = bfe.client();
    waiting.send(get("stall"));
    wait_until("the request at the backend", || !backend.requests().is_empty());

    plugins.file("conf", "second");
    reload(&rules("1", "2"));
    assert_eq!(sign().as_deref(), Some("first"), "the same version");
    reload(&rules("2", "1"));
    assert_eq!(sign().as_deref(), Some("first"), "the same versions of the plugin");
    reload(&rules("3", "2"));
    assert_eq!(sign().as_deref(), Some("second"));
    drop(waiting);

    plugins.file("wasm", "other");
    write(&bfe, DATA, &rules("4", "3"));
    expect_refused(&bfe, "mod_wasm", &["mod_wasm.data:3:", "PluginMap.sign", "incorrect hash of wasm bytes"]);
    plugins.sum();
    expect_refused(&bfe, "mod_wasm", &["PluginMap.sign", "fail to create wasm module"]);
    write(&bfe, DATA, &rules("4", "3").replace("default_t", "nope"));
    expect_refused(&bfe, "mod_wasm", &["FoundProductRules.p[0].Cond", "nope"]);
    assert_eq!(sign().as_deref(), Some("second"));
    reload(r#"{"Version": "5"}"#);
    assert_eq!(sign(), None);
}

#[test]
fn wasm_3_a_plugin_that_does_not_load_is_named_at_start() {
    let plugins = Plugins::new();
    plugins.file("md5", "0");
    let finished = Launch::new(&plugins.tree(&Backend::ok(""), &rules("1", "1"))).finish();
    assert_ne!(finished.code, Some(0));
    let said = format!("{}{}", finished.stderr, finished.log);
    for words in ["mod_wasm.data:3:", "PluginMap.sign", "incorrect hash of wasm bytes", "sign.md5 says \"0\""]
    {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
}
