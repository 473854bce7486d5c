//! # mod_body_process: what passes through the AI gateway
//!
//! **What it does.** Looks at bodies while they pass: counts the tokens of answers, also where these are streams, and
//! has a service look at texts, which may refuse questions and change answers. It works where `EnableAiGateway` is on.
//!
//! **`mod_body_process/mod_body_process.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.ProductRulePath` | `mod_body_process/body_process.data` | rules, by product |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Rules.** The first rule that matches decides. Without one, answers with status 200 are looked at all the same, for
//! their usage.
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "shop": [
//!       {
//!         "Cond": "default_t()",
//!         "RequestProcess": {"Dec": "json", "Proc": [{"Name": "textfilter", "Params": ["http://10.0.0.1:8080"]}]},
//!         "ResponseProcess": {"Proc": [{"Name": "textfilter", "Params": ["http://10.0.0.1:8080"]}]}
//!       }
//!     ]
//!   }
//! }
//! ```
//!
//! | field | meaning |
//! |---|---|
//! | `Dec` | how the body is taken apart: `line`, `json`, `sse` (answers only); without it the content type decides |
//! | `Enc` | checked, without effect |
//! | `Proc` | `textfilter`, with the URL of the service, as often as wanted |
//!
//! By content type, exactly as it is written: `application/json`, `application/ndjson` and `application/x-ndjson` are
//! JSON values, one after the other; `text/event-stream`, `application/sse` and `application/x-sse` events; anything
//! else, also with a `charset`, is lines.
//!
//! **Bodies.** A body that is looked at has no `Content-Length` any more: that is every answer with status 200. Lines and
//! events pass unchanged. Blanks between JSON values are dropped; a body that is no JSON though its type says so ends
//! where it is wrong, and so does the connection. A piece of more than 8 MiB is passed on in parts, whose usage is not
//! read; where a service is to look at it, the body fails.
//!
//! **Usage.** The first piece of an answer with `usage.total_tokens` counts; until then, `EstimateToken` has four bytes
//! count as a token.
//!
//! **textfilter.** Posts each piece as form field `txt` to `URL/text-filter` (questions) or `URL/text-replace` (answers),
//! an event as it stands in the stream. The service answers with a JSON object: a question is refused (500) for
//! `RiskLevel` `REJECT`, or `REVIEW` with a `SentimentScore` below -0.5; `ResultText` takes the place of an answer. Without
//! an answer within 10 s, or with a wrong one, the piece passes. A request with `RequestProcess` is sent once: no other
//! key and no fallback is tried.
//!
//! **Monitor.** `/monitor/mod_body_process`, `/monitor/mod_body_process.diff`: `REQ_TOTAL`, `REQ_PROCESS`, `RES_PROCESS`,
//! and `IN_FLIGHT`, which requests that were refused make less.
//!
//! **Reload.** `/reload/mod_body_process`, with `?path=FILE`. A wrong file changes nothing.
//!
//! Realises ai-gateway 11.

mod decoder;
mod event;
mod json;
mod rule;
mod stream;
#[cfg(test)]
mod tests;
mod text_filter;
mod usage;

use crate::module_conf;
use crate::rule_file::walk::first_match;
use crate::rule_file::{ReloadAnswer, RuleFile};
use bfe_basic::ai::{AiInfo, TokenTimes};
use bfe_basic::{ContextValue, Request};
use bfe_http::Body;
use bfe_module::{Callbacks, Handled, HandlerResult, InitError, Module, Point, RequestOutcome, WebHandlers};
use decoder::Decoder;
use mod_body_process_state as state;
use rule::{Form, Process, RawProcessRule};
use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use stream::Processed;
use usage::Collector;

const NAME: &str = "mod_body_process";
/// Where what is done to the response waits for it.
const RESPONSE: &str = "mod_body_process.response";

bfe_http::counter_group! {
    /// `/monitor/mod_body_process`.
    pub mod_body_process_state "mod_body_process" {
        /// Requests.
        REQ_TOTAL,
        /// Bodies of requests looked at.
        REQ_PROCESS,
        /// Bodies of responses looked at.
        RES_PROCESS,
    }
    gauges {
        /// Requests under way, less those that ended before they had a cluster.
        IN_FLIGHT,
    }
}

/// The module.
pub struct ModuleBodyProcess;

impl Module for ModuleBodyProcess {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let data = ("ProductRulePath", "mod_body_process/body_process.data");
        let rules =
            module_conf::rules::<RawProcessRule>(conf_root, web_handlers, NAME, data, ReloadAnswer::Plain)?;
        web_handlers.add_counters(NAME, "mod_body_process.diff", state::group())?;
        register(callbacks, rules)
    }
}

fn register(callbacks: &mut Callbacks, rules: Arc<RuleFile<RawProcessRule>>) -> Result<(), InitError> {
    callbacks.add_request_filter(
        Point::HandleAfterLocation,
        "mod_body_process.after_location",
        move |req| on_request(&rules, req),
    )?;
    callbacks.add_response_filter("mod_body_process.read_response", |req| {
        on_response(req);
        Ok(HandlerResult::GoOn)
    });
    callbacks.add_request_finish_filter("mod_body_process.request_finish", |req, _| {
        if let Some(ai) = &mut req.ai {
            state::group().dec(state::IN_FLIGHT);
            ai.settle();
            ai.times.last_token = Some(Instant::now());
            set_times(ai);
        }
        HandlerResult::GoOn
    });
    Ok(())
}

fn on_request(rules: &RuleFile<RawProcessRule>, req: &mut Request) -> Handled {
    if req.ai.is_none() {
        return Ok(RequestOutcome::GO_ON);
    }
    let table = rules.current();
    // Before anything is counted: a rule that wants the body has this called again.
    let rule = first_match(table.rules(&req.route.product).unwrap_or_default(), req)?;
    let group = state::group();
    group.inc(state::IN_FLIGHT);
    group.inc(state::REQ_TOTAL);
    if let Some(ai) = &mut req.ai {
        ai.times.request_end = Some(Instant::now());
    }
    let Some(rule) = rule else { return Ok(RequestOutcome::GO_ON) };
    if let Some(process) = &rule.request {
        group.inc(state::REQ_PROCESS);
        let kind = req.http.header.get("Content-Type").unwrap_or_default();
        // A request is an event stream where its type says so.
        let decoder = Decoder::new(process.form, kind);
        let source = std::mem::take(&mut req.http.body);
        let body = Processed::new(source, decoder, None, process.filters.clone());
        req.http.body = Body::Stream(Box::new(body));
        req.http.content_length = -1;
        req.http.header.del("Content-Length");
    }
    if let Some(process) = &rule.response {
        req.context.set(RESPONSE, ContextValue::Any(Box::new(Arc::clone(process))));
    }
    Ok(RequestOutcome::GO_ON)
}

fn on_response(req: &mut Request) {
    let process = req.context.any::<Arc<Process>>(RESPONSE).cloned();
    let (Some(ai), Some(response)) = (&mut req.ai, &mut req.response) else { return };
    ai.times.first_token.get_or_insert_with(Instant::now);
    let collector = (response.status == 200).then(|| {
        let counting = Rc::new(Cell::new(ai.usage));
        ai.counting = Some(Rc::clone(&counting));
        Collector::new(counting, ai.estimate_token)
    });
    if collector.is_none() && process.is_none() {
        return;
    }
    state::group().inc(state::RES_PROCESS);
    let (form, filters) = match process {
        Some(process) => (process.form, process.filters.clone()),
        None => (Form::ByType, Vec::new()),
    };
    let kind = response.header.get("Content-Type").unwrap_or_default();
    let decoder = Decoder::new(form, kind);
    let source = std::mem::take(&mut response.body);
    response.body = Body::Stream(Box::new(Processed::new(source, decoder, collector, filters)));
    response.content_length = -1;
    response.header.del("Content-Length");
}

/// Works out how long the first token took, and each after it.
fn set_times(ai: &mut AiInfo) {
    let TokenTimes { request_end, first_token, last_token, .. } = ai.times;
    let micros = |from: Instant, to: Instant| {
        i64::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(i64::MAX)
    };
    if let (Some(end), Some(first)) = (request_end, first_token) {
        ai.times.ttft_us = micros(end, first);
    }
    let more = ai.usage.completion_tokens.saturating_sub(1);
    if let (Some(first), Some(last)) = (first_token, last_token)
        && more > 0
    {
        ai.times.tpot_us = micros(first, last) / more;
    }
}
