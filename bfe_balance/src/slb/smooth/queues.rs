//! Smooth weighted round robin over many backends without looking at all of them.
//!
//! At each pick, all backends of one weight gain the same. So their order among themselves stays as it is, but for
//! the one that was chosen, and what they gained can be noted once for all of them: the choice is between the
//! first of each weight.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Most different weights; with more, looking at all is no slower.
const MAX_WEIGHTS: usize = 16;

/// A current value and whose it is: the highest first, and of equal ones the earlier backend.
type Place = (i64, Reverse<usize>);

/// The backends that can be chosen, by what they gain at each pick.
#[derive(Debug)]
pub(super) struct Queues {
    queues: Vec<Queue>,
    /// The sum of all current values.
    total: i64,
    /// What the sum gains at each pick, before the chosen one loses what it was.
    gain: i64,
}

/// The backends of one weight.
#[derive(Debug)]
struct Queue {
    step: i64,
    /// What each of them has gained since the queue was made.
    gained: i64,
    /// Current values without that.
    values: BinaryHeap<Place>,
}

impl Queues {
    /// Queues for backends with these current values and steps; a step of 0 is of one that cannot be chosen.
    /// `None` where there are too many different steps.
    pub(super) fn new(current: &[i64], steps: &[i64]) -> Option<Self> {
        let mut values: Vec<(i64, Vec<Place>)> = Vec::new();
        let (mut total, mut gain) = (0i64, 0i64);
        for (index, (&value, &step)) in
            current.iter().zip(steps).enumerate().filter(|(_, (_, step))| **step != 0)
        {
            total = total.wrapping_add(value);
            gain = gain.wrapping_add(step);
            let entry = (value, Reverse(index));
            if let Some((_, list)) = values.iter_mut().find(|(known, _)| *known == step) {
                list.push(entry);
            } else if values.len() < MAX_WEIGHTS {
                values.push((step, vec![entry]));
            } else {
                return None;
            }
        }
        let queue = |(step, list): (i64, Vec<Place>)| Queue { step, gained: 0, values: list.into() };
        Some(Self { queues: values.into_iter().map(queue).collect(), total, gain })
    }

    /// Chooses one, as looking at all of them would.
    pub(super) fn pick(&mut self) -> Option<usize> {
        let first = |queue: &Queue| {
            let (value, index) = queue.values.peek()?;
            Some((value.wrapping_add(queue.gained), *index))
        };
        let best = self.queues.iter_mut().max_by_key(|queue| first(queue))?;
        let mut chosen = best.values.peek_mut()?;
        chosen.0 = chosen.0.wrapping_sub(self.total);
        let Reverse(index) = chosen.1;
        drop(chosen);
        for queue in &mut self.queues {
            queue.gained = queue.gained.wrapping_add(queue.step);
        }
        self.total = self.gain;
        Some(index)
    }

    /// Writes the current values back.
    pub(super) fn settle(self, current: &mut [i64]) {
        for queue in self.queues {
            for (value, Reverse(index)) in queue.values {
                if let Some(current) = current.get_mut(index) {
                    *current = value.wrapping_add(queue.gained);
                }
            }
        }
    }
}
