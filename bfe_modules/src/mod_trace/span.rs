//! A span: what is reported about a request.

use super::sampler::{Operation, Sampler};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Longest text in a span, in bytes.
const MAX_TEXT: usize = 4096;

/// What goes from one program to the next: which trace, which span of it, and whether it is reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Context {
    /// The upper half of the trace's id; 0 for ids of 64 bits.
    pub(super) trace_high: u64,
    /// The lower half.
    pub(super) trace_low: u64,
    /// The span.
    pub(super) span: u64,
    /// The span that it belongs to; 0 for none.
    pub(super) parent: u64,
    /// Whether the trace is reported; `None` where nobody has decided.
    pub(super) sampled: Option<bool>,
    /// Whether somebody debugs: reported in any case.
    pub(super) debug: bool,
    /// Jaeger: why somebody debugs.
    pub(super) debug_id: Option<String>,
    /// Pairs that go along with the trace.
    pub(super) baggage: Vec<(String, Vec<u8>)>,
    /// W3C: flags and state as they came.
    pub(super) flags: u8,
    pub(super) state: Vec<u8>,
}

impl Context {
    /// Whether it names a span that others can belong to.
    pub(super) fn is_valid(&self) -> bool {
        (self.trace_high != 0 || self.trace_low != 0) && self.span != 0
    }

    /// The context of a span of ours: a child of `parent`, or the first of a new trace.
    pub(super) fn start(
        parent: Option<Self>,
        wide_ids: bool,
        sampler: &Sampler,
        operation: Operation<'_>,
    ) -> Self {
        let parent = parent.unwrap_or_default();
        if parent.is_valid() {
            let sampled = parent.sampled.unwrap_or_else(|| sampler.decide(parent.trace_low, operation));
            return Self { parent: parent.span, span: id(), sampled: Some(sampled), ..parent };
        }
        let low = id();
        let debug = parent.debug || parent.debug_id.is_some();
        let sampled = debug || parent.sampled.unwrap_or_else(|| sampler.decide(low, operation));
        Self {
            trace_high: if wide_ids { id() } else { 0 },
            trace_low: low,
            span: low,
            parent: 0,
            sampled: Some(sampled),
            debug,
            debug_id: parent.debug_id,
            baggage: parent.baggage,
            flags: u8::from(sampled),
            state: Vec::new(),
        }
    }

    /// Whether spans of this trace are reported.
    pub(super) fn is_reported(&self) -> bool {
        self.debug || self.sampled == Some(true)
    }
}

/// A random id.
fn id() -> u64 {
    rand::random_range(1..=u64::MAX)
}

/// A value of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Yes,
}

/// A span under way, or over.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) context: Context,
    pub(super) name: String,
    start: (Instant, SystemTime),
    /// How long it took, once it is over.
    pub(super) duration: Duration,
    pub(super) tags: Vec<(&'static str, Value)>,
    /// What went wrong.
    pub(super) error: Option<String>,
}

impl Span {
    /// A span that begins now.
    pub(super) fn begin(context: Context, name: &[u8]) -> Self {
        Self {
            context,
            name: text(name),
            start: (Instant::now(), SystemTime::now()),
            duration: Duration::ZERO,
            tags: Vec::new(),
            error: None,
        }
    }

    /// Ends the span.
    pub(super) fn end(&mut self) {
        self.duration = self.start.0.elapsed();
    }

    /// When it began, since 1970.
    pub(super) fn start(&self) -> Duration {
        self.start.1.duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// Adds a text, where there is one.
    pub(super) fn tag(&mut self, name: &'static str, value: &[u8]) {
        if !value.is_empty() {
            self.tags.push((name, Value::Text(text(value))));
        }
    }
}

/// Text of a span: valid, and not too long.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..MAX_TEXT).unwrap_or(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_traces_and_children() {
        let start = |parent, wide_ids, sampler: &Sampler| {
            Context::start(parent, wide_ids, sampler, Operation::default())
        };
        let new = start(None, true, &Sampler::Always);
        assert!(new.is_valid() && new.trace_high != 0 && new.span == new.trace_low && new.parent == 0);
        assert!(new.is_reported());
        let narrow = start(None, false, &Sampler::Never);
        assert!(narrow.trace_high == 0 && narrow.sampled == Some(false) && !narrow.is_reported());
        let child = start(Some(new.clone()), false, &Sampler::Never);
        assert_eq!(
            (child.trace_high, child.trace_low, child.parent),
            (new.trace_high, new.trace_low, new.span)
        );
        assert!(child.span != new.span && child.is_reported(), "decided where the trace began");
        // What has no span is no parent, but what has been decided holds.
        let decided = Context { sampled: Some(true), ..Context::default() };
        assert!(start(Some(decided), true, &Sampler::Never).is_reported());
        let debug = Context { debug_id: Some("d".into()), ..Context::default() };
        let debug = start(Some(debug), true, &Sampler::Never);
        assert!(debug.debug && debug.is_reported());
    }
}
