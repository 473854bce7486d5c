use super::*;
use crate::testing;
use bfe_basic::ai::TokenUsage;
use bfe_http::{BodyError, BodyStream, Response};
use bfe_module::{Finishing, Progress};
use bytes::Bytes;
use decoder::MAX_EVENT;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Gives its pieces one by one, then the error, if any.
struct Pieces(Vec<Bytes>, Option<BodyError>);

impl BodyStream for Pieces {
    fn poll_data(&mut self, _cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        match self.0.is_empty() {
            false => Poll::Ready(Some(Ok(self.0.remove(0)))),
            true => Poll::Ready(self.1.take().map(Err)),
        }
    }
}

/// A body in pieces of that size.
fn pieces(text: &[u8], size: usize) -> Body {
    let pieces = text.chunks(size).map(Bytes::copy_from_slice).collect();
    Body::Stream(Box::new(Pieces(pieces, None)))
}

/// All that a body gives, and how it ends.
async fn read(body: &mut Body) -> (Vec<u8>, Option<String>) {
    let mut all = Vec::new();
    loop {
        match body.data().await {
            None => return (all, None),
            Some(Ok(piece)) => {
                assert!(!piece.is_empty());
                all.extend_from_slice(&piece);
            }
            Some(Err(error)) => return (all, Some(error.to_string())),
        }
    }
}

fn callbacks(rules: &str) -> Callbacks {
    let mut callbacks = Callbacks::default();
    register(&mut callbacks, Arc::new(testing::rules(rules))).unwrap();
    callbacks
}

fn request() -> Request {
    let mut req = testing::request("POST", "/v1/chat/completions");
    req.ai = Some(Box::default());
    req
}

async fn after_location(callbacks: &Callbacks, req: &mut Request) {
    let result = callbacks.run_request(Point::HandleAfterLocation, req, &mut Progress::default()).await;
    assert_eq!(result, Ok(HandlerResult::GoOn));
}

/// An answer of that type on its way to the client.
async fn respond(callbacks: &Callbacks, req: &mut Request, status: u16, kind: &str, body: Body) {
    let mut response = Response::new(status);
    response.header.set("Content-Type", kind.to_owned());
    response.header.set("Content-Length", "77");
    response.content_length = 77;
    response.body = body;
    req.response = Some(response);
    let result = callbacks.run_read_response(req, &mut Progress::default()).await;
    assert_eq!(result, Ok(HandlerResult::GoOn));
}

async fn sent(req: &mut Request) -> (String, Option<String>) {
    let (bytes, error) = read(&mut req.response.as_mut().unwrap().body).await;
    (String::from_utf8(bytes).unwrap(), error)
}

#[tokio::test]
async fn aib_2_and_12_which_answers_are_looked_at() {
    let with_rule = r#"[{"Cond":"default_t()","ResponseProcess":{}}]"#;
    for (rules, status, ai, changed) in [
        ("[]", 200, true, true),
        ("[]", 201, true, false),
        ("[]", 500, true, false),
        (with_rule, 500, true, true),
        (with_rule, 200, false, false),
    ] {
        let callbacks = callbacks(rules);
        let mut req = request();
        if !ai {
            req.ai = None;
        }
        after_location(&callbacks, &mut req).await;
        respond(&callbacks, &mut req, status, "text/plain", Body::Full("a\nb".into())).await;
        let response = testing::response(&req);
        assert_eq!(response.header.get("Content-Length").is_none(), changed, "{rules} {status}");
        assert_eq!(response.content_length == -1, changed);
        assert_eq!(sent(&mut req).await, ("a\nb".into(), None));
    }
    // A request without a rule stays what it is.
    let mut req = request();
    req.http.body = Body::Full("x".into());
    req.http.content_length = 1;
    after_location(&callbacks(r#"[{"Cond":"default_t()","ResponseProcess":{}}]"#), &mut req).await;
    assert!(req.http.content_length == 1 && matches!(req.http.body, Body::Full(_)));
}

#[tokio::test]
async fn aib_3_to_5_bodies() {
    let events = ": hi\r\nid: 1\r\nretry: x\r\ndata: a\r\n\r\n\n\ndata: b\nfoo\n\ndata: [DONE]\n\ndata: cut";
    let callbacks = callbacks("[]");
    for (kind, body, want, error) in [
        ("text/event-stream", events, events, None),
        ("application/sse", "data: a\n\n\n\n", "data: a\n\n", None),
        ("application/x-sse", "data: a\n\r", "data: a\n\r", None),
        ("text/event-stream", "retry: x\n\n", "", None),
        ("text/event-stream; charset=utf-8", "data: a\n\n\n\n", "data: a\n\n\n\n", None),
        ("Text/Event-Stream", "data: a\n\n\n\n", "data: a\n\n\n\n", None),
        ("text/plain", "a\r\n\n\nb", "a\r\n\n\nb", None),
        ("", "x", "x", None),
        ("application/json; charset=utf-8", " <html>\n", " <html>\n", None),
        (
            "application/json",
            " {\"a\" : [1, 2.5e+3 ,\"\\u00e9\"]}\n",
            "{\"a\" : [1, 2.5e+3 ,\"\\u00e9\"]}",
            None,
        ),
        ("application/ndjson", "{}\n[]\r\n\"a\" -1 true\tnull", "{}[]\"a\"-1truenull", None),
        ("application/x-ndjson", "12 3", "123", None),
        ("application/json", "", "", None),
        ("application/json", "{} <", "{}", Some("invalid character '<' looking for beginning of value")),
        ("application/json", "<html>", "", Some("invalid character '<' looking for beginning of value")),
        ("application/json", "\u{1f}", "", Some("invalid character '\\x1f' looking for beginning of value")),
        ("application/json", "{}{\"a\":", "{}", Some("unexpected EOF")),
        (
            "application/json",
            "{a",
            "",
            Some("invalid character 'a' looking for beginning of object key string"),
        ),
        ("application/json", "{\"a\"}", "", Some("invalid character '}' after object key")),
        ("application/json", "{\"a\":1]", "", Some("invalid character ']' after object key:value pair")),
        ("application/json", "[1}", "", Some("invalid character '}' after array element")),
        ("application/json", "[,", "", Some("invalid character ',' looking for beginning of value")),
        ("application/json", "\"\n\"", "", Some("invalid character '\\n' in string literal")),
        ("application/json", "\"\\x", "", Some("invalid character 'x' in string escape code")),
        (
            "application/json",
            "\"\\u0g",
            "",
            Some("invalid character 'g' in \\u hexadecimal character escape"),
        ),
        ("application/json", "-a", "", Some("invalid character 'a' in numeric literal")),
        ("application/json", "1.a", "", Some("invalid character 'a' after decimal point in numeric literal")),
        ("application/json", "1e a", "", Some("invalid character ' ' in exponent of numeric literal")),
        ("application/json", "trux", "", Some("invalid character 'x' in literal true (expecting 'e')")),
        ("application/json", "1.", "", Some("unexpected EOF")),
    ] {
        // However it comes.
        for size in [1, 2, 3, 1000] {
            let mut req = request();
            respond(&callbacks, &mut req, 200, kind, pieces(body.as_bytes(), size)).await;
            let error = error.map(|error| format!("BodyProcessError: {error}"));
            assert_eq!(sent(&mut req).await, (want.to_owned(), error), "{kind} {body:?} {size}");
        }
    }
    // A source that breaks: what was there, then why.
    for kind in ["text/plain", "text/event-stream"] {
        let mut req = request();
        let source = Pieces(vec!["data: a".into()], Some(BodyError::UnexpectedEof));
        respond(&callbacks, &mut req, 200, kind, Body::Stream(Box::new(source))).await;
        assert_eq!(sent(&mut req).await, ("data: a".into(), Some("unexpected EOF".into())), "{kind}");
    }
}

#[tokio::test]
async fn rules_name_the_form() {
    for (form, want) in [("line", " [1]\n\n\n"), ("json", "[1]"), ("sse", " [1]\n\n"), ("", "[1]")] {
        let rules = format!(r#"[{{"Cond":"default_t()","ResponseProcess":{{"Dec":"{form}"}}}}]"#);
        let (callbacks, mut req) = (callbacks(&rules), request());
        after_location(&callbacks, &mut req).await;
        respond(&callbacks, &mut req, 500, "application/json", Body::Full(" [1]\n\n\n".into())).await;
        assert_eq!(sent(&mut req).await, (want.into(), None), "{form}");
    }
}

#[tokio::test]
async fn pieces_that_are_too_long_pass_in_parts() {
    let long = "a".repeat(MAX_EVENT + 5);
    let usage = r#"{"usage":{"total_tokens":5}}"#;
    for (kind, start, end) in [
        ("text/plain", "", "\nnext"),
        ("text/event-stream", "data: ", "\n\ndata: next\n\n"),
        ("application/json", "[\"", "\"]"),
    ] {
        let (callbacks, mut req) = (callbacks("[]"), request());
        let text = [start, &long, end].concat();
        respond(&callbacks, &mut req, 200, kind, pieces(text.as_bytes(), 100_000)).await;
        let (got, error) = sent(&mut req).await;
        assert!(got == text && error.is_none(), "{kind}: {} of {} bytes, {error:?}", got.len(), text.len());
        // What comes behind is read again.
        let text = format!("{text}\n{usage}\n");
        let mut req = request();
        respond(&callbacks, &mut req, 200, kind, pieces(text.as_bytes(), 100_000)).await;
        assert!(sent(&mut req).await.1.is_none());
        assert_eq!(
            req.ai.as_ref().unwrap().counting.as_ref().unwrap().get().used_quota > 0,
            kind != "text/event-stream"
        );
    }
    // Deep values have an end too.
    let (callbacks, mut req) = (callbacks("[]"), request());
    let deep = "[".repeat(10_001);
    respond(&callbacks, &mut req, 200, "application/json", Body::Full(deep.into())).await;
    assert_eq!(sent(&mut req).await.1.unwrap(), "BodyProcessError: exceeded max depth");
}

#[tokio::test]
async fn aib_6_and_7_usage_of_streams() {
    let stream = "data: {\"x\":\"12345678\"}\n\ndata: {\"usage\":{\"total_tokens\":150,\"prompt_tokens\":100,\
                  \"completion_tokens\":50}}\n\ndata: [DONE]\n\n";
    let usage = |prompt, completion, used| TokenUsage {
        prompt_tokens: prompt,
        completion_tokens: completion,
        used_quota: used,
        used_cost: 0,
    };
    for (status, kind, body, estimate, want) in [
        (200, "text/event-stream", stream, false, usage(100, 50, 150)),
        (200, "text/plain", stream, true, usage(100, 50, 150)),
        (201, "text/event-stream", stream, true, usage(0, -1, 0)),
        (200, "text/event-stream", "data: 12345678\ndata: 1\n\ndata: 123\n\n", true, usage(0, 2, 0)),
        (200, "text/plain", "data: 12345678\n\n", true, usage(0, 3, 0)),
        (200, "application/json", "<", true, usage(0, -1, 0)),
    ] {
        let (callbacks, mut req) = (callbacks("[]"), request());
        req.ai.as_mut().unwrap().estimate_token = estimate;
        after_location(&callbacks, &mut req).await;
        respond(&callbacks, &mut req, status, kind, pieces(body.as_bytes(), 7)).await;
        sent(&mut req).await;
        assert!(matches!(callbacks.run_request_finish(&mut req), Finishing::Done(HandlerResult::GoOn)));
        assert_eq!(req.ai.unwrap().usage, want, "{status} {kind} {body:?}");
    }
    // What has been read already stays.
    let (callbacks, mut req) = (callbacks("[]"), request());
    req.ai.as_mut().unwrap().usage = usage(1, 2, 3);
    respond(&callbacks, &mut req, 200, "text/event-stream", Body::Full(stream.into())).await;
    sent(&mut req).await;
    let _ = callbacks.run_request_finish(&mut req);
    assert_eq!(req.ai.unwrap().usage, usage(1, 2, 3));
}

/// A service that looks at texts: gives those it was asked about, decoded, and answers what `answer` says.
async fn text_service(answers: Vec<&'static str>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let (head, body) = loop {
                let mut buffer = [0; 4096];
                let n = stream.read(&mut buffer).await.unwrap();
                bytes.extend_from_slice(&buffer[..n]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.split("Content-Length: ").nth(1).unwrap().split("\r\n").next().unwrap();
                if body.len() == length.parse::<usize>().unwrap() {
                    break (head.to_owned(), body.to_owned());
                }
            };
            let target = head.split(' ').nth(1).unwrap().to_owned();
            let form = bfe_http::Query::parse(&Bytes::from(body));
            asked.push(format!("{target} {}", String::from_utf8_lossy(form.get(b"txt").unwrap())));
            if answer == "hang up" {
                continue;
            }
            let head =
                format!("HTTP/1.1 500 x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
            stream.write_all([head.as_bytes(), answer.as_bytes()].concat().as_slice()).await.unwrap();
        }
        asked
    });
    (format!("http://{address}/"), service)
}

#[tokio::test]
async fn aib_8_and_9_texts_are_looked_at() {
    // Questions are refused, or pass.
    let answers =
        vec![r#"{"RiskLevel":"PASS"}"#, "hang up", "x", r#"{"RiskLevel":"REVIEW","SentimentScore":-0.9}"#];
    let (url, service) = text_service(answers).await;
    let rules = format!(
        r#"[{{"Cond":"default_t()","RequestProcess":{{"Dec":"sse","Proc":[{{"Name":"textfilter","Params":["{url}"]}}]}}}}]"#
    );
    let (callbacks_of_request, mut req) = (callbacks(&rules), request());
    req.http.header.set("Content-Length", "9");
    req.http.content_length = 9;
    req.http.body = Body::Full("a\nb\n\nc d\ne".into());
    after_location(&callbacks_of_request, &mut req).await;
    assert!(req.http.content_length == -1 && req.http.header.get("Content-Length").is_none());
    let (passed, error) = read(&mut req.http.body).await;
    assert_eq!(
        (passed.as_slice(), error),
        (&b"a\nb\n\n"[..], Some("BodyProcessError: content audit failed: REVIEW".into()))
    );
    let want = ["/text-filter a\n", "/text-filter b\n", "/text-filter \n", "/text-filter c d\n"];
    assert_eq!(service.await.unwrap(), want);

    // Answers are changed, or pass; in events the new text is the data.
    let answers =
        vec![r#"{"ResultText":"data: X\n\n"}"#, r#"{"ResultText":""}"#, r#"{"RiskLevel":"REJECT"} x"#];
    let (url, service) = text_service(answers).await;
    let rules = format!(
        r#"[{{"Cond":"default_t()","ResponseProcess":{{"Proc":[{{"Name":"textfilter","Params":["{url}"]}}]}}}}]"#
    );
    let (callbacks, mut req) = (callbacks(&rules), request());
    after_location(&callbacks, &mut req).await;
    let events = "id: 1\ndata: hello\n\ndata: b\n\ndata: c\n\n";
    respond(&callbacks, &mut req, 200, "text/event-stream", Body::Full(events.into())).await;
    assert_eq!(sent(&mut req).await, ("id: 1\ndata: data: X\n\n\n\ndata: b\n\ndata: c\n\n".into(), None));
    let want = ["id: 1\ndata: hello\n\n", "data: b\n\n", "data: c\n\n"];
    assert_eq!(service.await.unwrap(), want.map(|text| format!("/text-replace {text}")));
}

#[tokio::test]
async fn aib_8_a_silent_service_is_waited_for_10_seconds() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let filter = text_filter::TextFilter::new(&url, text_filter::Mode::Filter);
    assert_eq!(filter.ask_within(b"x", Duration::from_millis(50)).await, text_filter::Verdict::Pass);
    assert_eq!(text_filter::TIMEOUT.as_secs(), 10);
}

#[tokio::test]
async fn a_text_too_long_to_be_looked_at_fails() {
    let (url, _service) = text_service(vec![]).await;
    let rules = format!(
        r#"[{{"Cond":"default_t()","RequestProcess":{{"Proc":[{{"Name":"textfilter","Params":["{url}"]}}]}}}}]"#
    );
    let (callbacks, mut req) = (callbacks(&rules), request());
    req.http.body = pieces(&vec![b'a'; MAX_EVENT + 5], 1_000_000);
    after_location(&callbacks, &mut req).await;
    let (passed, error) = read(&mut req.http.body).await;
    assert!(
        passed.is_empty() && error.unwrap().starts_with("BodyProcessError: there is an event of more than")
    );
}

#[tokio::test]
async fn aib_11_times_and_requests_under_way() {
    let start = Instant::now();
    let at = |micros| Some(start + Duration::from_micros(micros));
    for (first, completion, ttft, tpot) in
        [(at(150), 5, 50, 25), (at(150), 1, 50, 0), (at(150), -1, 50, 0), (None, 5, 0, 0)]
    {
        let mut ai = AiInfo::default();
        ai.times = TokenTimes { request_end: at(100), first_token: first, last_token: at(250), ..ai.times };
        ai.usage.completion_tokens = completion;
        set_times(&mut ai);
        assert_eq!((ai.times.ttft_us, ai.times.tpot_us), (ttft, tpot));
    }
    let callbacks = callbacks("[]");
    let under_way = || state::group().get(state::IN_FLIGHT);
    // Others count too, so that only the difference to what they leave behind is certain: none of them has both.
    let mut req = request();
    after_location(&callbacks, &mut req).await;
    assert!(req.ai.as_ref().unwrap().times.request_end.is_some());
    respond(&callbacks, &mut req, 200, "text/plain", Body::Empty).await;
    let _ = callbacks.run_request_finish(&mut req);
    assert!(req.ai.unwrap().times.last_token.is_some());
    let mut req = request();
    for _ in 0..1000 {
        let _ = callbacks.run_request_finish(&mut req);
    }
    assert!(under_way() < -500, "requests that were refused make it less: {}", under_way());
}

#[tokio::test]
async fn aib_4_streams_are_the_same_however_they_come() {
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};
    const PIECES: [&str; 12] =
        ["data: a", "data:", "\n", "\n\n", "\r\n", "\r", ":", "id: 1", "retry: x", "retry: 5", "x", " "];
    let callbacks = callbacks("[]");
    let mut rng = StdRng::seed_from_u64(2);
    for _ in 0..2_000 {
        let count = rng.random_range(0..12);
        let text: String = (0..count).map(|_| PIECES[rng.random_range(0..PIECES.len())]).collect();
        for kind in ["text/event-stream", "text/plain"] {
            let mut all = Vec::new();
            for size in [1, 3, 1000] {
                let mut req = request();
                respond(&callbacks, &mut req, 200, kind, pieces(text.as_bytes(), size)).await;
                all.push(sent(&mut req).await);
            }
            assert!(all[0] == all[1] && all[1] == all[2], "{kind} {text:?}: {all:?}");
            let (got, error) = &all[0];
            // Nothing but blank lines and what says nothing is lost, and that at the end only.
            assert!(error.is_none() && text.starts_with(got), "{kind} {text:?}");
            assert!(kind == "text/event-stream" || *got == text);
            let lost = text.get(got.len()..).unwrap();
            let may_be_lost =
                |line: &str| line.trim_end_matches(['\r', '\n']).is_empty() || line.starts_with("retry:");
            assert!(lost.split_inclusive('\n').all(may_be_lost), "{text:?}: {lost:?}");
        }
    }
}
