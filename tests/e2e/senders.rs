//! HAProxy and nginx in front, telling who the client is by the PROXY protocol (lifecycle 4.1).

use crate::programs::Running;
use bfe_tests::{Backend, Bfe, Client, Tree, peer};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

/// Where the stream module of nginx is, if it is a file of its own.
const STREAM_MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";
const GET: &str = "GET / HTTP/1.1\r\nHost: ok\r\nConnection: close\r\n\r\n";

fn proxy(backend: &Backend) -> Bfe {
    let tree = Tree::proxy(backend)
        .set("Layer4LoadBalancer", "PROXY")
        .module("mod_header")
        .file("mod_header/mod_header.conf", "[Basic]\nDataPath = mod_header/header_rule.data\n")
        .file("mod_header/header_rule.data", r#"{"Version": "1", "Config": {}}"#);
    Bfe::start(&tree)
}

/// A port that nobody uses.
fn port() -> u16 {
    Backend::refusing().port()
}

/// Asks by way of the sender; the backend has to see the client's address, which is none of the sender's.
#[track_caller]
fn check(what: &str, sender: u16, backend: &Backend) {
    let mut client =
        Client::connect_from(Ipv4Addr::new(127, 0, 0, 5), SocketAddr::from(([127, 0, 0, 1], sender)));
    let answer = client.ask(GET);
    assert_eq!((answer.status, answer.text()), (200, "hello"), "{what}");
    let seen = backend.requests().pop().unwrap();
    assert_eq!(seen.header("X-Forwarded-For"), Some("127.0.0.5"), "{what}: {seen:?}");
}

#[test]
fn haproxy_tells_who_the_client_is() {
    let Some(haproxy) = peer("haproxy") else { return };
    let backend = Backend::ok("hello");
    let bfe = proxy(&backend);
    let dir = tempfile::tempdir().unwrap();
    for option in ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options unique-id,crc32c"] {
        let port = port();
        let file = dir.path().join("haproxy.cfg");
        let conf = format!(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 20s\n timeout server 20s\n\
             frontend in\n bind 127.0.0.1:{port}\n unique-id-format %[uuid()]\n default_backend out\n\
             backend out\n server bfe {} {option}\n",
            bfe.http_addr()
        );
        std::fs::write(&file, conf).unwrap();
        let _haproxy = Running::start(Command::new(&haproxy).arg("-db").arg("-f").arg(&file), port);
        check(option, port, &backend);
    }
    // Its health checks say that they are its own.
    let port = port();
    let file = dir.path().join("checks.cfg");
    let conf = format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 20s\n timeout server 20s\n\
         listen in\n bind 127.0.0.1:{port}\n option httpchk GET / HTTP/1.1\n http-check send hdr Host ok\n\
         server bfe {} check inter 100 rise 1 fall 1 send-proxy-v2 check-send-proxy\n",
        bfe.http_addr()
    );
    std::fs::write(&file, conf).unwrap();
    let before = backend.count();
    let _haproxy = Running::start(Command::new(&haproxy).arg("-db").arg("-f").arg(&file), port);
    let _ = backend.wait_requests(before + 3);
    check("beside checks", port, &backend);
}

#[test]
fn nginx_tells_who_the_client_is() {
    let Some(nginx) = peer("nginx") else { return };
    let backend = Backend::ok("hello");
    let bfe = proxy(&backend);
    let (dir, port) = (tempfile::tempdir().unwrap(), port());
    let here = dir.path().display();
    // Built in, or a file of its own.
    let module = if Path::new(STREAM_MODULE).exists() {
        format!("load_module {STREAM_MODULE};\n")
    } else {
        String::new()
    };
    let conf = format!(
        "{module}daemon off; master_process off; pid {here}/pid; error_log {here}/error.log;\nevents {{}}\n\
         stream {{ server {{ listen 127.0.0.1:{port}; proxy_protocol on; proxy_pass {}; }} }}\n",
        bfe.http_addr()
    );
    let file = dir.path().join("nginx.conf");
    std::fs::write(&file, conf).unwrap();
    let mut command = Command::new(nginx);
    command.arg("-c").arg(&file).arg("-e").arg(dir.path().join("error.log"));
    let _nginx = Running::start(&mut command, port);
    check("proxy_protocol on", port, &backend);
}
