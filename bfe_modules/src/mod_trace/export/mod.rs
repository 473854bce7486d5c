//! Reporting spans: a thread of its own takes them from a bounded queue and sends them in batches. Where
//! they come faster than they can be sent, or nobody takes them, they are lost and counted; requests never
//! wait.

mod http;
mod otlp;
mod zipkin;

use super::span::Span;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
pub(super) use http::Target;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use std::{io, thread};

/// Spans that wait.
const QUEUE: usize = 4096;
/// Most spans in one message.
const BATCH: usize = 512;
/// How long spans gather.
const GATHER: Duration = Duration::from_secs(1);
/// How often the server log is told that spans are lost.
const COMPLAIN: Duration = Duration::from_secs(60);

bfe_http::counter_group! {
    /// Spans on their way to whoever collects them, on `/metrics`.
    pub trace_export_state "mod_trace_export" {
        /// Spans that were taken.
        SPANS_SENT,
        /// Spans that were dropped because too many waited.
        SPANS_DROPPED,
        /// Spans that could not be sent.
        SPANS_FAILED,
    }
}
use trace_export_state as state;

/// Where spans go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    protocol: Protocol,
    url: String,
    /// The value of a field `Authorization`.
    authorization: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// OTLP over HTTP, as protobuf.
    Otlp,
    /// Zipkin's second version, as JSON.
    Zipkin,
}

/// Path and port of OTLP over HTTP.
const OTLP_PATH: &str = "/v1/traces";
const OTLP_PORT: u16 = 4318;

impl Destination {
    /// A URL where OTLP is spoken; the usual path where it has none.
    pub(super) fn otlp(url: &str, authorization: Option<String>) -> Self {
        let bare = url
            .split_once("://")
            .is_some_and(|(_, rest)| rest.split_once('/').is_none_or(|(_, path)| path.is_empty()));
        let url = if bare { format!("{}{OTLP_PATH}", url.trim_end_matches('/')) } else { url.to_owned() };
        Self { protocol: Protocol::Otlp, url, authorization }
    }

    /// Zipkin's endpoint.
    pub(super) fn zipkin(endpoint: &str) -> Self {
        Self { protocol: Protocol::Zipkin, url: endpoint.to_owned(), authorization: None }
    }

    /// The machine of Jaeger's collector, or else of its agent, at the port of OTLP.
    pub(super) fn jaeger(collector: &str, agent: &str, user: &str, password: &str) -> Self {
        let (scheme, authority) = match collector.split_once("://") {
            Some((scheme, rest)) => (scheme, rest.split('/').next().unwrap_or_default()),
            None => ("http", agent),
        };
        let host = http::host(authority);
        let host = if host.is_empty() { "localhost" } else { host };
        let basic = || format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let authorization = (!user.is_empty() && !collector.is_empty()).then(basic);
        Self::otlp(&format!("{scheme}://{host}:{OTLP_PORT}{OTLP_PATH}"), authorization)
    }

    /// Elastic's APM server.
    pub(super) fn elastic(server: &str, token: &str) -> Self {
        let server = if server.is_empty() { "http://localhost:8200" } else { server };
        let authorization = (!token.is_empty()).then(|| format!("Bearer {token}"));
        Self::otlp(&format!("{}{OTLP_PATH}", server.trim_end_matches('/')), authorization)
    }
}

/// Takes spans from requests.
pub(super) struct Exporter {
    queue: SyncSender<Box<Span>>,
}

impl Exporter {
    /// Starts the thread. A destination that is none is told to the server log, and nothing is sent.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn start(destination: &Destination, service_name: &str) -> io::Result<Self> {
        let (queue, spans) = sync_channel(QUEUE);
        let target = Target::parse(&destination.url, destination.authorization.as_deref());
        if let Err(reason) = &target {
            log::warn!("mod_trace: {:?}: {reason}; no span is reported", destination.url);
        }
        let mut sender = Sender {
            protocol: destination.protocol,
            url: destination.url.clone(),
            target: target.ok(),
            service_name: service_name.to_owned(),
            losses: Losses::default(),
        };
        thread::Builder::new().name("trace".into()).spawn(move || sender.run(&spans))?;
        Ok(Self { queue })
    }

    /// Hands over a span. Never waits.
    pub(super) fn send(&self, span: Box<Span>) {
        if self.queue.try_send(span).is_err() {
            state::group().inc(state::SPANS_DROPPED);
        }
    }
}

#[derive(Default)]
struct Losses {
    lost: usize,
    told: Option<Instant>,
}

struct Sender {
    protocol: Protocol,
    url: String,
    target: Option<Target>,
    service_name: String,
    losses: Losses,
}

impl Sender {
    fn run(&mut self, spans: &Receiver<Box<Span>>) {
        let mut batch = Vec::with_capacity(BATCH);
        while let Ok(first) = spans.recv() {
            batch.push(first);
            let end = Instant::now() + GATHER;
            while batch.len() < BATCH {
                match spans.recv_timeout(end.saturating_duration_since(Instant::now())) {
                    Ok(span) => batch.push(span),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
            }
            self.send(&batch);
            batch.clear();
        }
    }

    fn send(&mut self, batch: &[Box<Span>]) {
        let result = match &self.target {
            None => Err("no such destination".to_owned()),
            Some(target) => {
                let (content_type, body) = match self.protocol {
                    Protocol::Otlp => ("application/x-protobuf", otlp::message(batch, &self.service_name)),
                    Protocol::Zipkin => ("application/json", zipkin::message(batch, &self.service_name)),
                };
                target.post(content_type, &body).map_err(|e| e.to_string())
            }
        };
        let group = state::group();
        match result {
            Ok(()) => group.add(state::SPANS_SENT, batch.len() as u64),
            Err(reason) => {
                group.add(state::SPANS_FAILED, batch.len() as u64);
                self.losses.lost += batch.len();
                if self.losses.told.is_none_or(|told| told.elapsed() >= COMPLAIN) {
                    log::warn!("mod_trace: {}: {} spans lost: {reason}", self.url, self.losses.lost);
                    self.losses = Losses { lost: 0, told: Some(Instant::now()) };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_agents_have_their_spans_sent() {
        let otlp = |url: &str, authorization: Option<&str>| Destination {
            protocol: Protocol::Otlp,
            url: url.into(),
            authorization: authorization.map(Into::into),
        };
        for (got, want) in [
            (Destination::otlp("http://c:4318", None), otlp("http://c:4318/v1/traces", None)),
            (Destination::otlp("http://c/", None), otlp("http://c/v1/traces", None)),
            (Destination::otlp("http://c/x", None), otlp("http://c/x", None)),
            (
                Destination::jaeger("http://c:14268/api/traces", "a:6831", "u", "p"),
                otlp("http://c:4318/v1/traces", Some("Basic dTpw")),
            ),
            (Destination::jaeger("", "10.0.0.1:6831", "u", ""), otlp("http://10.0.0.1:4318/v1/traces", None)),
            (Destination::jaeger("", "[::1]:6831", "", ""), otlp("http://[::1]:4318/v1/traces", None)),
            (Destination::jaeger("", "", "", ""), otlp("http://localhost:4318/v1/traces", None)),
            (
                Destination::elastic("https://apm.example:443/", "t"),
                otlp("https://apm.example:443/v1/traces", Some("Bearer t")),
            ),
            (Destination::elastic("", ""), otlp("http://localhost:8200/v1/traces", None)),
        ] {
            assert_eq!(got, want);
        }
    }
}
