//! Properties that hold whatever the weights and whatever happens.

use super::tests::idle_env;
use super::*;
use crate::conf::cluster_table_conf::BackendDef;
use proptest::collection::vec;
use proptest::prelude::*;

/// Something that happens to a list.
#[derive(Clone, Debug)]
enum Event {
    Pick(Algorithm, u64),
    /// A request on the n-th backend ends.
    Release(usize),
    /// The n-th backend goes up or down.
    Flip(usize),
    /// Another file: for each of the possible backends its weight, or its absence.
    Reload(Vec<Option<i64>>),
}

/// More than round robin looks at side by side.
const POSSIBLE: usize = 10;

fn events() -> impl Strategy<Value = Vec<Event>> {
    let algorithm = prop_oneof![
        4 => Just(Algorithm::Smooth),
        3 => Just(Algorithm::LeastConns),
        1 => Just(Algorithm::Sticky),
    ];
    let event = prop_oneof![
        12 => (algorithm, any::<u64>()).prop_map(|(algorithm, hash)| Event::Pick(algorithm, hash)),
        4 => any::<usize>().prop_map(Event::Release),
        2 => any::<usize>().prop_map(Event::Flip),
        1 => file().prop_map(Event::Reload),
    ];
    vec(event, 1..200)
}

fn file() -> impl Strategy<Value = Vec<Option<i64>>> {
    vec(prop::option::weighted(0.7, prop_oneof![1 => -1i64..1, 9 => 1i64..20]), POSSIBLE)
}

fn defs(file: &[Option<i64>]) -> Vec<BackendDef> {
    let def = |(n, weight): (usize, &Option<i64>)| {
        weight.map(|weight| BackendDef::new(&format!("b{n}"), &format!("h{n}"), 80, weight))
    };
    file.iter().enumerate().filter_map(def).collect()
}

/// The contract, written as plainly as it can be (balance 5, 12).
#[derive(Default)]
struct Model(Vec<ModelEntry>);

#[derive(Clone)]
struct ModelEntry {
    name: String,
    weight: i64,
    current: i64,
    avail: bool,
    conns: i64,
}

impl Model {
    fn eligible(&self) -> Vec<usize> {
        (0..self.0.len()).filter(|i| self.0[*i].avail && self.0[*i].weight > 0).collect()
    }

    fn smooth(&mut self, among: &[usize]) -> Option<usize> {
        let before: Vec<i64> = among.iter().map(|i| self.0[*i].current).collect();
        let max = *before.iter().max()?;
        let best = among[before.iter().position(|current| *current == max)?];
        for i in among {
            self.0[*i].current += self.0[*i].weight;
        }
        self.0[best].current -= before.iter().sum::<i64>();
        Some(best)
    }

    fn least_conns(&mut self) -> Option<usize> {
        let eligible = self.eligible();
        let load = |i: usize, j: usize| self.0[i].conns * self.0[j].weight;
        let (mut best, mut single, mut tied) = (*eligible.first()?, true, Vec::new());
        for i in eligible.into_iter().skip(1) {
            if load(best, i) > load(i, best) {
                (best, single) = (i, true);
            } else if load(best, i) == load(i, best) {
                single = false;
                if tied.is_empty() {
                    tied.push(best);
                }
                tied.push(i);
            }
        }
        if single { Some(best) } else { self.smooth(&tied) }
    }

    fn sticky(&mut self, hash: u64) -> Option<usize> {
        // One digit tells all names and addresses apart, so that their orders are the same.
        self.0.sort_by(|a, b| a.name.cmp(&b.name));
        let eligible = self.eligible();
        let total: i64 = eligible.iter().map(|i| self.0[*i].weight).sum();
        if total == 0 {
            return None;
        }
        let mut rest = i64::try_from(hash % u64::try_from(total).unwrap()).unwrap();
        eligible.into_iter().find(|i| {
            rest -= self.0[*i].weight;
            rest < 0
        })
    }

    fn pick(&mut self, algorithm: Algorithm, hash: u64) -> Option<String> {
        let eligible = self.eligible();
        let index = match algorithm {
            Algorithm::Smooth => self.smooth(&eligible),
            Algorithm::LeastConns => self.least_conns(),
            Algorithm::Sticky => self.sticky(hash),
        }?;
        self.0[index].conns += 1;
        Some(self.0[index].name.clone())
    }

    fn reload(&mut self, defs: &[BackendDef]) {
        self.0.retain(|entry| defs.iter().any(|def| *def.name == *entry.name));
        for def in defs {
            let weight = def.weight * 100;
            match self.0.iter_mut().find(|entry| *def.name == *entry.name) {
                Some(entry) => {
                    entry.weight = weight;
                    if weight <= 0 {
                        entry.current = 0;
                    }
                }
                None => self.0.push(ModelEntry {
                    name: def.name.to_string(),
                    weight,
                    current: weight,
                    avail: true,
                    conns: 0,
                }),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn picks_are_those_of_the_contract(first in file(), events in events()) {
        let mut list = BackendList::new("s".into(), idle_env("c"));
        let mut model = Model::default();
        list.init(&defs(&first));
        model.reload(&defs(&first));
        for event in events {
            match event {
                Event::Pick(algorithm, hash) => {
                    let picked = list.pick(algorithm, || hash, Instant::now).ok();
                    if let Some(backend) = &picked {
                        backend.inc_conn();
                    }
                    let name = picked.map(|backend| backend.name.to_string());
                    // A list without backends is not sorted, which nobody can see.
                    let want = if model.0.is_empty() { None } else { model.pick(algorithm, hash) };
                    prop_assert_eq!(name, want);
                }
                Event::Release(n) => {
                    let busy: Vec<_> = list.backends().filter(|b| b.conn_num() > 0).cloned().collect();
                    if let Some(backend) = busy.get(n.checked_rem(busy.len()).unwrap_or(0)) {
                        backend.dec_conn();
                        model.0.iter_mut().find(|e| *e.name == *backend.name).unwrap().conns -= 1;
                    }
                }
                Event::Flip(n) if list.len() > 0 => {
                    let backend = list.backends().nth(n % list.len()).cloned().unwrap();
                    backend.set_avail(!backend.avail());
                    let entry = model.0.iter_mut().find(|e| *e.name == *backend.name).unwrap();
                    entry.avail = !entry.avail;
                }
                Event::Flip(_) => {}
                Event::Reload(file) => {
                    list.update(&defs(&file));
                    model.reload(&defs(&file));
                }
            }
        }
    }

    #[test]
    fn shares_converge_to_weights_and_nobody_starves(
        before in vec((file(), 0usize..300), 0..4),
        weights in vec(1i64..30, 1..=POSSIBLE),
    ) {
        let mut list = BackendList::new("s".into(), idle_env("c"));
        for (file, picks) in before {
            list.update(&defs(&file));
            for _ in 0..picks {
                let _ = list.pick(Algorithm::Smooth, || 0, Instant::now);
            }
        }
        let last: Vec<_> = weights.iter().copied().map(Some).collect();
        list.update(&defs(&last));
        // What earlier weights left behind wears off: it is a debt or credit of so many turns.
        let sum: i64 = weights.iter().sum();
        let left: i64 = list.gauges.currents().iter().map(|current| current.abs()).sum();
        let slack = left / (sum * 100) + i64::try_from(weights.len()).unwrap() + 2;
        let rounds = 3 * (slack + 1);
        let picks = rounds * sum;
        let mut counts = [0i64; POSSIBLE];
        for _ in 0..picks {
            let name = list.pick(Algorithm::Smooth, || 0, Instant::now).unwrap().name.to_string();
            counts[name[1..].parse::<usize>().unwrap()] += 1;
        }
        for (weight, count) in weights.iter().zip(counts) {
            let want = rounds * weight;
            prop_assert!((count - want).abs() <= slack, "{} instead of {}, slack {}", count, want, slack);
            prop_assert!(count > 0);
        }
    }

    #[test]
    fn a_ramp_only_rises_and_ends_at_the_full_weight(
        weight in 1i64..1000,
        seconds in 1u64..100_000,
        mut steps in vec(0u64..200_000_000, 1..50),
    ) {
        let start = Instant::now();
        let mut list = BackendList::new("s".into(), idle_env("c"));
        list.set_slow_start(Duration::from_secs(seconds));
        list.update(&[BackendDef::new("b", "h", 80, weight)]);
        list.pick(Algorithm::Smooth, || 0, || start).unwrap();
        steps.sort_unstable();
        let mut last = 0;
        for ms in steps {
            list.pick(Algorithm::Smooth, || 0, || start + Duration::from_millis(ms)).unwrap();
            let now = list.entries[0].weight();
            let exact = i64::try_from(ms).unwrap() * weight * 100 / i64::try_from(seconds * 1000).unwrap();
            prop_assert_eq!(now, exact.clamp(1, weight * 100));
            prop_assert!(now >= last);
            last = now;
        }
    }
}
