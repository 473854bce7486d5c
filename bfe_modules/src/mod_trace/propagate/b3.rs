//! `X-B3-*`, in the two readings that there are of them.

use super::{MAX_BAGGAGE, baggage, hex, padded, trace_id};
use crate::mod_trace::span::Context;
use bfe_http::Header;

const TRACE: &str = "X-B3-Traceid";
const SPAN: &str = "X-B3-Spanid";
const PARENT: &str = "X-B3-Parentspanid";
const SAMPLED: &str = "X-B3-Sampled";
const FLAGS: &str = "X-B3-Flags";
const SINGLE: &str = "B3";
/// Prefix of Jaeger's baggage.
const BAGGAGE: &str = "Baggage-";

/// Zipkin's reading.
pub(super) fn extract(header: &Header) -> Option<Context> {
    if let Some(single) = header.get(SINGLE).and_then(single) {
        return Some(single);
    }
    let value = |name| header.get(name).filter(|value| !value.is_empty());
    let mut context = Context { sampled: sampled(value(SAMPLED))?, ..Context::default() };
    if value(FLAGS) == Some(b"1") {
        context.debug = true;
        context.sampled = None;
    }
    match (value(TRACE), value(SPAN), value(PARENT)) {
        (None, None, None) => (context.debug || context.sampled.is_some()).then_some(context),
        (Some(trace), Some(span), parent) => {
            // That span is not ours to name, but it has to be one.
            parent.map_or(Some(0), hex)?;
            (context.trace_high, context.trace_low) = trace_id(trace)?;
            context.span = hex(span)?;
            Some(context)
        }
        _ => None,
    }
}

/// Whether a trace is reported, where the field says it; `None` where it says nonsense.
#[allow(clippy::option_option, reason = "no answer, and no understandable one")]
fn sampled(value: Option<&[u8]>) -> Option<Option<bool>> {
    match value.map(<[u8]>::to_ascii_lowercase).as_deref() {
        None => Some(None),
        Some(b"1" | b"true") => Some(Some(true)),
        Some(b"0" | b"false") => Some(Some(false)),
        Some(_) => None,
    }
}

/// All in one field: `TRACE-SPAN-SAMPLED-PARENT`, the last two optional, or the decision alone.
fn single(value: &[u8]) -> Option<Context> {
    let mut context = Context::default();
    let decision = |context: &mut Context, text: &[u8]| {
        match text {
            b"0" => context.sampled = Some(false),
            b"1" => context.sampled = Some(true),
            b"d" => context.debug = true,
            _ => return None,
        }
        Some(())
    };
    let mut parts = value.split(|b| *b == b'-');
    let first = parts.next()?;
    let Some(span) = parts.next() else {
        decision(&mut context, first)?;
        return Some(context);
    };
    (context.trace_high, context.trace_low) = trace_id(first)?;
    if context.trace_high != 0 {
        // The reference reads 15 of these digits and a half.
        context.trace_low &= u64::MAX >> 1;
    }
    context.span = hex(span)?;
    if let Some(text) = parts.next() {
        decision(&mut context, text)?;
    }
    if let Some(parent) = parts.next() {
        hex(parent)?;
    }
    parts.next().is_none().then_some(context)
}

/// Zipkin's writing.
pub(super) fn inject(context: &Context, header: &mut Header) {
    header.set(TRACE, padded(context));
    header.set(SPAN, format!("{:016x}", context.span));
    if context.parent != 0 {
        header.set(PARENT, format!("{:016x}", context.parent));
    }
    if context.debug {
        header.set(FLAGS, "1");
    } else {
        write_sampled(context, header);
    }
}

/// Jaeger's reading.
pub(super) fn extract_jaeger(header: &Header) -> Option<Context> {
    let mut context = Context::default();
    (context.trace_high, context.trace_low) = trace_id(header.get(TRACE)?)?;
    context.span = header.get(SPAN).map_or(Some(0), hex)?;
    header.get(PARENT).map_or(Some(0), hex)?;
    context.sampled = Some(matches!(header.get(SAMPLED), Some(b"1" | b"true")));
    context.baggage = header
        .iter()
        .filter_map(|(name, value)| {
            let key = name.strip_prefix(BAGGAGE.as_bytes())?.to_ascii_lowercase();
            Some((String::from_utf8(key).ok()?, value.to_vec()))
        })
        .take(MAX_BAGGAGE)
        .collect();
    (context.trace_high != 0 || context.trace_low != 0).then_some(context)
}

/// Jaeger's writing.
pub(super) fn inject_jaeger(context: &Context, header: &mut Header) {
    let trace = match context.trace_high {
        0 => format!("{:x}", context.trace_low),
        high => format!("{high:x}{:016x}", context.trace_low),
    };
    header.set(TRACE, trace);
    header.set(SPAN, format!("{:x}", context.span));
    if context.parent != 0 {
        header.set(PARENT, format!("{:x}", context.parent));
    }
    write_sampled(context, header);
    baggage(context, header, BAGGAGE, <[u8]>::to_vec);
}

fn write_sampled(context: &Context, header: &mut Header) {
    header.set(SAMPLED, if context.is_reported() { "1" } else { "0" });
}
