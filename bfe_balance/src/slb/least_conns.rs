//! Least connections by weight (balance 5.2).

use super::BackendList;
use std::cmp::Ordering;

impl BackendList {
    /// The backend with the least load (requests in flight by weight); smooth round robin among those that
    /// tie for it.
    ///
    /// The candidates of an earlier tie stay when a better backend turns up later and is tied in its turn,
    /// as in Go BFE: they may then be chosen, and the better one not be among them.
    pub(super) fn pick_least_conns(&mut self) -> Option<usize> {
        let mut best: Option<(usize, i64, i64)> = None;
        let mut single = true;
        self.candidates.clear();
        for (index, (entry, step)) in self.entries.iter().zip(self.gauges.steps()).enumerate() {
            if step == 0 {
                continue;
            }
            let this = (index, entry.backend.conn_num(), step);
            let Some((best_index, conns, weight)) = best else {
                best = Some(this);
                continue;
            };
            // Loads are compared by cross multiplication.
            match conns.wrapping_mul(this.2).cmp(&this.1.wrapping_mul(weight)) {
                Ordering::Less => {}
                Ordering::Greater => {
                    best = Some(this);
                    single = true;
                }
                Ordering::Equal => {
                    single = false;
                    if self.candidates.is_empty() {
                        self.candidates.push(best_index);
                    }
                    self.candidates.push(index);
                }
            }
        }
        if single { best.map(|(index, ..)| index) } else { self.gauges.pick_among(&self.candidates) }
    }
}
