//! Smooth weighted round robin (balance 5.1).

/// Backends looked at side by side, which keeps the processor's units busy.
const LANES: usize = 4;

/// What round robin knows of the backends of a list, in its order.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    /// The higher, the sooner it is its turn.
    current: Vec<i64>,
    /// What `current` gains at each pick; 0 where the backend cannot be chosen now. `current` is then frozen.
    step: Vec<i64>,
    /// Whether some are frozen.
    frozen: bool,
}

/// The running choice of one pick. Values before the gain decide, the earlier backend wins a tie, and the
/// chosen one loses the sum of them.
struct Turn {
    best: Option<usize>,
    max: i64,
    total: i64,
}

// === impl Gauges ===

impl Gauges {
    /// Adds one, frozen until its step is set.
    pub(super) fn push(&mut self, current: i64) {
        self.current.push(current);
        self.step.push(0);
        self.frozen = true;
    }

    /// Empties the list; gives the current values.
    pub(super) fn take(&mut self) -> Vec<i64> {
        self.step.clear();
        self.frozen = false;
        std::mem::take(&mut self.current)
    }

    /// Sets all steps, in order.
    pub(super) fn set_steps(&mut self, steps: impl Iterator<Item = i64>) {
        for (step, new) in self.step.iter_mut().zip(steps) {
            *step = new;
        }
        self.frozen = self.step.contains(&0);
    }

    /// Sets the current value of one.
    pub(super) fn set_current(&mut self, index: usize, value: i64) {
        if let Some(current) = self.current.get_mut(index) {
            *current = value;
        }
    }

    /// All steps, in order.
    pub(super) fn steps(&self) -> impl Iterator<Item = i64> {
        self.step.iter().copied()
    }

    /// Chooses among all; `None` where none can be chosen.
    pub(super) fn pick(&mut self) -> Option<usize> {
        if !self.frozen {
            return self.pick_dense();
        }
        let mut turn = Turn::NEW;
        for (index, (current, step)) in self.current.iter_mut().zip(&self.step).enumerate() {
            turn.visit(index, current, *step);
        }
        self.settle(turn.best?, turn.total)
    }

    /// Chooses among `candidates`, in their order.
    pub(super) fn pick_among(&mut self, candidates: &[usize]) -> Option<usize> {
        let mut turn = Turn::NEW;
        for index in candidates {
            if let (Some(current), Some(step)) = (self.current.get_mut(*index), self.step.get(*index)) {
                turn.visit(*index, current, *step);
            }
        }
        self.settle(turn.best?, turn.total)
    }

    /// [`Gauges::pick`] where none is frozen: first the greatest value, then who has it.
    fn pick_dense(&mut self) -> Option<usize> {
        let (mut max, mut total) = ([i64::MIN; LANES], [0i64; LANES]);
        let mut visit = |lane: usize, current: &mut i64, step: i64| {
            max[lane] = max[lane].max(*current);
            total[lane] = total[lane].wrapping_add(*current);
            *current = current.wrapping_add(step);
        };
        let (blocks, rest) = self.current.as_chunks_mut::<LANES>();
        let (step_blocks, rest_steps) = self.step.as_chunks::<LANES>();
        for (block, steps) in blocks.iter_mut().zip(step_blocks) {
            for (lane, (current, step)) in block.iter_mut().zip(steps).enumerate() {
                visit(lane, current, *step);
            }
        }
        for (current, step) in rest.iter_mut().zip(rest_steps) {
            visit(0, current, *step);
        }
        let max = max.into_iter().max()?;
        let total = total.into_iter().fold(0, i64::wrapping_add);
        let mut before = self.current.iter().zip(&self.step).map(|(now, step)| now.wrapping_sub(*step));
        let best = before.position(|value| value == max)?;
        self.settle(best, total)
    }

    fn settle(&mut self, best: usize, total: i64) -> Option<usize> {
        let current = self.current.get_mut(best)?;
        *current = current.wrapping_sub(total);
        Some(best)
    }

    /// All current values, in order.
    #[cfg(test)]
    pub(super) fn currents(&self) -> &[i64] {
        &self.current
    }
}

// === impl Turn ===

impl Turn {
    const NEW: Self = Self { best: None, max: i64::MIN, total: 0 };

    fn visit(&mut self, index: usize, current: &mut i64, step: i64) {
        if step != 0 {
            if *current > self.max {
                self.max = *current;
                self.best = Some(index);
            }
            self.total = self.total.wrapping_add(*current);
            *current = current.wrapping_add(step);
        }
    }
}
