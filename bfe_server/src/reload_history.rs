//! What became of reloads: for the server log, `/metrics` and the live page.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Reloads that are remembered one by one.
const KEPT: usize = 50;
/// Most bytes of what is remembered of one.
const MAX_TEXT: usize = 2000;

/// A reload.
#[derive(Clone, Debug)]
pub(crate) struct Reload {
    /// When it ended.
    pub(crate) at: SystemTime,
    /// How long it took.
    pub(crate) took: Duration,
    /// What was reloaded, as in `/reload/NAME`.
    pub(crate) name: String,
    /// What changed, or why it failed.
    pub(crate) result: Result<String, String>,
}

/// Reloads of one name.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    /// The last that succeeded.
    pub(crate) last_success: Option<SystemTime>,
}

/// All reloads since the start, the last of them one by one.
#[derive(Debug, Default)]
pub(crate) struct ReloadHistory(Mutex<(VecDeque<Reload>, BTreeMap<String, Outcomes>)>);

impl ReloadHistory {
    /// Remembers a reload of a name that there is.
    pub(crate) fn add(&self, mut reload: Reload) {
        let (Ok(text) | Err(text)) = &mut reload.result;
        if text.len() > MAX_TEXT {
            let whole = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= MAX_TEXT).last();
            text.truncate(whole.unwrap_or(0));
            text.push_str("...");
        }
        let mut history = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let outcomes = history.1.entry(reload.name.clone()).or_default();
        if reload.result.is_ok() {
            outcomes.succeeded += 1;
            outcomes.last_success = Some(reload.at);
        } else {
            outcomes.failed += 1;
        }
        if history.0.len() >= KEPT {
            history.0.pop_back();
        }
        history.0.push_front(reload);
    }

    /// The last reloads, newest first.
    pub(crate) fn last(&self) -> Vec<Reload> {
        let history = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        history.0.iter().cloned().collect()
    }

    /// Outcomes by name.
    pub(crate) fn outcomes(&self) -> BTreeMap<String, Outcomes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}

/// What differs between two summaries of the same shape, as text.
pub(crate) fn changes(before: &[(&str, String)], after: &[(&str, String)]) -> String {
    let changed: Vec<_> = before
        .iter()
        .zip(after)
        .filter(|((_, old), (_, new))| old != new)
        .map(|((what, old), (_, new))| format!("{what} {old:?} -> {new:?}"))
        .collect();
    if changed.is_empty() { "no version or size changed".into() } else { changed.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reload(name: &str, result: Result<String, String>) -> Reload {
        Reload { at: SystemTime::now(), took: Duration::ZERO, name: name.into(), result }
    }

    #[test]
    fn the_last_are_kept_and_all_are_counted() {
        let history = ReloadHistory::default();
        for i in 0..KEPT + 5 {
            history.add(reload("a", Ok(i.to_string())));
        }
        history.add(reload("a", Err("ä".repeat(MAX_TEXT))));
        let last = history.last();
        assert_eq!(last.len(), KEPT);
        assert_eq!(last[1].result, Ok((KEPT + 4).to_string()));
        let text = last[0].result.as_ref().unwrap_err();
        assert!(text.len() <= MAX_TEXT + 3 && text.ends_with("ä..."), "{}", text.len());
        let outcomes = history.outcomes()["a"];
        assert_eq!((outcomes.succeeded, outcomes.failed), (KEPT as u64 + 5, 1));
        assert!(outcomes.last_success.is_some());
    }

    #[test]
    fn changes_name_what_differs() {
        let before = [("a", "1".to_owned()), ("b", "x".to_owned())];
        let after = [("a", "2".to_owned()), ("b", "x".to_owned())];
        assert_eq!(changes(&before, &after), r#"a "1" -> "2""#);
        assert_eq!(changes(&before, &before), "no version or size changed");
    }
}
