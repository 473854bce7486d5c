//! Handshakes: the same rules, certificates and tickets as by TCP.

use super::{ENABLED, ask, python, run, tree};
use crate::tls;
use bfe_tests::{Backend, Bfe, Reply, Tree, wait_until};
use serde_json::{Value, json};

const RULES: &str = "tls_conf/tls_rule_conf.data";

/// Certificates by name, client certificates where a rule wants them, and tickets.
fn names(backend: &Backend, rules: &str) -> Tree {
    // The section of HTTPS comes last.
    tls::tree(backend, rules).sections(ENABLED)
}

#[test]
fn handshakes_that_fail() {
    let Some(python) = python() else { return };
    let backend = Backend::ok("fine");
    let insists = r#"{"Version": "1", "DefaultNextProtos": ["http/1.1;level=2"], "Config": {}}"#;
    for (what, tree, alpn) in [
        ("a protocol that is not spoken", tree(&backend), json!(["h4"])),
        ("a rule that insists on another one", tree(&backend).file(RULES, insists), json!(["h3"])),
    ] {
        let bfe = Bfe::start(&tree);
        let out = run(&python, &bfe, json!({"alpn": alpn, "batches": [[{}]]}));
        assert!(out["error"] != Value::Null || out["closed"] == 0x178, "{what}: {out}");
        bfe.wait_counter("TLS_HANDSHAKE_ALL", 1);
        wait_until("the failure is logged", || bfe.log().contains("TLS handshake failed"));
        assert_eq!(bfe.counters("proxy_state")["TLS_HANDSHAKE_SUCC"], 0);
    }
}

/// The same rules and conditions as by TCP.
#[test]
fn what_modules_and_conditions_see() {
    let Some(python) = python() else { return };
    let backend = Backend::start(|request| Reply::ok(request.header("X-Seen").unwrap_or("nothing")));
    let rules = r#"{"Version": "1", "Config": {"p": [
        {"Cond": "ses_tls_sni_in(\"ok\") && req_proto_secure() && req_proto_match(\"h3\")", "Last": false,
         "Actions": [{"Cmd": "REQ_HEADER_SET", "Params": ["X-Seen", "%bfe_ssl_cipher|%bfe_ssl_version|%bfe_protocol"]}]}]}}"#;
    let tree = tree(&backend)
        .module("mod_header")
        .file("mod_header/mod_header.conf", "[Basic]\nDataPath = mod_header/header_rule.data\n")
        .file("mod_header/header_rule.data", rules);
    let bfe = Bfe::start(&tree);
    let answers = ask(&python, &bfe, &json!([{}]));
    let seen = answers[0]["body"].as_str().unwrap();
    assert!(seen.starts_with("TLS_") && seen.ends_with("|TLSv1.3|h3"), "{seen}");
    let counters = bfe.counters("tls_state");
    assert_eq!(counters["TLS_HANDSHAKE_FULL_SUCC"], 1);
}

#[test]
fn certificates_by_name() {
    let Some(python) = python() else { return };
    let backend = Backend::ok("fine");
    let bfe = Bfe::start(&names(&backend, ""));
    for (name, want) in
        [("ok", "ok"), ("other.test", "other.test"), ("a.wild.test", "*.wild.test"), ("none", "ok")]
    {
        let out = run(&python, &bfe, json!({"name": name, "batches": [[{}]]}));
        assert_eq!((&out["names"], &out["responses"][0]["body"]), (&json!([want]), &json!("fine")), "{out}");
    }
}

#[test]
fn sessions_are_resumed_until_the_key_changes() {
    let Some(python) = python() else { return };
    let backend = Backend::ok("fine");
    let bfe = Bfe::start(&names(&backend, ""));
    let resumed = |connections: u32| {
        let out = run(&python, &bfe, json!({"connections": connections, "batches": [[{}]]}));
        assert_eq!(out["responses"][0]["body"], "fine", "{out}");
        out["resumed"].clone()
    };
    assert_eq!((resumed(1), resumed(2), resumed(3)), (json!(false), json!(true), json!(true)));
    let counters = bfe.counters("tls_state");
    assert_eq!((counters["TLS_HANDSHAKE_FULL_SUCC"], counters["TLS_HANDSHAKE_RESUME_SUCC"]), (3, 3));
}

#[test]
fn client_certificates() {
    let Some(python) = python() else { return };
    let (ours, theirs) = (tls::authority("ours"), tls::authority("theirs"));
    let dir = tempfile::tempdir().unwrap();
    let client = |file: &str, issuer| {
        let path = dir.path().join(file);
        std::fs::write(&path, tls::client_cert(issuer, 1)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let rules = r#""auth": {"CertName": "other", "SniConf": ["other.test"], "ClientAuth": true, "ClientCAName": "ca"}"#;
    let backend = Backend::ok("fine");
    let bfe = Bfe::start(&names(&backend, rules).file("tls_conf/client_ca/ca.crt", ours.pem()));
    for (what, certificate, code) in [
        ("good", Some(client("good", &ours)), None),
        ("foreign", Some(client("foreign", &theirs)), Some(42)),
        ("absent", None, Some(116)),
    ] {
        let mut plan = json!({"name": "other.test", "batches": [[{}]], "linger": 0.2});
        if let Some(certificate) = certificate {
            plan["certificate"] = json!(certificate);
        }
        let out = run(&python, &bfe, plan);
        assert_eq!(
            out["closed"],
            code.map_or(Value::Null, |alert: u32| json!(0x100 + alert)),
            "{what}: {out}"
        );
        let body = &out["responses"][0]["body"];
        assert_eq!(body == "fine", code.is_none(), "{what}: {out}");
    }
    assert_eq!(backend.count(), 1);
    // Who asks for another name needs none.
    assert_eq!(ask(&python, &bfe, &json!([{}]))[0]["body"], "fine");
}
