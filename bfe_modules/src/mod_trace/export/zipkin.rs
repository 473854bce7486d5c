//! Zipkin's API, version 2: a list of spans in JSON.

use crate::mod_trace::span::{Span, Value};
use serde_json::{Map, json};

/// A message with those spans.
pub(super) fn message(spans: &[Box<Span>], service_name: &str) -> Vec<u8> {
    let spans: Vec<_> = spans.iter().map(|span| one(span, service_name)).collect();
    // Text and numbers always fit into JSON.
    serde_json::to_vec(&spans).unwrap_or_default()
}

fn one(span: &Span, service_name: &str) -> serde_json::Value {
    let context = &span.context;
    let micros = |duration: std::time::Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let mut tags: Map<_, _> = span
        .tags
        .iter()
        .map(|(name, value)| {
            let text = match value {
                Value::Text(text) => text.clone(),
                Value::Number(n) => n.to_string(),
                Value::Yes => "true".to_owned(),
            };
            ((*name).to_owned(), text.into())
        })
        .collect();
    let trace = match context.trace_high {
        0 => format!("{:016x}", context.trace_low),
        high => format!("{high:016x}{:016x}", context.trace_low),
    };
    let mut out = json!({
        "traceId": trace,
        "id": format!("{:016x}", context.span),
        "name": span.name,
        "timestamp": micros(span.start()),
        // Zipkin has no duration of 0.
        "duration": micros(span.duration).max(1),
        "localEndpoint": {"serviceName": service_name},
    });
    if context.parent != 0 {
        out["parentId"] = format!("{:016x}", context.parent).into();
    }
    if context.debug {
        out["debug"] = true.into();
    }
    if let Some(error) = &span.error {
        tags.insert("error".into(), "true".into());
        out["annotations"] = json!([{"timestamp": micros(span.start() + span.duration), "value": error}]);
    }
    out["tags"] = tags.into();
    out
}
