//! Other people's programs as clients and backends. One that is absent is a test that is skipped, and says so.

use crate::programs::Nginx;
use bfe_tests::{Backend, Bfe, Reply, Tree, peer};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs curl; gives what it prints.
fn curl(path: &Path, bfe: &Bfe, arguments: &[&str]) -> String {
    let resolve = format!("ok:{}:127.0.0.1", bfe.http_addr().port());
    let output = Command::new(path)
        .args(["--silent", "--show-error", "--max-time", "20", "--noproxy", "*", "--resolve", &resolve])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn curl_as_a_client() {
    let Some(path) = peer("curl") else { return };
    let large = "0123456789abcdef".repeat(1 << 17);
    let of_backend = large.clone();
    let backend = Backend::start(move |req| match req.line().split(' ').collect::<Vec<_>>()[..] {
        ["HEAD", ..] => Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Seen: head\r\n\r\n"),
        [_, "/large", _] => Reply::ok(&of_backend),
        [_, "/close", _] => Reply::bytes("HTTP/1.1 200 OK\r\n\r\nuntil close").close(),
        [_, "/gone", _] => Reply::bytes("HTTP/1.1 304 Not Modified\r\nEtag: x\r\n\r\n"),
        _ => Reply::ok(if req.body.is_empty() { b"hello" } else { req.body.as_slice() }),
    });
    let bfe = Bfe::start(&Tree::proxy(&backend));
    let url = |path: &str| format!("http://ok:{}{path}", bfe.http_addr().port());
    let curl = |arguments: &[&str]| curl(&path, &bfe, arguments);
    assert_eq!(curl(&[&url("/")]), "hello");
    assert_eq!(curl(&["--http1.0", &url("/")]), "hello");
    assert_eq!(curl(&[&url("/close")]), "until close");
    assert!(curl(&[&url("/large")]) == large);
    assert!(curl(&["--head", &url("/")]).contains("X-Seen: head"));
    assert_eq!(curl(&["--data", "form", &url("/")]), "form");
    assert_eq!(curl(&["--header", "Transfer-Encoding: chunked", "--data", "chunks", &url("/")]), "chunks");
    assert_eq!(backend.requests().last().unwrap().header("Transfer-Encoding"), Some("chunked"));
    assert_eq!(curl(&["--header", "Expect: 100-continue", "--data", "waits", &url("/")]), "waits");
    // A file that is too large for one write, both ways.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("upload");
    fs::write(&file, &large).unwrap();
    let upload = file.to_str().unwrap();
    assert!(curl(&["--upload-file", upload, &url("/")]) == large);
    let status = ["--output", "/dev/null", "--write-out", "%{http_code} %{num_connects};"];
    // Two requests on one connection.
    let codes = curl(&[&status[..], &[&url("/"), "--output", "/dev/null", &url("/gone")]].concat());
    assert_eq!(codes, "200 1;304 0;");
    // An absolute target, as to a forward proxy.
    let proxy = format!("http://127.0.0.1:{}", bfe.http_addr().port());
    assert_eq!(curl(&["--noproxy", "", "--proxy", &proxy, "http://ok/absolute"]), "hello");
    assert_eq!(backend.requests().last().unwrap().line(), "GET /absolute HTTP/1.1");
    bfe.wait_idle();
}

#[test]
fn nginx_as_a_backend() {
    let Some(path) = peer("nginx") else { return };
    let nginx = Nginx::start(
        &path,
        "gzip on; gzip_types text/plain; gzip_min_length 1; default_type text/plain;",
        "listen 127.0.0.1:PORT; root HERE;\n\
         location /none { return 204; } location /host { return 200 $http_host; }",
    );
    let text = "0123456789abcdef".repeat(1 << 16);
    fs::write(nginx.dir().join("file.txt"), &text).unwrap();
    let tree = Tree::proxy(nginx.backend());
    let bfe = Bfe::start(&tree);
    let mut client = bfe.client();
    let mut get =
        |path: &str, more: &str| client.ask(format!("GET {path} HTTP/1.1\r\nHost: ok\r\n{more}\r\n"));
    for _ in 0..20 {
        assert!(get("/file.txt", "").text() == text);
        // Compressed, so chunked.
        let zipped = get("/file.txt", "Accept-Encoding: gzip\r\n");
        assert_eq!(zipped.header("Content-Encoding"), Some("gzip"));
        assert!(
            zipped.complete && zipped.header("Transfer-Encoding") == Some("chunked"),
            "{:?}",
            zipped.head
        );
        let part = get("/file.txt", "Range: bytes=2-5\r\n");
        assert_eq!((part.status, part.text()), (206, "2345"));
        assert_eq!(get("/none", "").status, 204);
        assert_eq!(get("/host", "").text(), "ok");
        assert_eq!(get("/missing", "").status, 404);
    }
    let counters = bfe.counters("proxy_state");
    assert_eq!((counters["CLIENT_REQ_SERVED"], counters["CLIENT_REQ_FAIL"]), (120, 0));
}
