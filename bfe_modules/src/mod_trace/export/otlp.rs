//! OTLP: `ExportTraceServiceRequest`, as protobuf.

use crate::mod_trace::span::{Span, Value};
use crate::protobuf::Message;
use std::time::Duration;

/// `SPAN_KIND_SERVER`
const SERVER: u64 = 2;
/// `STATUS_CODE_ERROR`
const ERROR: u64 = 2;

/// A message with those spans.
pub(super) fn message(spans: &[Box<Span>], service_name: &str) -> Vec<u8> {
    let mut body = Vec::with_capacity(512 * spans.len());
    // resource_spans
    Message::new(&mut body).message(1, |resource_spans| {
        // resource
        resource_spans.message(1, |resource| {
            attribute(resource, 1, "service.name", &Value::Text(service_name.to_owned()));
        });
        // scope_spans
        resource_spans.message(2, |scope_spans| {
            // scope
            scope_spans.message(1, |scope| scope.text(1, b"bfe"));
            for span in spans {
                scope_spans.message(2, |message| write(message, span));
            }
        });
    });
    body
}

fn nanos(since: Duration) -> u64 {
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn write(message: &mut Message<'_>, span: &Span) {
    let context = &span.context;
    let trace = [context.trace_high.to_be_bytes(), context.trace_low.to_be_bytes()].concat();
    message.text(1, &trace);
    message.text(2, &context.span.to_be_bytes());
    if !context.state.is_empty() {
        message.text(3, String::from_utf8_lossy(&context.state).as_bytes());
    }
    if context.parent != 0 {
        message.text(4, &context.parent.to_be_bytes());
    }
    message.text(5, span.name.as_bytes());
    message.number(6, SERVER);
    let end = span.start() + span.duration;
    message.fixed64(7, nanos(span.start()));
    message.fixed64(8, nanos(end));
    for (name, value) in &span.tags {
        attribute(message, 9, name, value);
    }
    if let Some(id) = &context.debug_id {
        attribute(message, 9, "jaeger-debug-id", &Value::Text(id.clone()));
    }
    if let Some(error) = &span.error {
        attribute(message, 9, "error", &Value::Yes);
        // events
        message.message(11, |event| {
            event.fixed64(1, nanos(end));
            event.text(2, error.as_bytes());
        });
        // status
        message.message(15, |status| {
            status.text(2, error.as_bytes());
            status.number(3, ERROR);
        });
    }
}

/// A `KeyValue`.
fn attribute(message: &mut Message<'_>, field: u32, key: &str, value: &Value) {
    message.message(field, |pair| {
        pair.text(1, key.as_bytes());
        pair.message(2, |any| match value {
            Value::Text(text) => any.text(1, text.as_bytes()),
            Value::Yes => any.number(2, 1),
            Value::Number(n) => any.number(3, n.cast_unsigned()),
        });
    });
}
