//! Heads of requests and responses, and chunked bodies, from any bytes: no panic, and what was accepted can
//! be forwarded and read again as the same.

#![no_main]

use bfe_http::h1::chunked::{Decoded, Decoder};
use bfe_http::h1::encode::{self, OutFraming, RequestHead};
use bfe_http::h1::{framing, head, lines};
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut scanned = 0;
    let Some(end) = lines::find_end(bytes, &mut scanned).map(|head| head.len()) else { return };
    let whole = BytesMut::from(&bytes[..end]);
    if let Ok(mut req) = head::parse_request(whole.clone(), 4096)
        && framing::of_request(&mut req).is_ok()
    {
        let target = encode::target(&req);
        let mut out = Vec::new();
        let start = RequestHead { method: &req.method, target: &target, host: &req.host, framing: OutFraming::None, trailers: b"" };
        encode::request_head(&mut out, &start, &req.header, |_, _| true);
        // What the backend gets is one head, and ends where we think that it ends.
        assert_eq!(lines::find_end(&out, &mut 0).map(|head| head.len()), Some(out.len()), "{:?}", String::from_utf8_lossy(&out));
        // `scheme:rest` goes on as `rest`, as the reference has it, which is a target that we would not take.
        let Ok(again) = head::parse_request(BytesMut::from(out.as_slice()), 1 << 20) else {
            assert!(!req.url.opaque.is_empty(), "our own head: {:?}", String::from_utf8_lossy(&out));
            return;
        };
        assert_eq!(again.header.len(), req.header.iter().filter(|(n, _)| *n != b"Content-Length").count());
    }
    if let Ok((mut res, version)) = head::parse_response(whole) {
        let _ = framing::of_response(&mut res, version, b"GET");
    }
    let (mut decoder, mut rest) = (Decoder::default(), BytesMut::from(&bytes[end..]));
    while let Ok(Decoded::Data(_)) = decoder.decode(&mut rest) {}
    let _ = bfe_http::proxy_protocol::parse(bytes, 2048);
});
