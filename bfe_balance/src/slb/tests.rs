use super::*;
use crate::conf::cluster_table_conf::BackendDef;
use crate::health::CheckShared;
use std::sync::OnceLock;

/// An environment whose control runtime never runs anything.
pub(crate) fn idle_env(cluster: &str) -> Arc<CheckEnv> {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| tokio::runtime::Builder::new_current_thread().build().unwrap());
    Arc::new(CheckEnv::new(cluster, Arc::new(CheckShared::new(runtime.handle().clone()))))
}

/// Backends a, b, c... with these weights, at 10.0.0.1, 10.0.0.2...
pub(crate) fn defs(weights: &[i64]) -> Vec<BackendDef> {
    let letters = "abcdefgh".chars();
    letters
        .zip(weights)
        .zip(1..)
        .map(|((name, weight), n)| BackendDef::new(&name.to_string(), &format!("10.0.0.{n}"), 80, *weight))
        .collect()
}

fn list(weights: &[i64]) -> BackendList {
    let mut list = BackendList::new("s".into(), idle_env("c"));
    list.init(&defs(weights));
    list
}

fn never() -> Instant {
    panic!("the clock is not needed")
}

impl BackendList {
    fn backend(&self, name: &str) -> &Arc<Backend> {
        self.backends().find(|backend| *backend.name == *name).unwrap()
    }

    /// Names of the next picks by round robin.
    fn wrr(&mut self, picks: usize) -> String {
        (0..picks).map(|_| self.pick(Algorithm::Smooth, || 0, never).unwrap().name.to_string()).collect()
    }

    /// Names of the next picks by least connections, each connection kept, or released at once.
    fn wlc(&mut self, picks: usize, keep: bool) -> String {
        let mut names = String::new();
        for _ in 0..picks {
            let backend = self.pick(Algorithm::LeastConns, || 0, never).unwrap();
            names.push_str(&backend.name);
            if keep {
                backend.inc_conn();
            }
        }
        names
    }

    fn sticky(&mut self, key: &[u8]) -> String {
        let hash = crate::murmur3::hash64(key);
        self.pick(Algorithm::Sticky, || hash, never).unwrap().name.to_string()
    }

    fn currents(&mut self) -> Vec<i64> {
        self.gauges.currents().to_vec()
    }
}

#[test]
fn bal_26_27_30_wrr_sequences() {
    for (weights, want) in [
        (&[5, 1, 1][..], "aabacaaaabacaaaabacaa"),
        (&[3, 2, 1], "abacbaabacba"),
        (&[1, 2, 3], "cbacbccbacbc"),
        (&[1, 1, 1], "abcabc"),
        (&[10, 10], "abab"),
    ] {
        assert_eq!(list(weights).wrr(want.len()), want, "{weights:?}");
    }
}

#[test]
fn bal_26_currents() {
    let mut list = list(&[5, 1, 1]);
    for want in [
        [300, 200, 200],
        [100, 300, 300],
        [600, -300, 400],
        [400, -200, 500],
        [900, -100, -100],
        [700, 0, 0],
        [500, 100, 100],
    ] {
        list.wrr(1);
        assert_eq!(list.currents(), want);
    }
}

#[test]
fn bal_28_wrr_first_down() {
    let mut list = list(&[3, 2, 1]);
    list.backend("a").set_avail(false);
    assert_eq!(list.wrr(9), "bcbbcbbcb");
}

#[test]
fn bal_29_wrr_flap() {
    let mut list = list(&[5, 1, 1]);
    assert_eq!(list.wrr(2), "aa");
    list.backend("b").set_avail(false);
    assert_eq!(list.wrr(6), "caaaac");
    assert_eq!(list.currents(), [700, 300, -100]);
    list.backend("b").set_avail(true);
    assert_eq!(list.wrr(2), "ab");
    assert_eq!(list.currents(), [800, -200, 100]);
    assert_eq!(list.wrr(8), "aaacaaba");
}

#[test]
fn bal_31_32_wlc() {
    for (weights, keep, want) in [
        (&[5, 1, 1][..], true, "abcaaaaacbaaaa"),
        (&[3, 2, 1], true, "abcabacab"),
        (&[5, 1, 1], false, "aabacaaaabacaa"),
    ] {
        assert_eq!(list(weights).wlc(want.len(), keep), want, "{weights:?}");
    }
}

#[test]
fn bal_32_wlc_half_weights() {
    // Weights 3, 2, 1, 0.5: the half is only there once scaled, so doubled ones stand in for them.
    assert_eq!(list(&[6, 4, 2, 1]).wlc(19, true), "abcdabaabcabaabcdab");
}

#[test]
fn bal_33_wlc_keeps_old_candidates() {
    let mut all = list(&[1, 1, 1, 1]);
    for (name, conns) in [("a", 2), ("b", 2), ("c", 1), ("d", 1)] {
        all.backend(name).set_conn_num(conns);
    }
    assert_eq!(all.wlc(6, true), "adcbdc");
    let mut three = list(&[1, 1, 1]);
    for (name, conns) in [("a", 2), ("b", 2), ("c", 1)] {
        three.backend(name).set_conn_num(conns);
    }
    let before = three.currents();
    assert_eq!(three.wlc(1, false), "c");
    assert_eq!(three.currents(), before, "a single best leaves round robin alone");
}

#[test]
fn bal_34_sticky() {
    let mut list = list(&[5, 1, 1]);
    for (key, want) in [("alice", "a"), ("bob", "a"), ("carol", "c"), ("dave", "a"), ("erin", "a")] {
        assert_eq!(list.sticky(key.as_bytes()), want, "{key}");
    }
    list.backend("a").set_avail(false);
    for (key, want) in [("alice", "c"), ("bob", "c"), ("carol", "c"), ("dave", "b"), ("erin", "c")] {
        assert_eq!(list.sticky(key.as_bytes()), want, "{key}, a down");
    }
}

#[test]
fn bal_34_sticky_in_any_order_of_the_file() {
    for reversed in [false, true] {
        let mut defs = defs(&[3, 2, 1]);
        if reversed {
            defs.reverse();
        }
        let mut list = BackendList::new("s".into(), idle_env("c"));
        list.init(&defs);
        assert_eq!(list.sticky(&[1]), "a");
        list.backend("a").set_avail(false);
        assert_eq!(list.sticky(&[1]), "c", "reversed: {reversed}");
    }
}

#[test]
fn bal_35_sticky_sorts_by_text() {
    let mut list = BackendList::new("s".into(), idle_env("c"));
    let at = |name: &str, addr: &str, port| BackendDef::new(name, addr, port, 1);
    list.init(&[at("z", "10.0.0.2", 80), at("y", "10.0.0.10", 8080), at("x", "10.0.0.10", 80)]);
    list.sticky(b"any");
    let order: String = list.backends().map(|backend| backend.name.to_string()).collect();
    assert_eq!(order, "xyz");
}

#[test]
fn bal_37_and_38_nobody() {
    let mut none = BackendList::new("s".into(), idle_env("c"));
    let mut down = list(&[0, -5, 1]);
    down.backend("c").set_avail(false);
    for algorithm in [Algorithm::Smooth, Algorithm::LeastConns, Algorithm::Sticky] {
        let error = none.pick(algorithm, || 0, never).unwrap_err();
        assert_eq!(error.to_string(), "no backend in sub cluster [s]");
        let error = down.pick(algorithm, || 0, never).unwrap_err();
        assert_eq!(error.to_string(), "rr_bal:all backend is down", "{algorithm:?}");
    }
    down.backend("c").set_avail(true);
    assert_eq!(down.wrr(3), "ccc");
}

#[test]
fn bal_102_103_104_reload() {
    let mut list = list(&[5, 1, 1]);
    list.wrr(3);
    assert_eq!(list.currents(), [600, -300, 400]);
    let mut next = defs(&[2, 0]);
    next[0].name = "renamed".into();
    next.push(BackendDef::new("n", "10.0.0.9", 80, 4));
    let gone = Arc::clone(list.backend("c"));
    list.update(&next);
    assert_eq!(list.currents(), [600, 0, 400]);
    assert_eq!(list.wrr(12), "annnannannan");
    assert!(gone.avail(), "requests on it may end in peace");
}

#[test]
fn cfg_147_duplicates_collapse_on_reload_only() {
    let mut list = BackendList::new("s".into(), idle_env("c"));
    let twice = [BackendDef::new("a", "h", 80, 1), BackendDef::new("b", "h", 80, 3)];
    list.init(&twice);
    assert_eq!(list.len(), 2);
    list.update(&twice);
    assert_eq!((list.len(), list.entries[0].weight()), (1, 300));
}

/// A list whose slow start is under way since `start`, and its clock.
fn ramping(weights: &[i64], seconds: u64) -> (BackendList, Instant) {
    let start = Instant::now();
    let mut list = BackendList::new("s".into(), idle_env("c"));
    list.set_slow_start(Duration::from_secs(seconds));
    list.update(&defs(weights));
    list.pick(Algorithm::Smooth, || 0, || start).unwrap();
    (list, start)
}

#[test]
fn bal_41_42_44_ramp() {
    let (mut list, start) = ramping(&[10], 30);
    for (ms, want) in [
        // Go BFE has 0 here, and nobody to send to.
        (0, 1),
        (29, 1),
        (60, 2),
        (1_000, 33),
        (15_000, 500),
        (29_999, 999),
        (30_000, 1000),
        (99_000, 1000),
    ] {
        list.pick(Algorithm::Smooth, || 0, || start + Duration::from_millis(ms)).unwrap();
        assert_eq!(list.entries[0].weight(), want, "after {ms} ms");
    }
    assert_eq!(list.ramping, 0);
    list.wrr(1);
}

#[test]
fn bal_40_who_ramps() {
    let start = Instant::now();
    let mut list = list(&[1, 1]);
    list.set_slow_start(Duration::from_secs(10));
    list.pick(Algorithm::Smooth, || 0, || start).unwrap();
    assert_eq!(list.ramping, 0, "not at process start");
    let a = Arc::clone(list.backend("a"));
    a.set_avail(false);
    assert!(a.check_succeeded(1));
    list.pick(Algorithm::Smooth, || 0, || start).unwrap();
    assert_eq!((list.ramping, list.entries[0].weight(), list.entries[1].weight()), (1, 1, 100));
}

#[test]
fn bal_43_sticky_ignores_slow_start_but_does_not_lose_it() {
    let start = Instant::now();
    let mut list = BackendList::new("s".into(), idle_env("c"));
    list.set_slow_start(Duration::from_secs(10));
    list.update(&defs(&[1]));
    list.sticky(b"any");
    assert_eq!(list.entries[0].weight(), 100);
    list.pick(Algorithm::LeastConns, || 0, || start).unwrap();
    assert_eq!(list.entries[0].weight(), 1);
}

#[test]
fn slow_start_follows_the_file() {
    let (mut list, start) = ramping(&[5, 0], 10);
    // Another weight during the ramp: the ramp goes towards it.
    list.update(&defs(&[2, 7]));
    list.pick(Algorithm::Smooth, || 0, || start + Duration::from_secs(5)).unwrap();
    assert_eq!((list.entries[0].weight(), list.entries[1].weight()), (100, 700));
    // Switched off during the ramp: full weight at once.
    list.set_slow_start(Duration::ZERO);
    list.wrr(1);
    assert_eq!((list.entries[0].weight(), list.ramping), (200, 0));
}
