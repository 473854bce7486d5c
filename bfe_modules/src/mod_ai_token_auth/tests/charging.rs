//! What requests are charged.

use super::*;
use bfe_basic::ai::TokenPrice;

#[tokio::test]
async fn ait_8_9_and_12_what_is_charged() {
    let Some(fixture) = Fixture::new() else { return };
    let usage = r#"{"usage":{"total_tokens":150,"prompt_tokens":100,"completion_tokens":50}}"#;
    let price = Some(TokenPrice { input: 100, output: 200 });
    for (key, status, changes) in [
        // Only 200 costs something.
        ("good", 201, &[][..]),
        ("good", 429, &[]),
        // What is left is never less than nothing.
        ("good", 200, &[("full", "850"), ("second", "0")]),
        // A plan that is over, or that nobody asked, is charged.
        ("free", 200, &[("full", "550")]),
        // A plan without a key in Redis is not begun, an RMB one is.
        ("q-passing", 200, &[("passing", "nil"), ("unlimited", "nil")]),
        ("both", 200, &[("full", "400"), ("yuan", "30000"), ("seeded", "80000")]),
        ("both", 200, &[("full", "250"), ("yuan", "10000"), ("seeded", "60000")]),
        ("both", 200, &[("full", "100"), ("yuan", "0"), ("seeded", "40000")]),
    ] {
        let mut req = request(key, "a");
        req.ai.as_mut().unwrap().price = price;
        fixture.serve(&mut req, answer(status, usage)).await;
        for (name, want) in changes {
            assert_eq!(fixture.ask(&format!("GET {name}")), *want, "{key} {name}");
        }
    }
    assert_eq!(fixture.ask("TTL seeded"), "-1");
    // A time that a key has is kept.
    fixture.ask("SET second 500 EX 1000");
    fixture.serve(&mut request("good", "a"), answer(200, usage)).await;
    assert_eq!((fixture.ask("GET second").as_str(), fixture.ask("TTL second").len()), ("350", 4));
}

#[tokio::test]
async fn ait_10_usage_in_answers() {
    let Some(fixture) = Fixture::new() else { return };
    let usage = |prompt, completion, used| TokenUsage {
        prompt_tokens: prompt,
        completion_tokens: completion,
        used_quota: used,
        used_cost: 0,
    };
    for (body, estimate, want) in [
        (r#"{"usage":{"total_tokens":9,"prompt_tokens":1,"completion_tokens":2}}"#, false, usage(1, 2, 9)),
        (r#"{"usage":{"prompt_tokens":1,"completion_tokens":2}}"#, false, usage(1, 2, 3)),
        (r#"{"usage":{"completion_tokens":2.9}}"#, false, usage(0, 2, 2)),
        (r#"{"usage":{"total_tokens":"7"}} {"usage":{"total_tokens":8}}"#, false, usage(0, 0, 7)),
        (r#"{"usage":{"input_tokens":2,"output_tokens":3}}"#, false, usage(0, -1, 0)),
        ("0123456789abc", false, usage(0, -1, 0)),
        ("0123456789abc", true, usage(5, 3, 8)),
        (r#"{"usage":{"total_tokens":9}}"#, true, usage(0, 0, 9)),
    ] {
        let mut req = request("plain", "a");
        req.http.content_length = 20;
        req.ai.as_mut().unwrap().estimate_token = estimate;
        assert_eq!(fixture.serve(&mut req, answer(200, body)).await, want, "{body} {estimate}");
        assert_eq!(text(testing::response(&req)), body, "the answer stays what it was");
    }
    // Without a length the body is for others to look at.
    let mut req = request("plain", "a");
    let mut response = answer(200, r#"{"usage":{"total_tokens":9}}"#);
    response.content_length = -1;
    assert_eq!(fixture.serve(&mut req, response).await, usage(0, -1, 0));
    // What was counted while it was sent, counts.
    let mut req = request("good", "a");
    assert_eq!(fixture.found_product(&mut req).await, HandlerResult::GoOn);
    req.ai.as_mut().unwrap().counting = Some(std::rc::Rc::new(usage(1, 2, 3).into()));
    req.response = Some(Response::new(200));
    assert_eq!(fixture.finish(&mut req).await, usage(1, 2, 3));
    assert_eq!(fixture.ask("GET full"), "997");
}

#[tokio::test]
async fn ait_11_what_it_costs() {
    let Some(fixture) = Fixture::new() else { return };
    for (price, completion, want) in [
        (None, 50, 0),
        (Some(TokenPrice { input: 100, output: 200 }), 50, 20_000),
        (Some(TokenPrice { input: 1, output: 200 }), -1, -100),
        (Some(TokenPrice { input: i64::MAX, output: 0 }), 1, i64::MAX),
    ] {
        let mut req = request("both", "a");
        assert_eq!(fixture.found_product(&mut req).await, HandlerResult::GoOn);
        let ai = req.ai.as_mut().unwrap();
        ai.price = price;
        ai.usage.prompt_tokens = 100;
        ai.usage.completion_tokens = completion;
        req.response = Some(Response::new(200));
        assert_eq!(fixture.finish(&mut req).await.used_cost, want);
        fixture.ask("SET yuan 50000");
    }
}

/// A body that ends with an error.
struct Cut(Option<&'static str>);

impl bfe_http::BodyStream for Cut {
    fn poll_data(
        &mut self,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<bytes::Bytes, bfe_http::BodyError>>> {
        let piece = self.0.take().map(bytes::Bytes::from);
        std::task::Poll::Ready(Some(piece.ok_or(bfe_http::BodyError::UnexpectedEof)))
    }
}

#[tokio::test]
async fn a_body_without_its_end_is_not_charged() {
    let Some(fixture) = Fixture::new() else { return };
    let mut response = answer(200, "");
    response.body = Body::Stream(Box::new(Cut(Some(r#"{"usage":{"total_tokens":9},"#))));
    let mut req = request("good", "a");
    assert_eq!(fixture.serve(&mut req, response).await, TokenUsage::default());
    // The client gets what came of it.
    let body = &mut req.response.as_mut().unwrap().body;
    assert_eq!(body.data().await.unwrap().unwrap(), r#"{"usage":{"total_tokens":9},"#);
    assert!(body.data().await.unwrap().is_err());
}
