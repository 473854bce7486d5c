//! mod_geo.

use super::expect_refused;
use bfe_tests::{Backend, Bfe, Launch, Tree};
use std::fs;
use std::path::PathBuf;

fn database(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../bfe_modules/src/mod_geo/testdata").join(name)
}

fn tree(backend: &Backend, path: &str) -> Tree {
    let rules = r#"{"Version": "1", "Config": {"p": [{"Cond": "default_t()", "Last": true, "Actions": [
        {"Cmd": "REQ_HEADER_SET", "Params": ["X-Geo", "%bfe_client_geo_country_iso_code;%bfe_client_geo_city_name;%bfe_client_geo_latitude"]}]}]}}"#;
    Tree::proxy(backend)
        .module("mod_geo")
        .module("mod_header")
        .file("mod_geo/mod_geo.conf", format!("[Basic]\nGeoDBPath = {path}\n"))
        .file("mod_header/mod_header.conf", "[Basic]\nDataPath = mod_header/rules.data\n")
        .file("mod_header/rules.data", rules)
}

#[test]
fn geo_1_6_and_7_headers_and_reload() {
    let backend = Backend::ok("hello");
    let bfe = Bfe::start(&tree(&backend, database("city.mmdb").to_str().unwrap()));
    let seen = || {
        assert_eq!(bfe.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n").status, 200);
        backend.requests().last().unwrap().header("X-Geo").unwrap_or_default().to_owned()
    };
    assert_eq!(seen(), "US;Town;34.0522");
    let reload = |path: &str| format!("mod_geo?path={path}");
    let other = bfe.conf().join("other.mmdb");
    fs::copy(database("unknown.mmdb"), &other).unwrap();
    expect_refused(
        &bfe,
        &reload(other.to_str().unwrap()),
        &["other.mmdb: unknown database type", "Own-Type"],
    );
    assert_eq!(seen(), "US;Town;34.0522");
    fs::copy(database("country.mmdb"), &other).unwrap();
    assert_eq!(bfe.reload(&reload(other.to_str().unwrap())), None);
    // What a database does not know is 0, or empty.
    assert_eq!(seen(), "CN;;0");
    fs::copy(database("asn.mmdb"), &other).unwrap();
    assert_eq!(bfe.reload(&reload(other.to_str().unwrap())), None);
    assert_eq!(seen(), ";;");
    let counters = bfe.counters("mod_geo");
    assert_eq!((counters["ERR_RELOAD_GEO_DATABASE"], counters["ERR_GET_GEO_INFO"]), (1, 1));
}

#[test]
fn a_start_without_a_database_fails() {
    let backend = Backend::ok("hello");
    let finished = Launch::new(&tree(&backend, "mod_geo/none.db")).finish();
    assert_ne!(finished.code, Some(0));
    assert!(
        finished.stderr.contains("mod_geo/none.db: cannot read file: no such file"),
        "{}",
        finished.stderr
    );
}
