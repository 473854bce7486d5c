//! The nine points where modules are called, and what their answers mean (lifecycle 2).

use crate::filter::{AsyncFinishFilter, AsyncRequestFilter, AsyncResponseFilter, LocalBoxFuture};
use bfe_basic::{NeedBody, Request, Session};
use bfe_http::Response;
use std::fmt;

/// A point on the way of a connection or request where handlers are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// A connection has been accepted; the PROXY header has been read, nothing else.
    HandleAccept,
    /// A TLS handshake has been completed.
    HandleHandshake,
    /// A request head has been read; nothing has been looked up yet.
    HandleBeforeLocation,
    /// The product is known.
    HandleFoundProduct,
    /// The cluster is known.
    HandleAfterLocation,
    /// A backend has been picked; once for every attempt.
    HandleForward,
    /// There is a response, from a backend or a module; it has not been sent.
    HandleReadResponse,
    /// The response has been sent, or the client has gone.
    HandleRequestFinish,
    /// The connection ends.
    HandleFinish,
}

impl Point {
    /// All points in their order.
    pub const ALL: [Self; 9] = [
        Self::HandleAccept,
        Self::HandleHandshake,
        Self::HandleBeforeLocation,
        Self::HandleFoundProduct,
        Self::HandleAfterLocation,
        Self::HandleForward,
        Self::HandleReadResponse,
        Self::HandleRequestFinish,
        Self::HandleFinish,
    ];
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What a handler says. What it leads to depends on the point (lifecycle 2.2):
///
/// | point | `Finish` | `GoOn` | `Redirect` | `Response` | `Close` |
/// |---|---|---|---|---|---|
/// | Accept, Handshake | stop the chain, go on | next | stop, go on | stop, go on | close |
/// | BeforeLocation, FoundProduct, AfterLocation | send its response (or an empty 200), close | next | send a redirect, keep | send its response, keep | close without a byte |
/// | Forward | no backend: 500, close | next | forward | forward | forward |
/// | ReadResponse | send, close | next | send a redirect instead | send | send |
/// | RequestFinish | close | next | – | – | – |
/// | Finish | – | next | – | – | – |
///
/// The first handler that says anything but `GoOn` ends the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HandlerResult {
    /// The request is over; the connection too.
    Finish,
    /// The next handler, then the next step.
    #[default]
    GoOn,
    /// Redirect the client, by `req.redirect`.
    Redirect,
    /// Here is the response.
    Response,
    /// Close the connection.
    Close,
}

/// What a request handler says: a result, and a response where the result needs one.
#[derive(Debug, Default)]
pub struct RequestOutcome {
    result: HandlerResult,
    response: Option<Box<Response>>,
}

impl RequestOutcome {
    /// The next handler, then the next step.
    pub const GO_ON: Self = Self { result: HandlerResult::GoOn, response: None };
    /// Close without a byte.
    pub const CLOSE: Self = Self { result: HandlerResult::Close, response: None };
    /// Redirect by `req.redirect`.
    pub const REDIRECT: Self = Self { result: HandlerResult::Redirect, response: None };

    /// Send this, and keep the connection.
    #[must_use]
    pub fn response(response: Response) -> Self {
        Self { result: HandlerResult::Response, response: Some(Box::new(response)) }
    }

    /// Send this, or an empty 200, and close the connection.
    #[must_use]
    pub fn finish(response: Option<Response>) -> Self {
        Self { result: HandlerResult::Finish, response: response.map(Box::new) }
    }

    /// Go on, and leave a response for others to see; the next point takes it away again.
    #[must_use]
    pub fn go_on_with(response: Response) -> Self {
        Self { result: HandlerResult::GoOn, response: Some(Box::new(response)) }
    }

    /// The result.
    #[must_use]
    pub fn result(&self) -> HandlerResult {
        self.result
    }
}

/// What a request handler returns. [`NeedBody`] comes from a condition that wants the request body: the
/// pipeline reads it, and calls the handler again.
pub type Handled = Result<RequestOutcome, NeedBody>;

type SessionFn = Box<dyn Fn(&Session) -> HandlerResult + Send + Sync>;
type RequestFn = Box<dyn Fn(&mut Request) -> Handled + Send + Sync>;
type ForwardFn = Box<dyn Fn(&mut Request) -> HandlerResult + Send + Sync>;
type ResponseFn = Box<dyn Fn(&mut Request) -> Result<HandlerResult, NeedBody> + Send + Sync>;
type FinishFn = Box<dyn Fn(&mut Request, Option<&Response>) -> HandlerResult + Send + Sync>;

struct Named<F> {
    name: String,
    filter: F,
}

enum RequestFilter {
    /// Costs a plain call.
    Ready(RequestFn),
    /// Costs a boxed future where it has to wait.
    Waits(Box<dyn AsyncRequestFilter>),
}

enum ResponseFilter {
    /// Costs a plain call.
    Ready(ResponseFn),
    /// Costs a boxed future where it has to wait.
    Waits(Box<dyn AsyncResponseFilter>),
}

enum FinishFilter {
    /// Costs a plain call.
    Ready(FinishFn),
    /// Costs a boxed future where it has to wait.
    Waits(Box<dyn AsyncFinishFilter>),
}

/// The handlers of all points, in the order in which they run.
#[derive(Default)]
pub struct Callbacks {
    accept: Vec<Named<SessionFn>>,
    handshake: Vec<Named<SessionFn>>,
    before_location: Vec<Named<RequestFilter>>,
    found_product: Vec<Named<RequestFilter>>,
    after_location: Vec<Named<RequestFilter>>,
    forward: Vec<Named<ForwardFn>>,
    read_response: Vec<Named<ResponseFilter>>,
    request_finish: Vec<Named<FinishFilter>>,
    finish: Vec<Named<SessionFn>>,
    tls_secrets: bool,
}

/// A handler of the wrong kind for its point.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}(): no such handler at {point}")]
pub struct WrongPoint {
    kind: &'static str,
    point: Point,
}

// === impl Callbacks: registration ===

impl Callbacks {
    /// Registers a handler of connections: at Accept, Handshake or Finish. The name is shown on the monitor
    /// port (`module_handlers`).
    ///
    /// # Errors
    /// At any other point.
    pub fn add_session_filter(
        &mut self,
        point: Point,
        name: impl Into<String>,
        filter: impl Fn(&Session) -> HandlerResult + Send + Sync + 'static,
    ) -> Result<(), WrongPoint> {
        let list = match point {
            Point::HandleAccept => &mut self.accept,
            Point::HandleHandshake => &mut self.handshake,
            Point::HandleFinish => &mut self.finish,
            _ => return Err(WrongPoint { kind: "add_session_filter", point }),
        };
        list.push(Named { name: name.into(), filter: Box::new(filter) });
        Ok(())
    }

    /// Registers a handler of requests: at BeforeLocation, FoundProduct or AfterLocation.
    ///
    /// # Errors
    /// At any other point.
    pub fn add_request_filter(
        &mut self,
        point: Point,
        name: impl Into<String>,
        filter: impl Fn(&mut Request) -> Handled + Send + Sync + 'static,
    ) -> Result<(), WrongPoint> {
        let filter = RequestFilter::Ready(Box::new(filter));
        self.request_list(point)?.push(Named { name: name.into(), filter });
        Ok(())
    }

    /// Registers a handler of requests that has to wait for something.
    ///
    /// # Errors
    /// At any point but BeforeLocation, FoundProduct and AfterLocation.
    pub fn add_async_request_filter(
        &mut self,
        point: Point,
        name: impl Into<String>,
        filter: impl AsyncRequestFilter + 'static,
    ) -> Result<(), WrongPoint> {
        let filter = RequestFilter::Waits(Box::new(filter));
        self.request_list(point)?.push(Named { name: name.into(), filter });
        Ok(())
    }

    fn request_list(&mut self, point: Point) -> Result<&mut Vec<Named<RequestFilter>>, WrongPoint> {
        match point {
            Point::HandleBeforeLocation => Ok(&mut self.before_location),
            Point::HandleFoundProduct => Ok(&mut self.found_product),
            Point::HandleAfterLocation => Ok(&mut self.after_location),
            _ => Err(WrongPoint { kind: "add_request_filter", point }),
        }
    }

    /// Registers a handler of attempts, at Forward.
    pub fn add_forward_filter(
        &mut self,
        name: impl Into<String>,
        filter: impl Fn(&mut Request) -> HandlerResult + Send + Sync + 'static,
    ) {
        self.forward.push(Named { name: name.into(), filter: Box::new(filter) });
    }

    /// Registers a handler of responses, at ReadResponse. It finds the response in `req.response`, where
    /// conditions see it too, and leaves one there.
    pub fn add_response_filter(
        &mut self,
        name: impl Into<String>,
        filter: impl Fn(&mut Request) -> Result<HandlerResult, NeedBody> + Send + Sync + 'static,
    ) {
        let filter = ResponseFilter::Ready(Box::new(filter));
        self.read_response.push(Named { name: name.into(), filter });
    }

    /// Registers a handler of responses that has to wait for something.
    pub fn add_async_response_filter(
        &mut self,
        name: impl Into<String>,
        filter: impl AsyncResponseFilter + 'static,
    ) {
        let filter = ResponseFilter::Waits(Box::new(filter));
        self.read_response.push(Named { name: name.into(), filter });
    }

    /// Registers a handler of requests that are over, at RequestFinish.
    pub fn add_request_finish_filter(
        &mut self,
        name: impl Into<String>,
        filter: impl Fn(&mut Request, Option<&Response>) -> HandlerResult + Send + Sync + 'static,
    ) {
        let filter = FinishFilter::Ready(Box::new(filter));
        self.request_finish.push(Named { name: name.into(), filter });
    }

    /// Registers a handler of requests that are over that has to wait for something.
    pub fn add_async_request_finish_filter(
        &mut self,
        name: impl Into<String>,
        filter: impl AsyncFinishFilter + 'static,
    ) {
        let filter = FinishFilter::Waits(Box::new(filter));
        self.request_finish.push(Named { name: name.into(), filter });
    }

    /// Asks for the secrets of TLS connections: handlers of Handshake find them in
    /// [`TlsState::secrets`](bfe_basic::TlsState), and take them away.
    pub fn want_tls_secrets(&mut self) {
        self.tls_secrets = true;
    }

    /// Whether a module has asked for the secrets of TLS connections.
    #[must_use]
    pub fn wants_tls_secrets(&self) -> bool {
        self.tls_secrets
    }

    /// Whether there is nothing to call at a point.
    #[must_use]
    pub fn is_empty(&self, point: Point) -> bool {
        match point {
            Point::HandleAccept => self.accept.is_empty(),
            Point::HandleHandshake => self.handshake.is_empty(),
            Point::HandleBeforeLocation => self.before_location.is_empty(),
            Point::HandleFoundProduct => self.found_product.is_empty(),
            Point::HandleAfterLocation => self.after_location.is_empty(),
            Point::HandleForward => self.forward.is_empty(),
            Point::HandleReadResponse => self.read_response.is_empty(),
            Point::HandleRequestFinish => self.request_finish.is_empty(),
            Point::HandleFinish => self.finish.is_empty(),
        }
    }

    /// Names of the handlers of a point, in order.
    #[must_use]
    pub fn names(&self, point: Point) -> Vec<&str> {
        fn of<F>(list: &[Named<F>]) -> Vec<&str> {
            list.iter().map(|n| n.name.as_str()).collect()
        }
        match point {
            Point::HandleAccept => of(&self.accept),
            Point::HandleHandshake => of(&self.handshake),
            Point::HandleBeforeLocation => of(&self.before_location),
            Point::HandleFoundProduct => of(&self.found_product),
            Point::HandleAfterLocation => of(&self.after_location),
            Point::HandleForward => of(&self.forward),
            Point::HandleReadResponse => of(&self.read_response),
            Point::HandleRequestFinish => of(&self.request_finish),
            Point::HandleFinish => of(&self.finish),
        }
    }
}

// === impl Callbacks: running ===

/// How far a chain of request handlers has come: where to go on once the body has been read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress(usize);

impl Callbacks {
    /// Runs the handlers of Accept, Handshake or Finish.
    #[must_use]
    pub fn run_session(&self, point: Point, session: &Session) -> HandlerResult {
        let list = match point {
            Point::HandleAccept => &self.accept,
            Point::HandleHandshake => &self.handshake,
            Point::HandleFinish => &self.finish,
            _ => return HandlerResult::GoOn,
        };
        list.iter()
            .map(|n| (n.filter)(session))
            .find(|r| *r != HandlerResult::GoOn)
            .unwrap_or(HandlerResult::GoOn)
    }

    /// Runs the handlers of BeforeLocation, FoundProduct or AfterLocation. The chain's response replaces
    /// `req.response`, also by none.
    ///
    /// # Errors
    /// [`NeedBody`] where a handler wants the request body. `progress` says where to go on: call again with
    /// it once the body has been read.
    pub async fn run_request(
        &self,
        point: Point,
        req: &mut Request,
        progress: &mut Progress,
    ) -> Result<HandlerResult, NeedBody> {
        let list = match point {
            Point::HandleBeforeLocation => &self.before_location,
            Point::HandleFoundProduct => &self.found_product,
            Point::HandleAfterLocation => &self.after_location,
            _ => return Ok(HandlerResult::GoOn),
        };
        while let Some(named) = list.get(progress.0) {
            let outcome = match &named.filter {
                RequestFilter::Ready(filter) => filter(req)?,
                RequestFilter::Waits(filter) => match filter.ready(req) {
                    Some(handled) => handled?,
                    None => filter.call(req).await?,
                },
            };
            progress.0 += 1;
            if outcome.result != HandlerResult::GoOn || progress.0 == list.len() {
                req.response = outcome.response.map(|r| *r);
                return Ok(outcome.result);
            }
        }
        req.response = None;
        Ok(HandlerResult::GoOn)
    }

    /// Runs the handlers of Forward.
    #[must_use]
    pub fn run_forward(&self, req: &mut Request) -> HandlerResult {
        self.forward
            .iter()
            .map(|n| (n.filter)(req))
            .find(|r| *r != HandlerResult::GoOn)
            .unwrap_or(HandlerResult::GoOn)
    }

    /// Runs the handlers of ReadResponse on `req.response`.
    ///
    /// # Errors
    /// [`NeedBody`] as in [`Callbacks::run_request`].
    pub async fn run_read_response(
        &self,
        req: &mut Request,
        progress: &mut Progress,
    ) -> Result<HandlerResult, NeedBody> {
        if req.response.is_none() {
            return Ok(HandlerResult::GoOn);
        }
        while let Some(named) = self.read_response.get(progress.0) {
            let result = match &named.filter {
                ResponseFilter::Ready(filter) => filter(req)?,
                ResponseFilter::Waits(filter) => match filter.ready(req) {
                    Some(result) => result?,
                    None => filter.call(req).await?,
                },
            };
            progress.0 += 1;
            if result != HandlerResult::GoOn {
                return Ok(result);
            }
        }
        Ok(HandlerResult::GoOn)
    }

    /// Runs the handlers of RequestFinish, up to the first that has to wait.
    pub fn run_request_finish<'a>(&'a self, req: &'a mut Request) -> Finishing<'a> {
        if self.request_finish.is_empty() {
            return Finishing::Done(HandlerResult::GoOn);
        }
        let response = req.response.take();
        let mut result = HandlerResult::GoOn;
        for (at, named) in self.request_finish.iter().enumerate() {
            let ready = match &named.filter {
                FinishFilter::Ready(filter) => Some(filter(req, response.as_ref())),
                FinishFilter::Waits(filter) => filter.ready(req, response.as_ref()),
            };
            let Some(ready) = ready else {
                return Finishing::Waits(Box::pin(self.finish_from(at, req, response)));
            };
            result = ready;
            if result != HandlerResult::GoOn {
                break;
            }
        }
        req.response = response;
        Finishing::Done(result)
    }

    /// Runs the handlers of RequestFinish from one on that has said that it has to wait.
    async fn finish_from(
        &self,
        first: usize,
        req: &mut Request,
        response: Option<Response>,
    ) -> HandlerResult {
        let mut result = HandlerResult::GoOn;
        for (at, named) in self.request_finish.iter().enumerate().skip(first) {
            let ready = match &named.filter {
                FinishFilter::Ready(filter) => Some(filter(req, response.as_ref())),
                FinishFilter::Waits(_) if at == first => None,
                FinishFilter::Waits(filter) => filter.ready(req, response.as_ref()),
            };
            result = match (ready, &named.filter) {
                (None, FinishFilter::Waits(filter)) => filter.call(req, response.as_ref()).await,
                (ready, _) => ready.unwrap_or_default(),
            };
            if result != HandlerResult::GoOn {
                break;
            }
        }
        req.response = response;
        result
    }
}

/// How far the handlers of RequestFinish have come.
pub enum Finishing<'a> {
    /// To their end, with that result.
    Done(HandlerResult),
    /// To one that has to wait: the rest of them.
    Waits(LocalBoxFuture<'a, HandlerResult>),
}

#[cfg(test)]
#[path = "callback_tests.rs"]
mod tests;
