//! The module as requests meet it.

use super::*;
use crate::testing;
use bfe_module::HandlerResult;
use std::cell::RefCell;

#[test]
fn waf_3_4_and_6_what_hits_do() {
    let rules = testing::rules::<RawWafRule>(
        r#"[{"Cond":"req_path_in(\"/block\", false)","BlockRules":["RuleBashCmd"],"CheckRules":["RuleBashCmd"]},
            {"Cond":"req_path_in(\"/check\", false)","CheckRules":["RuleBashCmd","RuleBashCmd"]},
            {"Cond":"req_path_in(\"/block\", false)","BlockRules":["RuleBashCmd"]}]"#,
    );
    for (target, attack, result, types) in [
        ("/block", true, HandlerResult::Finish, "Block:true"),
        ("/block", false, HandlerResult::GoOn, "Block:false Check:false"),
        ("/check", true, HandlerResult::GoOn, "Check:true Check:true"),
        ("/other", true, HandlerResult::GoOn, ""),
    ] {
        let mut req = testing::request("GET", target);
        if attack {
            req.http.header.add("X-A", "() { :; }; x");
        }
        let written = RefCell::new(Vec::new());
        let outcome = found_product(&rules, &mut req, |line| {
            let line = String::from_utf8(line.to_vec()).unwrap();
            let (_, rest) = line.split_once("\"Type\":\"").unwrap();
            let (kind, rest) = rest.split_once("\",\"Hit\":").unwrap();
            written.borrow_mut().push(format!("{kind}:{}", rest.split(',').next().unwrap()));
        });
        assert_eq!(outcome.unwrap().result(), result, "{target}");
        assert_eq!(written.into_inner().join(" "), types, "{target}");
        let blocked = result == HandlerResult::Finish;
        assert_eq!(req.error_code, blocked.then_some(ErrorCode::new("WAF")), "{target}");
    }
}

#[test]
fn waf_7_what_loads() {
    for (list, want) in [
        (r#"[{"Cond":"default_t()","BlockRules":["RuleBashCmd"],"CheckRules":null}]"#, ""),
        ("[]", ""),
        ("null", "no rules for product: p"),
        ("[null]", "Config.p[0].Cond: empty cond"),
        (r#"[{"Cond":"","BlockRules":["RuleBashCmd"]}]"#, "empty cond"),
        (r#"[{"Cond":"x(","BlockRules":["RuleBashCmd"]}]"#, "Config.p[0].Cond"),
        (r#"[{"Cond":"default_t()","BlockRules":[],"CheckRules":[]}]"#, "neither BlockRules nor CheckRules"),
        (r#"[{"Cond":"default_t()","CheckRules":["RuleBashCmd","x"]}]"#, "CheckRules[1]: unknow rule x"),
    ] {
        let got = testing::check::<RawWafRule>(list).err().unwrap_or_default();
        assert!(got.contains(want) && got.is_empty() == want.is_empty(), "{list}: {got}");
    }
}

#[test]
fn waf_8_what_configures() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join(NAME)).unwrap();
    let good = "[Log]\nLogPrefix = waf\nLogDir = log\nRotateWhen = d\nBackUpCount = 24\n";
    for (text, want) in [
        (good.to_owned(), ""),
        (format!("{good}OpenDebug = true\n"), "OpenDebug"),
        (good.replace("= d", "= X"), "RotateWhen"),
        (good.replace("LogPrefix = waf\n", ""), "LogPrefix is empty"),
        ("[Log]\nLogFile = x\n".to_owned(), "LogFile"),
    ] {
        std::fs::write(root.path().join(NAME).join("mod_waf.conf"), &text).unwrap();
        let got = conf::load(root.path()).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(got.contains(want) && got.is_empty() == want.is_empty(), "{text}: {got}");
    }
}
