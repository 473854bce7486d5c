//! `mod_probe`: says at each point what the request asks for, and keeps a trace of all calls.
//!
//! **Requests.** The header `X-Probe` is a comma separated list of `POINT:WORD`. At that point the first of
//! the module's two handlers answers as the word says; the second only leaves its trace.
//!
//! | word | answer |
//! |---|---|
//! | `finish`, `redirect`, `response`, `close` | that result; with a response where the point has one to give |
//! | `finish-bare` | Finish without a response |
//! | `leave` | GoOn, and a response that nobody asked for; said by the second handler |
//!
//! `X-Redirect` and `X-Redirect-Code` are where a redirect leads to.
//!
//! **Connections.** At Accept and Finish the last byte of the client's address decides: 11 Finish,
//! 12 Redirect, 13 Response, 14 Close.
//!
//! **Monitor.** `/monitor/mod_probe.trace?port=N`: the calls for the client with that port, a line each:
//! point, handler, and what was to be seen there.

use bfe_basic::{Request, Session};
use bfe_http::Response;
use bfe_module::{Callbacks, HandlerResult, InitError, Module, Point, RequestOutcome, WebHandlers};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Most lines that are kept; a test has far fewer.
const MAX_LINES: usize = 100_000;

/// The module.
pub(crate) struct ModuleProbe;

/// Calls so far, by the client's port.
#[derive(Default)]
struct Trace(Mutex<(usize, BTreeMap<u16, Vec<String>>)>);

impl Module for ModuleProbe {
    fn name(&self) -> &'static str {
        "mod_probe"
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        _conf_root: &Path,
    ) -> Result<(), InitError> {
        let trace = Arc::new(Trace::default());
        for handler in ["first", "second"] {
            register(callbacks, &trace, handler)?;
        }
        web_handlers.add_monitor("mod_probe.trace", move |query| {
            let port = query.get("port").and_then(|port| port.parse().ok()).unwrap_or(0);
            let kept = trace.0.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(kept.1.get(&port).map(|lines| lines.join("\n")).unwrap_or_default())
        })?;
        Ok(())
    }
}

fn register(callbacks: &mut Callbacks, trace: &Arc<Trace>, handler: &'static str) -> Result<(), InitError> {
    let obeys = handler == "first";
    for point in [Point::HandleAccept, Point::HandleFinish] {
        let trace = Arc::clone(trace);
        callbacks.add_session_filter(point, format!("mod_probe.{handler}"), move |session| {
            trace.add(session.remote_addr, format!("{point} {handler}{}", session_facts(point, session)));
            if obeys { for_address(session.remote_addr) } else { HandlerResult::GoOn }
        })?;
    }
    for point in [Point::HandleBeforeLocation, Point::HandleFoundProduct, Point::HandleAfterLocation] {
        let trace = Arc::clone(trace);
        callbacks.add_request_filter(point, format!("mod_probe.{handler}"), move |req| {
            trace.request(point, handler, req, req.response.as_ref());
            let word = asked(req, point);
            // Only what the last handler leaves is left.
            let mine = obeys == (word != "leave");
            Ok(if mine { request_outcome(&word, req) } else { RequestOutcome::GO_ON })
        })?;
    }
    let of_forward = Arc::clone(trace);
    callbacks.add_forward_filter(format!("mod_probe.{handler}"), move |req| {
        of_forward.request(Point::HandleForward, handler, req, req.response.as_ref());
        if obeys { result(&asked(req, Point::HandleForward)) } else { HandlerResult::GoOn }
    });
    let of_response = Arc::clone(trace);
    callbacks.add_response_filter(format!("mod_probe.{handler}"), move |req| {
        of_response.request(Point::HandleReadResponse, handler, req, req.response.as_ref());
        let word = if obeys { asked(req, Point::HandleReadResponse) } else { String::new() };
        if word == "redirect" {
            set_redirect(req);
        }
        Ok(result(&word))
    });
    let of_finish = Arc::clone(trace);
    callbacks.add_request_finish_filter(format!("mod_probe.{handler}"), move |req, response| {
        of_finish.request(Point::HandleRequestFinish, handler, req, response);
        if obeys { result(&asked(req, Point::HandleRequestFinish)) } else { HandlerResult::GoOn }
    });
    Ok(())
}

// === impl Trace ===

impl Trace {
    fn add(&self, client: Option<SocketAddr>, line: String) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.0 < MAX_LINES {
            kept.0 += 1;
            kept.1.entry(client.map_or(0, |c| c.port())).or_default().push(line);
        }
    }

    fn request(&self, point: Point, handler: &str, req: &Request, response: Option<&Response>) {
        let response = response.map_or("none".to_owned(), |r| r.status.to_string());
        let error = req.error_code.map_or("-", |code| code.as_str());
        let line = format!("{point} {handler} response={response} bfe={} error={error}", req.bfe_status_code);
        self.add(req.session.remote_addr, line);
    }
}

fn session_facts(point: Point, session: &Session) -> String {
    if point == Point::HandleAccept {
        return String::new();
    }
    let error = session.error.borrow().as_ref().map_or("-", |(code, _)| code.as_str());
    format!(" requests={} active={} error={error}", session.requests.get(), session.requests_active.get())
}

/// What the request asks for at a point.
fn asked(req: &Request, point: Point) -> String {
    let list = String::from_utf8_lossy(req.http.header.get("X-Probe").unwrap_or_default()).into_owned();
    let name = point.to_string();
    let mut asked = list.split(',').filter_map(|item| item.trim().split_once(':'));
    asked.find(|(at, _)| *at == name).map(|(_, word)| word.to_owned()).unwrap_or_default()
}

fn result(word: &str) -> HandlerResult {
    match word {
        "finish" | "finish-bare" => HandlerResult::Finish,
        "redirect" => HandlerResult::Redirect,
        "response" => HandlerResult::Response,
        "close" => HandlerResult::Close,
        _ => HandlerResult::GoOn,
    }
}

fn request_outcome(word: &str, req: &mut Request) -> RequestOutcome {
    let response = || Response::with_content(418, "text/plain", "probe");
    match word {
        "finish" => RequestOutcome::finish(Some(response())),
        "finish-bare" => RequestOutcome::finish(None),
        "redirect" => {
            set_redirect(req);
            RequestOutcome::REDIRECT
        }
        "response" => RequestOutcome::response(response()),
        "close" => RequestOutcome::CLOSE,
        "leave" => RequestOutcome::go_on_with(response()),
        _ => RequestOutcome::GO_ON,
    }
}

fn set_redirect(req: &mut Request) {
    let field = |name: &str| req.http.header.get(name).map(<[u8]>::to_vec);
    let url = field("X-Redirect").unwrap_or_else(|| b"/new".to_vec());
    let code = field("X-Redirect-Code").and_then(|code| String::from_utf8(code).ok()?.parse().ok());
    req.redirect.url = url;
    req.redirect.code = code.unwrap_or(302);
}

/// What the client's address asks for.
fn for_address(client: Option<SocketAddr>) -> HandlerResult {
    let Some(IpAddr::V4(ip)) = client.map(|c| c.ip()) else { return HandlerResult::GoOn };
    match ip.octets() {
        [.., 11] => HandlerResult::Finish,
        [.., 12] => HandlerResult::Redirect,
        [.., 13] => HandlerResult::Response,
        [.., 14] => HandlerResult::Close,
        _ => HandlerResult::GoOn,
    }
}
