//! The module as requests meet it, with a resolver on this machine.

use super::*;
use crate::testing;
use bfe_basic::Session;
use bfe_http::Body;
use bfe_module::{HandlerResult, Progress};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;

const QUERY: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x01b\x00\x00\x01\x00\x01";
/// The records of an answer.
const RECORDS: &[u8] =
    b"\x01a\x01b\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x01\x02\x03\x04";

/// An answer with that identifier.
fn answer(id: [u8; 2]) -> Vec<u8> {
    [&id[..], b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00", RECORDS].concat()
}

/// The handler, as the pipeline calls it.
fn callbacks(address: &str, attempts: u32) -> Callbacks {
    let mut callbacks = Callbacks::default();
    let resolver = Resolver { address: address.to_owned(), attempts, timeout: Duration::from_millis(100) };
    let condition = Condition::build("req_path_in(\"/dns\", false)").unwrap();
    let filter = OnRequest { condition, resolver };
    callbacks.add_async_request_filter(Point::HandleFoundProduct, NAME, filter).unwrap();
    callbacks
}

fn request(method: &str, target: &str, secure: bool) -> Request {
    let peer = Some("1.2.3.4:5".parse().unwrap());
    let session = Session { remote_addr: peer, is_secure: secure, ..Session::default() };
    testing::request_on(session, method, target)
}

fn get(message: &[u8]) -> Request {
    request("GET", &format!("/dns?dns={}", BASE64.encode(message)), true)
}

/// The status of the answer; 0 where the request goes on.
async fn ask(callbacks: &Callbacks, req: &mut Request) -> u16 {
    let mut progress = Progress::default();
    match callbacks.run_request(Point::HandleFoundProduct, req, &mut progress).await.unwrap() {
        HandlerResult::GoOn => 0,
        HandlerResult::Response => testing::response(req).status,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn doh_2_4_and_9_answers() {
    let resolver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = resolver.local_addr().unwrap().to_string();
    let asked = tokio::spawn(async move {
        let mut asked = Vec::new();
        for _ in 0..3 {
            let mut buffer = [0; 10_000];
            let (length, from) = resolver.recv_from(&mut buffer).await.unwrap();
            asked.push(buffer[..length].to_vec());
            resolver.send_to(&answer([buffer[0], buffer[1]]), from).await.unwrap();
        }
        asked
    });
    let callbacks = callbacks(&address, 1);
    let long = [QUERY, &[0; 9000]].concat();
    let post = |body: &[u8]| {
        let mut req = request("POST", "/dns", true);
        req.http.body = Body::Full(body.to_vec().into());
        req
    };
    for mut req in [get(QUERY), post(QUERY), post(&long)] {
        assert_eq!(ask(&callbacks, &mut req).await, 200);
        let mut response = req.response.unwrap();
        let want = answer([0x12, 0x34]);
        let mut fields = testing::fields(&response.header);
        fields.sort();
        assert_eq!(
            fields,
            [
                "Cache-Control: max-age=60".to_owned(),
                format!("Content-Length: {}", want.len()),
                "Content-Type: application/dns-message".to_owned(),
                "Server: bfe".to_owned(),
            ]
        );
        assert_eq!(response.body.data().await.unwrap().unwrap(), want);
    }
    let asked = asked.await.unwrap();
    assert!(asked.iter().all(|query| *query == asked[0]));
    assert_eq!(asked[0].len(), QUERY.len() + 35);
    assert!(asked[0].ends_with(b"\xff\xff\x01\x02\x03\x04"));
}

#[tokio::test]
async fn doh_1_and_3_what_is_no_query() {
    let none = callbacks("", 1);
    assert_eq!(ask(&none, &mut request("GET", "/other", true)).await, 0);
    let mut plain = request("GET", "/dns?dns=AAAA", false);
    assert_eq!(ask(&none, &mut plain).await, 403);
    let good = BASE64.encode(QUERY);
    for (method, target) in [
        ("PUT", format!("/dns?dns={good}")),
        ("HEAD", format!("/dns?dns={good}")),
        ("GET", "/dns".to_owned()),
        ("GET", format!("/dns?dns={good}&dns={good}")),
        ("GET", format!("/dns?dns={good}=")),
        ("GET", "/dns?dns=AAAA".to_owned()),
        ("POST", format!("/dns?dns={good}")),
        // A good one, and nobody to ask.
        ("GET", format!("/dns?dns={good}")),
    ] {
        assert_eq!(ask(&none, &mut request(method, &target, true)).await, 500, "{method} {target}");
    }
}

#[tokio::test]
async fn doh_6_and_7_attempts() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let callbacks_of = callbacks(&silent.local_addr().unwrap().to_string(), 3);
    let begin = Instant::now();
    assert_eq!(ask(&callbacks_of, &mut get(QUERY)).await, 500);
    assert!((300..2000).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());
    let mut buffer = [0; 100];
    for _ in 0..3 {
        silent.try_recv(&mut buffer).unwrap();
    }
    assert!(silent.try_recv(&mut buffer).is_err());

    // The first answer is to another query, and the second none at all.
    let resolver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let callbacks_of = callbacks(&resolver.local_addr().unwrap().to_string(), 3);
    let served = tokio::spawn(async move {
        for reply in [answer([9, 9]), b"x".to_vec(), answer([0x12, 0x34])] {
            let (_, from) = resolver.recv_from(&mut [0; 100]).await.unwrap();
            resolver.send_to(&reply, from).await.unwrap();
        }
    });
    assert_eq!(ask(&callbacks_of, &mut get(QUERY)).await, 200);
    served.await.unwrap();
}

#[test]
fn doh_8_what_configures() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join(NAME)).unwrap();
    for (text, want) in [
        ("[Basic]\nCond = \"default_t()\"\n[Dns]\nTimeout = 1", ""),
        ("[Basic]\nCond = \"default_t()\"\n[Dns]\nTimeout = 1\nRetryMax = 3\nAddress = 127.0.0.1:53", ""),
        ("[Basic]\nCond = \"default_t()\"", "Timeout should > 0."),
        ("[Basic]\nCond = \"default_t()\"\n[Dns]\nTimeout = 0", "Timeout should > 0."),
        ("[Basic]\nCond = \"default_t()\"\n[Dns]\nTimeout = 1\nRetryMax = -1", "RetryMax should >= 0."),
        ("[Basic]\nCond = \"default_t()\"\n[Dns]\nTimeout = 1\nAddress = 127.0.0.1", "Dns.Address"),
        ("[Basic]\nCond = \"x(\"\n[Dns]\nTimeout = 1", "Basic.Cond"),
        ("[Dns]\nTimeout = 1", "Basic.Cond"),
    ] {
        std::fs::write(root.path().join(NAME).join("mod_doh.conf"), text).unwrap();
        let got = conf::load(root.path()).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(got.contains(want) && got.is_empty() == want.is_empty(), "{text}: {got}");
    }
}
