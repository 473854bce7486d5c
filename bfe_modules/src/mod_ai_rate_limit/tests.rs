use super::*;
use crate::testing::{self, RedisServer};
use bfe_basic::ai::AiInfo;
use bfe_http::Body;
use bfe_module::{Finishing, Progress};
use std::path::PathBuf;

struct Fixture {
    callbacks: Callbacks,
    table: Arc<DataFile<LimitTable>>,
    file: PathBuf,
    _dir: tempfile::TempDir,
}

impl Fixture {
    /// Policies as JSON; key `k` has those whose ids begin with `p`. A rule for each of the actions.
    fn new(address: &str, policies: &str, actions: &[&str], reject: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("limits.data");
        write(&file, policies, actions);
        let table = Arc::new(DataFile::load(file.clone(), check::read).map_err(|e| e.to_string()).unwrap());
        let limits = Limits {
            table: Arc::clone(&table),
            redis: Arc::new(testing::redis_service(address)),
            reject_on_redis_error: reject,
        };
        let mut callbacks = Callbacks::default();
        register(&mut callbacks, limits).unwrap();
        Self { callbacks, table, file, _dir: dir }
    }

    async fn begin(&self, req: &mut Request) -> HandlerResult {
        let progress = &mut Progress::default();
        self.callbacks.run_request(Point::HandleFoundProduct, req, progress).await.unwrap()
    }

    async fn finish(&self, req: &mut Request) {
        if let Finishing::Waits(rest) = self.callbacks.run_request_finish(req) {
            rest.await;
        }
    }

    /// A request that is over at once, having used so many tokens.
    async fn serve(&self, model: &str, tokens: i64) -> (HandlerResult, Request) {
        let mut req = request("k", model);
        let result = self.begin(&mut req).await;
        req.ai.as_mut().unwrap().usage.used_quota = tokens;
        self.finish(&mut req).await;
        (result, req)
    }
}

fn write(file: &Path, policies: &str, actions: &[&str]) {
    // One condition in several forms, as no two rules may have the same.
    let rules = actions.iter().enumerate().map(|(at, action)| {
        let condition = format!("req_path_in(\\\"/{at}\\\", false) || default_t()");
        format!(r#"{{"cond":"{condition}","hit_action":{{"cmd":"{action}","params":[]}}}}"#)
    });
    let rules = rules.collect::<Vec<_>>().join(",");
    let bound = (0..4).map(|i| format!("\"p{i}\"")).collect::<Vec<_>>().join(",");
    let text = format!(
        r#"{{"Version":"v","Config":{{"p":[{rules}]}},"RateLimitPolicies":{{{policies}}},
           "ApikeyRateLimitPolicyBindings":{{"k":[{bound}]}}}}"#
    );
    std::fs::write(file, text).unwrap();
}

fn policy(id: &str, rules: &str) -> String {
    format!(r#""{id}":{{"name":"policy {id}","enabled":true,"rules":{{{rules}}}}}"#)
}

fn request(key: &str, model: &str) -> Request {
    let mut req = testing::request("POST", "/v1/chat/completions");
    let (client_api_key, client_model) = (key.into(), model.into());
    req.ai = Some(Box::new(AiInfo { client_api_key, client_model, ..AiInfo::default() }));
    req
}

fn hits(req: &Request) -> &std::collections::BTreeMap<String, RateLimitHit> {
    req.ai.as_ref().unwrap().rate_limit_hits.as_ref().unwrap()
}

const RPM: &str = r#""rpm":[{"name":"r 1","window_minutes":2,"max_requests":1}]"#;
const TPM: &str = r#""tpm":[{"name":"t1","window_minutes":3,"max_tokens":10}]"#;

#[tokio::test]
async fn ail_3_5_and_11_requests_in_a_window() {
    let Some(redis) = RedisServer::start("") else { return };
    let fixture = Fixture::new(&redis.address(), &policy("p1", RPM), &["FINISH"], true);
    assert_eq!(fixture.serve("", 0).await.0, HandlerResult::GoOn);
    for _ in 0..2 {
        let (result, req) = fixture.serve("", 0).await;
        assert_eq!(result, HandlerResult::Finish);
        let response = testing::response(&req);
        let Body::Full(body) = &response.body else { panic!("no body") };
        assert_eq!(response.status, 429);
        assert_eq!(
            String::from_utf8_lossy(body),
            r#"{"error":{"code":"RPM_LIMIT_EXCEEDED","type":"rate_limit_error","param":null,"message":"Rate limit exceeded for policy policy p1","details":{"api_key":"k","key_id":"","quota_plan_id":"","limit_type":"rpm","model":"","retry_after_seconds":0}}}"#
        );
        assert_eq!(req.error_code.unwrap().as_str(), "AI_RATE_LIMIT");
        assert_eq!(hits(&req)["p1"].rpm_rules, ["r 1"]);
    }
    // Refused ones leave nothing behind.
    let key = "\"default_bfe_p1_rpm_r 1\"";
    assert_eq!(redis.ask(&format!("ZCARD {key}")), "1");
    assert_eq!(redis.ask(&format!("TYPE {key}")), "zset");
    assert_eq!(redis.ask(&format!("TTL {key}")), "180");
    let member = redis.ask(&format!("ZRANGE {key} 0 -1 WITHSCORES"));
    let (member, score) = member.split_once(' ').unwrap();
    let (text, micros) = member.split_once(':').unwrap();
    // Of the score, the text has fourteen digits at most.
    let apart = (text.parse::<f64>().unwrap() - score.parse::<f64>().unwrap()).abs();
    assert!(text.len() <= 15 && apart < 0.0001, "{member} {score}");
    assert!(micros.parse::<u32>().unwrap() < 1_000_000);
    // One that is older than the window makes room.
    redis.ask(&format!("DEL {key}"));
    redis.ask(&format!("ZADD {key} 1000 old"));
    assert_eq!(fixture.serve("", 0).await.0, HandlerResult::GoOn);
}

#[tokio::test]
async fn ail_4_and_12_actions() {
    let Some(redis) = RedisServer::start("") else { return };
    let address = redis.address();
    for (at, (actions, want)) in [
        (&["CLOSE"][..], HandlerResult::Close),
        (&["PASS"], HandlerResult::GoOn),
        (&["PASS", "CLOSE"], HandlerResult::Close),
        (&["FINISH", "CLOSE"], HandlerResult::Finish),
    ]
    .into_iter()
    .enumerate()
    {
        // The first refuses the second request; after that the second policy is not looked at.
        let first = policy(
            "p1",
            &format!(r#""rpm":[{{"name":"r{at}","window_minutes":1,"max_requests":{}}}]"#, actions.len()),
        );
        let second =
            policy("p2", &format!(r#""rpm":[{{"name":"r{at}","window_minutes":1,"max_requests":9}}]"#));
        let fixture = Fixture::new(&address, &format!("{first},{second}"), actions, true);
        // Each rule that matches counts.
        assert_eq!(fixture.serve("", 0).await.0, HandlerResult::GoOn);
        assert_eq!(redis.ask(&format!("ZCARD default_bfe_p1_rpm_r{at}")), actions.len().to_string());
        let (result, req) = fixture.serve("", 0).await;
        assert_eq!(result, want);
        assert_eq!(hits(&req).keys().collect::<Vec<_>>(), ["p1"]);
        assert_eq!(req.error_code.is_some(), want != HandlerResult::GoOn);
        assert_eq!(req.response.is_some(), want == HandlerResult::Finish);
        assert_eq!(redis.ask(&format!("ZCARD default_bfe_p2_rpm_r{at}")), actions.len().to_string());
    }
}

#[tokio::test]
async fn ail_6_and_11_tokens() {
    let Some(redis) = RedisServer::start("") else { return };
    let fixture = Fixture::new(&redis.address(), &policy("p1", TPM), &["FINISH"], true);
    let key = "default_bfe_p1_tpm_t1";
    // Up to the limit, and with what begins there beyond it.
    for (tokens, want, sum) in [
        (0, HandlerResult::GoOn, 0),
        (10, HandlerResult::GoOn, 10),
        (5, HandlerResult::GoOn, 15),
        (5, HandlerResult::Finish, 15),
    ] {
        let (result, req) = fixture.serve("", tokens).await;
        assert_eq!(result, want, "{sum}");
        if want == HandlerResult::Finish {
            assert_eq!(hits(&req)["p1"].tpm_rules, ["t1"]);
            let Body::Full(body) = &testing::response(&req).body else { panic!("no body") };
            let body = String::from_utf8_lossy(body);
            assert!(body.contains("TPM_LIMIT_EXCEEDED") && body.contains(r#""limit_type":"tpm""#), "{body}");
        }
        let all = redis.ask(&format!("HGETALL {key}"));
        let all: Vec<i64> = all.split(' ').map(|n| n.parse().unwrap()).collect();
        // The minute may have changed meanwhile.
        assert!(all.chunks(2).all(|bucket| bucket[0] % 60 == 0), "{all:?}");
        assert_eq!(all.chunks(2).map(|bucket| bucket[1]).sum::<i64>(), sum);
    }
    assert_eq!(redis.ask(&format!("TYPE {key}")), "hash");
    assert_eq!(redis.ask(&format!("TTL {key}")), "720");
    // Buckets that are over count no more, and go.
    redis.ask(&format!("DEL {key}"));
    redis.ask(&format!("HSET {key} 60 100"));
    let mut req = request("k", "");
    assert_eq!(fixture.begin(&mut req).await, HandlerResult::GoOn);
    assert_eq!(redis.ask(&format!("HEXISTS {key} 60")), "0");
    // What a request uses counts for the minute in which it began, also where the key has gone meanwhile.
    let bucket = redis.ask(&format!("HKEYS {key}"));
    redis.ask(&format!("DEL {key}"));
    req.ai.as_mut().unwrap().usage.used_quota = 7;
    fixture.finish(&mut req).await;
    assert_eq!(redis.ask(&format!("HGETALL {key}")), format!("{bucket} 7"));
    assert_eq!(redis.ask(&format!("TTL {key}")), "-1");
}

#[tokio::test]
async fn ail_7_and_11_requests_at_once() {
    let Some(redis) = RedisServer::start("") else { return };
    let policies = [policy("p1", r#""max_concurrency":2"#), policy("p2", RPM)].join(",");
    let fixture = Fixture::new(&redis.address(), &policies, &["FINISH"], true);
    let key = "default_bfe_p1_con";
    let running = || redis.ask(&format!("GET {key}"));
    let mut first = request("k", "");
    assert_eq!(fixture.begin(&mut first).await, HandlerResult::GoOn);
    assert_eq!((running(), redis.ask(&format!("TTL {key}"))), ("1".into(), "300".into()));
    // Refused by a later check, it holds its place until its end.
    let mut second = request("k", "");
    assert_eq!(fixture.begin(&mut second).await, HandlerResult::Finish);
    assert_eq!(running(), "2");
    let (result, third) = fixture.serve("", 0).await;
    assert_eq!(result, HandlerResult::Finish);
    assert!(hits(&third)["p1"].is_concurrency);
    let Body::Full(body) = &testing::response(&third).body else { panic!("no body") };
    let body = String::from_utf8_lossy(body);
    assert!(body.contains("CONCURRENCY_LIMIT_EXCEEDED") && body.contains(r#""limit_type":"concurrency""#));
    redis.ask(&format!("EXPIRE {key} 5"));
    for (req, left) in [(&mut first, "1"), (&mut second, "0")] {
        fixture.finish(req).await;
        assert_eq!((running().as_str(), redis.ask(&format!("TTL {key}")).as_str()), (left, "300"));
    }
    // Never less than nothing.
    redis.ask(&format!("DEL {key}"));
    fixture.finish(&mut first).await;
    assert_eq!(running(), "nil");
}

#[tokio::test]
async fn ail_8_redis_down() {
    let all = format!(r#"{RPM},{TPM},"max_concurrency":1"#);
    for (rules, rule) in [(all.as_str(), "concurrency"), (RPM, "r 1"), (TPM, "t1")] {
        let fixture = Fixture::new("", &policy("p1", rules), &["FINISH"], true);
        let (result, req) = fixture.serve("", 5).await;
        assert_eq!(result, HandlerResult::Finish);
        let response = testing::response(&req);
        let Body::Full(body) = &response.body else { panic!("no body") };
        let body = String::from_utf8_lossy(body);
        assert_eq!(response.status, 500);
        for want in ["RATE_LIMIT_REDIS_ERROR", r#""type":"rate_limit_error""#, r#""redis_access_error""#] {
            assert!(body.contains(want), "{body}");
        }
        assert_eq!(hits(&req)["p1"].redis_error, rule);
        let fixture = Fixture::new("", &policy("p1", rules), &["FINISH"], false);
        let (result, req) = fixture.serve("", 5).await;
        assert_eq!(result, HandlerResult::GoOn);
        assert!(hits(&req).is_empty());
    }
}

#[tokio::test]
async fn ail_9_and_10_limits_without_redis() {
    for (rules, model, want) in [
        (r#""max_concurrency":0"#.to_owned(), "", HandlerResult::Finish),
        (r#""max_concurrency":-1"#.into(), "", HandlerResult::GoOn),
        (RPM.replace(":1}", ":0}"), "", HandlerResult::Finish),
        (RPM.replace(":1}", ":-1}"), "", HandlerResult::GoOn),
        (TPM.replace(":10}", ":0}"), "", HandlerResult::Finish),
        (TPM.replace(":10}", ":-1}"), "", HandlerResult::GoOn),
        (TPM.replace(":10}", ":0,\"models\":[\"a\"]}"), "a", HandlerResult::Finish),
        (TPM.replace(":10}", ":0,\"models\":[\"a\"]}"), "b", HandlerResult::GoOn),
        (RPM.replace(":1}", ":0,\"models\":[\"*\"]}"), "b", HandlerResult::Finish),
        (RPM.replace(":1}", ":0,\"models\":[\"*\"]}"), "", HandlerResult::GoOn),
    ] {
        let fixture = Fixture::new("", &policy("p1", &rules), &["FINISH"], true);
        assert_eq!(fixture.serve(model, 0).await.0, want, "{rules} {model}");
    }
    let none = policy("p1", r#""max_concurrency":0"#);
    for (policies, key) in [
        (none.replace("true", "false"), "k"),
        (none.replace("true", "true,\"models\":[\"a\"]"), "k"),
        (policy("other", r#""max_concurrency":0"#), "k"),
        (none.clone(), "x"),
        (none.clone(), ""),
    ] {
        let fixture = Fixture::new("", &policies, &["FINISH"], true);
        let mut req = request(key, "b");
        assert_eq!(fixture.begin(&mut req).await, HandlerResult::GoOn, "{policies} {key}");
        assert!(hits(&req).is_empty());
    }
    let fixture = Fixture::new("", &none, &["FINISH"], true);
    let mut req = request("k", "");
    req.route.product = "q".into();
    assert_eq!(fixture.begin(&mut req).await, HandlerResult::GoOn);
    req.ai = None;
    req.route.product = "p".into();
    assert_eq!(fixture.begin(&mut req).await, HandlerResult::GoOn);
}

#[tokio::test]
async fn a_negative_limit_on_tokens_counts_them() {
    let Some(redis) = RedisServer::start("") else { return };
    let unlimited = policy("p1", &TPM.replace(":10}", ":-1}"));
    let fixture = Fixture::new(&redis.address(), &unlimited, &["FINISH"], true);
    fixture.serve("", 7).await;
    assert_eq!(redis.ask("HVALS default_bfe_p1_tpm_t1"), "7");
}

#[tokio::test]
async fn ail_13_and_14_monitor() {
    let Some(redis) = RedisServer::start("") else { return };
    let rules = format!(r#"{RPM},{TPM},"max_concurrency":-1"#);
    let fixture = Fixture::new(&redis.address(), &policy("p1", &rules), &["FINISH"], true);
    for _ in 0..2 {
        fixture.serve("", 7).await;
    }
    let want = "con_hit{inst_id=\"concurrency\",policy_id=\"p1\"} 0\ncon_hit_total 0\n\
         con_match{inst_id=\"concurrency\",policy_id=\"p1\"} 2\ncon_match_total 2\n\
         rpm_hit{inst_id=\"r_1\",policy_id=\"p1\"} 1\nrpm_hit_total 1\n\
         rpm_match{inst_id=\"r_1\",policy_id=\"p1\"} 2\nrpm_match_total 2\n\
         tpm_hit{inst_id=\"t1\",policy_id=\"p1\"} 0\ntpm_hit_total 0\n\
         tpm_match{inst_id=\"t1\",policy_id=\"p1\"} 1\ntpm_match_total 1\n\
         tpm_token{inst_id=\"t1\",policy_id=\"p1\"} 7\ntpm_token_total 7\n";
    let page = || {
        let page = page::prometheus(&fixture.table.current());
        page.lines().filter(|line| !line.starts_with('#')).fold(String::new(), |all, line| all + line + "\n")
    };
    assert_eq!(page(), want);
    let all = page::prometheus(&fixture.table.current());
    assert!(all.starts_with(
        "# HELP con_hit ai rate limit concurrency hit by policy and inst\n# TYPE con_hit counter\ncon_hit{"
    ));
    assert!(
        all.contains(
            "\n# HELP tpm_token_total ai rate limit tpm token total\n# TYPE tpm_token_total gauge\n"
        )
    );
    // Counters outlive a reload, where policy and rule are still there.
    write(&fixture.file, &policy("p1", TPM), &["FINISH"]);
    assert_eq!(fixture.table.reload(None).unwrap().0, "limits.data");
    let rest = page();
    assert!(
        !rest.contains("con_hit{")
            && rest.contains("con_hit_total 0\n")
            && rest.contains("rpm_hit_total 0\n")
    );
    assert!(rest.contains("tpm_token{inst_id=\"t1\",policy_id=\"p1\"} 7\n"), "{rest}");
    std::fs::write(&fixture.file, "{}").unwrap();
    assert!(fixture.table.reload(None).is_err());
    assert_eq!(page(), rest);
    let states = States::new(NAME, "d");
    show(&states, &fixture.table.current());
    let shown = states.total(None).unwrap();
    assert!(
        shown.contains(
            r#"{\"TPM\":[{\"Name\":\"t1\",\"TimeWindow\":180,\"Threshold\":10,\"BucketTimeWindow\":60,\"BucketThreshold\":10,\"ReservedX\":0,\"ReservedOff\":0,\"Models\":null}],\"RPM\":null,\"MaxConcurrency\":null}"#
        ),
        "{shown}"
    );
}
