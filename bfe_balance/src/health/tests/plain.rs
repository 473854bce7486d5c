//! The `http` and `tcp` checks.

use super::*;
use crate::health::probe::check;

/// The result of an http check that gets this answer, and the head of the request.
async fn ask(cluster: &str, text: &str) -> (Result<(), String>, String) {
    let (listener, port) = listen().await;
    let (backend, _) = backend("127.0.0.1", port);
    let conf = conf(cluster);
    let (result, head) = tokio::join!(check(&backend, &conf), answer(&listener, text));
    (result.map_err(|error| error.to_string()), head.replace(&port.to_string(), "PORT"))
}

#[tokio::test]
async fn bal_73_http_request() {
    for (check, line, host) in [
        ("{}", "GET /health_check HTTP/1.1", "127.0.0.1:PORT"),
        (r#"{"Uri":"/a b?c#d","Host":"example.org"}"#, "GET /a%20b?c HTTP/1.1", "example.org"),
        (r#"{"Host":"no host"}"#, "GET /health_check HTTP/1.1", ""),
    ] {
        let (result, head) = ask(&format!(r#"{{"CheckConf":{check}}}"#), "HTTP/1.1 200 OK\r\n\r\n").await;
        assert_eq!(result, Ok(()));
        let want = format!(
            "{line}\r\nHost: {host}\r\nUser-Agent: Go-http-client/1.1\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n"
        );
        assert_eq!(head, want);
    }
}

#[tokio::test]
async fn bal_73_74_http_answers() {
    const MASK: &str = r#"{"CheckConf":{"StatusCode":6}}"#;
    const RANGE: &str = r#"{"CheckConf":{"StatusCode":200,"StatusCodeRange":"5xx"}}"#;
    const ANY: &str = "{}";
    for (cluster, answer, want) in [
        (MASK, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", Ok(())),
        (MASK, "HTTP/1.0 204\r\n\r\n", Ok(())),
        (MASK, "HTTP/1.1 404 No\r\n\r\n", Err("response statusCode[404], while expect[2XX 3XX ]")),
        (RANGE, "HTTP/1.1 200 OK\r\n\r\n", Ok(())),
        (RANGE, "HTTP/1.1 500 Oops\r\n\r\n", Err("response statusCode[500], while expect[200]")),
        (ANY, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 600 Odd\r\n\r\n", Ok(())),
        (ANY, "SSH-2.0-x\r\n\r\n", Err(r#"malformed answer "SSH-2.0-x\r""#)),
        (ANY, "HTTP/1.1 200 OK\r\nCut: ", Err(r#"malformed answer "HTTP/1.1 200 OK\r""#)),
        (ANY, "", Err(r#"malformed answer """#)),
    ] {
        assert_eq!(ask(cluster, answer).await.0, want.map_err(str::to_owned), "{cluster} {answer:?}");
    }
}

#[tokio::test]
async fn http_check_has_a_limit() {
    let (listener, port) = listen().await;
    let (backend, _) = backend("127.0.0.1", port);
    let conf = conf(r#"{"CheckConf":{"CheckTimeout":20}}"#);
    let silent = async {
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        // Held open until the check gives up.
        stream.read(&mut [0; 1]).await.unwrap()
    };
    let (result, read) = tokio::join!(check(&backend, &conf), silent);
    assert_eq!((result.unwrap_err().to_string(), read), ("no result within 20ms".to_owned(), 0));
}

#[tokio::test]
async fn an_endless_head_is_refused() {
    let (listener, port) = listen().await;
    let (backend, _) = backend("127.0.0.1", port);
    let conf = conf("{}");
    let flood = async {
        let mut stream = accept(&listener).await;
        let line = [b'a'; 4096];
        while stream.write_all(&line).await.is_ok() {}
    };
    let (result, ()) = tokio::join!(check(&backend, &conf), flood);
    assert!(result.unwrap_err().to_string().starts_with("malformed answer"));
}

#[tokio::test]
async fn bal_77_tcp_check() {
    let conf = conf(r#"{"CheckConf":{"Schem":"tcp"}}"#);
    let (_listener, port) = listen().await;
    assert!(check(&backend("127.0.0.1", port).0, &conf).await.is_ok());
    assert!(check(&backend("127.0.0.1", closed_port().await).0, &conf).await.is_err());
    // What cannot be an address is a failure like any other.
    let at = |addr: &str, port: i64| {
        let def = BackendDef::new("b", addr, port, 1);
        let env = CheckEnv::new("c", Arc::new(CheckShared::new(Handle::current())));
        Backend::new(&def, "s".into(), false, Arc::default(), Arc::new(env))
    };
    for (addr, port) in [("127.0.0.1", 70_000), ("127.0.0.1", -1), ("", 80), ("no such host!", 80)] {
        assert!(check(&at(addr, port), &conf).await.is_err(), "{addr:?} {port}");
    }
}

#[tokio::test]
async fn bal_78_port_in_host() {
    let (_listener, port) = listen().await;
    let (backend, _) = backend("127.0.0.1", closed_port().await);
    for (host, good) in [(format!("name:{port}"), true), (format!("a:b:{port}"), false)] {
        let conf = conf(&format!(r#"{{"CheckConf":{{"Schem":"tcp","Host":"{host}"}}}}"#));
        assert_eq!(check(&backend, &conf).await.is_ok(), good, "{host}");
    }
}
