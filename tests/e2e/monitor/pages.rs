//! Pages of the original: delays, memory, debug, reloads as agents ask for them.

use bfe_tests::{Backend, Bfe, Client, Reply, Tree, peer, wait_until};

const GET: &str = "GET / HTTP/1.1\r\nHost: ok\r\n\r\n";

#[test]
fn mon_33_delays_of_requests_over_the_wire() {
    let backend = Backend::echo();
    let bfe = Bfe::start(&Tree::proxy(&backend));
    let count = |page: &str| bfe.monitor_json(&format!("/monitor/{page}"));
    let total = |page: &str| {
        let json = count(page);
        ["Current", "Past"].iter().map(|w| json[w]["Count"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(bfe.ask(GET).status, 200);
    for framing in ["Content-Length: 2\r\n\r\nhi", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"] {
        assert_eq!(bfe.ask(format!("POST / HTTP/1.1\r\nHost: ok\r\n{framing}")).status, 200);
    }
    // It failed, so it counts nowhere.
    assert_eq!(bfe.ask("GET / HTTP/1.1\r\nHost: nope\r\n\r\n").status, 500);
    bfe.wait_idle();
    assert_eq!((total("proxy_delay"), total("proxy_post_delay")), (1, 2));
    assert_eq!(count("proxy_delay")["Current"]["Counters"].as_array().unwrap().len(), 11, "MON-28");
    assert_eq!(total("proxy_handshake_delay"), 0);
}

#[test]
fn websocket_tunnels_count_their_bytes_when_they_end() {
    let backend = Backend::start(|_| {
        Reply::bytes("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
    });
    let bfe = Bfe::start(&Tree::proxy(&backend));
    let mut client = bfe.client();
    client.send("GET / HTTP/1.1\r\nHost: ok\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    client.read_until(b"\r\n\r\n");
    client.send("12345");
    wait_until("bytes at the backend", || backend.raw().concat().ends_with(b"12345"));
    assert_eq!(bfe.counters("websocket_state")["WEB_SOCKET_BYTES_RECV"], 0);
    drop(client);
    wait_until("the end of the tunnel", || bfe.counters("websocket_state")["WEB_SOCKET_BYTES_RECV"] == 5);
    bfe.wait_idle();
}

#[test]
fn mon_61_reloads_as_agents_ask_for_them() {
    let backend = Backend::ok("x");
    let tree = Tree::proxy(&backend);
    let bfe = Bfe::start(&tree);
    // An agent writes a folder with the version in its name, reloads from there, and moves a link to it.
    let (old, new) = (bfe.conf().join("server_data_conf"), bfe.conf().join("server_data_conf_2024-1"));
    std::fs::create_dir(&new).unwrap();
    for file in ["host_rule.data", "vip_rule.data", "route_rule.data", "cluster_conf.data"] {
        let text = std::fs::read_to_string(old.join(file)).unwrap();
        std::fs::write(new.join(file), text.replacen("\"Version\": \"1\"", "\"Version\": \"2024-1\"", 1))
            .unwrap();
    }
    let path = format!("/reload/server_data_conf?path={}", new.display());
    assert_eq!(bfe.monitor(&path), r#"{"error":null}"#);
    let versions = bfe.monitor_json("/monitor/host_table_version");
    assert_eq!(versions["HostTag"], "2024-1");
    std::fs::remove_dir_all(&old).unwrap();
    std::os::unix::fs::symlink(&new, &old).unwrap();
    assert_eq!(bfe.reload("server_data_conf"), None);
    wait_until("the log", || bfe.log().contains("host_rule \"1\" -> \"2024-1\""));
    let log = bfe.log();
    let line = log.lines().find(|l| l.contains("Reload through web")).unwrap();
    assert!(line.contains("cmd=[server_data_conf], params=[path="), "{line}");
    wait_until("the second reload", || bfe.log().matches("Reload through web").count() == 2);
}

#[test]
fn mon_47_profiles_and_the_command_line() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start(&Tree::proxy(&backend));
    let conf = bfe.conf().display().to_string();
    assert!(bfe.monitor("/debug/cmdline").split('\0').any(|a| a == conf));
    let mut client = Client::connect(bfe.monitor_addr());
    client.send("GET /debug/pprof/profile?seconds=1 HTTP/1.1\r\nHost: m\r\n\r\n");
    // Somebody else wants one meanwhile.
    wait_until("the first profile to begin", || bfe.log().contains("CPU profile of 1s begins"));
    let mut second = Client::connect(bfe.monitor_addr());
    assert_eq!(second.ask("GET /debug/profile?seconds=1 HTTP/1.1\r\nHost: m\r\n\r\n").status, 500);
    let answer = client.read_response("GET");
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some("application/octet-stream")));
    assert_eq!(&answer.body[..2], &[0x1f, 0x8b], "it is compressed");
    assert_eq!(bfe.ask(GET).status, 200);
}

#[test]
fn connections_that_end_before_their_requests_are_counted_once() {
    let Some(curl) = peer("curl") else { return };
    let backend = Backend::always(Reply::new().stall());
    let rules = r#"{"Version": "1", "DefaultNextProtos": ["h2", "http/1.1"], "Config": {}}"#;
    let bfe = Bfe::start(&Tree::proxy(&backend).file("tls_conf/tls_rule_conf.data", rules));
    let resolve = format!("ok:{}:127.0.0.1", bfe.https_addr().port());
    let status = std::process::Command::new(curl)
        .args([
            "--http2",
            "--insecure",
            "--silent",
            "--max-time",
            "1",
            "--noproxy",
            "*",
            "--resolve",
            &resolve,
        ])
        .arg(format!("https://ok:{}/", bfe.https_addr().port()))
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(28), "curl gave up");
    assert_eq!(backend.count(), 1);
    bfe.wait_counter("CLIENT_CONN_ACTIVE", 0);
    let counters = bfe.counters("proxy_state");
    assert_eq!((counters["HTTP2_CLIENT_REQ_SERVED"], counters["HTTP2_CLIENT_CONN_SERVED"]), (1, 1));
    wait_until("the count", || bfe.counter("CLIENT_CONN_UNFINISHED_REQ") > 0);
    assert_eq!(bfe.counter("CLIENT_CONN_UNFINISHED_REQ"), 1);
    // A handshake has been timed.
    let count = |page: &str| bfe.monitor_json(&format!("/monitor/{page}"));
    let total = |page: &str| {
        let json = count(page);
        ["Current", "Past"].iter().map(|w| json[w]["Count"].as_u64().unwrap()).sum::<u64>()
    };
    let pages = ["proxy_handshake_delay", "proxy_handshake_full_delay", "proxy_handshake_resume_delay"];
    assert_eq!(pages.map(total), [1, 1, 0], "TLS-66");
}
