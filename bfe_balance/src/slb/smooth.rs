//! Smooth weighted round robin (balance 5.1).

/// What round robin knows of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gauge {
    /// The higher, the sooner it is its turn.
    pub(super) current: i64,
    /// What `current` gains at each pick; 0 where the backend cannot be chosen now. `current` is then frozen.
    pub(super) step: i64,
}

/// The running choice of one pick. Values before the gain decide, the earlier backend wins a tie, and the
/// chosen one loses the sum of them.
struct Turn {
    best: Option<usize>,
    max: i64,
    total: i64,
}

impl Turn {
    const NEW: Self = Self { best: None, max: i64::MIN, total: 0 };

    #[inline]
    fn visit(&mut self, index: usize, gauge: &mut Gauge) {
        if gauge.step != 0 {
            if gauge.current > self.max {
                self.max = gauge.current;
                self.best = Some(index);
            }
            self.total = self.total.wrapping_add(gauge.current);
            gauge.current = gauge.current.wrapping_add(gauge.step);
        }
    }

    fn settle(self, gauges: &mut [Gauge]) -> Option<usize> {
        let gauge = gauges.get_mut(self.best?)?;
        gauge.current = gauge.current.wrapping_sub(self.total);
        self.best
    }
}

/// Chooses among all; `None` where none can be chosen.
pub(super) fn pick(gauges: &mut [Gauge]) -> Option<usize> {
    let mut turn = Turn::NEW;
    for (index, gauge) in gauges.iter_mut().enumerate() {
        turn.visit(index, gauge);
    }
    turn.settle(gauges)
}

/// Chooses among `candidates`, in their order.
pub(super) fn pick_among(gauges: &mut [Gauge], candidates: &[usize]) -> Option<usize> {
    let mut turn = Turn::NEW;
    for index in candidates {
        if let Some(gauge) = gauges.get_mut(*index) {
            turn.visit(*index, gauge);
        }
    }
    turn.settle(gauges)
}
