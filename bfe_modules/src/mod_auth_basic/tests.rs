//! The module as requests meet it.

use super::*;
use crate::testing;
use bfe_module::{HandlerResult, Progress};

const USERS: &str = "user1:$apr1$mI7SilJz$CWwYJyYKbhVDNl26sdUSh/\nuser2:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=\n";

fn rules(users: &Path, rules: &str) -> String {
    rules.replace("USERS", users.to_str().unwrap())
}

/// The handler, as the pipeline calls it.
fn callbacks(list: &str) -> Callbacks {
    let mut callbacks = Callbacks::default();
    let filter = OnRequest(Arc::new(testing::rules(list)));
    callbacks.add_async_request_filter(Point::HandleFoundProduct, NAME, filter).unwrap();
    callbacks
}

/// Whether the request passes; else it has been answered.
async fn passes(callbacks: &Callbacks, req: &mut Request) -> bool {
    let mut progress = Progress::default();
    match callbacks.run_request(Point::HandleFoundProduct, req, &mut progress).await.unwrap() {
        HandlerResult::GoOn => true,
        HandlerResult::Response => false,
        other => panic!("{other:?}"),
    }
}

fn request(target: &str, authorization: Option<&'static str>) -> Request {
    let mut req = testing::request("GET", target);
    if let Some(value) = authorization {
        req.http.header.add("Authorization", value);
    }
    req
}

#[tokio::test]
async fn authbasic_1_12_to_14_requests() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), USERS).unwrap();
    let list = r#"[{"Cond":"req_path_in(\"/a\", false)","UserFile":"USERS","Realm":"a \"b\""},
                   {"Cond":"default_t()","UserFile":"USERS"}]"#;
    let callbacks = callbacks(&rules(file.path(), list));
    let (user1, user2) = ("Basic dXNlcjE6MTIzNDU2", "Basic dXNlcjI6MTIzNDU2");
    let wrong = "Basic dXNlcjE6MTIzNDU3";
    let unknown = "Basic dXNlcjM6MTIzNDU2";
    let counts = || {
        let counters = [
            state::REQ_AUTH_RULE_HIT,
            state::REQ_AUTH_CHALLENGE,
            state::REQ_AUTH_SUCCESS,
            state::REQ_AUTH_FAILURE,
        ];
        counters.map(|counter| state::group().get(counter))
    };
    for (authorization, moved) in [
        (None, [1, 1, 0, 0]),
        (Some("Basic !"), [1, 1, 0, 0]),
        (Some(user1), [1, 0, 1, 0]),
        (Some(user2), [1, 0, 1, 0]),
        (Some(wrong), [1, 0, 0, 1]),
        (Some(unknown), [1, 0, 0, 1]),
    ] {
        let before = counts();
        let mut req = request("/a", authorization);
        assert_eq!(passes(&callbacks, &mut req).await, moved[2] == 1, "{authorization:?}");
        assert_eq!(req.error_code, None);
        let now = counts();
        assert_eq!([0, 1, 2, 3].map(|i| now[i] - before[i]), moved, "{authorization:?}");
    }
    for (target, challenge) in [("/a", r#"Basic realm="a "b"""#), ("/", r#"Basic realm="Restricted""#)] {
        let mut req = request(target, None);
        assert!(!passes(&callbacks, &mut req).await);
        let response = testing::response(&req);
        assert_eq!(response.status, 401);
        let want = ["Server: bfe".to_owned(), format!("Www-Authenticate: {challenge}")];
        assert_eq!(testing::fields(&response.header), want);
    }
    let mut other = testing::request("GET", "/a");
    other.route.product = "q".into();
    assert!(passes(&callbacks, &mut other).await);
}

#[test]
fn authbasic_15_what_loads() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), USERS).unwrap();
    for (list, want) in [
        (r#"[{"Cond":"default_t()","UserFile":"USERS","More":1}]"#, ""),
        ("[]", ""),
        ("null", "no RuleList for product: p"),
        ("[{}]", "Config.p[0].Cond: Cond empty."),
        (r#"[{"Cond":"","UserFile":"USERS"}]"#, "Cond empty."),
        (r#"[{"Cond":"x(","UserFile":"USERS"}]"#, "Config.p[0].Cond: error build [x("),
        (r#"[{"Cond":"default_t()"}]"#, "Config.p[0].UserFile: UserFile empty."),
        (r#"[{"Cond":"default_t()","UserFile":"USERS.no"}]"#, "no such file"),
        (r#"[{"Cond":1,"UserFile":"USERS"}]"#, "Cond"),
    ] {
        match testing::check::<RawAuthRule>(&rules(file.path(), list)) {
            Ok(()) => assert_eq!(want, "", "{list} loads"),
            Err(reason) => assert!(!want.is_empty() && reason.contains(want), "{list}: {reason}"),
        }
    }
    for text in ["{}", r#"{"Version":"1"}"#, r#"{"Config":{}}"#] {
        assert!(testing::load::<RawAuthRule>(text).is_err(), "{text}");
    }
}
