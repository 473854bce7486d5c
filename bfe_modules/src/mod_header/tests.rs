use super::*;
use crate::testing;
use bfe_basic::Session;
use bfe_http::Response;

fn run_on(req: &mut Request, config: &str) {
    let rules = testing::load(&format!(r#"{{"Version":"1","Config":{{{config}}}}}"#)).unwrap();
    apply(&rules, req, RESUME_REQUEST, |rule| &rule.request).unwrap();
    apply(&rules, req, RESUME_RESPONSE, |rule| &rule.response).unwrap();
}

type Written = (&'static str, &'static [&'static str]);

fn rule(condition: &str, actions: &[(&str, &[&str])], last: bool) -> String {
    let actions: Vec<_> =
        actions.iter().map(|(cmd, params)| serde_json::json!({"Cmd": cmd, "Params": params})).collect();
    serde_json::json!({"Cond": condition, "Actions": actions, "Last": last}).to_string()
}

/// The fields of a request, or response, with these fields, after one action.
fn after(fields: &[(&'static str, &'static str)], cmd: &str, params: &[&str]) -> Vec<String> {
    let mut req = testing::request("GET", "/");
    req.response = Some(Response::new(200));
    let is_response = cmd.starts_with("RSP");
    for (name, value) in fields {
        if is_response {
            req.response.as_mut().unwrap().header.add(*name, *value);
        } else {
            req.http.header.add(*name, *value);
        }
    }
    run_on(&mut req, &format!(r#""p":[{}]"#, rule("default_t()", &[(cmd, params)], true)));
    testing::fields(if is_response { &testing::response(&req).header } else { &req.http.header })
}

#[test]
fn header_1_2_and_11_what_loads() {
    let cookie = |expires: &str, age: &str, flag: &str| {
        serde_json::json!(["n", "v", "d", "/", expires, age, flag, "f"]).to_string()
    };
    const TIME: &str = "Tue, 10 Nov 2009 23:00:00 UTC";
    for (cmd, params, want) in [
        ("REQ_HEADER_SET", r#"["a","b"]"#.to_owned(), ""),
        ("REQ_HEADER_SET", r#"["a"]"#.into(), "num of params:[ok:2, now:1]"),
        ("REQ_HEADER_SET", r#"["a",""]"#.into(), "empty Params"),
        ("REQ_HEADER_SET", r#"["a","%nope"]"#.into(), "command's second param is not valid"),
        ("req_header_set", r#"["a","b"]"#.into(), "invalid cmd"),
        ("REQ_\u{e9}", r#"["a","b"]"#.into(), "invalid cmd"),
        ("REQ_HEADER_MOD", r#"["Scheme_Set","referer","https"]"#.into(), ""),
        ("REQ_HEADER_MOD", r#"["scheme_set","X-Foo","https"]"#.into(), "only supports Referer and Location"),
        ("RSP_HEADER_MOD", r#"["scheme_set","location","ftp"]"#.into(), "only supports http and https"),
        ("RSP_HEADER_MOD", r#"["scheme_set","location","HTTP"]"#.into(), "only supports http and https"),
        ("RSP_HEADER_MOD", r#"["scheme_set","location"]"#.into(), "should have 3 params, now: 2"),
        ("RSP_HEADER_MOD", r#"["query_add","location","k"]"#.into(), "should have 4 params, now: 3"),
        ("RSP_HEADER_MOD", r#"["query_add","location","k","v"]"#.into(), ""),
        ("RSP_HEADER_MOD", "[]".into(), "invalid command of HEADER_MOD"),
        ("REQ_COOKIE_DEL", r#"["a"]"#.into(), ""),
        ("RSP_COOKIE_DEL", r#"["a"]"#.into(), "num of params:[ok:3, now:1]"),
        ("RSP_COOKIE_SET", cookie(TIME, "100", "T"), ""),
        ("RSP_COOKIE_SET", cookie("Tue, 1 Nov 2009 23:00:00 UTC", "100", "T"), "expires format error"),
        ("RSP_COOKIE_SET", cookie(TIME, "x", "T"), "max age should be int"),
        ("RSP_COOKIE_SET", cookie(TIME, "1", "yes"), "http only should be bool"),
    ] {
        let rules = format!(
            r#"[{{"Cond":"default_t()","Actions":[{{"Cmd":"{cmd}","Params":{params}}}],"Last":true}}]"#
        );
        let error = testing::check::<RawHeaderRule>(&rules).err().unwrap_or_default();
        assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{rules}: {error}");
    }
    for (rules, want) in [
        (r#"[{"Cond":"default_t()","Actions":[],"Last":true}]"#, "no Actions"),
        (r#"[{"Cond":"default_t()","Actions":[{"Cmd":"REQ_HEADER_DEL","Params":["a"]}]}]"#, "no Last"),
        (r#"[{"Cond":"default_t()","Actions":[{"Params":["a"]}],"Last":true}]"#, "no Cmd"),
    ] {
        let error = testing::check::<RawHeaderRule>(rules).unwrap_err();
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn header_3_and_4_default_fields() {
    let session = Session {
        remote_addr: Some("10.0.0.9:999".parse().unwrap()),
        local_addr: Some("10.0.0.1:80".parse().unwrap()),
        ..Session::default()
    };
    let mut req = testing::request_on(session, "GET", "/");
    for (name, value) in
        [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "2.2.2.2"), ("X-Real-Ip", "5.5.5.5")]
    {
        req.http.header.add(name, value);
    }
    default_header::set(&mut req);
    assert_eq!(
        testing::fields(&req.http.header),
        [
            "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 10.0.0.9",
            "X-Real-Ip: 10.0.0.9",
            "X-Forwarded-Host: example.org",
            "X-Forwarded-Port: 999",
            "X-Real-Port: 999",
            "X-Bfe-Ip: 10.0.0.1",
        ]
    );
    let mut req = testing::request("GET", "/");
    req.http.header.add("X-Real-Ip", "bad");
    req.client_addr = None;
    default_header::set(&mut req);
    assert_eq!(req.http.header.get("X-Real-Ip"), Some(&b"bad"[..]));
}

#[test]
fn header_6_and_7_order_and_last() {
    let set = |value: &'static [&'static str]| -> Written { ("REQ_HEADER_SET", value) };
    let global = rule("default_t()", &[set(&["X-A", "global"])], true);
    let product = [
        // Only its response part ends the list.
        rule("default_t()", &[("RSP_HEADER_SET", &["X-R", "1"] as &[_])], true),
        rule("default_t()", &[set(&["X-A", "product"])], false),
        rule(
            "req_header_value_in(\"X-A\", \"product\", false)",
            &[("REQ_HEADER_ADD", &["x-b", "seen"])],
            true,
        ),
        rule("default_t()", &[set(&["X-A", "never"]), ("RSP_HEADER_SET", &["X-R", "never"])], true),
    ];
    let mut req = testing::request("GET", "/");
    req.response = Some(Response::new(200));
    run_on(&mut req, &format!(r#""global":[{global}],"p":[{}]"#, product.join(",")));
    assert_eq!(testing::fields(&req.http.header), ["X-A: product", "X-B: seen"]);
    assert_eq!(testing::fields(&testing::response(&req).header), ["X-R: 1"]);
}

#[test]
fn header_10_fields() {
    let a: &[(&str, &str)] = &[("X-A", "1"), ("X-A", "2")];
    for (fields, cmd, params, want) in [
        (a, "REQ_HEADER_SET", &["x-a", "3"][..], &["X-A: 3"][..]),
        (a, "REQ_HEADER_ADD", &["X-A", "3"], &["X-A: 1", "X-A: 2", "X-A: 3"]),
        (a, "RSP_HEADER_DEL", &["X-A"], &[]),
        (a, "RSP_HEADER_RENAME", &["X-A", "X-Z"], &["X-Z: 1"]),
        (&[("X-A", "1"), ("X-Z", "2")], "REQ_HEADER_RENAME", &["X-A", "X-Z"], &["X-A: 1", "X-Z: 2"]),
        (&[("X-A", "1"), ("X-Z", "")], "REQ_HEADER_RENAME", &["X-A", "X-Z"], &["X-Z: 1"]),
        (&[("X-A", "")], "REQ_HEADER_RENAME", &["X-A", "X-Z"], &["X-A: "]),
        (
            &[("Referer", "http://h/?a")],
            "REQ_HEADER_MOD",
            &["query_add", "Referer", "k", "v"],
            &["Referer: http://h/?a&k=v"],
        ),
        (&[("Referer", "/%zz")], "REQ_HEADER_MOD", &["query_add", "Referer", "k", "v"], &["Referer: /%zz"]),
        (
            &[("Location", "http://h/")],
            "RSP_HEADER_MOD",
            &["scheme_set", "Location", "https"],
            &["Location: https://h/"],
        ),
        (&[], "RSP_HEADER_MOD", &["scheme_set", "Location", "https"], &[]),
    ] {
        assert_eq!(after(fields, cmd, params), want, "{cmd} {params:?}");
    }
}

#[test]
fn header_13_to_16_cookies() {
    const SET: [&str; 8] =
        ["SET", "2", "example.org", "/unittest", "Tue, 10 Nov 2009 23:00:00 UTC", "100", "true", "true"];
    const NEW: &str = "Set-Cookie: SET=2; Path=/unittest; Domain=example.org; \
                       Expires=Tue, 10 Nov 2009 23:00:00 GMT; Max-Age=100; HttpOnly; Secure";
    let same: &[(&str, &str)] = &[
        ("Set-Cookie", "SET=1; Domain=example.org; Path=/unittest; Priority=High"),
        ("Set-Cookie", "SET=1; Domain=o.org"),
        ("Set-Cookie", "b=1; Priority=High"),
    ];
    for (fields, cmd, params, want) in [
        (
            &[("Cookie", "a=1; c=2; c=3")][..],
            "REQ_COOKIE_SET",
            &["c", "v"][..],
            &["Cookie: a=1; c=v; c=v"][..],
        ),
        (&[("Cookie", "a=1;c=2")], "REQ_COOKIE_SET", &["n", "%nope"], &["Cookie: a=1;c=2; n=%nope"]),
        (&[], "REQ_COOKIE_SET", &["n", "v"], &["Cookie: n=v"]),
        (&[("Cookie", "a=1; c=2; c=3")], "REQ_COOKIE_DEL", &["c"], &["Cookie: a=1"]),
        (&[("Cookie", "c=2")], "REQ_COOKIE_DEL", &["c"], &[]),
        (&[("Cookie", "a;c=2")], "REQ_COOKIE_DEL", &["x"], &["Cookie: a;c=2"]),
        (&[], "RSP_COOKIE_SET", &SET, &[NEW]),
        (same, "RSP_COOKIE_SET", &SET, &[NEW, NEW, "Set-Cookie: b=1"]),
        (same, "RSP_COOKIE_DEL", &["SET", "example.org", "/unittest"], &["Set-Cookie: b=1"]),
        (
            &[("Set-Cookie", "SET=1; Domain=.example.org; Path=/; Priority=High")],
            "RSP_COOKIE_DEL",
            &["SET", "example.org", "/"],
            &["Set-Cookie: SET=1; Domain=.example.org; Path=/; Priority=High"],
        ),
    ] {
        assert_eq!(after(fields, cmd, params), want, "{cmd} {params:?}");
    }
}

#[test]
fn the_parsed_cookies_follow_the_header() {
    let mut req = testing::request("GET", "/");
    req.http.header.add("Cookie", "a=1; b=2");
    assert!(req.cookies().contains(b"a"));
    let actions: &[(&str, &[&str])] = &[("REQ_COOKIE_DEL", &["a"]), ("REQ_COOKIE_SET", &["b", "3"])];
    run_on(&mut req, &format!(r#""p":[{}]"#, rule("default_t()", actions, true)));
    assert_eq!((req.cookies().get(b"a"), req.cookies().get(b"b")), (None, Some(&b"3"[..])));
}
