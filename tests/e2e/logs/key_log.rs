//! mod_key_log (modules-traffic 12).

use super::wait_lines;
use bfe_tests::{Backend, Bfe, Tree, peer, wait_until};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

fn rules(condition: &str) -> String {
    json!({"Version": condition, "Config": {"global": [{"Cond": condition}]}}).to_string()
}

/// Shakes hands with `openssl s_client`; gives what the client wrote into its own key log.
fn handshake(openssl: &Path, bfe: &Bfe, version: &str, keys: &Path) -> String {
    let _ = fs::remove_file(keys);
    let output = Command::new(openssl)
        .args(["s_client", version, "-connect", &bfe.https_addr().to_string(), "-keylogfile"])
        .arg(keys)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read_to_string(keys).unwrap()
}

#[test]
fn keylog_2_lines_are_those_of_the_client() {
    let Some(openssl) = peer("openssl") else { return };
    let (backend, dir) = (Backend::ok("hello"), tempfile::tempdir().unwrap());
    let (path, data) = (dir.path().join("key.log"), dir.path().join("key_log.data"));
    fs::write(&data, rules("default_t()")).unwrap();
    let conf = format!("[Log]\nLogFile = {}\n[Basic]\nDataPath = {}\n", path.display(), data.display());
    let tree = Tree::proxy(&backend).module("mod_key_log").file("mod_key_log/mod_key_log.conf", conf);
    let bfe = Bfe::start(&tree);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut seen = 0;
    for (version, lines) in [("-tls1_2", 1), ("-tls1_3", 5)] {
        let mut want: Vec<_> = handshake(&openssl, &bfe, version, &dir.path().join("client.keys"))
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect();
        let mut got = wait_lines(&path, seen + lines).split_off(seen);
        seen += got.len();
        want.sort();
        got.sort();
        assert_eq!(got, want, "{version}");
    }
    // A wrong file changes nothing; one that fits is in force at once.
    fs::write(&data, rules("nope()")).unwrap();
    assert!(bfe.reload("mod_key_log").is_some_and(|error| error.contains("nope")));
    handshake(&openssl, &bfe, "-tls1_2", &dir.path().join("client.keys"));
    wait_until("a line by the old rules", || fs::read_to_string(&path).unwrap().lines().count() > seen);
    fs::write(&data, rules("!default_t()")).unwrap();
    let answer = bfe.monitor("/reload/mod_key_log");
    assert_eq!(answer, r#"{"error":null,"version":"key_log.data=!default_t()"}"#);
    handshake(&openssl, &bfe, "-tls1_2", &dir.path().join("client.keys"));
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), seen + 1);
}
