//! Keys of a cluster (ai-gateway 16, SC02).

use super::{answering, cluster, gateway, one_table, post, reply, rule};
use bfe_tests::{Backend, Bfe, Received, Tree};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

const BODY: &str = r#"{"model":"gpt-4"}"#;

/// Settings with keys a, b and c of these weights.
fn ai(weights: [i64; 3], max_retries: i64) -> Value {
    let keys: Vec<_> = ["a", "b", "c"]
        .iter()
        .zip(weights)
        .map(|(name, weight)| json!({"Name": format!("key-{name}"), "Key": format!("sk-key-{name}"), "Weight": weight}))
        .collect();
    json!({"Keys": keys, "KeyPolicy": {
        "Strategy": "weighted_random", "MaxRetries": max_retries,
        "RetryBackoffInitial": 50, "RetryBackoffMax": 200}})
}

fn tree(multi: &Backend, fallback: &Backend, ai: &Value) -> Tree {
    let rules = json!([rule("r", "default_t()", "cluster_multi_key", &[("cluster_fallback_ok", "")])]);
    let tree = cluster(gateway(&["api.example.org"], &one_table(&rules)), "cluster_multi_key", multi, ai);
    cluster(tree, "cluster_fallback_ok", fallback, &Value::Null)
}

/// The key of a request, by its last letter.
fn key(request: &Received) -> char {
    let key = request.header("Authorization").and_then(|key| key.strip_prefix("Bearer sk-key-"));
    key.and_then(|key| key.chars().next()).unwrap_or('?')
}

/// A backend that answers by the key.
fn by_key(status: impl Fn(char) -> u16 + Send + Sync + 'static) -> Backend {
    Backend::start(move |request| reply(status(key(request))))
}

fn counts(backend: &Backend) -> BTreeMap<char, usize> {
    let mut counts = BTreeMap::new();
    for request in backend.requests() {
        *counts.entry(key(&request)).or_default() += 1;
    }
    counts
}

fn ask(bfe: &Bfe, times: usize) {
    let mut client = bfe.client();
    for _ in 0..times {
        assert_eq!(client.ask(post("api.example.org", "ak_user_a", BODY)).status, 200);
    }
}

#[test]
fn ais_2_sc02_tc_01_keys_by_weight() {
    let (multi, fallback) = (answering(200), answering(200));
    let bfe = Bfe::start(&tree(&multi, &fallback, &ai([50, 30, 20], 0)));
    ask(&bfe, 500);
    let counts = counts(&multi);
    for (key, share) in [('a', 250usize), ('b', 150), ('c', 100)] {
        assert!(counts[&key].abs_diff(share) < 55, "{counts:?}");
    }
    assert_eq!(fallback.count(), 0);
}

#[test]
fn ais_2_sc02_tc_02_and_03_keys_that_are_refused() {
    let refused: [fn(char) -> u16; 2] = [
        |key| if key == 'a' { 429 } else { 200 },
        |key| match key {
            'a' => 401,
            'b' => 403,
            _ => 200,
        },
    ];
    for (status, weights) in refused.into_iter().zip([[50, 30, 20], [40, 40, 20]]) {
        let (multi, fallback) = (by_key(status), answering(200));
        let bfe = Bfe::start(&tree(&multi, &fallback, &ai(weights, 3)));
        ask(&bfe, 30);
        let counts = counts(&multi);
        assert!(multi.count() > 30 && counts.len() > 1 && !counts.contains_key(&'?'), "{counts:?}");
        assert_eq!(fallback.count(), 0);
    }
}

#[test]
fn ais_2_sc02_tc_04_the_same_key_after_a_wait() {
    let tries = AtomicUsize::new(0);
    let multi = Backend::start(move |_| reply(if tries.fetch_add(1, Relaxed) < 2 { 503 } else { 200 }));
    let fallback = answering(200);
    let bfe = Bfe::start(&tree(&multi, &fallback, &ai([50, 30, 20], 3)));
    let start = Instant::now();
    ask(&bfe, 1);
    assert!(start.elapsed() >= Duration::from_millis(135), "50 and 100, each a tenth less at most");
    assert_eq!((multi.count(), counts(&multi).len(), fallback.count()), (3, 1, 0));
}

#[test]
fn ais_2_sc02_tc_05_and_06_no_key_is_left() {
    let refused = by_key(|key| match key {
        'a' => 429,
        'b' => 401,
        _ => 403,
    });
    let broken = answering(503);
    for (multi, retries, tries) in [(&refused, 3, 3..=4), (&broken, 2, 3..=3)] {
        let fallback = answering(200);
        let bfe = Bfe::start(&tree(multi, &fallback, &ai([50, 30, 20], retries)));
        ask(&bfe, 1);
        assert!(tries.contains(&multi.count()), "{}", multi.count());
        assert_eq!(fallback.count(), 1);
        // Nobody but the cluster sees its keys.
        assert_eq!(fallback.wait_requests(1).header("Authorization"), Some("Bearer ak_user_a"), "AIK-8");
        assert!(!bfe.output().contains("sk-key-"));
        bfe.wait_idle();
    }
}

#[test]
fn ais_2_sc02_tc_07_a_body_of_many_tries() {
    let (multi, fallback) = (by_key(|key| if key == 'a' { 429 } else { 200 }), answering(200));
    let bfe = Bfe::start(&tree(&multi, &fallback, &ai([50, 30, 20], 3)));
    let body =
        json!({"model": "gpt-4", "messages": [{"role": "user", "content": "x".repeat(100_000)}]}).to_string();
    let mut client = bfe.client();
    for _ in 0..10 {
        assert_eq!(client.ask(post("api.example.org", "ak_user_a", &body)).status, 200);
    }
    assert!(multi.count() > 10 && multi.requests().iter().all(|r| r.body == body.as_bytes()));
}

#[test]
fn ais_2_sc02_tc_08_one_key() {
    let (multi, fallback) = (answering(200), answering(200));
    let ai = json!({
        "Provider": "p",
        "ModelMapping": {"gpt-4": "mapped-model"},
        "Keys": [{"Name": "key-c", "Key": "sk-key-c", "Weight": 100}],
        "KeyPolicy": {"MaxRetries": 0},
        "ModelTable": {"Currency": "RMB", "Models": [{"Model": "mapped-model", "Mode": "chat",
            "Prices": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}}]}
    });
    let bfe = Bfe::start(&tree(&multi, &fallback, &ai));
    ask(&bfe, 1);
    let request = multi.wait_requests(1);
    assert_eq!(request.header("Authorization"), Some("Bearer sk-key-c"));
    assert_eq!((request.body, multi.count()), (br#"{"model":"mapped-model"}"#.to_vec(), 1));
}

#[test]
fn aik_5_and_7_what_is_not_tried_again() {
    for (status, weights, want, tries) in
        [(400, [1, 1, 1], 200, 1), (404, [1, 1, 1], 404, 1), (200, [0, 0, 0], 500, 0)]
    {
        let (multi, fallback) = (answering(status), answering(200));
        let bfe = Bfe::start(&tree(&multi, &fallback, &ai(weights, 3)));
        assert_eq!(bfe.ask(post("api.example.org", "ak_user_a", BODY)).status, want);
        assert_eq!((multi.count(), fallback.count()), (tries, usize::from(want == 200)), "{status}");
    }
}
