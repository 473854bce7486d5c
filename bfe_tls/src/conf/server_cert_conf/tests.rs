use super::*;
use crate::testing::{Made, made, self_signed};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// A root with certificates `a` (for `example.org` and `*.example.org`) and `b` (common name `b.org`, and a
/// name of another), and this file.
fn root(file: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, Made { cert, key }: &Made| {
        fs::write(dir.path().join(format!("{name}.crt")), cert).unwrap();
        fs::write(dir.path().join(format!("{name}.key")), key).unwrap();
    };
    write("a", &self_signed(&["example.org", "*.example.org"]));
    write("b", &made(Some("b.org"), &["UPPER.org", "*.b.*", "example.org"]));
    fs::write(dir.path().join("junk"), "junk").unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::write(dir.path().join("sub/server_cert_conf.data"), file).unwrap();
    dir
}

fn entry(name: &str, cert: &str, key: &str) -> String {
    format!(r#""{name}": {{"ServerCertFile": "{cert}", "ServerKeyFile": "{key}"}}"#)
}

fn file(default: &str, entries: &[String]) -> String {
    format!(
        r#"{{"Version": "v", "Config": {{"Default": "{default}", "CertConf": {{{}}}}}}}"#,
        entries.join(",")
    )
}

fn loaded(file: &str) -> Result<(CertTable, Vec<ConfError>), String> {
    let dir = root(file);
    load(&dir.path().join("sub/server_cert_conf.data"), dir.path()).map_err(|e| e.to_string())
}

#[test]
fn tls_8_9_what_is_refused() {
    let a = entry("a", "a.crt", "a.key");
    let (table, _) = loaded(&file("a", std::slice::from_ref(&a))).unwrap();
    assert_eq!((table.version.as_str(), table.default.index), ("v", 0));
    for (text, says) in [
        (file("b", std::slice::from_ref(&a)), "Config.Default: default certificate \"b\" does not exist"),
        (
            file("a", &[a.clone(), entry("BFE_DEFAULT_CERT", "b.crt", "b.key")]),
            "should not be BFE_DEFAULT_CERT",
        ),
        (file("a", &[entry("a", "", "a.key")]), "Config.CertConf.a.ServerCertFile: no ServerCertFile"),
        (file("a", &[entry("a", "a.crt", "")]), "Config.CertConf.a.ServerKeyFile: no ServerKeyFile"),
        (file("a", &[entry("a", "nope.crt", "a.key")]), "nope.crt"),
        (file("a", &[entry("a", "a.crt", "nope.key")]), "nope.key"),
        (file("a", &[entry("a", "a.crt", "b.key")]), "does not match the certificate"),
        (file("a", &[entry("a", "junk", "a.key")]), "junk: no certificate in this file"),
        (file("a", &[entry("a", "a.crt", "junk")]), "junk: no private key in this file"),
        (r#"{"Config": {"Default": "a"}}"#.into(), "Version: no Version"),
        (r#"{"Version": "v"}"#.into(), "default certificate \"\" does not exist"),
        (
            r#"{"Version": "v", "Config": {"Default": "a", "CertConf": {"a": null}}}"#.into(),
            "no ServerCertFile",
        ),
    ] {
        let error = loaded(&text).err().unwrap_or_else(|| panic!("accepted: {text}"));
        assert!(error.contains("server_cert_conf.data") && error.contains(says), "{says}: {error}");
        assert!(!error.contains("BEGIN"), "{error}");
    }
}

#[test]
fn tls_19_20_21_certificates_by_name() {
    let both = file("a", &[entry("a", "a.crt", "a.key"), entry("b", "b.crt", "b.key")]);
    let (table, _) = loaded(&both).unwrap();
    for (name, want) in [
        ("example.org", Some(0)),
        ("EXAMPLE.org.", Some(0)),
        ("example.org..", Some(0)),
        ("x.example.org", Some(0)),
        ("a.b.example.org", None),
        ("b.org", Some(1)),
        ("upper.org", None),
        ("UPPER.org", None),
        ("x.b.y", Some(1)),
        ("x.b", None),
        ("", None),
        (".", None),
    ] {
        assert_eq!(table.for_server_name(name).map(|c| c.index), want, "{name}");
    }
    assert_eq!(table.named("b").map(|c| c.index), Some(1));
    assert!(table.named("BFE_DEFAULT_CERT").is_some_and(|cert| Arc::ptr_eq(cert, &table.default)));
}

#[test]
fn tls_8_what_a_certificate_demands_of_clients_is_no_matter() {
    let (unknown, key_usage) = ([1, 2, 3, 4], [2, 5, 29, 15]);
    for (id, content, critical, ok) in [
        (&unknown[..], vec![5, 0], true, true),
        (&unknown, b"junk".to_vec(), false, true),
        (&key_usage, vec![3, 2, 5, 0xa0], true, true),
        (&key_usage, b"junk".to_vec(), false, false),
    ] {
        let mut params = rcgen::CertificateParams::new(vec!["example.org".into()]).unwrap();
        let mut extension = rcgen::CustomExtension::from_oid_content(id, content);
        extension.set_criticality(critical);
        params.custom_extensions = vec![extension];
        let key = rcgen::KeyPair::generate().unwrap();
        let dir = root(&file("a", &[entry("a", "c.crt", "c.key")]));
        fs::write(dir.path().join("c.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(dir.path().join("c.key"), key.serialize_pem()).unwrap();
        match load(&dir.path().join("sub/server_cert_conf.data"), dir.path()) {
            Ok((table, _)) => {
                assert!(ok && table.default.names.iter().any(|name| name == "example.org"), "{id:?}");
            }
            Err(e) => assert!(!ok && e.to_string().contains("certificate is malformed"), "{id:?}: {e}"),
        }
    }
}

#[test]
fn keys_that_everybody_can_read_are_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = root(&file("a", &[entry("a", "a.crt", "a.key")]));
    let path = dir.path().join("sub/server_cert_conf.data");
    for (mode, told) in [(0o644, true), (0o640, false), (0o600, false)] {
        fs::set_permissions(dir.path().join("a.key"), fs::Permissions::from_mode(mode)).unwrap();
        let (_, warnings) = load(&path, dir.path()).unwrap();
        assert_eq!(warnings.iter().any(|w| w.reason.contains("private key")), told, "{mode:o}");
    }
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let len = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82][..], &len, &content].concat()
}

/// An unsigned response about serial number 7.
fn response(status: u8, next_update: bool, answers: usize) -> Vec<u8> {
    let time = |text: &str| der(0x18, &[text.as_bytes()]);
    let next = der(0xa0, &[&time("20240103000000Z")]);
    let id = der(0x30, &[&der(0x30, &[]), &der(4, &[b"n"]), &der(4, &[b"k"]), &der(2, &[&[7]])]);
    let next: &[u8] = if next_update { &next } else { &[] };
    let answer = der(0x30, &[&id, &[status, 0], &time("20240101000000Z"), next]);
    let data = der(
        0x30,
        &[
            &der(0xa2, &[&der(4, &[b"responder"])]),
            &time("20240101000000Z"),
            &der(0x30, &vec![answer.as_slice(); answers]),
        ],
    );
    let basic = der(0x30, &[&data, &der(0x30, &[]), &der(3, &[&[0]])]);
    let oid = [6, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];
    der(0x30, &[&[0x0a, 1, 0], &der(0xa0, &[&der(0x30, &[&oid, &der(4, &[&basic])])])])
}

#[test]
fn tls_56_responses_to_staple() {
    let at = |hours: u64| UNIX_EPOCH + Duration::from_secs(1_704_067_200 + hours * 3600);
    let checked = |bytes, serial: &[u8], now: SystemTime| ocsp::check(bytes, serial, now).map(|_| ());
    let good = response(0x80, true, 1);
    for (hours, ok) in [(0, false), (1, true), (24, true), (47, true), (48, false)] {
        assert_eq!(checked(good.clone(), &[7], at(hours)).is_ok(), ok, "{hours} h");
    }
    for (bytes, serial, says) in [
        (good.clone(), &[8][..], "serial number"),
        (response(0xa1, true, 1), &[7], "status"),
        (response(0x80, false, 1), &[7], "next update"),
        (response(0x80, true, 2), &[7], "more than one"),
        (vec![0x30, 3, 0x0a, 1, 6], &[7], "error"),
        (b"junk".to_vec(), &[7], "malformed"),
        ([&good[..], &[0]].concat(), &[7], "behind it"),
    ] {
        let error = checked(bytes, serial, at(2)).unwrap_err();
        assert!(error.contains(says), "{says}: {error}");
    }
    for len in 0..good.len() {
        assert!(checked(good.get(..len).unwrap().to_vec(), &[7], at(2)).is_err(), "first {len} bytes");
    }
    let staple = ocsp::check(good, &[7], at(2)).unwrap();
    assert!(staple.is_current(at(47)) && !staple.is_current(at(48)));
}
