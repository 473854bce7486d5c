//! The live page: what goes on right now, for people (`/live`, and `/` in a browser).
//!
//! The page is one file without anything from elsewhere. It asks for `/live.json` every other second, and
//! makes rates of the differences.

use super::answer::Answer;
use crate::histogram::{BOUNDS_US, Counts};
use crate::server::{Server, started};
use crate::state::{self, Traffic, proxy_state};
use crate::stats::CLASSES;
use bfe_module::metrics::Metrics;
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::time::{SystemTime, UNIX_EPOCH};

/// Clusters on the page: those with the most requests.
const MAX_CLUSTERS: usize = 200;
/// Backends on the page: those that are down first, then those with the most requests.
const MAX_BACKENDS: usize = 300;
/// What the page may do: run its own script, and ask this server.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:; frame-ancestors 'none'";

/// The page.
pub(super) fn page() -> Answer {
    Answer::html(include_str!("page.html"))
        .field("content-security-policy", POLICY)
        .field("cache-control", "no-store")
}

/// Whether a client that says so wants pages, as browsers do.
pub(super) fn wants_page(accept: &str) -> bool {
    accept.split(',').any(|kind| kind.split(';').next().is_some_and(|k| k.trim() == "text/html"))
}

/// What the page shows.
pub(super) fn data(server: &Server) -> String {
    let (clusters, of_clusters) = clusters(server);
    let (backends, of_backends) = backends(server);
    let (requests, latency) = requests(server);
    let delays = &server.delays;
    let mut handshakes = Counts::default();
    delays.handshake_times.iter().for_each(|times| handshakes.add(&times.counts()));
    let group = proxy_state::group();
    json!({
        "version": crate::VERSION,
        "started_s": since_epoch(started()).as_secs(),
        "now_ms": u64::try_from(since_epoch(SystemTime::now()).as_millis()).unwrap_or(u64::MAX),
        "pid": std::process::id(),
        "listen": {
            "http": server.config.server.http.to_string(),
            "https": server.config.server.https.to_string(),
        },
        "bounds_us": BOUNDS_US,
        "requests": requests,
        "latency": latency,
        "requests_active": group.get(proxy_state::CLIENT_REQ_ACTIVE),
        "connections": connections(),
        "connections_active": group.get(proxy_state::CLIENT_CONN_ACTIVE),
        "handshakes": {
            "all": group.get(proxy_state::TLS_HANDSHAKE_ALL),
            "succeeded": group.get(proxy_state::TLS_HANDSHAKE_SUCC),
            "times": histogram(&handshakes),
        },
        "counters": counters(server),
        "clusters": clusters,
        "clusters_total": of_clusters,
        "backends": backends,
        "backends_total": of_backends.0,
        "backends_up": of_backends.1,
        "reloads": reloads(server),
        "versions": server.live.versions().into_iter().map(|(file, v)| json!([file, v])).collect::<Vec<_>>(),
        "modules": server.modules,
        "process": super::metrics::process::Figures::now(),
    })
    .to_string()
}

fn since_epoch(at: SystemTime) -> std::time::Duration {
    at.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn histogram(counts: &Counts) -> Value {
    json!({"buckets": counts.buckets, "sum_us": counts.sum_us})
}

/// Requests by class of their status, and what all of them took.
fn requests(server: &Server) -> (Value, Value) {
    let data = server.live.data.load();
    let (products, none) = data.products();
    let mut classes = [0; CLASSES.len()];
    let mut all = Counts::default();
    for stats in products.map(|(_, stats)| stats).chain([none]) {
        for (class, counts) in classes.iter_mut().zip(stats.counts()) {
            *class += counts.count();
            all.add(&counts);
        }
    }
    let classes: Map<_, _> = CLASSES.iter().zip(classes).map(|(c, n)| ((*c).to_owned(), json!(n))).collect();
    (Value::Object(classes), histogram(&all))
}

/// By protocol: how many there have been, how many are open.
fn connections() -> Value {
    let of = |traffic: Traffic| (traffic.proto.as_str().to_owned(), json!(traffic.connections));
    Value::Object(state::traffic().map(of).collect())
}

/// Counters that have moved, of all groups, without those that count what goes well.
fn counters(server: &Server) -> Value {
    let of_trouble = |name: &str| {
        ["ERR", "FAIL", "PANIC", "TIMEOUT", "REFUSE", "RETRY"].iter().any(|word| name.contains(word))
    };
    let all = server.web.metrics.iter().map(|m: &std::sync::Arc<Metrics>| m.group());
    let moved = all.flat_map(|group| group.values().map(move |value| (group.prefix(), value)));
    let moved = moved.filter(|(_, (name, is_gauge, value))| !is_gauge && *value != 0 && of_trouble(name));
    Value::Object(
        moved.map(|(prefix, (name, _, value))| (format!("{prefix}_{name}"), json!(value))).collect(),
    )
}

fn clusters(server: &Server) -> (Vec<Value>, usize) {
    let data = server.live.data.load();
    let balancers = server.live.balance.balancers();
    let mut all: Vec<_> = data.clusters().map(|c| (&c.conf.name, c.stats.counts())).collect();
    let total = all.len();
    all.sort_by_cached_key(|(name, (took, _))| (Reverse(took.count()), (*name).clone()));
    let shown = all.into_iter().take(MAX_CLUSTERS).map(|(name, (took, errors))| {
        let backends = balancers.get(name).map(|b| b.backends()).unwrap_or_default();
        json!({
            "name": &**name,
            "errors": errors,
            "times": histogram(&took),
            "backends": backends.len(),
            "up": backends.iter().filter(|b| b.avail()).count(),
        })
    });
    (shown.collect(), total)
}

/// The backends on the page; how many there are, and how many of them are in use.
fn backends(server: &Server) -> (Vec<Value>, (usize, usize)) {
    let mut all: Vec<_> = server.live.balance.balancers().values().flat_map(|b| b.backends()).collect();
    let of = (all.len(), all.iter().filter(|b| b.avail()).count());
    all.sort_by_cached_key(|b| (b.avail(), Reverse(b.requests()), b.cluster().clone(), b.name.clone()));
    let shown = all.iter().take(MAX_BACKENDS).map(|b| {
        json!({
            "cluster": &**b.cluster(),
            "sub_cluster": &*b.sub_cluster,
            "name": &*b.name,
            "addr": &*b.addr_info,
            "up": b.avail(),
            "active": b.conn_num(),
            "requests": b.requests(),
            "errors": b.errors(),
        })
    });
    (shown.collect(), of)
}

fn reloads(server: &Server) -> Vec<Value> {
    let last = server.reloads.last().into_iter().map(|reload| {
        let (ok, text) = match reload.result {
            Ok(text) => (true, text),
            Err(text) => (false, text),
        };
        json!({
            "at_s": since_epoch(reload.at).as_secs(),
            "took_ms": u64::try_from(reload.took.as_millis()).unwrap_or(u64::MAX),
            "name": reload.name,
            "ok": ok,
            "text": text,
        })
    });
    last.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_want_pages_and_curl_does_not() {
        for (accept, wants) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("application/json, text/html;q=0.1", true),
            ("*/*", false),
            ("", false),
            ("text/plain", false),
        ] {
            assert_eq!(wants_page(accept), wants, "{accept}");
        }
    }

    #[test]
    fn the_page_is_small_and_asks_nobody_else() {
        let page = include_str!("page.html");
        assert!(page.len() < 40 * 1024, "{} bytes", page.len());
        for word in ["http://", "https://", "//cdn", "@import", "innerHTML", "src="] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
