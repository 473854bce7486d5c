//! From a request to the monitor port to its answer (monitor 1.1 to 1.3).

use super::{pages, prometheus};
use crate::server::Server;
use bfe_http::url::unescape;
use bfe_module::Query;
use bfe_module::metrics::json_string;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An answer of the monitor port.
pub(super) struct Answer {
    pub(super) body: String,
    pub(super) content_type: Option<&'static str>,
    /// Where the path should have been asked for.
    pub(super) location: Option<String>,
}

impl Answer {
    /// Text or JSON. Without any, there is no type either.
    pub(super) fn text(body: String) -> Self {
        let content_type = (!body.is_empty()).then_some("text/plain; charset=utf-8");
        Self { body, content_type, location: None }
    }

    pub(super) fn html(body: String) -> Self {
        Self { body, content_type: Some("text/html; charset=utf-8"), location: None }
    }
}

/// Answers a request.
pub(super) fn dispatch(
    server: &Server,
    site: &pages::Site,
    path: &str,
    query: &str,
    peer: SocketAddr,
) -> Answer {
    let path = unescape(path.as_bytes(), false).unwrap_or_default();
    let path = String::from_utf8_lossy(&path);
    if let Some(clean) = unclean(&path) {
        let location = if query.is_empty() { clean } else { format!("{clean}?{query}") };
        return Answer { location: Some(location), ..Answer::html(String::new()) };
    }
    let rest = path.strip_prefix('/').unwrap_or(&path);
    let (command, name) = rest.split_once('/').map_or((rest, None), |(c, n)| (c, Some(n)));
    let query = Query::parse(query);
    match (command, name) {
        ("", _) => Answer::html(site.index()),
        ("metrics", None) => Answer {
            content_type: Some("text/plain; version=0.0.4; charset=utf-8"),
            ..Answer::text(prometheus::text(&server.web, &server.live))
        },
        ("monitor", None) => Answer::html(site.section("monitor", server.web.monitor.keys())),
        ("reload", None) => Answer::html(site.section("reload", server.web.reload.keys())),
        ("monitor", Some(name)) => match server.web.monitor.get(name) {
            Some(handler) => Answer::text(handler(&query).unwrap_or_else(|e| error(&e))),
            None => Answer::text(unknown("monitor", name)),
        },
        ("reload", Some(name)) => Answer::text(reload(server, name, &query, peer)),
        _ => Answer::text(error(&format!("invalid command [{command}]"))),
    }
}

fn reload(server: &Server, name: &str, query: &Query, peer: SocketAddr) -> String {
    if !may_reload(peer.ip()) {
        log::warn!("MonitorServer: reload blocked, cmd=[{name}] from[{peer}]");
        return error(&format!("reload is not allowed from [{peer}]"));
    }
    let Some(handler) = server.web.reload.get(name) else { return unknown("reload", name) };
    match handler(query) {
        Ok(version) => {
            log::info!("MonitorServer:Reload through web, cmd=[{name}], params=[{query}] from[{peer}]");
            match version {
                Some(version) => format!("{{\"error\":null,\"version\":{}}}", json_string(&version)),
                None => "{\"error\":null}".into(),
            }
        }
        Err(e) => {
            log::error!(
                "MonitorServer:Reload through web failed, cmd=[{name}], params=[{query}] from[{peer}]: {e}"
            );
            error(&e)
        }
    }
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

    #[test]
    fn errors_are_json_whatever_they_say() {
        assert_eq!(error("a \"b\"\n"), r#"{"error":"a \"b\"\n"}"#);
    }
}
