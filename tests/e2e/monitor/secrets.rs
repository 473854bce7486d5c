//! What clients and files keep secret is on no page and in no log.

use bfe_tests::{Backend, Bfe, Reply, Tree, wait_until};

/// Each has its own word, so that a failure says which it was.
const AUTHORIZATION: &str = "sekret-authorization";
const COOKIE: &str = "sekret-cookie";
const QUERY: &str = "sekret-query";
const BODY: &str = "sekret-body";
const SET_COOKIE: &str = "sekret-set-cookie";
const KEY: &str = "PRIVATE KEY";

#[test]
fn no_secret_on_a_page_or_in_a_log() {
    let backend = Backend::start(|req| match req.line() {
        line if line.starts_with("GET /cut") => {
            Reply::bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx").close()
        }
        line if line.starts_with("GET /garbage") => Reply::bytes(format!("{SET_COOKIE}\r\n\r\n")).close(),
        _ => Reply::bytes(format!(
            "HTTP/1.1 200 OK\r\nSet-Cookie: a={SET_COOKIE}\r\nContent-Length: 0\r\n\r\n"
        )),
    });
    let bfe = Bfe::start(&Tree::proxy(&backend));
    let secrets = format!("Authorization: Bearer {AUTHORIZATION}\r\nCookie: session={COOKIE}\r\n");
    for (line, host) in [
        (format!("GET /?token={QUERY} HTTP/1.1"), "ok"),
        (format!("GET /cut?token={QUERY} HTTP/1.1"), "ok"),
        (format!("GET /garbage?token={QUERY} HTTP/1.1"), "ok"),
        (format!("GET /?token={QUERY} HTTP/1.1"), "nobody"),
        // None of these is a request.
        (format!("GET /?token={QUERY} HTTP/9.x"), "ok"),
        (format!("GET  /?token={QUERY} {AUTHORIZATION} HTTP/1.1"), "ok"),
    ] {
        let mut client = bfe.client();
        client.send(format!("{line}\r\nHost: {host}\r\n{secrets}Connection: close\r\n\r\n"));
        client.read_to_end();
    }
    let mut client = bfe.client();
    client.send(format!("GET / HTTP/1.1\r\nHost: ok\r\nBad {AUTHORIZATION}\r\n{secrets}\r\n"));
    client.read_to_end();
    let mut client = bfe.client();
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: ok\r\n{secrets}Transfer-Encoding: chunked\r\n\r\n{BODY}\r\n"
    ));
    client.read_to_end();
    bfe.wait_idle();
    // A key file that is none, and one that is another's.
    let broken = bfe.conf().join("tls_conf/server.key");
    let key = std::fs::read_to_string(&broken).unwrap();
    let inside = key.lines().nth(1).unwrap().to_owned();
    std::fs::write(&broken, key.replace('M', "*")).unwrap();
    assert!(bfe.reload("tls_conf").is_some());
    let mangled = inside.replace('M', "*");

    let mut shown =
        vec![bfe.monitor("/"), bfe.monitor("/live"), bfe.monitor("/live.json"), bfe.monitor("/metrics")];
    let index = bfe.monitor("/monitor");
    let names: Vec<_> = index.split("href=\"").skip(1).filter_map(|l| l.split('"').next()).collect();
    assert!(names.len() > 30, "{index}");
    shown.extend(names.iter().map(|name| bfe.monitor(name)));
    wait_until("the log of the reload", || bfe.log().contains("tls_conf"));
    shown.push(bfe.output());
    shown.push(bfe.warnings());
    for text in shown {
        for secret in [AUTHORIZATION, COOKIE, QUERY, BODY, SET_COOKIE, KEY, &inside, &mangled] {
            assert!(!text.contains(secret), "{secret} is shown in {text}");
        }
    }
}
