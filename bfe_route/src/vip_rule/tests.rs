use super::*;

fn load_text(text: &str) -> Result<(VipTable, Vec<String>), String> {
    let rules = json::from_slice("vip_rule.data", text.as_bytes()).and_then(check::check);
    let (rules, warnings) = rules.map_err(|errors| errors.to_string())?;
    Ok((
        VipTable::new(rules, &crate::host_rule::HostTable::default()),
        warnings.iter().map(ToString::to_string).collect(),
    ))
}

#[test]
fn cfg_67_version_and_vips() {
    for text in [r#"{"Vips":{}}"#, r#"{"Version":"","Vips":{}}"#, r#"{"Version":null}"#] {
        let error = load_text(text).unwrap_err();
        assert!(error.ends_with("Version: no Version"), "{text}: {error}");
    }
    for text in [
        r#"{"Version":"1"}"#,
        r#"{"Version":"1","Vips":null}"#,
        r#"{"Version":"1","Vips":{}}"#,
        r#"{"Version":"1","Vips":{"p":null,"q":[]}}"#,
    ] {
        assert_eq!(load_text(text).unwrap().0.len(), 0, "{text}");
    }
}

#[test]
fn cfg_68_bad_addresses() {
    for vip in [
        "010.0.0.1",
        "1.2.3.4/32",
        "fe80::1%eth0",
        "[::1]",
        "",
        " 1.2.3.4",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "1:2:3:4:5:6:7:8::",
        "1::2::3",
        "12345::",
        "::ffff:01.2.3.4",
        "example.org",
    ] {
        let text = format!(r#"{{"Version":"1","Vips":{{"p":["1.1.1.1","{vip}"]}}}}"#);
        let want = format!(
            "vip_rule.data:1:39: Vips.p[1]: invalid vip {vip} for p: expected an IPv4 or IPv6 address"
        );
        assert_eq!(load_text(&text).map(|_| ()), Err(want));
    }
}

#[test]
fn cfg_69_addresses_are_normalised() {
    let text = r#"{"Version":"v","Vips":{
        "p":["::FFFF:1.2.3.4","FC00:1:A000:B00::527:127:AB"],"q":["5.6.7.8","0:0:0:0:0:0:0:1"]}}"#;
    let (table, warnings) = load_text(text).unwrap();
    assert_eq!((table.version.as_str(), table.len(), warnings.len()), ("v", 4, 0));
    for (vip, want) in [
        ("1.2.3.4", Some("p")),
        ("::ffff:1.2.3.4", Some("p")),
        ("fc00:1:a000:b00:0:527:127:ab", Some("p")),
        ("::ffff:5.6.7.8", Some("q")),
        ("::1", Some("q")),
        ("::2", None),
    ] {
        assert_eq!(table.find(vip.parse().unwrap()).map(|hit| &*hit.product), want, "{vip}");
    }
}

#[test]
fn an_address_of_two_products_is_told() {
    let text = r#"{"Version":"1","Vips":{"p":["1.2.3.4"],"q":["::ffff:1.2.3.4"]}}"#;
    let (table, warnings) = load_text(text).unwrap();
    assert_eq!(table.find([1, 2, 3, 4].into()).map(|hit| &*hit.product), Some("q"));
    assert_eq!(warnings, ["vip_rule.data:1:45: Vips.q[0]: vip ::ffff:1.2.3.4 belongs to p too; q gets it"]);
}
