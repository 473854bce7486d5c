//! Which key of a cluster an attempt uses, and how long to wait before the next (ai-gateway 5.1, 5.2).

use bfe_balance::conf::cluster_conf::{AiKey, AiKeyPolicy};
use std::time::Duration;

/// Longest wait, whatever the configuration says.
const MAX_WAIT_MS: i64 = 24 * 3600 * 1000;

/// What is known of the keys of a cluster, for one request.
pub(super) struct Keys<'k> {
    keys: &'k [AiKey],
    /// The place of each is that of the key.
    states: Vec<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    /// Too many requests have used it.
    Used,
    /// It is refused.
    Dead,
}

impl<'k> Keys<'k> {
    pub(super) fn new(keys: &'k [AiKey]) -> Self {
        Self { keys, states: vec![State::Fresh; keys.len()] }
    }

    /// One of the keys that are left, by weight; used ones only where there are no others.
    pub(super) fn choose(&mut self) -> Option<(usize, &'k AiKey)> {
        let fresh = self.fresh();
        if !fresh.is_empty() {
            return pick(&fresh);
        }
        for state in &mut self.states {
            if *state == State::Used {
                *state = State::Fresh;
            }
        }
        pick(&self.fresh())
    }

    /// Too many requests have used this key.
    pub(super) fn mark_used(&mut self, place: usize) {
        self.mark(place, State::Used);
    }

    /// This key is refused.
    pub(super) fn mark_dead(&mut self, place: usize) {
        self.mark(place, State::Dead);
    }

    fn mark(&mut self, place: usize, state: State) {
        if let Some(known) = self.states.get_mut(place) {
            *known = state;
        }
    }

    /// Those that are neither used nor dead, and have a weight.
    fn fresh(&self) -> Vec<(usize, &'k AiKey)> {
        let known = self.keys.iter().zip(&self.states).enumerate();
        let fresh = known.filter(|(_, (key, state))| key.weight != 0 && **state == State::Fresh);
        fresh.map(|(place, (key, _))| (place, key)).collect()
    }
}

fn pick<'k>(among: &[(usize, &'k AiKey)]) -> Option<(usize, &'k AiKey)> {
    if let [only] = among {
        return Some(*only);
    }
    let total = among.iter().fold(0i64, |sum, (_, key)| sum.saturating_add(key.weight));
    if total <= 0 {
        return None;
    }
    let place = by_weight(among.iter().map(|(_, key)| key.weight), fastrand::i64(0..total));
    place.and_then(|place| among.get(place)).or(among.last()).copied()
}

/// The place of the first weight at which the sum exceeds `point`.
pub(super) fn by_weight(weights: impl Iterator<Item = i64>, point: i64) -> Option<usize> {
    let mut sum = 0i64;
    weights
        .map(|weight| {
            sum = sum.saturating_add(weight);
            sum
        })
        .position(|sum| point < sum)
}

/// How long to wait before try number `attempt`, from 1: the initial time, doubled with each try up to the longest,
/// and about a tenth more or less.
pub(super) fn backoff(policy: &AiKeyPolicy, attempt: i64) -> Duration {
    let mut wait = policy.retry_backoff_initial;
    // No number can be doubled more often.
    for _ in 1..attempt.min(64) {
        wait = wait.saturating_mul(2);
        if wait > policy.retry_backoff_max {
            wait = policy.retry_backoff_max;
            break;
        }
    }
    let spread = wait / 5;
    if spread > 0 {
        wait = wait.saturating_sub(spread / 2).saturating_add(fastrand::i64(0..spread));
    }
    Duration::from_millis(wait.clamp(0, MAX_WAIT_MS).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(weights: &[i64]) -> Vec<AiKey> {
        let key = |weight: &i64| AiKey { weight: *weight, ..AiKey::default() };
        weights.iter().map(key).collect()
    }

    fn counts(weights: &[i64], prepare: impl Fn(&mut Keys<'_>)) -> Vec<usize> {
        let list = keys(weights);
        let mut counts = vec![0; weights.len()];
        for _ in 0..10_000 {
            let mut keys = Keys::new(&list);
            prepare(&mut keys);
            if let Some((place, _)) = keys.choose() {
                counts[place] += 1;
            }
        }
        counts
    }

    #[test]
    fn aik_1_by_weight() {
        for (counted, share) in counts(&[50, 30, 20, 0], |_| {}).into_iter().zip([5000usize, 3000, 2000, 0]) {
            assert!(counted.abs_diff(share) < 400, "{counted} of {share}");
        }
        let weights = [60, 0, 40].into_iter();
        for (point, want) in [(0, Some(0)), (59, Some(0)), (60, Some(2)), (99, Some(2)), (100, None)] {
            assert_eq!(by_weight(weights.clone(), point), want, "{point}");
        }
    }

    #[test]
    fn aik_2_and_3_used_and_dead_keys() {
        let used_and_dead = counts(&[1, 1, 100], |keys| {
            keys.mark_used(2);
            keys.mark_dead(0);
        });
        assert_eq!(used_and_dead, [0, 10_000, 0]);
        // Used ones come back where no others are left; dead ones do not.
        let all = counts(&[1, 0, 1], |keys| {
            keys.mark_dead(0);
            keys.mark_used(2);
        });
        assert_eq!(all, [0, 0, 10_000]);
        let list = keys(&[1, 1]);
        let mut keys = Keys::new(&list);
        keys.mark_dead(0);
        keys.mark_dead(1);
        assert!(keys.choose().is_none());
    }

    #[test]
    fn aik_7_weights_that_choose_nothing() {
        for weights in [&[][..], &[0, 0], &[-5, 5], &[-5, -5]] {
            assert!(Keys::new(&keys(weights)).choose().is_none(), "{weights:?}");
        }
        assert!(Keys::new(&keys(&[-5])).choose().is_some(), "the only one needs no weight to be chosen by");
    }

    #[test]
    fn aik_6_and_10_waits() {
        let policy = |initial, max| AiKeyPolicy {
            retry_backoff_initial: initial,
            retry_backoff_max: max,
            ..AiKeyPolicy::default()
        };
        for (initial, max, attempt, range) in [
            (100, 500, 1, 90..=110),
            (100, 500, 2, 180..=220),
            (100, 500, 3, 360..=440),
            (100, 500, 4, 450..=550),
            (100, 500, 60, 450..=550),
            (1000, 500, 1, 900..=1100),
            (1000, 500, 2, 450..=550),
            (4, 500, 1, 4..=4),
            (0, 0, 3, 0..=0),
            (-5, 10, 1, 0..=0),
            (10, -1, 2, 0..=0),
        ] {
            for _ in 0..100 {
                let wait = backoff(&policy(initial, max), attempt).as_millis();
                assert!(range.contains(&wait), "{initial} {max} {attempt}: {wait}");
            }
        }
        let huge = backoff(&policy(i64::MAX, i64::MAX), i64::MAX);
        assert!(huge.as_secs() <= 24 * 3600);
    }
}
