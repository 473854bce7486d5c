//! `Traceparent: 00-TRACE-SPAN-FLAGS` and `Tracestate`, as Elastic's agent has them.

use super::hex;
use crate::mod_trace::span::Context;
use bfe_http::Header;

const PARENT: &str = "Traceparent";
/// Elastic's older name.
const ELASTIC: &str = "Elastic-Apm-Traceparent";
const STATE: &str = "Tracestate";
/// What the state says of a trace that begins here: its share.
const NEW_STATE: &[u8] = b"es=s:1";
/// Flag of traces that are reported.
const SAMPLED: u8 = 1;
/// Length of a field of version 0.
const LENGTH: usize = 55;
/// Longest state that is passed on.
const MAX_STATE: usize = 4096;

/// Reads the fields.
pub(super) fn extract(header: &Header) -> Option<Context> {
    let mut context = parent(header.get(ELASTIC).or_else(|| header.get(PARENT))?)?;
    let states: Vec<_> = header.get_all(STATE).collect();
    let state = states.join(&b","[..]);
    if state.len() <= MAX_STATE {
        context.state = state;
    }
    Some(context)
}

fn parent(value: &[u8]) -> Option<Context> {
    let parts: Vec<_> = value.splitn(5, |b| *b == b'-').collect();
    let (version, trace, span, flags) = match parts.as_slice() {
        [version, trace, span, flags] => (*version, *trace, *span, *flags),
        // Later versions may say more.
        [version, trace, span, flags, _] if *version != b"00" => (*version, *trace, *span, *flags),
        _ => return None,
    };
    let lengths = [version.len(), trace.len(), span.len(), flags.len()] == [2, 32, 16, 2];
    if !lengths || hex(version)? == 0xff || version == b"00" && value.len() != LENGTH {
        return None;
    }
    let (high, low) = trace.split_at_checked(16)?;
    let flags = u8::try_from(hex(flags)?).ok()?;
    let context = Context {
        trace_high: hex(high)?,
        trace_low: hex(low)?,
        span: hex(span)?,
        sampled: Some(flags & SAMPLED != 0),
        flags,
        ..Context::default()
    };
    context.is_valid().then_some(context)
}

/// Writes the fields.
pub(super) fn inject(context: &Context, header: &mut Header) {
    let Context { trace_high, trace_low, span, flags, .. } = context;
    let value = format!("00-{trace_high:016x}{trace_low:016x}-{span:016x}-{flags:02x}");
    header.set(PARENT, value.clone());
    header.set(ELASTIC, value);
    // The first span of a trace says what share of traces it stands for.
    let state = if context.parent == 0 && context.state.is_empty() { NEW_STATE } else { &context.state };
    if !state.is_empty() && (context.parent != 0 || context.is_reported()) {
        header.set(STATE, state.to_vec());
    }
}
