use super::*;
use crate::LocalBoxFuture;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

fn request() -> Request {
    Request::new(Rc::new(Session::default()), bfe_http::Request::new("GET", "/", "a.org").unwrap())
}

/// A future that is ready at once needs no runtime.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut cx) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("not ready"),
    }
}

fn run(callbacks: &Callbacks, point: Point, req: &mut Request) -> Result<HandlerResult, NeedBody> {
    now(callbacks.run_request(point, req, &mut Progress::default()))
}

#[test]
fn life_6_the_first_result_but_go_on_ends_the_chain() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let mut callbacks = Callbacks::default();
    for (name, result) in
        [("a", HandlerResult::GoOn), ("b", HandlerResult::Close), ("c", HandlerResult::GoOn)]
    {
        let calls = calls.clone();
        let filter = move |_: &Session| {
            calls.lock().unwrap().push(name);
            result
        };
        callbacks.add_session_filter(Point::HandleAccept, name, filter).unwrap();
    }
    assert_eq!(callbacks.run_session(Point::HandleAccept, &Session::default()), HandlerResult::Close);
    assert_eq!(*calls.lock().unwrap(), ["a", "b"]);
    assert_eq!(callbacks.run_session(Point::HandleFinish, &Session::default()), HandlerResult::GoOn);
    assert_eq!(callbacks.names(Point::HandleAccept), ["a", "b", "c"]);
}

#[test]
fn the_response_is_reset_after_each_point() {
    let mut callbacks = Callbacks::default();
    let point = Point::HandleFoundProduct;
    callbacks
        .add_request_filter(point, "leaves", |_| Ok(RequestOutcome::go_on_with(Response::new(204))))
        .unwrap();
    let mut req = request();
    assert_eq!(run(&callbacks, point, &mut req), Ok(HandlerResult::GoOn));
    assert_eq!(req.response.as_ref().map(|r| r.status), Some(204));
    assert_eq!(run(&callbacks, Point::HandleAfterLocation, &mut req), Ok(HandlerResult::GoOn));
    assert!(req.response.is_none());
}

#[test]
fn a_chain_goes_on_where_it_wanted_the_body() {
    let mut callbacks = Callbacks::default();
    let point = Point::HandleBeforeLocation;
    callbacks
        .add_request_filter(point, "counts", |req| {
            req.retry_time += 1;
            Ok(RequestOutcome::GO_ON)
        })
        .unwrap();
    callbacks
        .add_request_filter(point, "wants", |req| {
            if req.log_id.is_empty() { Err(NeedBody) } else { Ok(RequestOutcome::CLOSE) }
        })
        .unwrap();
    let (mut req, mut progress) = (request(), Progress::default());
    assert_eq!(now(callbacks.run_request(point, &mut req, &mut progress)), Err(NeedBody));
    req.log_id.push('x');
    assert_eq!(now(callbacks.run_request(point, &mut req, &mut progress)), Ok(HandlerResult::Close));
    assert_eq!(req.retry_time, 1, "the first handler is not called twice");
}

struct Waits;

impl AsyncRequestFilter for Waits {
    fn call<'a>(&'a self, req: &'a mut Request) -> LocalBoxFuture<'a, Handled> {
        Box::pin(async {
            req.bfe_status_code = 7;
            Ok(RequestOutcome::REDIRECT)
        })
    }
}

#[test]
fn filters_that_wait_stand_in_the_same_chain() {
    let mut callbacks = Callbacks::default();
    callbacks.add_async_request_filter(Point::HandleAfterLocation, "w", Waits).unwrap();
    let mut req = request();
    assert_eq!(run(&callbacks, Point::HandleAfterLocation, &mut req), Ok(HandlerResult::Redirect));
    assert_eq!(req.bfe_status_code, 7);
}

impl AsyncResponseFilter for Waits {
    fn ready(&self, req: &mut Request) -> Option<Result<HandlerResult, NeedBody>> {
        req.log_id.is_empty().then_some(Ok(HandlerResult::GoOn))
    }

    fn call<'a>(&'a self, req: &'a mut Request) -> LocalBoxFuture<'a, Result<HandlerResult, NeedBody>> {
        Box::pin(async {
            req.response = Some(Response::new(502));
            Ok(HandlerResult::GoOn)
        })
    }
}

#[test]
fn response_filters_find_the_response_where_conditions_do() {
    let is_404 = bfe_basic::condition::Condition::build("res_code_in(\"404\")").unwrap();
    let mut callbacks = Callbacks::default();
    callbacks.add_async_response_filter("waits", Waits);
    callbacks.add_response_filter("looks", move |req| {
        Ok(if is_404.matches(req)? { HandlerResult::Finish } else { HandlerResult::GoOn })
    });
    for (status, log_id, want) in [
        (404, "", HandlerResult::Finish),
        (200, "", HandlerResult::GoOn),
        // The first filter waits, and leaves another response.
        (404, "x", HandlerResult::GoOn),
    ] {
        let mut req = request();
        req.log_id = log_id.into();
        req.response = Some(Response::new(status));
        assert_eq!(now(callbacks.run_read_response(&mut req, &mut Progress::default())), Ok(want));
        assert!(req.response.is_some());
    }
}

impl AsyncFinishFilter for Waits {
    fn ready(&self, req: &mut Request, response: Option<&Response>) -> Option<HandlerResult> {
        response.is_none_or(|response| response.status == 404).then(|| {
            req.log_id.push('r');
            HandlerResult::GoOn
        })
    }

    fn call<'a>(
        &'a self,
        req: &'a mut Request,
        response: Option<&'a Response>,
    ) -> LocalBoxFuture<'a, HandlerResult> {
        Box::pin(async move {
            req.log_id.push('c');
            if response.is_some_and(|r| r.status == 500) {
                HandlerResult::Finish
            } else {
                HandlerResult::GoOn
            }
        })
    }
}

#[test]
fn finish_filters_that_wait_stand_in_the_same_chain() {
    let mut callbacks = Callbacks::default();
    for letter in ['1', '2'] {
        callbacks.add_request_finish_filter("ready", move |req, _| {
            req.log_id.push(letter);
            HandlerResult::GoOn
        });
        callbacks.add_async_request_finish_filter("waits", Waits);
    }
    for (status, waits, order, want) in [
        (404, false, "1r2r", HandlerResult::GoOn),
        (200, true, "1c2c", HandlerResult::GoOn),
        (500, true, "1c", HandlerResult::Finish),
    ] {
        let mut req = request();
        req.response = Some(Response::new(status));
        let (waited, result) = match callbacks.run_request_finish(&mut req) {
            Finishing::Done(result) => (false, result),
            Finishing::Waits(rest) => (true, now(rest)),
        };
        assert_eq!((waited, result, req.log_id.as_str()), (waits, want, order), "{status}");
        assert_eq!(req.response.map(|response| response.status), Some(status));
    }
}

#[test]
fn wrong_points_are_refused() {
    let mut callbacks = Callbacks::default();
    assert!(callbacks.add_session_filter(Point::HandleForward, "x", |_| HandlerResult::GoOn).is_err());
    assert!(callbacks.add_request_filter(Point::HandleAccept, "x", |_| Ok(RequestOutcome::GO_ON)).is_err());
}
