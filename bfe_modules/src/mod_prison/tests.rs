//! The module as requests meet it.

use super::*;
use crate::testing;
use bfe_module::HandlerResult;

/// A rule, with some of its fields as they are given.
fn rule(name: &str, more: &str) -> String {
    let mut fields = vec![
        ("Name", format!("\"{name}\"")),
        ("Cond", r#""default_t()""#.to_owned()),
        ("AccessSignConf", "{}".to_owned()),
        ("Action", r#"{"Cmd":"CLOSE","Params":[]}"#.to_owned()),
        ("CheckPeriod", "60".to_owned()),
        ("StayPeriod", "60".to_owned()),
        ("Threshold", "1".to_owned()),
        ("AccessDictSize", "10".to_owned()),
        ("PrisonDictSize", "10".to_owned()),
    ];
    for pair in more.split(" ; ").filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap();
        fields.retain(|(name, _)| *name != key);
        if !value.is_empty() {
            fields.push((key, value.to_owned()));
        }
    }
    let fields: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn ask(rules: &RuleFile<RawPrisonRule>) -> (HandlerResult, Request) {
    let mut req = testing::request("GET", "/");
    let outcome = found_product(rules, &mut req).unwrap();
    (outcome.result(), req)
}

fn results<const N: usize>(rules: &RuleFile<RawPrisonRule>) -> [HandlerResult; N] {
    std::array::from_fn(|_| ask(rules).0)
}

#[test]
fn prison_12_actions_that_end_the_way() {
    use HandlerResult::{Close, Finish, GoOn};
    let close = testing::rules::<RawPrisonRule>(&format!("[{}]", rule("n", "")));
    assert_eq!(results(&close), [GoOn, Close, Close]);
    let finish = format!("[{}]", rule("n", r#"Action={"cmd":"finish"}"#));
    let finish = testing::rules::<RawPrisonRule>(&finish);
    assert_eq!(results(&finish), [GoOn, Finish]);
    let (_, req) = ask(&finish);
    assert_eq!(req.error_code, Some(ErrorCode::new("PRISON")));
    let info = req.context.any::<PrisonInfo>(PRISON_INFO).unwrap();
    assert_eq!((info.name.as_ref(), info.is_expired, info.action), ("n", false, Command::Finish));
}

#[test]
fn prison_10_and_11_all_rules_in_order() {
    let set = r#"Action={"Cmd":"REQ_HEADER_SET","Params":["x-bfe-p","1"]}"#;
    let text = format!(
        r#"{{"Version":"v1","Config":{{"p":[{}],"global":[{},{}]}}}}"#,
        rule("of p", "Threshold=0"),
        rule("passes", r#"Threshold=0 ; Action={"Cmd":"PASS"}"#),
        rule("sets", &format!("Threshold=0 ; {set}")),
    );
    let rules = testing::load::<RawPrisonRule>(&text).unwrap();
    let (checked, denied) = (state::group().get(state::ALL_CHECKED), state::group().get(state::ALL_PRISON));
    let (result, req) = ask(&rules);
    assert_eq!(result, HandlerResult::Close);
    assert_eq!(req.http.header.get("X-Bfe-P"), Some(&b"1"[..]));
    // Other tests count too.
    assert!(state::group().get(state::ALL_CHECKED) >= checked + 3);
    assert!(state::group().get(state::ALL_PRISON) >= denied + 3);
}

#[test]
fn prison_15_reload_keeps_counters_by_name() {
    use HandlerResult::{Close, GoOn};
    let file = tempfile::NamedTempFile::new().unwrap();
    let write = |rules: &str| {
        std::fs::write(file.path(), format!(r#"{{"Version":"v2","Config":{{"p":{rules}}}}}"#)).unwrap();
        file.path().to_str().unwrap().to_owned()
    };
    let path = write(&format!("[{}]", rule("n", "")));
    let rules = RuleFile::<RawPrisonRule>::load(path.into()).unwrap();
    assert_eq!(results(&rules), [GoOn, Close]);
    let path = write(&format!("[{}]", rule("n", r#"Action={"Cmd":"FINISH"} ; PrisonDictSize=1"#)));
    assert!(rules.reload(Some(&path)).is_ok());
    assert_eq!(results(&rules), [HandlerResult::Finish]);
    let path = write("[{}]");
    assert!(rules.reload(Some(&path)).is_err());
    assert_eq!(results(&rules), [HandlerResult::Finish]);
    let path = write(&format!("[{}]", rule("other", "")));
    assert!(rules.reload(Some(&path)).is_ok());
    assert_eq!(results(&rules), [GoOn, Close]);
}

#[test]
fn prison_13_and_14_what_loads() {
    for (more, want) in [
        ("", ""),
        ("Threshold=0 ; StayPeriod=0", ""),
        ("Threshold=2147483647 ; CheckPeriod=9223372036854775807 ; AccessDictSize=100000000", ""),
        ("Name=\"\"", ""),
        (r#"Action={"Cmd":"Req_Header_Set","Params":["x-bfe-a","b"]}"#, ""),
        (r#"AccessSignConf={"url":1,"useclientip":true,"Query":["|"],"Header":[""],"UrlRegexp":""}"#, ""),
        ("Cond=", "Cond is not set"),
        ("Action=", "Action is not set"),
        ("AccessSignConf=null", "AccessSignConf is not set"),
        ("Name=null", "Name is not set"),
        ("CheckPeriod=", "CheckPeriod is not set"),
        ("StayPeriod=", "StayPeriod is not set"),
        ("Threshold=", "Threshold is not set"),
        ("AccessDictSize=", "AccessDictSize is not set"),
        ("PrisonDictSize=", "PrisonDictSize is not set"),
        ("Cond=\"x()\"", "cond.Build(): [x()]"),
        ("CheckPeriod=0", "at least 1"),
        ("StayPeriod=-1", "at least 0"),
        ("Threshold=-1", "at least 0"),
        ("Threshold=2147483648", "Threshold"),
        ("AccessDictSize=0", "at least 1"),
        ("PrisonDictSize=-5", "at least 1"),
        (r#"Action={"Cmd":"REQ_HEADER_ADD","Params":["X-BFE-A","b"]}"#, "[REQ_HEADER_ADD] not allowed"),
        (r#"Action={"Cmd":"REQ_HEADER_SET","Params":["X-A","b"]}"#, "must start with X-Bfe-"),
        (r#"Action={"Cmd":"CLOSE","Params":["b"]}"#, "num of params"),
        (r#"Action={"Cmd":"JAIL"}"#, "invalid cmd"),
        (r#"AccessSignConf={"UrlRegexp":"/(?:x)"}"#, "without subexpression"),
        (r#"AccessSignConf={"UrlRegexp":"("}"#, "missing closing )"),
        (r#"AccessSignConf={"UseSocketIP":"true"}"#, "UseSocketIP"),
    ] {
        let got = testing::check::<RawPrisonRule>(&format!("[{}]", rule("n", more)));
        match got {
            Ok(()) => assert_eq!(want, "", "{more} loads"),
            Err(reason) => assert!(!want.is_empty() && reason.contains(want), "{more}: {reason}"),
        }
    }
    let two = format!("[{},{}]", rule("n", ""), rule("n", ""));
    assert!(
        testing::check::<RawPrisonRule>(&two).unwrap_err().contains("p[1].Name: duplicated rule name[n]")
    );
    assert!(
        testing::check::<RawPrisonRule>("[null]").unwrap_err().contains("p[0].Cond: field Cond is not set")
    );
    assert!(
        testing::check::<RawPrisonRule>("null").unwrap_err().contains("no prisonRuleList for product: p")
    );
    assert_eq!(testing::check::<RawPrisonRule>("[]"), Ok(()));
    let rest = testing::load::<RawPrisonRule>("{\"Version\":\"\",\"Config\":{}}\n x").err().unwrap();
    assert!(rest.ends_with(":2:2: there are bytes left after the top-level value"), "{rest}");
}
