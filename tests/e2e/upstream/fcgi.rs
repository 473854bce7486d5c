//! FastCGI backends (lifecycle 20), with php-cgi in their place, and with raw records for what it never says.

use super::tree;
use crate::programs::Running;
use bfe_tests::{Backend, Bfe, Tree, peer, wait_until};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

fn fcgi(backend: &Backend, root: &str) -> Tree {
    tree(
        backend,
        json!({
            "BackendConf": {"Protocol": "fcgi", "TimeoutResponseHeader": 2000,
                "FCGIConf": {"Root": root, "EnvVars": {"APP_ENV": "test"}}},
            "GslbBasic": {"RetryMax": 1}
        }),
    )
}

const SCRIPT: &str = r#"<?php
if ($_SERVER['QUERY_STRING'] === 'status') { header('Status: 418 Teapot'); header('X-Made: here'); }
if ($_SERVER['QUERY_STRING'] === 'large') { echo str_repeat('0123456789abcdef', 65536); exit; }
if ($_SERVER['QUERY_STRING'] === 'complain') { file_put_contents('php://stderr', "it\nhurts"); }
foreach (['REQUEST_METHOD', 'SCRIPT_NAME', 'REQUEST_URI', 'HTTP_HOST', 'HTTP_X_A', 'APP_ENV', 'CONTENT_LENGTH',
    'REMOTE_ADDR', 'SERVER_PROTOCOL'] as $name) { echo $name, '=', $_SERVER[$name] ?? '-', "\n"; }
echo strlen(file_get_contents('php://input'));
"#;

#[test]
fn bal_94_php_answers() {
    let Some(program) = peer("php-cgi") else { return };
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("i.php"), SCRIPT).unwrap();
    let mut backend = Backend::refusing();
    let root = dir.path().to_str().unwrap();
    let bfe = Bfe::start(&fcgi(&backend, root));
    // Nobody is there yet: each attempt is a failed connect, and leaves the request as it was.
    assert_eq!(bfe.ask("GET /i.php HTTP/1.1\r\nHost: ok\r\n\r\n").status, 500);
    assert_eq!(bfe.counter("ERR_BK_CONNECT_BACKEND"), 2);
    backend.free_port();
    let port = backend.port();
    let mut command = Command::new(program);
    command
        .args(["-b", &format!("127.0.0.1:{port}"), "-d", "cgi.force_redirect=0"])
        .env("PHP_FCGI_CHILDREN", "2");
    let _php = Running::start(&mut command, port);
    let ask = |line: &str, more: &str| bfe.ask(format!("{line} HTTP/1.1\r\nHost: ok\r\n{more}"));
    let answer = ask("GET /i.php?a=b", "X-A: 1\r\nX-A: 2\r\n\r\n");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.text(),
        "REQUEST_METHOD=GET\nSCRIPT_NAME=/i.php\nREQUEST_URI=/i.php?a=b\nHTTP_HOST=ok\nHTTP_X_A=1, 2\n\
         APP_ENV=test\nCONTENT_LENGTH=0\nREMOTE_ADDR=127.0.0.1\nSERVER_PROTOCOL=HTTP/1.1\n0"
    );
    let body = "x".repeat(1 << 20);
    let posted = ask("POST /i.php", &format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    assert!(posted.text().ends_with("\n1048576"), "{posted:?}");
    let teapot = ask("GET /i.php?status", "\r\n");
    assert_eq!(
        (teapot.status, teapot.header("X-Made"), teapot.header("Status")),
        (418, Some("here"), Some("418 Teapot"))
    );
    assert_eq!(ask("GET /i.php?large", "\r\n").text().len(), 1 << 20);
    assert_eq!(ask("GET /missing.php", "\r\n").status, 404);
    // What a script complains about is logged, and no part of the answer.
    assert!(ask("GET /i.php?complain", "\r\n").text().starts_with("REQUEST_METHOD=GET"));
    let mut client = bfe.client();
    client.send("HEAD /i.php HTTP/1.1\r\nHost: ok\r\n\r\n");
    assert_eq!(client.read_response("HEAD").status, 200);
    drop(client);
    bfe.wait_idle();
}

/// A server that reads a request of one piece and says `answer` to it, again and again.
fn raw(answer: &'static [u8]) -> (Backend, thread::JoinHandle<()>) {
    let mut backend = Backend::refusing();
    backend.free_port();
    let listener = TcpListener::bind(("127.0.0.1", backend.port())).unwrap();
    let serving = thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut seen = [0; 4096];
            let Ok(n) = stream.read(&mut seen) else { return };
            if n == 0 {
                return;
            }
            let _ = stream.write_all(answer);
        }
    });
    (backend, serving)
}

#[test]
fn life_fcgi_answers_that_php_never_gives() {
    for (what, answer, status) in [
        ("no end", &b"\x01\x06\0\x01\0\x05\0\0A: b\n"[..], 500),
        ("not FastCGI", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 500),
        ("nothing", b"", 500),
        ("a head without its empty line", b"\x01\x06\0\x01\0\x05\0\0A: b\n\x01\x03\0\x01\0\0\0\0", 200),
        ("an empty head", b"\x01\x06\0\x01\0\x04\0\0\r\n\r\n\x01\x03\0\x01\0\0\0\0", 200),
        ("a field that is none", b"\x01\x06\0\x01\0\x05\0\0nope\n\x01\x03\0\x01\0\0\0\0", 500),
        ("a status that is none", b"\x01\x06\0\x01\0\x0b\0\0Status: x\n\n\x01\x03\0\x01\0\0\0\0", 500),
        (
            "complaints",
            b"\x01\x07\0\x01\0\x04\x04\0no\r\npadd\x01\x06\0\x01\0\x08\0\0A: b\r\n\r\n\x01\x03\0\x01\0\0\0\0",
            200,
        ),
    ] {
        let (backend, serving) = raw(answer);
        let bfe = Bfe::start(&fcgi(&backend, "/srv"));
        assert_eq!(bfe.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n").status, status, "{what}");
        if what == "complaints" {
            wait_until("the complaint is logged", || {
                bfe.warnings().contains(r"127.0.0.1:") && bfe.warnings().contains(": no")
            });
        }
        bfe.wait_idle();
        drop(backend);
        serving.join().unwrap();
    }
}
