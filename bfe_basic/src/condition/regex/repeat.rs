//! Counted repetitions, and what limits them.

/// What limits are measured by.
#[derive(Clone, Copy, Default)]
pub(super) struct Measure {
    pub(super) height: u32,
    pub(super) size: u64,
    /// The largest product of nested repeat counts.
    pub(super) repeats: u64,
}

impl Measure {
    pub(super) const LEAF: Self = Self { height: 1, size: 1, repeats: 1 };

    /// This beside another.
    pub(super) fn beside(self, other: Self) -> Self {
        Self {
            height: self.height.max(other.height),
            size: self.size.saturating_add(other.size),
            repeats: self.repeats.max(other.repeats),
        }
    }

    /// This inside another node, which adds to the size.
    pub(super) fn inside(self, more: u64) -> Self {
        Self { height: self.height + 1, size: self.size.saturating_add(more), repeats: self.repeats.max(1) }
    }
}

/// A counted repetition as written.
pub(super) struct Counts {
    /// `None` where a number is too large to be read.
    pub(super) min: Option<u64>,
    /// `None` where there is no upper bound.
    pub(super) max: Option<u64>,
    /// Bytes of it in the pattern.
    pub(super) len: usize,
}

/// Parses `{n}`, `{n,}` or `{n,m}`; anything else is literal text.
pub(super) fn parse_counts(text: &str) -> Option<Counts> {
    let (inside, _) = text.strip_prefix('{')?.split_once('}')?;
    let len = inside.len() + 2;
    let (low, high) = match inside.split_once(',') {
        Some((low, high)) => (low, Some(high)),
        None => (inside, None),
    };
    let is_number = |n: &str| {
        !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()) && (n.len() == 1 || !n.starts_with('0'))
    };
    if !is_number(low) || high.is_some_and(|high| !high.is_empty() && !is_number(high)) {
        return None;
    }
    let mut min = low.parse().ok();
    let max = match high {
        None => min,
        Some("") => None,
        Some(high) => match high.parse() {
            Ok(max) => Some(max),
            Err(_) => {
                min = None;
                None
            }
        },
    };
    Some(Counts { min, max, len })
}
