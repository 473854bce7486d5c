use super::*;
use crate::condition::Condition;
use crate::{BodyPeek, Session};
use proptest::collection::vec;
use proptest::prelude::*;
use std::rc::Rc;

impl Conditional for Condition {
    fn condition(&self) -> &Condition {
        self
    }
}

/// Few values, so that rules and requests often have the same.
const VALUES: [&str; 8] = ["", "/", "/a", "/A/b", "/a/b/", "a", "A", "é/\u{131}"];
const HOSTS: [&str; 4] = ["a", "A.org", "b.org", "c"];
const ADDRESSES: [&str; 4] = ["10.0.0.1", "10.0.0.77", "10.0.1.0", "fe80::1"];

fn values() -> impl Strategy<Value = String> {
    vec(0..VALUES.len(), 1..4)
        .prop_map(|chosen| chosen.into_iter().map(|i| VALUES[i]).collect::<Vec<_>>().join("|"))
}

fn call() -> impl Strategy<Value = String> {
    let fold = any::<bool>();
    let of_value = (0..14usize, values(), fold).prop_map(|(kind, values, fold)| match kind {
        0 => format!(r#"req_path_in("{values}", {fold})"#),
        1 => format!(r#"req_path_prefix_in("{values}", {fold})"#),
        2 => format!(r#"req_path_element_prefix_in("{values}", {fold})"#),
        3 => format!(r#"req_path_suffix_in("{values}", {fold})"#),
        4 => format!(r#"req_path_contain("{values}", {fold})"#),
        5 => format!(r#"req_query_value_in("q", "{values}", {fold})"#),
        6 => format!(r#"req_query_value_prefix_in("r", "{values}", {fold})"#),
        7 => format!(r#"req_cookie_value_in("c", "{values}", {fold})"#),
        8 => format!(r#"req_cookie_value_prefix_in("c", "{values}", {fold})"#),
        9 => format!(r#"req_header_value_in("X-K", "{values}", {fold})"#),
        10 => format!(r#"req_header_value_prefix_in("X-K", "{values}", {fold})"#),
        11 => format!(r#"req_body_json_in("k", "{values}", {fold})"#),
        12 => r"req_path_regmatch(`^/a\/?.`)".to_owned(),
        _ => r"req_query_value_regmatch(`q`, `^/`)".to_owned(),
    });
    let host = vec(0..HOSTS.len(), 1..3).prop_map(|chosen| {
        format!(r#"req_host_in("{}")"#, chosen.into_iter().map(|i| HOSTS[i]).collect::<Vec<_>>().join("|"))
    });
    let other = prop::sample::select(vec![
        "default_t()",
        r#"req_method_in("POST|put")"#,
        "req_query_exist()",
        r#"req_cookie_key_in("c")"#,
        r#"req_cip_range("10.0.0.0", "10.0.0.80")"#,
        r#"req_cip_range("10.0.0.77", "10.0.1.0")"#,
        r#"req_cip_range("::", "fe80::1")"#,
    ]);
    prop_oneof![4 => of_value, 2 => host, 1 => other.prop_map(str::to_owned)]
}

fn expression() -> impl Strategy<Value = String> {
    call().prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            3 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            1 => inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

fn request() -> impl Strategy<Value = Shown> {
    let value = || 0..VALUES.len();
    let fields = (value(), value(), value(), value(), value());
    (0..HOSTS.len(), fields, 0..ADDRESSES.len(), 0..3usize, any::<bool>()).prop_map(
        |(host, (path, query, cookie, field, end), address, body, post)| {
            let method = if post { "POST" } else { "GET" };
            let mut http = bfe_http::Request::new(method, "/", HOSTS[host]).unwrap();
            http.url.path = [VALUES[path], VALUES[end]].concat().into();
            if query > 0 {
                http.url.raw_query = format!("q={}&r={}", VALUES[query], VALUES[end]).into();
                http.header.add("Cookie", format!("c={}", VALUES[cookie]));
            }
            http.header.add("X-K", VALUES[field]);
            if body > 0 {
                http.body = bfe_http::Body::Full("{\"k\":\"/a\"}".into());
            }
            let mut req = Request::new(Rc::new(Session::default()), http);
            req.client_addr = Some((ADDRESSES[address].parse::<std::net::IpAddr>().unwrap(), 1).into());
            if body > 1 {
                req.body_peek = BodyPeek::Read("{\"k\":\"/a\"}".into());
            }
            Shown(req)
        },
    )
}

fn build(expressions: &[String]) -> Vec<Condition> {
    expressions.iter().map(|e| Condition::build(e).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn an_index_finds_what_a_walk_finds(
        expressions in vec(expression(), MIN_RULES..4 * MIN_RULES),
        requests in vec(request(), 1..12),
        from in 0..MIN_RULES,
    ) {
        let rules = build(&expressions);
        let index = RuleIndex::new(rules.iter());
        let list = RuleList::new(&rules, index.as_ref());
        for req in requests.iter().map(|req| &req.0) {
            let places: Vec<_> = list.candidates(req, from).map(|(at, _)| at).collect();
            prop_assert!(places.is_sorted_by(|left, right| left < right));
            prop_assert!(places.first().is_none_or(|first| *first >= from));
            for (at, rule) in rules.iter().enumerate().skip(from) {
                // Before the walk has asked for anything: lookups do not ask.
                if !places.contains(&at) {
                    prop_assert_eq!(rule.matches(req), Ok(false), "{}", rule.expression());
                }
            }
            let place = |found: Result<Option<&Condition>, _>| {
                found.map(|rule| rule.map(std::ptr::from_ref))
            };
            prop_assert_eq!(place(first_match(list, req)), place(first_match(&rules[..], req)));
        }
    }
}

/// A request that says in a failed test what it is.
struct Shown(Request);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (http, addr) = (&self.0.http, self.0.client_addr);
        write!(f, "{:?} {:?} {:?} {:?} {addr:?}", http.method, http.host, http.url, http.header)
    }
}

fn simple_request(target: &str) -> Request {
    let http = bfe_http::Request::new("GET", target, "example.org").unwrap();
    Request::new(Rc::new(Session::default()), http)
}

#[test]
fn few_candidates_of_many_rules() {
    let expression = |i| format!(r#"req_host_in("example.org") && req_path_prefix_in("/r{i}/", false)"#);
    let mut rules: Vec<_> = (0..1000).map(expression).collect();
    rules.push("default_t()".to_owned());
    let rules = build(&rules);
    let index = RuleIndex::new(rules.iter()).unwrap();
    let list = RuleList::new(&rules, Some(&index));
    let places = |target: &str, from: usize| -> Vec<usize> {
        list.candidates(&simple_request(target), from).map(|(at, _)| at).collect()
    };
    assert_eq!(places("/r77/x", 0), [77, 1000], "by the path, which fewer rules share");
    assert_eq!(places("/r77/x", 78), [1000]);
    assert_eq!(places("/other", 0), [1000]);
    assert_eq!(places("/other", 1001), [] as [usize; 0]);
}

#[test]
fn an_index_must_be_worth_it() {
    let path = |i| format!(r#"req_path_in("/{i}", false)"#);
    for (what, expressions, is_worth_it) in [
        ("few rules", (1..MIN_RULES).map(path).collect::<Vec<_>>(), false),
        ("enough rules", (0..MIN_RULES).map(path).collect(), true),
        ("nothing to look up", (0..100).map(|_| "default_t()".to_owned()).collect(), false),
        (
            "few to look up",
            (0..100).map(|i| if i < 5 { path(i) } else { "req_query_exist()".to_owned() }).collect(),
            false,
        ),
    ] {
        assert_eq!(RuleIndex::new(build(&expressions).iter()).is_some(), is_worth_it, "{what}");
    }
}

#[test]
fn rare_facets_are_not_looked_up() {
    let field = |i: usize| format!(r#"req_header_value_in("X-{}", "{i}", false)"#, i / 20);
    let expressions: Vec<_> = (0..20 * (MAX_FACETS + 2)).map(field).collect();
    let rules = build(&expressions);
    let index = RuleIndex::new(rules.iter()).unwrap();
    assert_eq!(index.probes.len(), MAX_FACETS);
    let req = simple_request("/");
    assert_eq!(RuleList::new(&rules, Some(&index)).candidates(&req, 0).count(), 2 * 20);
}

#[test]
fn lookups_do_not_settle_cookies_and_query() {
    let rule =
        |i| format!(r#"req_cookie_value_in("c", "{i}", false) && req_query_value_in("q", "{i}", false)"#);
    let rules = build(&(0..20).map(rule).collect::<Vec<_>>());
    let index = RuleIndex::new(rules.iter()).unwrap();
    let list = RuleList::new(&rules, Some(&index));
    let mut req = simple_request("/?q=3");
    assert!(first_match(list, &req).unwrap().is_none());
    req.http.header.set("Cookie", "c=3");
    assert!(first_match(list, &req).unwrap().is_some());
}
