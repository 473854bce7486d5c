//! # mod_trace: distributed tracing
//!
//! **What it does.** A request for which a rule says so gets a span: it goes on with the trace that the
//! client's header fields name, or begins one; the backend is told by header fields; when the request is
//! over, the span is reported to a collector.
//!
//! **`mod_trace/mod_trace.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.DataPath` | `mod_trace/trace_rule.data` | rules |
//! | `Basic.ServiceName` | – | name under which spans are reported; required for jaeger |
//! | `Basic.TraceAgent` | – | required: `zipkin`, `jaeger` or `elastic` |
//! | `Log.OpenDebug` | `false` | read, without effect |
//! | `Otlp.Endpoint` | – | URL of a collector that takes OTLP over HTTP, whichever the agent is; path `/v1/traces` where it has none |
//! | `Zipkin.HTTPEndpoint` | – | where spans are sent, as JSON of Zipkin's version 2 |
//! | `Zipkin.SampleRate` | `0` | share of new traces that are reported: 0, 1, or from 0.0001 on |
//! | `Zipkin.ID128Bit` | `false` | new traces have ids of 128 bits |
//! | `Zipkin.SameSpan` | `false` | read, without effect |
//! | `Jaeger.SamplingType` | `remote` | `const`, `probabilistic`, `rateLimiting`, `remote`: with the last, the sampling server is asked, and until it answers `SamplingParam` is the share |
//! | `Jaeger.SamplingParam` | `0` | by type: 0 or not; share; traces in a second |
//! | `Jaeger.SamplingServerURL` | `http://localhost:5778/sampling` | with `remote`: is asked at start, and then each minute, for a share, a rate, or shares by operation (name of a span) |
//! | `Jaeger.CollectorEndpoint`, `Jaeger.LocalAgentHostPort` | `localhost` | the machine of the first, else of the second, is sent OTLP at port 4318 |
//! | `Jaeger.CollectorUser`, `Jaeger.CollectorPassword` | – | for the collector |
//! | `Jaeger.Propagation` | `jaeger` | header fields: `jaeger` or `b3` |
//! | `Jaeger.TraceContextHeaderName` | `uber-trace-id` | the field with the ids |
//! | `Jaeger.Gen128Bit` | `false` | new traces have ids of 128 bits |
//! | `Elastic.ServerURL` | `http://localhost:8200` | is sent OTLP at `/v1/traces` |
//! | `Elastic.SecretToken` | – | for the server |
//!
//! **Rules.** Those of the request's product. The first that matches and has `Enable` counts.
//!
//! ```json
//! {"Version": "v1", "Config": {"shop": [{"Cond": "req_path_prefix_in(\"/api\", false)", "Enable": true}]}}
//! ```
//!
//! **Header fields.** zipkin: `X-B3-*`, and `b3` alone on input. jaeger: `Uber-Trace-Id`, `Uberctx-*`,
//! `jaeger-baggage`, `jaeger-debug-id`; or `X-B3-*`. elastic: `Traceparent`, `Elastic-Apm-Traceparent`,
//! `Tracestate`.
//!
//! **Spans.** Named by host and path. Tags: `http.method`, `http.url`, `http.host`, `http.status_code`,
//! `product`, `cluster`, `subcluster`, `backend`; `error` and an event where the request failed with a message.
//! They are sent in batches, after a second at most, by a thread of its own. At most 4096 wait; what comes
//! then, or cannot be sent, is lost, and so is what waits when the process ends.
//!
//! **Monitor.** `/monitor/mod_trace`, `/monitor/mod_trace.diff`: `START_SPAN_COUNT`, `FINISH_SPAN_COUNT`. On
//! `/metrics` also `mod_trace_export_SPANS_SENT`, `..._SPANS_DROPPED` and `..._SPANS_FAILED`.
//!
//! **Reload.** `/reload/mod_trace`, also with `?path=FILE`; answers with the version.
//!
//! Realises modules-traffic 8.

mod conf;
mod export;
mod propagate;
mod remote;
mod rule;
mod sampler;
mod span;
#[cfg(test)]
mod tests;

use crate::rule_file::walk::{Visit, visit_matching};
use crate::rule_file::{ReloadAnswer, RuleFile};
use bfe_basic::{ContextValue, NeedBody, Request};
use bfe_http::Response;
use bfe_module::metrics::Metrics;
use bfe_module::{Callbacks, HandlerResult, InitError, Module, Point, RequestOutcome, WebHandlers};
use conf::Conf;
use export::{Exporter, trace_export_state};
use mod_trace_state as state;
use rule::RawTraceRule;
use sampler::{Operation, Sampler};
use span::{Context, Span, Value};
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "mod_trace";
/// Where the span of a request is.
const SPAN: &str = "mod_trace.span";
/// Where the walk through the rules is remembered.
const RESUME: &str = "mod_trace.resume";

bfe_http::counter_group! {
    /// `/monitor/mod_trace`.
    pub mod_trace_state "mod_trace" {
        /// Spans that ended.
        FINISH_SPAN_COUNT,
        /// Spans that began.
        START_SPAN_COUNT,
    }
}

/// The module.
pub struct ModuleTrace;

/// What the handlers share.
struct Tracer {
    conf: Conf,
    rules: Arc<RuleFile<RawTraceRule>>,
    exporter: Exporter,
}

impl Module for ModuleTrace {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let mut conf = conf::load(conf_root)?;
        let rules = Arc::new(RuleFile::load(std::mem::take(&mut conf.data_path))?);
        let exporter = Exporter::start(&conf.destination, &conf.service_name)
            .map_err(|e| InitError::Conf(format!("mod_trace: {e}")))?;
        if let Sampler::Remote(remote) = &conf.sampler {
            remote.start().map_err(|e| InitError::Conf(format!("mod_trace: {e}")))?;
        }
        rules.register_reload(web_handlers, NAME, ReloadAnswer::Version)?;
        web_handlers.add_counters(NAME, "mod_trace.diff", state::group())?;
        web_handlers.metrics.push(Arc::new(Metrics::new(trace_export_state::group())));
        let tracer = Arc::new(Tracer { conf, rules, exporter });
        let of_finish = Arc::clone(&tracer);
        callbacks.add_request_filter(Point::HandleFoundProduct, "mod_trace.start_trace", move |req| {
            tracer.start(req)?;
            Ok(RequestOutcome::GO_ON)
        })?;
        callbacks.add_request_finish_filter("mod_trace.finish_trace", move |req, res| {
            of_finish.finish(req, res);
            HandlerResult::GoOn
        });
        Ok(())
    }
}

impl Tracer {
    /// Begins a span where a rule says so.
    fn start(&self, req: &mut Request) -> Result<(), NeedBody> {
        let rules = self.rules.current();
        let Some(rules) = rules.rules(&req.route.product) else { return Ok(()) };
        visit_matching(
            &[rules],
            req,
            RESUME,
            |rule| rule.enable,
            |_, req| {
                self.begin(req);
                Visit::Stop
            },
        )
    }

    fn begin(&self, req: &mut Request) {
        state::group().inc(state::START_SPAN_COUNT);
        let parent = self.conf.format.extract(&req.http.header);
        let operation = Operation::of(&req.http);
        let context = Context::start(parent, self.conf.wide_ids, &self.conf.sampler, operation);
        self.conf.format.inject(&context, &mut req.http.header);
        // Spans that are not reported have nothing to say.
        let span = context.is_reported().then(|| {
            let mut span = Box::new(Span::begin(context, &Operation::of(&req.http).name()));
            span.tag("http.method", &req.http.method);
            span.tag("http.url", &req.http.request_uri);
            span.tag("http.host", &req.http.host);
            span
        });
        req.context.set(SPAN, ContextValue::Any(Box::new(span)));
    }

    /// Ends the span of a request, if it has one.
    fn finish(&self, req: &mut Request, res: Option<&Response>) {
        let Some(ContextValue::Any(span)) = req.context.remove(SPAN) else { return };
        state::group().inc(state::FINISH_SPAN_COUNT);
        let Ok(span) = span.downcast::<Option<Box<Span>>>() else { return };
        let Some(mut span) = *span else { return };
        if let Some(res) = res {
            span.tags.push(("http.status_code", Value::Number(res.status.into())));
        }
        if !req.error_msg.is_empty() {
            span.error = Some(span::text(req.error_msg.as_bytes()));
        }
        span.tag("product", req.route.product.as_bytes());
        span.tag("cluster", req.backend.cluster.as_bytes());
        span.tag("subcluster", req.backend.sub_cluster.as_bytes());
        span.tag("backend", req.backend.addr.as_bytes());
        span.end();
        self.exporter.send(span);
    }
}
