use super::*;
use crate::conf::{client_auth::Folders, server_cert_conf};
use crate::protocol::Protocol;
use crate::testing::Tree;

fn loaded(rest: &str) -> Result<RuleTable, String> {
    let tree = Tree::new(rest);
    load_tree(&tree)
}

fn load_tree(tree: &Tree) -> Result<RuleTable, String> {
    let settings = tree.settings();
    let (certs, _) = server_cert_conf::load(&settings.server_cert_conf, tree.path()).unwrap();
    let folders = Folders { ca: settings.client_ca_base_dir, crl: settings.client_crl_base_dir };
    load(&settings.tls_rule_conf, &certs, &folders).map(|(table, _)| table).map_err(|e| e.to_string())
}

fn rule(body: &str) -> String {
    format!(r#""Config": {{"r": {{{body}}}}}"#)
}

#[test]
fn tls_10_to_14_what_is_accepted() {
    for rest in [
        r#""Config": {}"#.to_owned(),
        r#""config": {}, "DefaultNextProtos": null, "Other": 1"#.to_owned(),
        rule(r#""CertName": "a", "Grade": "a+""#),
        rule(r#""CertName": "a", "Grade": """#),
        rule(r#""CertName": "a", "ClientCAName": "nope""#),
        rule(r#""CertName": "a", "SniConf": ["*.a.org", "x.a.org"]"#),
        rule(r#""CertName": "a", "VipConf": ["fc00::1", "10.0.0.1"]"#),
    ] {
        assert!(loaded(&rest).is_ok(), "{rest}: {:?}", loaded(&rest).err());
    }
}

#[test]
fn tls_10_to_16_what_is_refused() {
    for (rest, says) in [
        (r#""Config": null"#.to_owned(), "Config: no Config"),
        (r#""Version": "", "Config": {}"#.to_owned(), "Version: no Version"),
        (r#""Config": {"r": null}"#.to_owned(), "Config.r: rule is null"),
        (rule(r#""Grade": "C""#), "Config.r.CertName: no CertName"),
        (rule(r#""CertName": "nope""#), "Config.r.CertName: certificate \"nope\" does not exist"),
        (rule(r#""CertName": "a", "Grade": "D""#), "Config.r.Grade: invalid tls grade: D"),
        (rule(r#""CertName": "a", "ClientAuth": true"#), "Config.r.ClientCAName: ClientAuth enabled"),
        (rule(r#""CertName": "a", "ClientAuth": true, "ClientCAName": "nope""#), "nope.crt"),
        (
            rule(r#""CertName": "a", "VipConf": ["10.0.0.0/8"]"#),
            "Config.r.VipConf[0]: invalid vip (0) 10.0.0.0/8",
        ),
        (
            rule(r#""CertName": "a", "VipConf": ["FC00::1", "fc00:0::1"]"#),
            "Config.r.VipConf[1]: duplicated vip fc00::1",
        ),
        (rule(r#""CertName": "a", "VipConf": ["10.0.0.1", "::ffff:10.0.0.1"]"#), "duplicated vip 10.0.0.1"),
        (
            rule(r#""CertName": "a", "SniConf": ["a.org", "a.org"]"#),
            "Config.r.SniConf[1]: duplicated SNI \"a.org\"",
        ),
        (
            rule(r#""CertName": "a", "SniConf": ["b.org"]"#),
            "Config.r.SniConf[0]: SNI \"b.org\" is none of the names",
        ),
        (rule(r#""CertName": "a", "SniConf": ["A.org"]"#), "is none of the names"),
        (rule(r#""CertName": "a", "NextProtos": ["h2"]"#), "Config.r.NextProtos[0]: no \"http/1.1\""),
        (r#""Config": {}, "DefaultNextProtos": ["x"]"#.to_owned(), "DefaultNextProtos[0]: invalid proto (x)"),
    ] {
        let error = loaded(&rest).err().unwrap_or_else(|| panic!("accepted: {rest}"));
        assert!(error.contains("rules.data") && error.contains(says), "{says}: {error}");
    }
}

#[test]
fn tls_6_the_folder_of_revocation_lists_must_exist() {
    let tree = Tree::new(r#""Config": {}"#);
    std::fs::remove_dir_all(tree.path().join("client_crl")).unwrap();
    let error = load_tree(&tree).unwrap_err();
    assert!(error.contains("client_crl: ClientCRLBaseDir does not exist"), "{error}");
}

#[test]
fn tls_18_19_vip_goes_before_name_and_names_are_exact() {
    let table = loaded(
        r#""DefaultNextProtos": ["h2", "http/1.1"], "Config": {
            "name": {"CertName": "a", "SniConf": ["a.org"], "NextProtos": ["http/1.1"]},
            "vip": {"CertName": "b", "VipConf": ["10.0.0.1"], "NextProtos": ["stream;level=2;pp=1"]},
            "inherits": {"CertName": "b", "SniConf": ["b.org"], "Chacha20": true}}"#,
    )
    .unwrap();
    assert_eq!(table.version, "r1");
    let protos = |vip: Option<&str>, name| {
        let rule = table.find(vip.map(|v| v.parse().unwrap()), name);
        (rule.protos.first().map(|p| p.protocol), rule.own_protos)
    };
    assert_eq!(protos(Some("10.0.0.1"), "a.org"), (Some(Protocol::Stream), true));
    assert_eq!(protos(Some("10.0.0.2"), "a.org"), (Some(Protocol::Http1), true));
    assert_eq!(protos(None, "b.org"), (Some(Protocol::H2), false));
    for name in ["A.org", "a.org.", "x.a.org", ""] {
        assert_eq!(protos(None, name), (Some(Protocol::H2), false), "{name}");
    }
    assert_eq!(table.find(Some("10.0.0.1".parse().unwrap()), "").mandatory(), Some(Protocol::Stream));
    assert_eq!(table.find(None, "a.org").mandatory(), None);
    assert!(table.find(None, "b.org").chacha20);
}
