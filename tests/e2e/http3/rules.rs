//! Clients that break the rules of HTTP/3: refused with the code that is meant for it, and nobody else is harmed.

use super::{ask, python, run, tree, unharmed};
use bfe_tests::{Backend, Bfe};
use serde_json::{Value, json};

/// Fields of a request in the simplest form of QPACK: literals, names and all.
fn list(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut list = vec![0, 0];
    for (name, value) in fields {
        let length = u8::try_from(name.len()).unwrap();
        match length {
            0..7 => list.push(0x20 | length),
            _ => list.extend([0x27, length - 7]),
        }
        list.extend(name.bytes());
        list.push(u8::try_from(value.len()).unwrap());
        list.extend(value.bytes());
    }
    list
}

/// A frame whose kind and length take a byte or two.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap() | 0x4000;
    [&[kind][..], &length.to_be_bytes(), payload].concat()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A GET with more fields, or other ones.
fn get(fields: &[(&str, &str)]) -> Vec<u8> {
    let good = [(":method", "GET"), (":scheme", "https"), (":authority", "ok"), (":path", "/")];
    frame(1, &list(&[&good, fields].concat()))
}

#[test]
fn requests_that_are_none() {
    let Some(python) = python() else { return };
    let backend = Backend::ok("fine");
    let bfe = Bfe::start(&tree(&backend));
    let (m, s, a, p) = ((":method", "GET"), (":scheme", "https"), (":authority", "ok"), (":path", "/"));
    let malformed: Vec<Vec<(&str, &str)>> = vec![
        vec![s, a, p],
        vec![m, a, p],
        vec![m, s, a],
        vec![m, s, p],
        vec![m, s, a, p, ("Upper", "x")],
        vec![m, s, a, p, ("x", "a\rb")],
        vec![m, s, a, p, ("x y", "z")],
        vec![m, s, a, p, ("connection", "close")],
        vec![m, s, a, p, ("transfer-encoding", "chunked")],
        vec![m, s, a, p, ("te", "gzip")],
        vec![m, s, a, p, ("host", "other")],
        vec![m, s, a, p, p],
        vec![m, s, a, (":path", "a b")],
        vec![m, s, a, p, (":status", "200")],
        vec![m, s, p, ("x", "y"), a],
        vec![m, s, a, p, ("content-length", "1"), ("content-length", "2")],
    ];
    let requests: Vec<_> =
        malformed.iter().map(|fields| json!({"raw": hex(&frame(1, &list(fields)))})).collect();
    for (answer, fields) in ask(&python, &bfe, &Value::Array(requests)).iter().zip(&malformed) {
        assert_eq!(answer["reset"], 0x10e, "{fields:?}: {answer}");
    }
    assert_eq!(bfe.counters("http3_state")["H3_ERR_BAD_REQUEST"], i64::try_from(malformed.len()).unwrap());
    assert_eq!(backend.count(), 0);
    unharmed(&python, &bfe);
}

#[test]
fn bodies_that_are_not_what_was_said() {
    let Some(python) = python() else { return };
    let backend = Backend::echo();
    let bfe = Bfe::start(&tree(&backend));
    let post = |length: &str, body: &[u8]| {
        let fields = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "ok"),
            (":path", "/"),
            ("content-length", length),
        ];
        json!({"raw": hex(&[frame(1, &list(&fields)), frame(0, body)].concat())})
    };
    let answers = ask(&python, &bfe, &json!([post("5", b"abc"), post("2", b"abc"), post("3", b"abc")]));
    for answer in &answers[..2] {
        assert!(answer["reset"] == 0x10e || answer["status"].as_i64() >= Some(400), "{answer}");
    }
    assert_eq!(answers[2]["body"], "abc");
    unharmed(&python, &bfe);
}

#[test]
fn frames_that_have_no_place() {
    let Some(python) = python() else { return };
    let backend = Backend::ok("fine");
    let bfe = Bfe::start(&tree(&backend));
    let settings = |payload: &[u8]| [&[0][..], &frame(4, payload)].concat();
    for (what, request, code) in [
        ("data before fields", json!({"raw": hex(&frame(0, b"x"))}), 0x105),
        ("settings", json!({"raw": hex(&frame(4, b""))}), 0x105),
        ("a push promise", json!({"raw": hex(&[get(&[]), frame(5, b"\0")].concat())}), 0x105),
        ("a frame of HTTP/2", json!({"raw": hex(&frame(8, b"\0"))}), 0x105),
        ("a cut frame", json!({"raw": hex(&get(&[])[..9])}), 0x106),
        ("a dynamic table", json!({"raw": hex(&frame(1, &[1, 0, 0x80]))}), 0x200),
        ("a second control stream", json!({"uni": hex(&settings(&[])), "open": true}), 0x103),
        ("a push stream", json!({"uni": "01", "open": true}), 0x103),
    ] {
        let out = run(&python, &bfe, json!({"batches": [[request]], "linger": 0.3, "limit": 5}));
        assert_eq!(out["closed"], code, "{what}: {out}");
    }
    // A stream that means nothing, and a frame that means nothing.
    let unknown = [frame(0x21, b"grease"), get(&[])].concat();
    let out = run(
        &python,
        &bfe,
        json!({"batches": [[{"uni": "21616263", "open": true}], [{"raw": hex(&unknown)}]]}),
    );
    assert_eq!((&out["closed"], &out["responses"][1]["body"]), (&Value::Null, &json!("fine")), "{out}");
    assert_eq!(bfe.counters("http3_state")["H3_ERR_CONN"], 8);
    unharmed(&python, &bfe);
}

#[test]
fn too_much_of_something() {
    let Some(python) = python() else { return };
    let backend = Backend::ok("fine");
    let bfe = Bfe::start(&tree(&backend).set("MaxHeaderBytes", 2000).set("MaxHeaderUriBytes", 100));
    let long = "x".repeat(200);
    let many: Vec<_> = (0..80).map(|i| json!([format!("x-{i}"), "y"])).collect();
    let answers = ask(
        &python,
        &bfe,
        &json!([
            {"path": format!("/{long}")},
            {"fields": many},
            {"fields": [["x", "y".repeat(5000)]]},
            {"path": "/fine"},
        ]),
    );
    let statuses: Vec<_> = answers.iter().map(|answer| answer["status"].as_i64()).collect();
    assert_eq!(statuses, [Some(414), Some(431), Some(431), Some(200)]);
    let counters = bfe.counters("http3_state");
    assert_eq!(counters["H3_ERR_MAX_HEADER_URI_SIZE"], 1);
    assert_eq!(counters["H3_ERR_MAX_HEADER_LIST_SIZE"], 2);
    assert_eq!(backend.count(), 1);
}

#[test]
fn clients_that_are_too_slow() {
    let Some(python) = python() else { return };
    let backend = Backend::ok("fine");
    let tree = tree(&backend)
        .set("ClientReadTimeout", 1)
        .cluster_conf("c", json!({"ClusterBasic": {"TimeoutReadClient": 500}}));
    let bfe = Bfe::start(&tree);
    let head = hex(&get(&[])[..5]);
    let body = [("content-length", "10"), ("x", "y")];
    let post =
        [&[(":method", "POST"), (":scheme", "https"), (":authority", "ok"), (":path", "/")], &body[..]]
            .concat();
    let body = hex(&[frame(1, &list(&post)), frame(0, b"ab")].concat());
    let answers = ask(&python, &bfe, &json!([{"raw": head, "open": true}, {"raw": body, "open": true}]));
    assert_eq!(answers[0]["reset"], 0x10c, "{}", answers[0]);
    assert!(answers[1]["reset"] == 0x10c || answers[1]["status"].as_i64() >= Some(400), "{}", answers[1]);
    let counters = bfe.counters("http3_state");
    assert_eq!((counters["H3_TIMEOUT_REQUEST"], counters["H3_TIMEOUT_READ_STREAM"]), (1, 1));
    unharmed(&python, &bfe);
}
