//! Which model a backend is asked for (ai-gateway 16, SC04).

use super::{answering, cluster, gateway, one_table, post, rule};
use bfe_tests::{Backend, Bfe};
use serde_json::{Value, json};

/// Sends a model to a gateway whose cluster for `openrouter/` has these settings and answers so. Gives which models
/// openrouter, the default and the fallback were asked for.
fn models(model: &str, ai: &Value, status: u16) -> [Vec<String>; 3] {
    let rules = json!([
        rule(
            "openrouter",
            r#"req_body_json_prefix_in("model", "openrouter/", false)"#,
            "cluster_openrouter",
            &[("cluster_fallback", "")]
        ),
        rule("default", "default_t()", "cluster_default", &[]),
    ]);
    let backends = [answering(status), answering(200), answering(200)];
    let settings = [ai.clone(), Value::Null, strip(json!({}))];
    let names = ["cluster_openrouter", "cluster_default", "cluster_fallback"];
    let mut tree = gateway(&["api.example.org"], &one_table(&rules));
    for ((name, backend), ai) in names.iter().zip(&backends).zip(&settings) {
        tree = cluster(tree, name, backend, ai);
    }
    let bfe = Bfe::start(&tree);
    let body = json!({"model": model, "messages": []}).to_string();
    assert_eq!(bfe.ask(post("api.example.org", "ak_user_a", body)).status, 200);
    backends.each_ref().map(asked)
}

fn asked(backend: &Backend) -> Vec<String> {
    let model = |body: &[u8]| super::json_of(body)["model"].as_str().unwrap().to_owned();
    backend.requests().iter().map(|request| model(&request.body)).collect()
}

/// Settings that strip the prefix.
fn strip(mut ai: Value) -> Value {
    ai["MatchPrefix"] = json!("openrouter/");
    ai["StripPrefix"] = json!(true);
    ai
}

#[test]
fn ais_4_sc04_models_by_prefix() {
    let long = "openrouter/anthropic/claude-sonnet-4.6";
    let short = "anthropic/claude-sonnet-4.6";
    let mapping = json!({"ModelMapping": {short: "claude-3-sonnet-20250219"}});
    let kept = json!({"MatchPrefix": "openrouter/", "StripPrefix": false});
    let of = |models: &[&str]| models.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>();
    for (tc, model, ai, status, want) in [
        ("TC-01", long, strip(json!({})), 200, [&[short][..], &[], &[]]),
        ("TC-02", "other/m", strip(json!({})), 200, [&[], &["other/m"], &[]]),
        ("TC-03", long, kept, 200, [&[long], &[], &[]]),
        ("TC-04", long, strip(mapping), 200, [&["claude-3-sonnet-20250219"], &[], &[]]),
        ("TC-06", long, strip(json!({})), 500, [&[short], &[], &[short]]),
    ] {
        assert_eq!(models(model, &ai, status), want.map(of), "{tc}");
    }
}
