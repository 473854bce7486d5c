use super::*;
use crate::testing;

const RULES: &str = r#"[
    {"Cond":"req_path_prefix_in(\"/any\", false)","AccessControlAllowOrigins":["*"],"AccessControlMaxAge":0},
    {"Cond":"req_path_prefix_in(\"/echo\", false)","AccessControlAllowOrigins":["%origin"],
     "AccessControlAllowCredentials":true,"AccessControlExposeHeaders":["X-A","X-B"],
     "AccessControlAllowMethods":["GET","PUT"],"AccessControlAllowHeaders":["X-C"],"AccessControlMaxAge":-1},
    {"Cond":"default_t()","AccessControlAllowOrigins":["http://a.org"]}]"#;

fn request(method: &str, path: &str, origin: &'static str, asks: &'static str) -> Request {
    let mut req = testing::request(method, path);
    req.http.header.add("Origin", origin);
    if !asks.is_empty() {
        req.http.header.add("Access-Control-Request-Method", asks);
    }
    req
}

#[test]
fn cors_1_2_4_9_and_10_preflight() {
    let rules = testing::rules(RULES);
    for (path, origin, asks, want) in [
        (
            "/echo",
            "http://z.org",
            "PUT",
            Some(
                &[
                    "Server: bfe",
                    "Access-Control-Allow-Origin: http://z.org",
                    "Access-Control-Allow-Credentials: true",
                    "Access-Control-Allow-Methods: GET,PUT",
                    "Access-Control-Allow-Headers: X-C",
                    "Access-Control-Max-Age: -1",
                    "Vary: Origin",
                ][..],
            ),
        ),
        (
            "/any",
            "http://z.org",
            "GET",
            Some(&[
                "Server: bfe",
                "Access-Control-Allow-Origin: *",
                "Access-Control-Max-Age: 0",
                "Vary: Origin",
            ]),
        ),
        ("/x", "http://z.org", "GET", Some(&["Server: bfe"])),
        (
            "/x",
            "http://a.org",
            "GET",
            Some(&["Server: bfe", "Access-Control-Allow-Origin: http://a.org", "Vary: Origin"]),
        ),
        ("/x", "http://a.org", "get", None),
        ("/x", "http://a.org", "", None),
        ("/x", "", "GET", None),
    ] {
        let mut callbacks = Callbacks::default();
        let table = testing::rules::<RawCorsRule>(RULES);
        callbacks
            .add_request_filter(Point::HandleFoundProduct, "x", move |req| preflight(&table, req))
            .unwrap();
        let mut req = request("OPTIONS", path, origin, asks);
        let outcome = preflight(&rules, &mut req).unwrap();
        assert_eq!(outcome.result() == HandlerResult::Response, want.is_some(), "{path} {origin} {asks}");
        if let Some(want) = want {
            let mut req = request("OPTIONS", path, origin, asks);
            let mut progress = bfe_module::Progress::default();
            let run = callbacks.run_request(Point::HandleFoundProduct, &mut req, &mut progress);
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(std::pin::pin!(run).poll(&mut cx).is_ready());
            let response = testing::response(&req);
            assert_eq!(response.status, 204);
            assert_eq!(testing::fields(&response.header), want);
        }
    }
}

#[test]
fn cors_5_and_8_responses() {
    let rules = testing::rules(RULES);
    for (path, origin, vary, want) in [
        (
            "/echo",
            "http://z.org",
            "Accept-Encoding",
            &[
                "Vary: Accept-Encoding,Origin",
                "Access-Control-Allow-Origin: http://z.org",
                "Access-Control-Allow-Credentials: true",
                "Access-Control-Expose-Headers: X-A,X-B",
            ][..],
        ),
        ("/x", "http://a.org", "*", &["Vary: *", "Access-Control-Allow-Origin: http://a.org"]),
        (
            "/x",
            "http://a.org",
            "X, Origin ",
            &["Vary: X, Origin ", "Access-Control-Allow-Origin: http://a.org"],
        ),
        (
            "/x",
            "http://a.org",
            "origin",
            &["Vary: origin,Origin", "Access-Control-Allow-Origin: http://a.org"],
        ),
        ("/x", "http://z.org", "a", &["Vary: a"]),
        ("/x", "", "a", &["Vary: a"]),
    ] {
        let mut req = request("GET", path, origin, "");
        let mut response = Response::new(200);
        response.header.add("Vary", vary);
        req.response = Some(response);
        assert_eq!(on_response(&rules, &mut req), Ok(HandlerResult::GoOn));
        assert_eq!(testing::fields(&testing::response(&req).header), want, "{path} {origin} {vary}");
    }
}

#[test]
fn cors_6_and_7_what_loads() {
    for (fields, want) in [
        (r#""AccessControlAllowOrigins":["null"]"#, ""),
        (r#""AccessControlAllowOrigins":["a","%origin"],"AccessControlAllowMethods":["*"]"#, ""),
        (r#""AccessControlAllowOrigins":["a"],"AccessControlMaxAge":86400"#, ""),
        ("", "AccessControlAllowOrigins not set"),
        (r#""AccessControlAllowOrigins":[]"#, "AccessControlAllowOrigins not set"),
        (r#""AccessControlAllowOrigins":["*"],"AccessControlAllowCredentials":true"#, "cannot be true"),
        (r#""AccessControlAllowOrigins":["http://*.x"]"#, "http://*.x is not supported"),
        (r#""AccessControlAllowOrigins":["%x"]"#, "%x is not supported"),
        (r#""AccessControlAllowOrigins":["a","null"]"#, "has to be alone"),
        (r#""AccessControlAllowOrigins":["a"],"AccessControlAllowMethods":["get"]"#, "get is not supported"),
        (r#""AccessControlAllowOrigins":["a"],"AccessControlAllowHeaders":["X","*"]"#, "has to be alone"),
        (r#""AccessControlAllowOrigins":["a"],"AccessControlExposeHeaders":["X-*"]"#, "X-* is not supported"),
        (r#""AccessControlAllowOrigins":["a"],"AccessControlMaxAge":86401"#, "must be in [-1, 86400]"),
    ] {
        let comma = if fields.is_empty() { "" } else { "," };
        let rules = format!(r#"[{{"Cond":"default_t()"{comma}{fields}}}]"#);
        let error = testing::check::<RawCorsRule>(&rules).err().unwrap_or_default();
        assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{rules}: {error}");
    }
}
