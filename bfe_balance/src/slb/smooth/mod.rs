//! Smooth weighted round robin (balance 5.1).

mod queues;

use queues::Queues;

/// From this many backends on not all are looked at.
const MANY: usize = 64;

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
    order: Order,
}

/// How it is found out whose turn it is.
#[derive(Debug, Default)]
enum Order {
    /// Not decided since the steps were set, or the current values moved.
    #[default]
    Open,
    /// By looking at all.
    All,
    /// By queues, which stand for `current` for as long as only [`Gauges::pick`] is asked for.
    Queued(Queues),
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
        self.settle_queues();
        self.current.push(current);
        self.step.push(0);
        self.frozen = true;
    }

    /// Empties the list; gives the current values.
    pub(super) fn take(&mut self) -> Vec<i64> {
        self.settle_queues();
        self.step.clear();
        self.frozen = false;
        std::mem::take(&mut self.current)
    }

    /// Sets all steps, in order.
    pub(super) fn set_steps(&mut self, steps: impl Iterator<Item = i64>) {
        self.settle_queues();
        for (step, new) in self.step.iter_mut().zip(steps) {
            *step = new;
        }
        self.frozen = self.step.contains(&0);
    }

    /// Sets the current value of one.
    pub(super) fn set_current(&mut self, index: usize, value: i64) {
        self.settle_queues();
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
        if matches!(self.order, Order::Open) {
            let many = self.current.len() >= MANY;
            let queues = many.then(|| Queues::new(&self.current, &self.step)).flatten();
            self.order = queues.map_or(Order::All, Order::Queued);
        }
        if let Order::Queued(queues) = &mut self.order {
            return queues.pick();
        }
        self.pick_by_looking()
    }

    /// [`Gauges::pick`] by looking at all.
    fn pick_by_looking(&mut self) -> Option<usize> {
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
        self.settle_queues();
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

    /// Has `current` hold what it stands for.
    fn settle_queues(&mut self) {
        if let Order::Queued(queues) = std::mem::take(&mut self.order) {
            queues.settle(&mut self.current);
        }
    }

    fn settle(&mut self, best: usize, total: i64) -> Option<usize> {
        let current = self.current.get_mut(best)?;
        *current = current.wrapping_sub(total);
        Some(best)
    }

    /// All current values, in order.
    #[cfg(test)]
    pub(super) fn currents(&mut self) -> &[i64] {
        self.settle_queues();
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn queues_choose_as_looking_does(
            backends in vec((-500i64..500, prop_oneof![Just(0i64), Just(100), Just(700), 1..5i64]), 0..150),
            picks in 0usize..400,
        ) {
            let (current, step): (Vec<_>, Vec<_>) = backends.into_iter().unzip();
            let mut looking = Gauges { current: current.clone(), step: step.clone(), frozen: true, order: Order::All };
            looking.frozen = step.contains(&0);
            let mut queues = Queues::new(&current, &step).unwrap();
            for _ in 0..picks {
                prop_assert_eq!(queues.pick(), looking.pick_by_looking());
            }
            let mut settled = current;
            queues.settle(&mut settled);
            prop_assert_eq!(settled, looking.current);
        }
    }

    #[test]
    fn many_are_queued_until_something_else_is_asked_for() {
        let mut gauges = Gauges::default();
        (0..MANY).for_each(|_| gauges.push(100));
        gauges.set_steps((0..MANY).map(|_| 100));
        let first: Vec<_> = (0..MANY).map(|_| gauges.pick().unwrap()).collect();
        assert_eq!(first, (0..MANY).collect::<Vec<_>>());
        assert!(matches!(gauges.order, Order::Queued(_)));
        assert_eq!(gauges.pick_among(&[5, 3]), Some(5), "of equal ones the first that is named");
        assert!(matches!(gauges.order, Order::Open));
        assert_eq!(gauges.pick(), Some(3), "the other one has gained");
        // More weights than there are queues for.
        gauges.set_steps((1..=MANY as i64).map(|weight| weight * 100));
        assert!(gauges.pick().is_some());
        assert!(matches!(gauges.order, Order::All));
    }
}
