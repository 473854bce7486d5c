//! What a model says of its usage while its answer passes by (ai-gateway 11.4).

use bfe_basic::ai::TokenUsage;
use bfe_basic::condition::json;
use memchr::memmem;
use std::cell::Cell;
use std::rc::Rc;

/// Bytes of text that count as a token.
const BYTES_PER_TOKEN: usize = 4;

/// Collects the usage of an answer.
pub(super) struct Collector {
    usage: Rc<Cell<TokenUsage>>,
    /// Whether it is estimated until the model has told it.
    estimate: bool,
}

impl Collector {
    pub(super) fn new(usage: Rc<Cell<TokenUsage>>, estimate: bool) -> Self {
        Self { usage, estimate }
    }

    /// Looks at an event. The first with a total counts, and those after it do not.
    pub(super) fn see(&self, content: &[u8]) {
        let mut usage = self.usage.get();
        if usage.used_quota > 0 {
            return;
        }
        let total = if may_tell(content) { json::get_int(content, "usage.total_tokens") } else { 0 };
        if total > 0 {
            usage.used_quota = total;
            usage.prompt_tokens = json::get_int(content, "usage.prompt_tokens");
            usage.completion_tokens = json::get_int(content, "usage.completion_tokens");
        } else if self.estimate {
            let tokens = i64::try_from(content.len() / BYTES_PER_TOKEN).unwrap_or(i64::MAX);
            usage.completion_tokens = usage.completion_tokens.max(0).saturating_add(tokens);
        } else {
            return;
        }
        self.usage.set(usage);
    }
}

/// Whether there may be a member `usage`: written so, or with an escape in its name.
fn may_tell(content: &[u8]) -> bool {
    memmem::find(content, b"usage").is_some() || memmem::find(content, b"\\u").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aib_6_and_7_usage() {
        let usage = |prompt, completion, used| TokenUsage {
            prompt_tokens: prompt,
            completion_tokens: completion,
            used_quota: used,
            used_cost: 0,
        };
        let full = r#"{"usage":{"total_tokens":9,"prompt_tokens":4,"completion_tokens":5}}"#;
        for (events, estimate, want) in [
            (&[full][..], false, usage(4, 5, 9)),
            (&["data: {\"usage\":{\"total_tokens\":3}}"], false, usage(0, 0, 3)),
            (&[r#"{"\u0075sage":{"total_tokens":3}}"#], false, usage(0, 0, 3)),
            // The first counts.
            (&[r#"{"usage":{"total_tokens":3}}"#, full], false, usage(0, 0, 3)),
            // Without a total it tells nothing.
            (&[r#"{"usage":{"prompt_tokens":4,"completion_tokens":5}}"#], false, usage(0, -1, 0)),
            (&["hello", "[DONE]"], false, usage(0, -1, 0)),
            // Each event for itself is rounded down.
            (&["1234567", "1234567", "123"], true, usage(0, 2, 0)),
            (&["12345678", full, "12345678"], true, usage(4, 5, 9)),
        ] {
            let collector = Collector::new(Rc::new(Cell::default()), estimate);
            for event in events {
                collector.see(event.as_bytes());
            }
            assert_eq!(collector.usage.get(), want, "{events:?} {estimate}");
        }
    }
}
