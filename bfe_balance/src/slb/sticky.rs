//! Choice by the hash of the request, for session sticky (balance 5.3).

use super::BackendList;
use super::entry::Entry;

impl BackendList {
    /// The backend in whose share of the weights the hash falls, in the order of address texts.
    pub(super) fn pick_sticky(&mut self, hash: u64) -> Option<usize> {
        self.sort();
        let total: u64 = self.gauges.steps().map(i64::unsigned_abs).sum();
        let mut rest = hash.checked_rem(total)?;
        for (index, step) in self.gauges.steps().enumerate() {
            let share = step.unsigned_abs();
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
        let mut pairs: Vec<_> = self.entries.drain(..).zip(self.gauges.take()).collect();
        pairs.sort_by(|a, b| a.0.backend.addr_info.cmp(&b.0.backend.addr_info));
        for (entry, current) in pairs {
            self.gauges.push(current);
            self.entries.push(entry);
        }
        self.gauges.set_steps(self.entries.iter().map(Entry::step));
        self.sorted = true;
    }
}
