//! The same bytes, read by our codec and by hyper: the same requests, or ours refuses.

mod oracle;

use proptest::prelude::*;

/// Pieces that requests are made of, good and bad.
const PIECES: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "POST /x?y=1 HTTP/1.1\r\n",
    "PUT http://a.org/z HTTP/1.1\r\n",
    "HEAD / HTTP/1.0\r\n",
    "GET / HTTP/1.1\n",
    "Host: a.org\r\n",
    "Host: b.org\n",
    "Content-Length: 3\r\n",
    "Content-Length: 5\r\n",
    "content-length: 3\r\n",
    "Content-Length: 3, 3\r\n",
    "Content-Length : 3\r\n",
    "Content-Length: +3\r\n",
    "Content-Length: 0x3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: Chunked\r\n",
    "Transfer-Encoding: chunked, chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding:\tchunked\r\n",
    "Transfer-Encoding: x\r\n",
    " folded\r\n",
    "X-A: 1\r\n",
    "X-A: a\rb\r\n",
    "X-B:\r\n",
    "Connection: close\r\n",
    "Expect: 100-continue\r\n",
    "\r\n",
    "\n",
    "abc",
    "3\r\nabc\r\n",
    "3;x=y\r\nabc\r\n",
    "03\r\nabc\r\n",
    "0\r\n",
    "0\r\n\r\n",
    "X-T: 1\r\n",
    "\0",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn our_codec_reads_what_hyper_reads_or_refuses(picks in prop::collection::vec(0..PIECES.len(), 1..16)) {
        let bytes: Vec<u8> = picks.iter().flat_map(|i| PIECES[*i].bytes()).collect();
        oracle::compare(&bytes);
    }
}

#[test]
fn pipelined_requests_with_bodies_are_read_alike() {
    let bytes = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: b\r\nX-A: 1\r\nX-A: 2\r\n\r\n\
        POST /c HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\nT: x\r\n\r\nGET /d HTTP/1.1\r\nHost: d\r\n\r\n";
    oracle::compare(bytes);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (ours, hypers) = runtime.block_on(async { (oracle::ours(bytes).await, oracle::hypers(bytes).await) });
    assert_eq!(ours.len(), 4);
    assert_eq!(hypers.len(), 4, "the oracle has to see them all, or it would prove nothing");
    assert_eq!(ours[2].body.as_deref(), Some(&b"abcdefg"[..]));
}
