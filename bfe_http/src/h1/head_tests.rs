use super::*;

fn request(text: &str) -> Result<Request, HeadError> {
    parse_request(BytesMut::from(text.as_bytes()), 100)
}

#[test]
fn life_30_to_36_start_lines_and_fields() {
    let good =
        request("GET /x?y HTTP/1.1\r\nhost: a\r\nHost: b\r\nx-foo-BAR:\t 1 \r\n: dropped\r\n\r\n").unwrap();
    assert_eq!((good.host.as_ref(), good.header.get("X-Foo-Bar")), (&b"a"[..], Some(&b"1"[..])));
    assert_eq!(good.header.len(), 1);
    let absolute = request("GET http://ok/x HTTP/1.1\r\nHost: other\r\n\r\n").unwrap();
    assert_eq!(absolute.host.as_ref(), b"ok");
    assert_eq!(request(" /x HTTP/1.1\r\n\r\n").unwrap().method.as_ref(), b"");
    assert_eq!(request("fo(o /x HTTP/1.1\r\n\r\n").unwrap().method.as_ref(), b"fo(o");
    assert_eq!(request("CONNECT ok:443 HTTP/1.1\r\n\r\n").unwrap().host.as_ref(), b"ok:443");
    for version in ["HTTP/1.2", "HTTP/2.0", "HTTP/+1.1", "HTTP/0.9"] {
        assert!(request(&format!("GET / {version}\r\n\r\n")).is_ok(), "{version}");
    }
    for bad in [
        "\r\n",
        "GET /\r\n\r\n",
        "GET / http/1.1\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n",
        "GET /a b HTTP/1.1\r\n\r\n",
        "GET foo HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ] {
        assert!(request(bad).is_err(), "{bad:?}");
    }
    let long = format!("GET /{} HTTP/9\r\n\r\n", "a".repeat(100));
    assert_eq!(request(&long).unwrap_err(), HeadError::LongTarget(101));
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    for bad in [
        "X : 1",
        "X\t: 1",
        "X: a\rb",
        "X: a\0b",
        "X\0: a",
        "X: a\x7f",
        "X: a\r\n folded",
        " X: first",
        "Content-Length : 5",
    ] {
        assert!(request(&format!("GET / HTTP/1.1\r\n{bad}\r\n\r\n")).is_err(), "{bad:?}");
    }
    assert!(request("GET / HTTP/1.1\r\nX(y): \u{e9}\tz\r\n\r\n").is_ok());
}

#[test]
fn responses_are_taken_as_they_come() {
    let parse = |text: &str| parse_response(BytesMut::from(text.as_bytes()));
    let (r, v) = parse("HTTP/1.0 200\r\nBad Name: x\r\nA: b\r\n  c \r\nB: d\r\n\r\n").unwrap();
    assert_eq!((r.status, v), (200, Version::HTTP_10));
    assert_eq!(r.header.get("A"), Some(&b"b c"[..]));
    assert_eq!(r.header.get("B"), Some(&b"d"[..]));
    assert_eq!(r.header.at(0), Some((&b"Bad Name"[..], &b"x"[..])));
    assert_eq!(parse("HTTP/1.1 2000 X\r\n\r\n").unwrap().0.status, 2000);
    assert!(parse("HTTP/1.1\r\n\r\n").is_err() && parse("HTTP/1.1 abc\r\n\r\n").is_err());
    assert!(parse("HTTP/1.1 200 OK\r\nnocolon\r\n\r\n").is_err());
    // The status is looked at before the version.
    let error = parse("HTTP/1.1\t200 OK\r\n\r\n").unwrap_err();
    assert_eq!(error.to_string(), r#"malformed HTTP status code "OK""#);
    // A first line that begins with a blank goes on with nothing.
    let (r, _) = parse("HTTP/1.1 200 OK\r\n\tX-A: 1\r\n X-B: 2\r\nC: d\r\n\r\n").unwrap();
    assert_eq!((r.header.get("X-A"), r.header.get("C")), (Some(&b"1 X-B: 2"[..]), Some(&b"d"[..])));
    let error = parse("HTTP/1.1 200 OK\r\n nocolon\r\n\r\n").unwrap_err();
    assert_eq!(error.to_string(), "malformed MIME header line: nocolon");
}

#[test]
fn log_texts_show_every_byte() {
    for (text, want) in [
        ("\x16\x03\x01hello\r\n\r\n", r#"malformed HTTP request "\x16\x03\x01hello""#),
        ("GET / HTTP/\\x\r\n\r\n", r#"malformed HTTP version "HTTP/\\x""#),
        ("GET /\x01 HTTP/1.1\r\n\r\n", r#"parse "/\x01": net/url: invalid control character in URL"#),
    ] {
        assert_eq!(request(text).unwrap_err().to_string(), want);
    }
}

#[test]
fn life_37_pragma_gains_cache_control() {
    let req = request("GET / HTTP/1.1\r\nPragma: no-cache\r\n\r\n").unwrap();
    assert_eq!(req.header.get("Cache-Control"), Some(&b"no-cache"[..]));
}

#[test]
fn many_fields_are_kept_in_order() {
    let mut text = String::from("GET / HTTP/1.1\r\n");
    for i in 0..500 {
        text.push_str(&format!("X-{i}: {i}\r\n"));
    }
    let req = request(&format!("{text}\r\n")).unwrap();
    assert_eq!(req.header.len(), 500);
    assert_eq!(req.header.get("X-499"), Some(&b"499"[..]));
    let flood = format!("GET / HTTP/1.1\r\n{}\r\n", "a:\r\n".repeat(MAX_FIELDS + 1));
    assert_eq!(request(&flood).unwrap_err(), HeadError::TooManyFields);
}
