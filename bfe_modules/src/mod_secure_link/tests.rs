//! Links, and files of rules.

use super::*;
use crate::testing;
use bfe_basic::Session;
use bfe_module::HandlerResult;

fn request(target: &str) -> Request {
    let session = Session { remote_addr: Some("127.0.0.1:54321".parse().unwrap()), ..Session::default() };
    let mut req = testing::request_on(session, "GET", target);
    req.http.host = "example.com".into();
    req.http.header.add("X-Key", "first");
    req.http.header.add("X-Key", "second");
    req
}

/// What is wrong with a request at second 1000, by a rule with these nodes and more fields.
fn fault(target: &str, nodes: &str, more: &str) -> Option<Fault> {
    let rules = format!(r#"[{{"Cond":"default_t()","ExpressionNodes":{nodes}{more}}}]"#);
    let rules = testing::rules::<RawLinkRule>(&rules);
    let table = rules.current();
    let rule = first_match(table.rules("p").unwrap(), &request(target)).unwrap().unwrap();
    rule.check(&request(target), 1000).err()
}

#[test]
fn seclink_1_and_5_vectors() {
    for (nodes, target) in [
        (
            r#"[{"Type":"query","Param":"e"},{"Type":"label","Param":"/s/link127.0.0.1 secret"}]"#,
            "/s?e=2147483647&md5=_e4Nc3iduzkWRm01TBBNYw",
        ),
        (
            r#"[{"Type":"label","Param":"9999999999/a/b"},{"type":"REMOTE_ADDR"},{"Type":"Label","Param":" secret"}]"#,
            "/?md5=rLiMt1xhWLkNLJpFkSlbgg",
        ),
        (
            r#"[{"Type":"label","Param":"4102444800"},{"Type":"host"},{"Type":"label","Param":" secret"}]"#,
            "/?md5=DGbMjtW9G55Om_4ds0fSZw",
        ),
        ("[]", "/?md5=1B2M2Y8AsgTpgAmY7PhCfg"),
        // Of nothing again: what is absent adds nothing.
        (r#"[{"Type":"query","Param":"no"},{"Type":"header","Param":"no"}]"#, "/?md5=1B2M2Y8AsgTpgAmY7PhCfg"),
        (r#"[{"Type":"header","Param":"x-key"}]"#, "/?md5=iwTV43ddKY54RV78XKQE1Q"),
    ] {
        assert_eq!(fault(target, nodes, ""), None, "{nodes} {target}");
    }
    // The target contains the checksum itself, so that none can be right; its own key is another matter.
    assert_eq!(fault("/?md5=x", r#"[{"Type":"uri"}]"#, ""), Some(Fault::InvalidChecksum));
    assert_eq!(fault("/?md5=1b2m2y8asgtpgamy7phcfg", "[]", ""), Some(Fault::InvalidChecksum));
}

#[test]
fn seclink_2_to_4_order_of_checks() {
    let expires = r#","ExpiresKey":"e""#;
    for (target, more, want) in [
        ("/", "", Some(Fault::WithoutChecksum)),
        ("/?md5=", "", Some(Fault::WithoutChecksum)),
        ("/?md5=x", "", Some(Fault::InvalidChecksum)),
        ("/?md5=x", r#","ChecksumKey":"sum""#, Some(Fault::WithoutChecksum)),
        ("/?sum=1B2M2Y8AsgTpgAmY7PhCfg", r#","ChecksumKey":"sum","ExpiresKey":"""#, None),
        ("/", expires, Some(Fault::WithoutExpires)),
        ("/?e=", expires, Some(Fault::WithoutExpires)),
        ("/?e=1x", expires, Some(Fault::InvalidExpires)),
        ("/?e=1_000", expires, Some(Fault::InvalidExpires)),
        ("/?e=99999999999999999999", expires, Some(Fault::InvalidExpires)),
        ("/?e=999", expires, Some(Fault::Expired)),
        ("/?e=-5", expires, Some(Fault::Expired)),
        ("/?e=1000", expires, Some(Fault::WithoutChecksum)),
        ("/?e=%2B1001&md5=1B2M2Y8AsgTpgAmY7PhCfg", expires, None),
        ("/?e=1&e=2000&md5=1B2M2Y8AsgTpgAmY7PhCfg", expires, Some(Fault::Expired)),
    ] {
        assert_eq!(fault(target, "[]", more), want, "{target} {more}");
    }
}

#[test]
fn seclink_7_and_9_answers() {
    let rules = testing::rules::<RawLinkRule>(
        r#"[{"Cond":"req_path_in(\"/free\", false)","ExpressionNodes":[]},
            {"Cond":"default_t()","ExpressionNodes":[{"Type":"label","Param":"x"}]}]"#,
    );
    for (target, passes) in
        [("/free?md5=1B2M2Y8AsgTpgAmY7PhCfg", true), ("/?md5=1B2M2Y8AsgTpgAmY7PhCfg", false), ("/", false)]
    {
        let result = validate(&rules, &mut request(target)).unwrap().result();
        assert_eq!(result, if passes { HandlerResult::GoOn } else { HandlerResult::Response }, "{target}");
    }
    let mut other = request("/");
    other.route.product = "q".into();
    assert_eq!(validate(&rules, &mut other).unwrap().result(), HandlerResult::GoOn);
}

#[test]
fn seclink_6_what_loads() {
    for (list, want) in [
        (r#"[{"Cond":"default_t()","ExpressionNodes":[{"Type":"Remote_Addr"}]}]"#, ""),
        ("null", ""),
        ("[null]", "no Cond"),
        (r#"[{"ExpressionNodes":[]}]"#, "no Cond"),
        (r#"[{"Cond":"nope()","ExpressionNodes":[]}]"#, "primitive nope not found"),
        (r#"[{"Cond":"default_t()"}]"#, "bad SecureLink node"),
        (
            r#"[{"Cond":"default_t()","ExpressionNodes":[],"ChecksumKey":""}]"#,
            "ChecksumKey: bad ChecksumKey node: empty string",
        ),
        (
            r#"[{"Cond":"default_t()","ExpressionNodes":[{"Type":"uri"},{"Type":"nope"}]}]"#,
            "ExpressionNodes[1].Type: bad node type: nope",
        ),
        (r#"[{"Cond":"default_t()","ExpressionNodes":[{}]}]"#, "bad node type: "),
    ] {
        let got = testing::check::<RawLinkRule>(list).err().unwrap_or_default();
        assert!(got.contains(want) && got.is_empty() == want.is_empty(), "{list}: {got}");
    }
}
