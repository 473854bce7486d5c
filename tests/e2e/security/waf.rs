//! mod_waf.

use super::{expect_refused, write};
use bfe_tests::{Backend, Bfe, Tree, wait_for};
use std::fs;

const DATA: &str = "mod_waf/waf_rule.data";
const RULES: &str = r#"{"Version": "1", "Config": {"p": [
    {"Cond": "req_path_in(\"/block\", false)", "BlockRules": ["RuleBashCmd"]},
    {"Cond": "req_path_in(\"/check\", false)", "CheckRules": ["RuleBashCmd"]}]}}"#;

#[test]
fn waf_3_to_5_blocks_checks_and_the_log() {
    let backend = Backend::ok("hello");
    let conf = "[Log]\nLogPrefix = waf\nLogDir = waf-log\nRotateWhen = D\nBackupCount = 2\n";
    let tree = Tree::proxy(&backend).module("mod_waf").file("mod_waf/mod_waf.conf", conf).file(DATA, RULES);
    let bfe = Bfe::start(&tree);
    let get =
        |path: &str, agent: &str| format!("GET {path} HTTP/1.1\r\nHost: ok\r\nUser-Agent: {agent}\r\n\r\n");
    let attack = "() { :; }; x";
    let mut client = bfe.client();
    assert_eq!(client.ask(get("/block", "curl")).text(), "hello");
    assert_eq!(client.ask(get("/check", attack)).text(), "hello");
    // A target that is no URL, and one in pieces.
    assert_eq!(client.ask(get("/check?a#%zz", "curl")).text(), "hello");
    let answer = client.ask(get("/block", attack));
    assert_eq!((answer.status, answer.text(), answer.header("Server")), (200, "", None));
    client.expect_close();
    assert_eq!(backend.count(), 3);
    let counters = bfe.counters("mod_waf");
    assert_eq!(["CHECKED_REQ", "HIT_BLOCKED_REQ", "HIT_CHECKED_RULE"].map(|n| counters[n]), [4, 1, 1]);
    let lines = wait_for("the log", || {
        let text = fs::read_to_string(bfe.conf().join("waf-log/waf.log")).unwrap_or_default();
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        (lines.len() == 4).then_some(lines)
    });
    for (line, kind, hit) in
        [(0, "Block", false), (1, "Check", true), (2, "Check", false), (3, "Block", true)]
    {
        let want =
            format!(r#"{{"Rule":"RuleBashCmd","Type":"{kind}","Hit":{hit},"RuleRequest":{{"Method":"GET","#);
        assert!(lines[line].contains(&want), "{line}: {lines:#?}");
    }

    write(&bfe, DATA, &RULES.replace("RuleBashCmd", "RuleNo"));
    expect_refused(&bfe, "mod_waf", &["waf_rule.data:2:", "Config.p[0].BlockRules[0]: unknow rule RuleNo"]);
    assert_eq!(bfe.ask(get("/block", attack)).text(), "");
    write(&bfe, DATA, &RULES.replace("/block", "/other"));
    assert_eq!(bfe.reload("mod_waf"), None);
    assert_eq!(bfe.ask(get("/block", attack)).text(), "hello");
}
