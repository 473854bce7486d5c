//! Sessions of TLS 1.2 in a real Redis, shared by two proxies (tls 8.3), with openssl as the client.

use crate::security::redis_server::Redis;
use crate::tls::s_client;
use bfe_tests::{Backend, Bfe, Tree, peer, wait_until};

const NAMES: &str = "server_data_conf/name_conf.data";

fn tree(backend: &Backend, redis: u16) -> Tree {
    let names = format!(
        r#"{{"Version": "1", "Config": {{"my.redis": [{{"Host": "127.0.0.1", "Port": {redis}, "Weight": 1}}]}}}}"#
    );
    Tree::proxy(backend).set("NameConf", NAMES).file(NAMES, names).sections(
        "[SessionCache]\nSessionCacheDisabled = false\nServers = my.redis\nKeyPrefix = kp\nReadTimeout = 500\n\
         ConnectTimeout = 500\nWriteTimeout = 500\nSessionExpire = 100\n[SessionTicket]\nSessionTicketsDisabled = true\n",
    )
}

#[test]
fn tls_45_46_47_49_sessions_are_shared_by_way_of_redis() {
    let Some(openssl) = peer("openssl") else { return };
    let Some(redis) = Redis::start("") else { return };
    let backend = Backend::ok("hello");
    let mut tree = tree(&backend, redis.port());
    let one = Bfe::start(&tree);
    // The other proxy has the same certificate, as in a fleet.
    for file in ["tls_conf/server.crt", "tls_conf/server.key"] {
        tree = tree.file(file, std::fs::read_to_string(one.conf().join(file)).unwrap());
    }
    let other = Bfe::start(&tree);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("session");
    let file = file.to_str().unwrap();
    let first = s_client(&openssl, &one, &["-tls1_2", "-servername", "ok", "-sess_out", file]);
    assert!(first.contains("New, TLSv1.2") && first.contains("hello"), "{first}");
    let id = first.lines().find_map(|l| l.trim().strip_prefix("Session-ID: ")).unwrap().to_lowercase();
    assert_eq!(id.len(), 64, "{first}");
    let ttl = || redis.ask("", &format!("TTL kp:{id}")).trim().to_owned();
    wait_until("the session is in Redis", || {
        ttl().trim_start_matches(':').parse::<i64>().is_ok_and(|t| t > 90)
    });
    for bfe in [&one, &other] {
        let again = s_client(&openssl, bfe, &["-tls1_2", "-servername", "ok", "-sess_in", file]);
        assert!(again.contains("Reused, TLSv1.2") && again.contains("hello"), "{again}");
        let counters = bfe.counters("tls_state");
        assert_eq!(counters["TLS_HANDSHAKE_SHOULD_RESUME_SESSION_CACHE"], 1);
        assert_eq!(bfe.counter("SESSION_CACHE_HIT"), 1);
        assert_eq!(bfe.counter("SESSION_CACHE_CONN_FAIL"), 0);
    }
    // What somebody else has written there is no session.
    redis.ask("", &format!("SET kp:{id} rubbish"));
    let foreign = s_client(&openssl, &other, &["-tls1_2", "-servername", "ok", "-sess_in", file]);
    assert!(foreign.contains("New, TLSv1.2") && foreign.contains("hello"), "{foreign}");
    assert_eq!(other.counter("SESSION_CACHE_TYPE_NOT_BYTES"), 1);
    drop(redis);
    let alone = s_client(&openssl, &other, &["-tls1_2", "-servername", "ok", "-sess_in", file]);
    assert!(alone.contains("New, TLSv1.2") && alone.contains("hello"), "{alone}");
    assert_eq!(other.counter("SESSION_CACHE_GET_FAIL"), 1);
    wait_until("the failure to store", || other.counter("SESSION_CACHE_SET_FAIL") == 1);
}
