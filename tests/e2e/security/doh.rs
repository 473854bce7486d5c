//! mod_doh.

use bfe_tests::{Backend, Bfe, Tree, peer};
use std::net::UdpSocket;
use std::process::Command;
use std::thread;

/// A query for `a.b` in base64url, and what an answer to it has behind its identifier.
const QUERY: &str = "EjQBAAABAAAAAAAAAWEBYgAAAQAB";
const ANSWER: &[u8] = b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x01a\x01b\x00\x00\x01\x00\x01\
    \xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x01\x02\x03\x04";

fn conf(address: &str) -> String {
    format!(
        "[Basic]\nCond = \"req_path_prefix_in(\\\"/dns-query\\\", false)\"\n\
         [Dns]\nAddress = \"{address}\"\nTimeout = 300\nRetryMax = 1\n"
    )
}

#[test]
fn doh_1_to_4_queries_over_tls_and_in_the_clear() {
    let resolver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = resolver.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = resolver.recv_from(&mut buffer) {
            // The client's address is told.
            assert!(buffer[..length].ends_with(b"\xff\xff\x7f\x00\x00\x01"));
            resolver.send_to(&[&buffer[..2], ANSWER].concat(), from).unwrap();
        }
    });
    let backend = Backend::ok("hello");
    let tree = Tree::proxy(&backend).module("mod_doh").file("mod_doh/mod_doh.conf", conf(&address));
    let bfe = Bfe::start(&tree);
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: ok\r\n\r\n");
    assert_eq!(bfe.ask(get(&format!("/dns-query?dns={QUERY}"))).status, 403);
    assert_eq!(bfe.ask(get("/other")).text(), "hello");

    let Some(curl) = peer("curl") else { return };
    let dir = tempfile::tempdir().unwrap();
    let body = dir.path().join("query");
    // The same message, as the body of a POST.
    let message = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x01b\x00\x00\x01\x00\x01";
    std::fs::write(&body, message).unwrap();
    let url = format!("https://127.0.0.1:{}/dns-query", bfe.https_addr().port());
    let fetch = |arguments: &[&str]| {
        let output = Command::new(&curl)
            .args(["-sk", "--max-time", "20", "--http1.1", "-H", "Host: ok", "-i"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let want = [b"\x12\x34", ANSWER].concat();
    let post = format!("@{}", body.display());
    for arguments in [&[&*format!("{url}?dns={QUERY}")][..], &["--data-binary", &post, &url]] {
        let answer = fetch(arguments);
        let head = String::from_utf8_lossy(&answer[..answer.len() - want.len()]).to_lowercase();
        assert!(answer.ends_with(&want), "{head}");
        for field in
            ["200 ok", "content-type: application/dns-message", "cache-control: max-age=60", "server: bfe"]
        {
            assert!(head.contains(field), "{field}: {head}");
        }
    }
    let answer = fetch(&[&format!("{url}?dns=AAAA")]);
    assert!(answer.starts_with(b"HTTP/1.1 500"), "{}", String::from_utf8_lossy(&answer));
    let counters = bfe.counters("mod_doh");
    assert_eq!(["DOH_REQUEST", "DOH_REQUEST_NOT_SECURE", "FETCH_DNS_ERR"].map(|n| counters[n]), [4, 1, 1]);
}
