//! Jaeger's own fields: `Uber-Trace-Id: TRACE:SPAN:PARENT:FLAGS`, and baggage.

use super::{MAX_BAGGAGE, baggage, hex, padded, trace_id};
use crate::mod_trace::span::{Context, text};
use bfe_http::{Header, url};
use std::borrow::Cow;

/// The usual name, as it is read.
pub(super) const HEADER: &str = "uber-trace-id";
/// A client that debugs.
const DEBUG: &str = "jaeger-debug-id";
/// Baggage by hand, in one field.
const BAGGAGE: &str = "jaeger-baggage";
/// Prefix of fields with baggage.
const PREFIX: &str = "uberctx-";
/// Flags.
const SAMPLED: u8 = 1;
const DEBUGGED: u8 = 2;

/// Reads the fields; `read` is the name of the one with the ids.
pub(super) fn extract(header: &Header, read: &str) -> Option<Context> {
    let mut context = Context::default();
    for (name, value) in header.iter() {
        let name = name.to_ascii_lowercase();
        let Ok(name) = std::str::from_utf8(&name) else { continue };
        if name == read {
            ids(&mut context, &decoded(value))?;
        } else if name == DEBUG {
            context.debug_id = Some(text(value)).filter(|id| !id.is_empty());
        } else if name == BAGGAGE {
            let room = MAX_BAGGAGE.saturating_sub(context.baggage.len());
            context.baggage.extend(decoded(value).split(|b| *b == b',').filter_map(pair).take(room));
        } else if let Some(key) = name.strip_prefix(PREFIX).filter(|_| context.baggage.len() < MAX_BAGGAGE) {
            context.baggage.push((key.to_owned(), decoded(value).into_owned()));
        }
    }
    let says_something = context.is_valid() || context.debug_id.is_some() || !context.baggage.is_empty();
    says_something.then_some(context)
}

/// A value without its escapes, or as it is where they are wrong.
fn decoded(value: &[u8]) -> Cow<'_, [u8]> {
    url::unescape(value, true).unwrap_or(Cow::Borrowed(value))
}

/// `TRACE:SPAN:PARENT:FLAGS`
fn ids(context: &mut Context, value: &[u8]) -> Option<()> {
    let parts: Vec<_> = value.split(|b| *b == b':').collect();
    let [trace, span, parent, flags] = parts.as_slice() else { return None };
    (context.trace_high, context.trace_low) = trace_id(trace)?;
    context.span = hex(span)?;
    hex(parent)?;
    let flags: u8 = std::str::from_utf8(flags).ok()?.parse().ok()?;
    context.sampled = Some(flags & SAMPLED != 0);
    context.debug = flags & DEBUGGED != 0;
    Some(())
}

/// `KEY=VALUE`
fn pair(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let at = memchr::memchr(b'=', text)?;
    let (key, value) = text.split_at_checked(at)?;
    let key = String::from_utf8(key.trim_ascii().to_vec()).ok()?;
    Some((key, value.get(1..)?.trim_ascii().to_vec()))
}

/// Writes the fields; `written` is the name of the one with the ids.
pub(super) fn inject(context: &Context, header: &mut Header, written: &str) {
    let sampled = if context.is_reported() { SAMPLED } else { 0 };
    let flags = sampled | if context.debug { DEBUGGED } else { 0 };
    let ids = format!("{}:{:016x}:{:016x}:{flags:x}", padded(context), context.span, context.parent);
    header.set(written.to_owned(), ids);
    baggage(context, header, PREFIX, |value| url::escape_query(value).into_owned());
}
