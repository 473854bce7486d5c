//! What mod_access_pb3 says (ai-gateway 16, SC05), as far as it takes no account of quotas.

use super::{answering, cluster, gateway, one_table, post, reply, rule};
use bfe_tests::{Backend, Bfe, Reply, wait_for};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const FILE: &str = "pb_access3.log";

/// The settings of a cluster with a key, which charges.
fn priced(provider: &str, max_retries: i64) -> Value {
    json!({
        "Provider": provider,
        "ModelMapping": {"gpt-4": "deepseek-chat"},
        "Keys": [
            {"Name": "key-primary", "Key": "sk-upstream", "Weight": 100},
            {"Name": "key-second", "Key": "sk-upstream-2", "Weight": 100}],
        "KeyPolicy": {"MaxRetries": max_retries},
        "ModelTable": {"Currency": "RMB", "Models": [{"Model": "deepseek-chat", "Mode": "chat",
            "Prices": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}}]}
    })
}

fn start(backend: &Backend, fallback: &Backend, max_retries: i64, logs: &Path) -> Bfe {
    let rules = json!([rule("user_a-rmb", "default_t()", "cluster_rmb", &[("cluster_fallback", "")])]);
    let conf = format!(
        "[Log]\nLogPrefix = pb_access3\nLogDir = {}\nRotateWhen = NEXTHOUR\nBackupCount = 2\n",
        logs.display()
    );
    let tree = gateway(&["ok"], &one_table(&rules))
        .module("mod_access_pb3")
        .file("mod_access_pb3/mod_access_pb3.conf", conf);
    let tree = cluster(tree, "cluster_rmb", backend, &priced("mock-provider", max_retries));
    Bfe::start(&cluster(tree, "cluster_fallback", fallback, &priced("mock-provider-fallback", 0)))
}

/// The field of the first request in the log: each number, or the bytes of each text.
fn logged(logs: &Path) -> Vec<(u64, Vec<u8>, u64)> {
    wait_for("a record", || {
        let file = std::fs::read(logs.join(FILE)).unwrap_or_default();
        let (header, rest) = file.split_first_chunk::<24>()?;
        let length = usize::try_from(u32::from_le_bytes(header[8..12].try_into().unwrap())).unwrap();
        let record = fields(rest.get(..length)?);
        let (_, request, _) = record.into_iter().find(|(field, ..)| *field == 210)?;
        Some(fields(&request))
    })
}

/// Field, text and number of each entry of a message.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>, u64)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let number = varint(&mut bytes);
        let mut text = Vec::new();
        if tag & 7 == 2 {
            let (inside, rest) = bytes.split_at(usize::try_from(number).unwrap());
            text = inside.to_vec();
            bytes = rest;
        }
        fields.push((tag >> 3, text, number));
    }
    fields
}

/// The texts of a field, those of a message joined by `/`.
fn texts(log: &[(u64, Vec<u8>, u64)], field: u64) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let of = log.iter().filter(|(f, ..)| *f == field);
    of.map(|(_, bytes, _)| match field {
        801 | 802 => fields(bytes).iter().map(|(_, t, _)| text(t)).collect::<Vec<_>>().join("/"),
        _ => text(bytes),
    })
    .collect()
}

fn number(log: &[(u64, Vec<u8>, u64)], field: u64) -> Option<u64> {
    log.iter().find(|(f, ..)| *f == field).map(|(.., n)| *n)
}

fn ask(bfe: &Bfe, model: &str) -> u16 {
    bfe.ask(post("ok", "ak_user_a", json!({"model": model}).to_string())).status
}

#[test]
fn ais_5_sc05_tc_01_and_02_one_try() {
    for model in ["deepseek-chat", "gpt-4"] {
        let (backend, fallback, logs) = (answering(200), answering(200), tempfile::tempdir().unwrap());
        let bfe = start(&backend, &fallback, 0, logs.path());
        assert_eq!(ask(&bfe, model), 200);
        let log = logged(logs.path());
        assert_eq!((texts(&log, 703), texts(&log, 704)), (vec![model.into()], vec!["deepseek-chat".into()]));
        assert_eq!((texts(&log, 714), texts(&log, 762)), (vec!["mock-provider".into()], vec!["RMB".into()]));
        assert_eq!(texts(&log, 801), ["ak_user_a/apikey/user_a-rmb"]);
        let tried = texts(&log, 802);
        assert!(matches!(&tried[..], [one] if one.starts_with("cluster_rmb/key-")), "{tried:?}");
        assert_eq!((number(&log, 705), number(&log, 715)), (Some(0), None));
        assert_eq!(
            (number(&log, 706), number(&log, 707), number(&log, 708)),
            (Some(0), Some(u64::MAX), Some(0))
        );
        assert_eq!(texts(&log, 49), ["Bearer ak_user_a"], "the key of the cluster is not for the log");
    }
}

#[test]
fn ais_5_sc05_tc_03_and_05_more_tries() {
    let tries = AtomicUsize::new(0);
    let once = Backend::start(move |_| reply(if tries.fetch_add(1, Relaxed) == 0 { 500 } else { 200 }));
    let (fallback, logs) = (answering(200), tempfile::tempdir().unwrap());
    let bfe = start(&once, &fallback, 2, logs.path());
    assert_eq!(ask(&bfe, "gpt-4"), 200);
    let log = logged(logs.path());
    assert_eq!((number(&log, 715), once.count()), (Some(1), 2));
    let tried = texts(&log, 802);
    assert!(tried.len() == 2 && tried.iter().all(|t| t.starts_with("cluster_rmb/")), "{tried:?}");

    let (broken, logs) = (answering(502), tempfile::tempdir().unwrap());
    let bfe = start(&broken, &fallback, 0, logs.path());
    assert_eq!(ask(&bfe, "gpt-4"), 200);
    let log = logged(logs.path());
    assert_eq!(texts(&log, 714), ["mock-provider-fallback"], "AIX-3");
    let clusters: Vec<_> = texts(&log, 802).iter().map(|t| t.split('/').next().unwrap().to_owned()).collect();
    assert_eq!(clusters, ["cluster_rmb", "cluster_fallback"]);
}

#[test]
fn ais_5_sc05_tc_06_an_event_stream() {
    let events = "data: {}\n\ndata: [DONE]\n\n";
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    let backend = Backend::always(Reply::bytes([head, events].concat()).close());
    let (fallback, logs) = (answering(200), tempfile::tempdir().unwrap());
    let bfe = start(&backend, &fallback, 0, logs.path());
    let answer = bfe.ask(post("ok", "ak_user_a", "{}"));
    assert_eq!((answer.status, answer.text()), (200, events));
    let log = logged(logs.path());
    assert_eq!((number(&log, 705), number(&log, 151)), (Some(1), Some(200)));
    assert_eq!(bfe.counter("SSE_REQ_SERVED"), 1);
}

#[test]
fn aif_10_no_route_has_no_status() {
    let (backend, fallback, logs) = (answering(200), answering(200), tempfile::tempdir().unwrap());
    let bfe = start(&backend, &fallback, 0, logs.path());
    assert_eq!(bfe.ask(post("ok", "nobody", r#"{"model":"m"}"#)).status, 404);
    let log = logged(logs.path());
    assert_eq!((number(&log, 151), texts(&log, 3)), (None, vec!["BK_FIND_LOCATION".into()]));
    assert_eq!((texts(&log, 703), texts(&log, 801)), (vec!["m".into()], vec![]));
}
