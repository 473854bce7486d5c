mod charging;

use super::*;
use crate::testing::{self, RedisServer};
use bfe_basic::ai::{AiErrorCode, AiInfo, TokenUsage};
use bfe_http::Body;
use bfe_module::{Finishing, Progress};
use std::net::SocketAddr;

/// Tokens and plans of product `p`; a rule lets `/free` pass.
const DATA: &str = r#"{
  "Version": "1",
  "Config": {
    "p": [{"Cond": "!req_path_in(\"/free\", false)", "Action": {"Cmd": "CHECK_TOKEN"}}],
    "": [{"Cond": "default_t()", "Action": {"Cmd": "CHECK_TOKEN"}}]
  },
  "QuotaPlans": {
    "p": [
      {"Id": "full", "RedisKey": "full", "ExpiredTime": -1, "Quota": 10},
      {"Id": "second", "RedisKey": "second", "ExpiredTime": 99999999999, "Quota": 10},
      {"Id": "empty", "RedisKey": "empty", "ExpiredTime": -1, "Quota": 10},
      {"Id": "missing", "RedisKey": "missing", "ExpiredTime": -1, "Quota": 10},
      {"Id": "text", "RedisKey": "text", "ExpiredTime": -1, "Quota": 10},
      {"Id": "list", "RedisKey": "list", "ExpiredTime": -1, "Quota": 10},
      {"Id": "keyless", "ExpiredTime": -1, "Quota": 10},
      {"Id": "over", "RedisKey": "full", "ExpiredTime": 5, "Quota": 10},
      {"Id": "snake", "redis_key": "full", "expired_time": -1, "Quota": 10},
      {"Id": "passing", "RedisKey": "passing", "PassNoQuota": true, "Quota": 10},
      {"Id": "unlimited", "Unlimited": true, "RedisKey": "unlimited"},
      {"Id": "yuan", "RedisKey": "yuan", "ExpiredTime": -1, "Quota": 100000, "Unit": "RMB"},
      {"Id": "seeded", "RedisKey": "seeded", "PassNoQuota": true, "Quota": 100000, "Unit": "RMB"}
    ]
  },
  "Tokens": {
    "p": {
      "good": {"quota_plans": ["full", "second"], "tags": [{"TagName": "team", "TagValue": "a"}], @},
      "free": {"unlimited_quota": true, "quota_plans": ["full", "over"], @},
      "plain": {"unlimited_quota": true, @},
      "disabled": {"unlimited_quota": true, @, "status": 2},
      "expired": {"unlimited_quota": true, @, "status": 3},
      "exhausted": {"unlimited_quota": true, @, "status": 4},
      "old": {"unlimited_quota": true, @, "expired_time": 5},
      "undated": {"unlimited_quota": true, @, "expired_time": 0},
      "q-over": {"quota_plans": ["full", "over"], @},
      "q-snake": {"quota_plans": ["snake"], @},
      "q-empty": {"quota_plans": ["second", "empty", "full"], @},
      "q-missing": {"quota_plans": ["missing"], @},
      "q-text": {"quota_plans": ["text"], @},
      "q-list": {"quota_plans": ["list"], @},
      "q-keyless": {"quota_plans": ["keyless"], @},
      "q-passing": {"quota_plans": ["passing", "unlimited"], @},
      "models": {"unlimited_quota": true, "allow_models": "a, b", "block_models": "b,c", @},
      "near": {"unlimited_quota": true, "subnet": "10.0.0.0/8,2001:db8::/32", @},
      "all": {"quota_plans": ["empty"], "allow_models": "a", "subnet": "10.0.0.0/8", @},
      "later": {"quota_plans": ["full"], "allow_models": "a", "subnet": "10.0.0.0/8", @},
      "both": {"quota_plans": ["yuan", "full", "seeded"], @}
    }
  }
}"#;

struct Fixture {
    callbacks: Callbacks,
    redis: Option<RedisServer>,
}

impl Fixture {
    /// With a Redis that has what the plans need.
    fn new() -> Option<Self> {
        let redis = RedisServer::start("")?;
        for command in
            ["SET full 1000", "SET second 1", "SET empty 0", "SET text abc", "RPUSH list x", "SET yuan 50000"]
        {
            redis.ask(command);
        }
        let callbacks = Self::callbacks(&redis.address());
        Some(Self { callbacks, redis: Some(redis) })
    }

    fn callbacks(address: &str) -> Callbacks {
        let fields = r#""key": "x", "key_id": "ID", "status": 1, "expired_time": -1"#;
        let file = tempfile::NamedTempFile::new().unwrap();
        // The last of two members with the same name counts.
        std::fs::write(file.path(), DATA.replace('@', fields)).unwrap();
        let rules = DataFile::load(file.path().to_owned(), check::read).map_err(|e| e.to_string()).unwrap();
        let mut callbacks = Callbacks::default();
        register(&mut callbacks, &Arc::new(rules), &Arc::new(testing::redis_service(address))).unwrap();
        callbacks
    }

    fn ask(&self, command: &str) -> String {
        self.redis.as_ref().unwrap().ask(command)
    }

    async fn found_product(&self, req: &mut Request) -> HandlerResult {
        let progress = &mut Progress::default();
        self.callbacks.run_request(Point::HandleFoundProduct, req, progress).await.unwrap()
    }

    /// The way of a request to its end, with that response. What was to be done to the answer is in `req`.
    async fn serve(&self, req: &mut Request, response: Response) -> TokenUsage {
        assert_eq!(self.found_product(req).await, HandlerResult::GoOn);
        req.response = Some(response);
        self.callbacks.run_read_response(req, &mut Progress::default()).await.unwrap();
        self.finish(req).await
    }

    async fn finish(&self, req: &mut Request) -> TokenUsage {
        if let Finishing::Waits(rest) = self.callbacks.run_request_finish(req) {
            rest.await;
        }
        req.ai.as_ref().unwrap().usage
    }
}

fn request(key: &str, model: &str) -> Request {
    let mut req = testing::request("POST", "/v1/chat/completions");
    let (client_api_key, client_model) = (key.into(), model.into());
    req.ai = Some(Box::new(AiInfo { client_api_key, client_model, ..AiInfo::default() }));
    req
}

fn answer(status: u16, body: &str) -> Response {
    Response::with_content(status, "application/json", body.to_owned())
}

fn text(response: &Response) -> String {
    match &response.body {
        Body::Full(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        body => panic!("{body:?}"),
    }
}

/// Status, and body, of a refusal.
async fn refusal(fixture: &Fixture, req: &mut Request) -> Option<(u16, String)> {
    match fixture.found_product(req).await {
        HandlerResult::GoOn => None,
        HandlerResult::Response => {
            let response = testing::response(req);
            assert!(testing::fields(&response.header).contains(&"Content-Type: application/json".to_owned()));
            Some((response.status, text(response)))
        }
        result => panic!("{result:?}"),
    }
}

#[tokio::test]
async fn ait_3_each_row() {
    let Some(fixture) = Fixture::new() else { return };
    // Key, model, status, code, type, message, then of the details: whether there is a key_id, plan, limit, model.
    const AUTH: &str = "authentication_error";
    const BAD: &str = "invalid_request_error";
    let internal =
        |plan: &str, why: &str| format!("Internal error during quota deduction for plan {plan}: {why}");
    let wrong_type = "WRONGTYPE Operation against a key holding the wrong kind of value";
    for (key, model, status, code, kind, message, details) in [
        (
            "unknown",
            "a",
            401,
            "INVALID_API_KEY",
            AUTH,
            "Invalid API key: unknown. Key not found in system.".to_owned(),
            ("", "", "", ""),
        ),
        (
            "exhausted",
            "a",
            401,
            "INVALID_API_KEY",
            AUTH,
            "Invalid API key: exhausted. quota exhausted.".into(),
            ("ID", "", "", ""),
        ),
        (
            "expired",
            "a",
            403,
            "KEY_EXPIRED",
            AUTH,
            "Invalid API key: expired. expired.".into(),
            ("ID", "", "", ""),
        ),
        (
            "disabled",
            "a",
            403,
            "KEY_DISABLED",
            AUTH,
            "Invalid API key: disabled. disabled.".into(),
            ("ID", "", "", ""),
        ),
        ("old", "a", 403, "KEY_EXPIRED", AUTH, "Invalid API key: old. expired.".into(), ("ID", "", "", "")),
        (
            "undated",
            "a",
            403,
            "KEY_EXPIRED",
            AUTH,
            "Invalid API key: undated. expired.".into(),
            ("ID", "", "", ""),
        ),
        (
            "q-over",
            "a",
            429,
            "QUOTA_EXPIRED",
            "quota_error",
            "Quota plan over expired.".into(),
            ("ID", "over", "api_key_quota", ""),
        ),
        (
            "q-missing",
            "a",
            500,
            "INTERNAL_QUOTA_ERROR",
            "internal_error",
            internal("missing", "redigo: nil returned"),
            ("ID", "missing", "", ""),
        ),
        (
            "q-text",
            "a",
            500,
            "INTERNAL_QUOTA_ERROR",
            "internal_error",
            internal("text", r#"strconv.ParseInt: parsing \"abc\": invalid syntax"#),
            ("ID", "text", "", ""),
        ),
        (
            "q-list",
            "a",
            500,
            "INTERNAL_QUOTA_ERROR",
            "internal_error",
            internal("list", wrong_type),
            ("ID", "list", "", ""),
        ),
        (
            "q-keyless",
            "a",
            500,
            "INTERNAL_QUOTA_ERROR",
            "internal_error",
            internal("keyless", "RedisKey is empty"),
            ("ID", "keyless", "", ""),
        ),
        (
            "q-empty",
            "a",
            429,
            "QUOTA_EXHAUSTED",
            "quota_error",
            "Quota plan empty exhausted.".into(),
            ("ID", "empty", "api_key_quota", ""),
        ),
        (
            "models",
            "",
            400,
            "INVALID_REQUEST",
            BAD,
            r"Model not found in request body: \u003cnil\u003e".into(),
            ("ID", "", "", ""),
        ),
        (
            "models",
            " b ",
            400,
            "MODEL_NOT_ALLOWED",
            BAD,
            "Model b blocked by key models".into(),
            ("ID", "", "", "b"),
        ),
        (
            "models",
            "d",
            400,
            "MODEL_NOT_ALLOWED",
            BAD,
            "Model d not allowed by key models".into(),
            ("ID", "", "", "d"),
        ),
        (
            "near",
            "a",
            403,
            "SUBNET_NOT_ALLOWED",
            AUTH,
            "Client IP not in subnet of key near".into(),
            ("ID", "", "", ""),
        ),
    ] {
        let mut req = request(key, model);
        let got = refusal(&fixture, &mut req).await;
        let (key_id, plan, limit, of_model) = details;
        let want = format!(
            r#"{{"error":{{"code":"{code}","type":"{kind}","param":null,"message":"{message}","details":{{"api_key":"{key}","key_id":"{key_id}","quota_plan_id":"{plan}","limit_type":"{limit}","model":"{of_model}","retry_after_seconds":0}}}}}}"#
        );
        assert_eq!(got, Some((status, want)));
        let ai = req.ai.unwrap();
        assert_eq!(ai.client_key_id, key_id);
        assert_eq!(ai.auth.reject_reason.map(AiErrorCode::as_str), Some(code));
        assert_eq!(ai.auth.reject_quota_plans.join(" "), plan);
    }
    // Without details.
    let mut nobody = request("good", "a");
    nobody.route.product = "".into();
    for (mut req, status, want) in [
        (
            request("", "a"),
            401,
            r#"{"error":{"code":"NO_API_KEY","type":"authentication_error","param":null,"message":"no api key in request","details":null}}"#,
        ),
        (
            nobody,
            400,
            r#"{"error":{"code":"INVALID_REQUEST","type":"invalid_request_error","param":null,"message":"product not found","details":null}}"#,
        ),
    ] {
        assert_eq!(refusal(&fixture, &mut req).await, Some((status, want.to_owned())));
    }
    // What passes.
    let mut req = request("good", "");
    assert_eq!(refusal(&fixture, &mut req).await, None);
    let ai = req.ai.unwrap();
    assert_eq!(ai.auth.hit_quota_plans, ["full", "second"]);
    assert_eq!(ai.api_key_tags, [("team".to_owned(), "a".to_owned())]);
    assert_eq!((ai.client_key_id.as_str(), ai.usage), ("ID", TokenUsage::default()));
    for (key, model) in [("models", " a"), ("q-passing", ""), ("free", ""), ("plain", "")] {
        assert_eq!(refusal(&fixture, &mut request(key, model)).await, None, "{key}");
    }
}

#[tokio::test]
async fn ait_3_redis_in_trouble() {
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let locked = RedisServer::start("secret");
    let locked = locked.as_ref().map(RedisServer::address);
    for (address, want) in [
        (Some(String::new()), "no available connnection in pool".to_owned()),
        (Some(refused.clone()), format!("dial tcp {refused}: connect: connection refused")),
        (locked, "NOAUTH Authentication required.".to_owned()),
    ] {
        let Some(address) = address else { continue };
        let fixture = Fixture { callbacks: Fixture::callbacks(&address), redis: None };
        let (status, body) = refusal(&fixture, &mut request("good", "a")).await.unwrap();
        assert_eq!(status, 500);
        assert!(body.contains(&format!("for plan full: {want}\"")), "{body}");
    }
}

#[tokio::test]
async fn ait_4_order_of_checks() {
    let Some(fixture) = Fixture::new() else { return };
    for (key, model, want) in [
        ("all", "b", "QUOTA_EXHAUSTED"),
        ("later", "b", "MODEL_NOT_ALLOWED"),
        ("later", "a", "SUBNET_NOT_ALLOWED"),
    ] {
        let mut req = request(key, model);
        assert!(refusal(&fixture, &mut req).await.unwrap().1.contains(want), "{key} {model}");
        // The plans that let it pass are remembered, whatever comes of it.
        assert_eq!(req.ai.unwrap().auth.hit_quota_plans.len(), usize::from(key == "later"));
    }
}

#[tokio::test]
async fn ait_5_who_needs_no_key() {
    let fixture = Fixture { callbacks: Fixture::callbacks(""), redis: None };
    let mut without_ai = testing::request("GET", "/");
    assert_eq!(fixture.found_product(&mut without_ai).await, HandlerResult::GoOn);
    let mut other = request("", "");
    other.route.product = "q".into();
    let mut free = testing::request("GET", "/free");
    free.ai = request("", "").ai;
    for mut req in [other, free] {
        let usage = fixture.serve(&mut req, answer(200, r#"{"usage":{"total_tokens":5}}"#)).await;
        assert_eq!(usage, TokenUsage::default());
    }
}

#[tokio::test]
async fn ait_6_plans_with_underscores_are_over() {
    let fixture = Fixture { callbacks: Fixture::callbacks(""), redis: None };
    let (status, body) = refusal(&fixture, &mut request("q-snake", "a")).await.unwrap();
    assert!(status == 429 && body.contains("QUOTA_EXPIRED"), "{body}");
}

#[tokio::test]
async fn ait_13_either_address_counts() {
    let fixture = Fixture { callbacks: Fixture::callbacks(""), redis: None };
    for (client, remote, passes) in [
        ("10.1.1.1:1", "11.1.1.1:1", true),
        ("11.1.1.1:1", "10.1.1.1:1", true),
        ("[::ffff:10.1.1.1]:1", "11.1.1.1:1", true),
        ("[2001:db8::1]:1", "11.1.1.1:1", true),
        ("11.1.1.1:1", "11.1.1.1:1", false),
    ] {
        let mut req = request("near", "a");
        let address = |text: &str| Some(text.parse::<SocketAddr>().unwrap());
        (req.client_addr, req.remote_addr) = (address(client), address(remote));
        assert_eq!(refusal(&fixture, &mut req).await.is_none(), passes, "{client} {remote}");
    }
}

#[test]
fn ait_14_handlers() {
    let callbacks = Fixture::callbacks("");
    for (point, name) in [
        (Point::HandleFoundProduct, "mod_ai_token_auth.found_product"),
        (Point::HandleReadResponse, "mod_ai_token_auth.read_response"),
        (Point::HandleRequestFinish, "mod_ai_token_auth.request_finish"),
    ] {
        assert_eq!(callbacks.names(point), [name]);
    }
}
