//! What a client may do that is of no use to anybody.

use std::time::{Duration, Instant};

/// An allowance that fills up again as time goes by. What a client does in good faith now and then is far below
/// it; what it does all the time is a flood.
#[derive(Debug)]
pub(super) struct Budget {
    left: u32,
    most: u32,
    per_second: u32,
    filled: Option<Instant>,
}

impl Budget {
    pub(super) const fn new(most: u32, per_second: u32) -> Self {
        Self { left: most, most, per_second, filled: None }
    }

    /// Takes one; false once nothing is left. The clock is only looked at when half is gone.
    pub(super) fn take(&mut self) -> bool {
        self.take_at(Instant::now)
    }

    fn take_at(&mut self, now: impl FnOnce() -> Instant) -> bool {
        if self.left <= self.most / 2 {
            let now = now();
            let since = self.filled.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
            let more = since.as_millis().saturating_mul(u128::from(self.per_second)) / 1000;
            if more > 0 || self.filled.is_none() {
                self.left = self.left.saturating_add(u32::try_from(more).unwrap_or(u32::MAX)).min(self.most);
                self.filled = Some(now);
            }
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_from_now_and_then() {
        let start = Instant::now();
        let mut flood = Budget::new(100, 10);
        let taken = (0..1000u64).take_while(|_| flood.take_at(|| start)).count();
        assert_eq!(taken, 100);
        let mut steady = Budget::new(100, 10);
        assert!((0..1000).all(|i| steady.take_at(|| start + Duration::from_millis(i * 100))));
    }
}
