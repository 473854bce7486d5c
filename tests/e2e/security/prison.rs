//! mod_prison.

use super::{expect_refused, write};
use bfe_tests::{Backend, Bfe, Tree};

const DATA: &str = "mod_prison/prison.data";

fn data(version: &str, threshold: u32, cmd: &str) -> String {
    format!(
        r#"{{"Version": "{version}", "Config": {{"p": [{{
            "Name": "n", "Cond": "req_path_prefix_in(\"/p\", false)", "AccessSignConf": {{"Header": ["X-K"]}},
            "Action": {{"Cmd": "{cmd}", "Params": []}}, "CheckPeriod": 60, "StayPeriod": 60,
            "Threshold": {threshold}, "AccessDictSize": 100, "PrisonDictSize": 100}}]}}}}"#
    )
}

fn get(client: u32) -> String {
    format!("GET /p HTTP/1.1\r\nHost: ok\r\nX-K: {client}\r\n\r\n")
}

#[test]
fn prison_1_12_15_18_limits_and_reload() {
    let backend = Backend::ok("hello");
    let tree = Tree::proxy(&backend)
        .module("mod_prison")
        .file("mod_prison/mod_prison.conf", "[Basic]\nProductRulePath = mod_prison/prison.data\n")
        .file(DATA, data("v1", 2, "CLOSE"));
    let bfe = Bfe::start(&tree);
    // Each on a connection of its own, so that both workers have some: the limit is one for all.
    for client in 1..=4 {
        for _ in 0..2 {
            assert_eq!(bfe.ask(get(client)).status, 200);
        }
        for _ in 0..2 {
            let mut denied = bfe.client();
            denied.send(get(client));
            denied.expect_close();
        }
    }
    assert_eq!(backend.count(), 8);
    let counters = bfe.counters("mod_prison");
    assert_eq!((counters["ALL_CHECKED"], counters["ALL_PRISON"]), (16, 8));

    // Counters and prisoners of the rule are kept, its action is the new one.
    write(&bfe, DATA, &data("v2", 3, "FINISH"));
    assert_eq!(bfe.monitor("/reload/mod_prison"), r#"{"error":null,"version":"prison.data=v2"}"#);
    let mut client = bfe.client();
    let answer = client.ask(get(1));
    assert_eq!((answer.status, answer.text(), answer.header("Server")), (200, "", None));
    client.expect_close();

    write(&bfe, DATA, &data("v3", 0, "JAIL"));
    expect_refused(&bfe, "mod_prison", &["prison.data:1:", "Config.p[0].Action", "JAIL"]);
    let mut client = bfe.client();
    for _ in 0..3 {
        assert_eq!(client.ask(get(5)).text(), "hello");
    }
    assert_eq!(client.ask(get(5)).text(), "");
}
