use super::*;
use crate::conf::cluster_conf::{HashConf, HashHeader, HashStrategy};
use crate::conf::cluster_table_conf::BackendDef;
use crate::slb::tests::idle_env;
use bfe_basic::{ErrorCode, Request, SESSION_STICKY_BACKEND_KEY, Session, StickyBackend};
use std::rc::Rc;

fn request(fields: &[(&'static str, String)], uri: &str) -> Request {
    let mut http = bfe_http::Request::new("GET", uri, "h").unwrap();
    for (name, value) in fields {
        http.header.add(*name, value.clone());
    }
    let mut req = Request::new(Rc::new(Session::default()), http);
    req.client_addr = Some("9.9.9.9:1".parse().unwrap());
    req
}

pub(super) fn get() -> Request {
    request(&[], "/")
}

/// Backends of a sub-cluster: names and weights.
pub(super) type Backends<'t> = &'t [(&'t str, i64)];
/// A sub-cluster: name, weight, backends.
pub(super) type Sub<'t> = (&'t str, i64, Backends<'t>);

/// A balancer of its own counters, with sub-clusters of these weights and backends `name:weight`.
pub(super) fn balancer(subs: &[Sub<'_>]) -> Balancer {
    let mut bal = Balancer::new(idle_env("c"));
    bal.counters = Box::leak(Box::new(bal_state::new_group()));
    bal.init(&subs.iter().map(|(name, weight, _)| ((*name).to_owned(), *weight)).collect());
    let backends = subs.iter().map(|(sub, _, backends)| {
        let defs = backends.iter().map(|(name, weight)| BackendDef::new(name, name, 80, *weight)).collect();
        ((*sub).to_owned(), defs)
    });
    bal.init_backends(&backends.collect());
    bal
}

fn set(bal: &Balancer, change: impl FnOnce(&mut ClusterConf)) {
    let mut conf = ClusterConf::new("c");
    change(&mut conf);
    bal.set_gslb_basic(&conf);
    bal.set_slow_start(&conf);
}

fn by_header(strategy: HashStrategy, header: &str) -> HashConf {
    HashConf { strategy, header: HashHeader::parse(header), session_sticky: false }
}

/// Where the request goes: its sub-cluster.
fn home(bal: &Balancer, mut req: Request) -> String {
    // The black hole refuses, but is named all the same.
    let _ = bal.balance(&mut req);
    req.backend.sub_cluster.to_string()
}

const WORKED: &[Sub<'_>] =
    &[("sub.b", 60, &[("b", 1)]), ("GSLB_BLACKHOLE", 10, &[]), ("sub.a", 30, &[("a", 1)])];

#[test]
fn bal_14_and_17_worked_choice() {
    let bal = balancer(WORKED);
    set(&bal, |conf| conf.gslb.hash = by_header(HashStrategy::RequestUri, ""));
    for (uri, want) in [
        ("/index.html", "GSLB_BLACKHOLE"),
        ("/a?b=1", "GSLB_BLACKHOLE"),
        ("/", "sub.b"),
        ("/api/v1/items?id=7", "sub.b"),
    ] {
        assert_eq!(home(&bal, request(&[], uri)), want, "{uri}");
    }
    set(&bal, |conf| conf.gslb.hash = by_header(HashStrategy::ClientIdOnly, "X-Id"));
    for (id, want) in [("carol", "GSLB_BLACKHOLE"), ("dave", "sub.b"), ("erin", "sub.b"), ("alice", "sub.b")]
    {
        assert_eq!(home(&bal, request(&[("X-Id", id.into())], "/")), want, "{id}");
    }
    set(&bal, |_| {});
    for (ip, mapped, want) in [
        ("8.8.4.4:1", true, "sub.a"),
        ("8.8.4.4:1", false, "sub.b"),
        ("1.2.3.4:1", true, "sub.b"),
        ("1.2.3.4:1", false, "sub.a"),
    ] {
        let mut req = get();
        req.client_addr = Some(ip.parse().unwrap());
        req.client_ip_mapped = mapped;
        assert_eq!(home(&bal, req), want, "{ip} {mapped}");
    }
}

#[test]
fn bal_15_distribution() {
    for (weights, counts, first) in [
        (&[("sub.a", 30), ("sub.b", 60), ("sub.c", 10)][..], vec![284, 615, 101], "bbbaabbaababbabbbbba"),
        (&[("sub.a", 1), ("sub.b", 1)], vec![496, 504], "babbaabababbbaaabaab"),
    ] {
        let subs: Vec<_> = weights.iter().map(|(name, weight)| (*name, *weight, &[("x", 1)][..])).collect();
        let bal = balancer(&subs);
        set(&bal, |conf| conf.gslb.hash = by_header(HashStrategy::ClientIdOnly, "X-Id"));
        let homes: Vec<_> =
            (0..1000).map(|n| home(&bal, request(&[("X-Id", format!("user-{n}"))], "/"))).collect();
        let got: Vec<_> =
            weights.iter().map(|(name, _)| homes.iter().filter(|home| home == name).count()).collect();
        assert_eq!(got, counts);
        let letters: String = homes.iter().take(20).map(|home| home.replace("sub.", "")).collect();
        assert_eq!(letters, first);
    }
}

#[test]
fn bal_16_single_sub_cluster_needs_no_hash() {
    let bal = balancer(&[("a", 0, &[("x", 1)]), ("b", 7, &[("y", 1)]), ("c", -1, &[("z", 1)])]);
    for n in 0..50 {
        let mut req = request(&[], &format!("/{n}"));
        req.client_addr = None;
        assert_eq!(home(&bal, req), "b");
    }
}

/// What happens to a request whose attempts all fail to connect.
fn attempts(bal: &Balancer, req: &mut Request) -> (String, BalanceError) {
    let mut tried = Vec::new();
    for _ in 0..20 {
        match bal.balance(req) {
            Ok(backend) => {
                tried.push(backend.name.to_string());
                req.set_error(ErrorCode::BK_CONNECT_BACKEND, "refused");
            }
            Err(BalanceError::CrossRetryBalance) => {}
            Err(error) => return (tried.join(" "), error),
        }
        req.retry_time += 1;
    }
    panic!("no end of attempts");
}

fn counters(bal: &Balancer) -> Vec<(&'static str, i64)> {
    bal.counters.values().map(|(name, _, count)| (name, count)).filter(|(_, n)| *n > 0).collect()
}

#[test]
fn bal_45_46_47_attempts() {
    use BalanceError as E;
    const MANY: &str = "ERR_BK_RETRY_TOO_MANY";
    const NONE: &str = "ERR_BK_NO_BACKEND";
    const CROSS: &str = "ERR_BK_NO_SUB_CLUSTER_CROSS";
    const HOLE: &str = "ERR_GSLB_BLACKHOLE";
    const A: Backends<'_> = &[("a1", 1), ("a2", 1)];
    const B: Backends<'_> = &[("b1", 1)];
    let both: Vec<Sub<'_>> = vec![("sub.a", 100, A), ("sub.b", 0, B)];
    let connect = Some(ErrorCode::BK_CONNECT_BACKEND);
    let no_backend = Some(ErrorCode::BK_NO_BACKEND);
    let no_cross = Some(ErrorCode::BK_NO_SUB_CLUSTER_CROSS);
    let a_only = |weight| vec![("sub.a", 100, A), ("sub.b", weight, B)];
    let hole_too = vec![("GSLB_BLACKHOLE", 0, &[][..]), ("sub.a", 100, A)];
    let hole_only = vec![("GSLB_BLACKHOLE", 100, &[][..]), ("sub.a", 0, A)];
    for (retry_max, cross_retry, subs, down, tried, error, code, counts) in [
        (2, 0, both.clone(), "", "a1 a2 a1", E::RetryTooMany, connect, vec![(MANY, 1)]),
        (2, 1, both.clone(), "", "a1 a2 a1 b1", E::RetryTooMany, connect, vec![(MANY, 1)]),
        (1, 2, both.clone(), "", "a1 a2 b1 b1", E::RetryTooMany, connect, vec![(MANY, 1)]),
        (2, 0, both.clone(), "a", "", E::NoBackend, no_backend, vec![(NONE, 1)]),
        (2, 1, both.clone(), "a", "b1 b1", E::RetryTooMany, connect, vec![(NONE, 1), (MANY, 1)]),
        (2, 1, both.clone(), "ab", "", E::RetryTooMany, no_backend, vec![(NONE, 3), (MANY, 1)]),
        (2, 2, both.clone(), "ab", "", E::RetryTooMany, no_backend, vec![(NONE, 4), (MANY, 1)]),
        (2, 1, a_only(-1), "", "a1 a2 a1", E::NoSubClusterCross, no_cross, vec![(CROSS, 1)]),
        (2, 1, hole_too, "", "a1 a2 a1", E::NoSubClusterCross, no_cross, vec![(CROSS, 1)]),
        (2, 1, hole_only, "", "", E::Blackhole, Some(ErrorCode::GSLB_BLACKHOLE), vec![(HOLE, 1)]),
        (-1, 0, both, "", "", E::RetryTooMany, None, vec![(MANY, 1)]),
    ] {
        let case = format!("{retry_max}/{cross_retry} {subs:?} down {down:?}");
        let bal = balancer(&subs);
        set(&bal, |conf| {
            conf.gslb.retry_max = retry_max;
            conf.gslb.cross_retry = cross_retry;
        });
        for sub in &bal.lock().list {
            for backend in sub.backends.backends().filter(|b| down.contains(&b.name[..1])) {
                backend.set_avail(false);
            }
        }
        let mut req = get();
        assert_eq!(attempts(&bal, &mut req), (tried.to_owned(), error), "{case}");
        assert_eq!(req.error_code, code, "{case}");
        assert_eq!(counters(&bal), counts, "{case}");
        let crossed = tried.contains('b') || counts.iter().any(|(name, n)| *name == CROSS || *n > 2);
        assert_eq!(req.stat.is_cross_cluster, crossed, "{case}");
    }
}

#[test]
fn bal_38_error_message() {
    let bal = balancer(&[("sub.a", 1, &[])]);
    set(&bal, |_| {});
    let mut req = get();
    assert_eq!(bal.balance(&mut req).unwrap_err(), BalanceError::NoBackend);
    assert_eq!(req.error_msg, "cluster[c], sub[sub.a], err[no backend in sub cluster [sub.a]]");
    assert_eq!(req.retry_time, 2, "as if the home had been tried to the end");
}

#[test]
fn bal_48_cross_retry_is_uniform() {
    let bal =
        balancer(&[("a", 100, &[]), ("b", 0, &[("b", 1)]), ("c", 0, &[("c", 99)]), ("d", 0, &[("d", 1)])]);
    set(&bal, |conf| conf.gslb.cross_retry = 1);
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..3000 {
        *counts.entry(bal.balance(&mut get()).unwrap().name.to_string()).or_insert(0) += 1;
    }
    // Each has 1000 on average; 150 is more than five standard deviations.
    assert!(counts.len() == 3 && counts.values().all(|n| (850..1150).contains(n)), "{counts:?}");
}

#[test]
fn bal_36_session_sticky_overrides_wlc() {
    let bal = balancer(&[("s", 1, &[("a", 1), ("b", 1), ("c", 1)])]);
    set(&bal, |conf| {
        conf.gslb.mode = crate::conf::cluster_conf::BalanceMode::Wlc;
        conf.gslb.hash.session_sticky = true;
    });
    let first = bal.balance(&mut get()).unwrap();
    for _ in 0..10 {
        let next = bal.balance(&mut get()).unwrap();
        next.inc_conn();
        assert_eq!(next.name, first.name);
    }
}

#[test]
fn bal_39_one_hash_for_both_levels() {
    let bal = balancer(&[("s1", 100, &[("a1", 1), ("a2", 1)]), ("s2", 100, &[("b1", 1), ("b2", 1)])]);
    set(&bal, |conf| {
        conf.gslb.hash = HashConf { session_sticky: true, ..by_header(HashStrategy::ClientIdOnly, "X-Id") };
    });
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..1000 {
        let mut req = request(&[("X-Id", format!("user-{n}"))], "/");
        seen.insert(bal.balance(&mut req).unwrap().name.to_string());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["a1", "b2"]);
}

#[test]
fn bal_63_backend_of_mod_session_sticky() {
    let bal = balancer(&[("s1", 100, &[("a", 1), ("b", 1)]), ("s2", 0, &[("z", 1)])]);
    let wanting = |sub: &str, addr: &str| {
        let mut req = get();
        let wanted = StickyBackend { sub_cluster: sub.into(), addr_info: addr.into() };
        req.context.set(SESSION_STICKY_BACKEND_KEY, bfe_basic::ContextValue::Any(Box::new(wanted)));
        req
    };
    for _ in 0..4 {
        let mut req = wanting("s1", "b:80");
        assert_eq!(*bal.balance(&mut req).unwrap().name, *"b");
        assert_eq!(*req.backend.sub_cluster, *"s1");
    }
    for (sub, addr) in [("s2", "z:80"), ("s1", "z:80"), ("s3", "b:80")] {
        let name = bal.balance(&mut wanting(sub, addr)).unwrap().name.to_string();
        assert!(name == "a" || name == "b", "{sub} {addr} gave {name}");
    }
    let b = bal.balance(&mut wanting("s1", "b:80")).unwrap();
    b.set_avail(false);
    assert_eq!(*bal.balance(&mut wanting("s1", "b:80")).unwrap().name, *"a");
}

#[test]
fn bal_126_settings_before_any_cluster_conf() {
    let bal = balancer(&[("s", 1, &[("a", 1)])]);
    let settings = bal.settings.load();
    assert_eq!((settings.retry_max, settings.cross_retry), (3, 1));
    assert_eq!(settings.hash, HashConf::default());
}

#[test]
fn bal_107_reload_of_sub_clusters() {
    let bal = balancer(&[("s1", 1, &[("a", 1)]), ("s2", 1, &[("b", 1)])]);
    let weights = |subs: &[(&str, i64)]| subs.iter().map(|(s, w)| ((*s).to_owned(), *w)).collect();
    bal.reload(&weights(&[("s1", 5), ("s3", 0)]));
    bal.reload_backends(&[("s3".to_owned(), vec![BackendDef::new("n", "n", 80, 1)])].into());
    let state = bal.state();
    assert_eq!(state.subs, [("s1".into(), 1), ("s3".into(), 1)], "s1 keeps its backend, s2 is gone");
    assert_eq!(home(&bal, get()), "s1");
}
