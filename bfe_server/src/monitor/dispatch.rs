//! From a request to the monitor port to its answer (monitor 1.1 to 1.3).

use super::answer::Answer;
use super::{debug, live, metrics, pages};
use crate::reload_history::{Reload, changes};
use crate::server::Server;
use bfe_basic::condition::quote;
use bfe_basic::pace;
use bfe_http::url::unescape;
use bfe_module::Query;
use bfe_module::metrics::json_string;
use hyper::Method;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// What is asked for.
pub(super) struct Ask {
    /// Matters for redirects only.
    pub(super) method: Method,
    /// Path and query as they were sent.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) peer: SocketAddr,
    /// Whether it is a browser that asks.
    pub(super) wants_page: bool,
}

/// Answers a request.
pub(super) async fn dispatch(server: Arc<Server>, site: &pages::Site, ask: Ask) -> Answer {
    let path = unescape(ask.path.as_bytes(), false).unwrap_or_default();
    let path = String::from_utf8_lossy(&path).into_owned();
    // What is to be connected to is no path.
    if let Some(clean) = unclean(&path).filter(|_| ask.method != Method::CONNECT) {
        let location = if ask.query.is_empty() { clean } else { format!("{clean}?{}", ask.query) };
        return Answer::redirect(&location, &ask.method);
    }
    let rest = path.strip_prefix('/').unwrap_or(&path);
    let (command, name) = rest.split_once('/').map_or((rest, None), |(c, n)| (c, Some(n.to_owned())));
    let query = Query::parse(&ask.query);
    match (command, name) {
        ("", None) if ask.wants_page => live::page(),
        ("", _) => Answer::html(site.index()),
        ("live", None) => live::page(),
        ("live.json", None) => {
            Answer::new("application/json", aside("live", move || live::data(&server)).await)
        }
        ("metrics", None) => {
            let page = aside("metrics", move || metrics::text(&server)).await;
            Answer::new("text/plain; version=0.0.4; charset=utf-8", page)
        }
        ("monitor", None) => Answer::html(site.section("monitor", server.web.monitor.keys())),
        ("reload", None) => Answer::html(site.section("reload", server.web.reload.keys())),
        ("debug", None) => Answer::html(site.section("debug", debug::NAMES)),
        ("debug", Some(name)) => match debug::answer(&name, &query).await {
            Some(answer) => answer,
            None => Answer::text(unknown("debug", &name)),
        },
        ("monitor", Some(name)) => Answer::text(
            aside("monitor", move || match server.web.monitor.get(&name) {
                Some(handler) => handler(&query).unwrap_or_else(|e| error(&e)),
                None => unknown("monitor", &name),
            })
            .await,
        ),
        ("reload", Some(name)) => {
            Answer::text(aside("reload", move || reload(&server, &name, &query, ask.peer)).await)
        }
        _ => Answer::text(error(&format!("invalid command [{command}]"))),
    }
}

/// Makes an answer on a thread of its own, with rests: handlers read files and build tables, and that is no work
/// for a thread that others wait for. One that panics is an error like any other.
async fn aside(kind: &'static str, make: impl FnOnce() -> String + Send + 'static) -> String {
    match tokio::task::spawn_blocking(|| pace::gently(make)).await {
        Ok(text) => text,
        Err(failed) => {
            let why = failed.try_into_panic().map_or_else(
                |e| e.to_string(),
                |panic| {
                    let text = panic.downcast_ref::<&str>().map(|t| (*t).to_owned());
                    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
                },
            );
            log::warn!("MonitorServer: {kind} panic: {why}");
            error(&format!("{kind} panic:{why}"))
        }
    }
}

fn reload(server: &Server, name: &str, query: &Query, peer: SocketAddr) -> String {
    if !may_reload(peer.ip()) {
        // The name is whatever somebody sent.
        log::warn!("MonitorServer: reload blocked, cmd=[{}] from[{peer}]", name.escape_debug());
        return error(&format!("reload is not allowed from [{peer}]"));
    }
    let Some(handler) = server.web.reload.get(name) else { return unknown("reload", name) };
    let (begin, before) = (Instant::now(), server.live.summary());
    let result = handler(query);
    let took = begin.elapsed();
    let (answer, result) = match result {
        Ok(version) => {
            let changed = match &version {
                Some(version) => format!("loaded {version}"),
                // What changed inside a module, only the module knows.
                None if name.starts_with("mod_") => "loaded".into(),
                None => changes(&before, &server.live.summary()),
            };
            log::info!(
                "MonitorServer:Reload through web, cmd=[{name}], params=[{query}] from[{peer}]: {changed}, {took:?}"
            );
            let answer = match version {
                Some(version) => format!("{{\"error\":null,\"version\":{}}}", quote(&version)),
                None => "{\"error\":null}".into(),
            };
            (answer, Ok(changed))
        }
        Err(e) => {
            log::error!(
                "MonitorServer:Reload through web failed, cmd=[{name}], params=[{query}] from[{peer}]: {e}"
            );
            (error(&e), Err(e))
        }
    };
    server.reloads.add(Reload { at: SystemTime::now(), took, name: name.to_owned(), result });
    answer
}

/// Reloads come from this machine only.
fn may_reload(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    ip == IpAddr::V4(Ipv4Addr::LOCALHOST) || ip == IpAddr::V6(Ipv6Addr::LOCALHOST)
}

fn error(text: &str) -> String {
    format!("{{\"error\":{}}}", json_string(text))
}

fn unknown(kind: &str, name: &str) -> String {
    error(&format!("handler not exist, type[{kind}], command[{name}]"))
}

/// The clean form of a path that has empty or dot elements.
fn unclean(path: &str) -> Option<String> {
    let mut kept = Vec::new();
    for element in path.split('/') {
        match element {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            element => kept.push(element),
        }
    }
    let mut clean = format!("/{}", kept.join("/"));
    if path.ends_with('/') && clean != "/" {
        clean.push('/');
    }
    (clean != path).then_some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cfg_141_reloads_from_this_machine_only() {
        for (ip, allowed) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("127.0.0.2", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(may_reload(ip.parse().unwrap()), allowed, "{ip}");
        }
    }

    #[test]
    fn unclean_paths_are_sent_on() {
        for (path, clean) in [
            ("/", None),
            ("/monitor/x", None),
            ("/monitor/", None),
            ("//monitor", Some("/monitor")),
            ("/a/../monitor/./x", Some("/monitor/x")),
        ] {
            assert_eq!(unclean(path).as_deref(), clean, "{path}");
        }
    }

    #[tokio::test]
    async fn mon_18_a_handler_that_panics_is_an_error() {
        assert_eq!(aside("monitor", || panic!("a {}", "b")).await, r#"{"error":"monitor panic:a b"}"#);
        assert_eq!(aside("reload", || panic!("c")).await, r#"{"error":"reload panic:c"}"#);
        assert_eq!(aside("reload", || "fine".into()).await, "fine");
    }

    #[test]
    fn errors_are_json_whatever_they_say() {
        assert_eq!(error("a \"b\"\n"), r#"{"error":"a \"b\"\n"}"#);
    }
}
