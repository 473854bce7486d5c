use super::*;
use crate::testing;
use bfe_http::{Body, Response};
use bfe_module::Progress;
use std::num::NonZeroUsize;

struct Fixture {
    on_request: OnRequest,
    callbacks: Callbacks,
}

impl Fixture {
    fn new(config: &str) -> Self {
        let rules = testing::load(&format!(r#"{{"Version":"1","Config":{{{config}}}}}"#)).unwrap();
        let cache = Arc::new(Cache::local(NonZeroUsize::new(10).unwrap()));
        let mut callbacks = Callbacks::default();
        callbacks.add_async_response_filter("r", OnResponse(Arc::clone(&cache)));
        Self { on_request: OnRequest { rules: Arc::new(rules), cache }, callbacks }
    }

    /// The backend that a request wants, if any.
    fn wanted(&self, req: &mut Request) -> Option<String> {
        self.on_request.ready(req).unwrap().unwrap();
        req.context
            .any::<StickyBackend>(SESSION_STICKY_BACKEND_KEY)
            .map(|b| format!("{}/{}", b.sub_cluster, b.addr_info))
    }

    /// Lets backend 10.0.0.1:80 answer.
    async fn answer(&self, req: &mut Request, response: Response) {
        req.backend.addr = "10.0.0.1:80".into();
        req.backend.sub_cluster = "sub".into();
        req.response = Some(response);
        self.callbacks.run_read_response(req, &mut Progress::default()).await.unwrap();
    }
}

fn request(target: &str, fields: &[(&'static str, String)]) -> Request {
    let mut req = testing::request("GET", target);
    for (name, value) in fields {
        req.http.header.add(*name, value.clone());
    }
    req
}

#[tokio::test]
async fn sticky_2_3_and_12_cookies() {
    let all = Fixture::new(
        r#""p":[{"Cond":"default_t()","CookieKey":"c","MaxAge":100,"Path":"/","Domain":"ex.org","Secure":true,"HttpOnly":true}]"#,
    );
    let mut req = request("/", &[]);
    assert_eq!(all.wanted(&mut req), None);
    all.answer(&mut req, Response::new(200)).await;
    let fields = testing::fields(&testing::response(&req).header);
    let rest = fields[0].strip_prefix("Set-Cookie: c=").unwrap();
    let (value, attributes) = rest.split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; Domain=ex.org; Max-Age=100; HttpOnly; Secure");
    let token = Token::decode(value.as_bytes(), b"defaultmask").unwrap();
    assert_eq!((token.ip.as_str(), token.port, token.sub_cluster.as_str()), ("10.0.0.1", 80, "sub"));

    let near = token.renew_time.unwrap() - 100;
    for (token, wanted, is_set) in [
        (token.clone(), "sub/10.0.0.1:80", false),
        (Token { renew_time: None, ..token.clone() }, "sub/10.0.0.1:80", false),
        (Token { renew_time: Some(near), ..token.clone() }, "sub/10.0.0.1:80", true),
        (Token { port: 81, ..token }, "sub/10.0.0.1:81", true),
    ] {
        let mut req = request("/", &[("Cookie", format!("c={}", token.encode(b"defaultmask")))]);
        assert_eq!(all.wanted(&mut req).as_deref(), Some(wanted));
        all.answer(&mut req, Response::new(200)).await;
        assert_eq!(!testing::response(&req).header.is_empty(), is_set, "{token:?}");
    }
}

#[tokio::test]
async fn sticky_4_and_9_whose_cookie_and_whose_rules() {
    let rule = r#"[{"Cond":"default_t()","CookieKey":"c","StandbyMaskCode":"other-mask"}]"#;
    let token = Token { ip: "10.0.0.1".into(), port: 80, sub_cluster: "sub".into(), renew_time: None };
    for (config, mask, wanted) in [
        (format!(r#""global":{rule}"#), "defaultmask", true),
        (format!(r#""global":{rule}"#), "other-mask", false),
        (format!(r#""global":{rule},"p":[]"#), "defaultmask", false),
    ] {
        let mut req = request("/", &[("Cookie", format!("c={}", token.encode(mask.as_bytes())))]);
        assert_eq!(Fixture::new(&config).wanted(&mut req).is_some(), wanted, "{config} {mask}");
    }
}

#[tokio::test]
async fn sticky_6_and_7_identifiers() {
    let all = Fixture::new(
        r#""p":[{"Cond":"req_path_prefix_in(\"/low\", false)","Type":"Sticky","CookieKey":"k","Header":"x-id"},
                {"Cond":"default_t()","Type":"Sticky","CookieKey":"k","Header":"X-Id","URIParam":"id",
                 "StickyResponseField":"a.id"}]"#,
    );
    let mut req = request("/", &[]);
    assert_eq!(all.wanted(&mut req), None);
    let mut response = Response::new(200);
    response.header.add("Set-Cookie", "k=seven; Path=/");
    all.answer(&mut req, response).await;
    assert_eq!(testing::response(&req).header.len(), 1);

    let mut req = request("/", &[]);
    all.wanted(&mut req);
    let mut response = Response::new(200);
    response.body = Body::Full(r#"{"a":{"id":"eight"}}"#.into());
    all.answer(&mut req, response).await;
    assert_eq!(req.response.unwrap().body.data().await.unwrap().unwrap(), r#"{"a":{"id":"eight"}}"#);

    for (target, fields, want) in [
        ("/", &[("Cookie", "k=seven".to_owned())][..], true),
        ("/", &[("X-Id", "eight".to_owned())], true),
        ("/low", &[("X-Id", "eight".to_owned())], false),
        ("/?id=eight", &[], true),
        ("/?id=eight", &[("X-Id", String::new())], true),
        ("/?id=eight", &[("X-Id", "none".to_owned())], false),
        ("/?id=nine", &[], false),
    ] {
        let wanted = all.wanted(&mut request(target, fields));
        assert_eq!(wanted, want.then(|| "sub/10.0.0.1:80".to_owned()), "{target} {fields:?}");
    }
}

#[test]
fn sticky_11_monitor() {
    assert_eq!(
        monitor::page("v1", None).unwrap(),
        r#"{"Prefix":"mod_session_sticky","Kind":"total","GaugeData":{},"CounterData":{},"StateData":{"VERSION":"v1"}}"#
    );
    assert_eq!(monitor::page("v1", Some("kv")).unwrap(), "mod_session_sticky_VERSION: v1\n");
    assert_eq!(monitor::page("v1", Some("xml")).unwrap_err(), "invalid format: xml");
}
