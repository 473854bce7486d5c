//! mod_session_sticky, with sessions in Redis.

use super::redis_server::Redis;
use super::write;
use bfe_tests::{Backend, Bfe, Cluster, Reply, Tree};
use std::process::Command;
use std::time::{Duration, Instant};

const PASSWORD: &str = "open-sesame";
const NAMES: &str = "server_data_conf/name_conf.data";

fn names(port: u16) -> String {
    format!(
        r#"{{"Version": "1", "Config": {{"my.redis": [{{"Host": "127.0.0.1", "Port": {port}, "Weight": 1}}]}}}}"#
    )
}

/// A backend that gives each request without a cookie a session, by its own name and the path.
fn backend(name: &'static str) -> Backend {
    Backend::start(move |req| {
        let path = req.line().split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
        Reply::bytes(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nSet-Cookie: sid={path}; Path=/\r\n\r\n{name}"
        ))
    })
}

fn tree(backends: [&Backend; 2], port: u16) -> Tree {
    let conf = "[Basic]\nDataPath = mod_session_sticky/rules.data\nCacheType = redis\n[Redis]\nBns = my.redis\n\
                ConnectTimeout = 300\nReadTimeout = 200\nWriteTimeout = 100\nExpireSeconds = 77\nPassword = open-sesame\n";
    let rules = r#"{"Version": "1", "Config": {"p": [
        {"Cond": "default_t()", "Type": "Sticky", "CookieKey": "sid", "StickyResponseField": "id"}]}}"#;
    Tree::new()
        .host("p", "ok")
        .route("p", "default_t()", "c")
        .cluster(Cluster::new("c").sub("c.s", 100, &backends))
        .module("mod_session_sticky")
        .file("mod_session_sticky/mod_session_sticky.conf", conf)
        .file("mod_session_sticky/rules.data", rules)
        .set("NameConf", NAMES)
        .file(NAMES, names(port))
}

fn get(bfe: &Bfe, id: &str) -> String {
    let answer = bfe.ask(format!("GET /{id} HTTP/1.1\r\nHost: ok\r\nCookie: sid={id}\r\n\r\n"));
    assert_eq!(answer.status, 200);
    answer.text().to_owned()
}

#[test]
fn sticky_10_sessions_are_shared_by_way_of_redis() {
    let Some(redis) = Redis::start(PASSWORD) else { return };
    let (a, b) = (backend("a"), backend("b"));
    let tree = tree([&a, &b], redis.port());
    let proxies = [Bfe::start(&tree), Bfe::start(&tree)];
    for id in ["one", "two", "three"] {
        let first = get(&proxies[0], id);
        // Every other request would go elsewhere.
        for i in 0..6 {
            assert_eq!(get(&proxies[i % 2], id), first, "{id}, request {i}");
        }
        let stored = redis.ask(PASSWORD, &format!("GET bfe:stickyid:{id}"));
        let port = if first == "a" { a.port() } else { b.port() };
        let want = format!(r#"{{"addr":"127.0.0.1","port":{port},"sub_cluster":"c.s","created_at":"#);
        assert!(stored.starts_with(&want), "{stored}");
        let left = redis.ask(PASSWORD, &format!("TTL bfe:stickyid:{id}"));
        assert!([":77", ":76", ":75"].contains(&left.as_str()), "{left}");
    }
    for bfe in &proxies {
        assert!(!bfe.output().contains(PASSWORD));
    }
}

#[test]
fn a_redis_in_trouble_delays_requests_by_its_time_limit_only() {
    let Some(redis) = Redis::start(PASSWORD) else { return };
    let (a, b) = (backend("a"), backend("b"));
    let bfe = Bfe::start(&tree([&a, &b], redis.port()));
    let first = get(&bfe, "x");
    assert_eq!(get(&bfe, "x"), first);

    // It says nothing any more: each request waits twice, on its way in and out.
    let signal = |name: &str| {
        let status = Command::new("kill").args([name, &redis.pid().to_string()]).status().unwrap();
        assert!(status.success());
    };
    signal("-STOP");
    let begin = Instant::now();
    let mut clients: Vec<_> = (0..20).map(|_| bfe.client()).collect();
    for client in &mut clients {
        client.send("GET /y HTTP/1.1\r\nHost: ok\r\nCookie: sid=y\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.read_response("GET").status, 200);
    }
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(300) && took < Duration::from_millis(3000), "{took:?}");
    signal("-CONT");
    let found_again = || get(&bfe, "x") == first && get(&bfe, "x") == first;
    bfe_tests::wait_until("the session to be found again", found_again);

    // Another Redis, by a reload of the names; and none at all.
    let Some(other) = Redis::start(PASSWORD) else { return };
    write(&bfe, NAMES, &names(other.port()));
    assert_eq!(bfe.reload("name_conf"), None);
    let moved = get(&bfe, "z");
    assert_eq!(get(&bfe, "z"), moved);
    assert!(other.ask(PASSWORD, "GET bfe:stickyid:z").contains("c.s"));
    drop(other);
    let begin = Instant::now();
    let answers = [get(&bfe, "z"), get(&bfe, "z")];
    assert_ne!(answers[0], answers[1], "balanced as always");
    assert!(begin.elapsed() < Duration::from_secs(3));
    assert!(bfe.log().contains("redis my.redis: cannot connect"));
}
