//! Choice by the hash of the request, for session sticky (balance 5.3).

use super::BackendList;

impl BackendList {
    /// The backend in whose share of the weights the hash falls, in the order of address texts.
    pub(super) fn pick_sticky(&mut self, hash: u64) -> Option<usize> {
        self.sort();
        let total: u64 = self.gauges.iter().map(|gauge| gauge.step.unsigned_abs()).sum();
        let mut rest = hash.checked_rem(total)?;
        for (index, gauge) in self.gauges.iter().enumerate() {
            let share = gauge.step.unsigned_abs();
            if rest < share {
                return Some(index);
            }
            rest -= share;
        }
        None
    }

    /// Sorts the list itself, as Go BFE does: round robin sees the new order, too, should it come back.
    fn sort(&mut self) {
        if self.sorted {
            return;
        }
        let mut pairs: Vec<_> = self.entries.drain(..).zip(self.gauges.drain(..)).collect();
        pairs.sort_by(|a, b| a.0.backend.addr_info.cmp(&b.0.backend.addr_info));
        (self.entries, self.gauges) = pairs.into_iter().unzip();
        self.sorted = true;
    }
}
