//! The items of request lines (modules-traffic 1.4).

use super::clock::Moment;
use super::item::RequestItem as Item;
use super::output::{Out, millis};
use super::template::Fill;
use crate::set_cookie::{SET_COOKIE, SetCookie};
use bfe_basic::{ErrorCode, Request};
use bfe_http::{Response, Url, Version};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::time::{Duration, Instant, SystemTime};

/// What a request line is made from. The clocks are read once, and only where an item wants them.
pub(super) struct RequestFacts<'r> {
    req: &'r Request,
    res: Option<&'r Response>,
    instant: OnceCell<Instant>,
    wall: OnceCell<Moment>,
}

impl<'r> RequestFacts<'r> {
    pub(super) fn new(req: &'r Request, res: Option<&'r Response>) -> Self {
        Self { req, res, instant: OnceCell::new(), wall: OnceCell::new() }
    }

    fn now(&self) -> Instant {
        *self.instant.get_or_init(Instant::now)
    }

    fn time(&self) -> Moment {
        *self.wall.get_or_init(|| SystemTime::now().into())
    }
}

impl Fill<Item> for RequestFacts<'_> {
    fn fill(&self, item: &Item, out: &mut impl Out) {
        let (req, stat) = (self.req, &self.req.stat);
        match item {
            Item::Time => out.time(&self.time()),
            Item::AllTime => span(out, stat.read_req_start, Some(self.now())),
            Item::Backend => backend(out, req),
            Item::ClusterDuration => span(out, stat.cluster_start, stat.cluster_end),
            Item::ClusterName => text_or_dash(out, req.backend.cluster.as_bytes()),
            Item::ConnectTime => connect_time(out, req),
            Item::Error => error(out, req.error_code, &req.error_msg),
            Item::Host => out.text(&[&req.http.host]),
            Item::IsTrustClientIp => out.boolean(req.session.trust_source.get()),
            Item::LastBackendDuration => span(out, stat.backend_start, stat.backend_end),
            Item::LogId => out.text(&[req.log_id.as_bytes()]),
            Item::Product => text_or_dash(out, req.route.product.as_bytes()),
            Item::ProxyDelay => span_or_dash(out, stat.read_req_end, stat.backend_first),
            Item::ReadReqDuration => span(out, stat.read_req_start, stat.read_req_end),
            Item::ReadWriteServeTime => {
                span_or_dash(out, stat.backend_start, stat.backend_start.map(|_| self.now()));
            }
            Item::Redirect => redirect(out, req),
            Item::RemoteAddr => match req.remote_addr {
                Some(addr) => out.ip(addr.ip()),
                None => out.absent(),
            },
            Item::ReqBodyLen => out.number(stat.body_len_in),
            Item::ReqCookie(name) => match req.cookies().get(name.as_bytes()) {
                Some(value) => out.text(&[value]),
                None => out.absent(),
            },
            Item::ReqHeader(name) => text_or_dash(out, req.http.header.get(name).unwrap_or_default()),
            Item::ReqNth => out.number(req.http.state.serial_number.into()),
            Item::ReqUri => out.text(&[&req.http.request_uri]),
            Item::RequestLine => {
                out.text(&[&req.http.method, b" ", &req.http.request_uri, b" ", &req.http.proto]);
            }
            Item::RequestTime => match stat.read_req_start {
                Some(start) => out.common_time(&self.time().moved(self.now(), start)),
                None => out.absent(),
            },
            Item::ResBodyLen => out.number(stat.body_len_out),
            Item::Subcluster => out.text(&[req.backend.sub_cluster.as_bytes()]),
            Item::ResponseDuration => span(out, stat.response_start, stat.response_end),
            Item::RetryNum => out.number(req.retry_time.into()),
            Item::ServerAddr => match req.session.local_addr {
                Some(addr) => out.addr(addr),
                None => out.absent(),
            },
            Item::SinceSesStartTime => span(out, req.session.start.map(|(at, _)| at), Some(self.now())),
            Item::Url => url(out, &req.http.url),
            Item::Vip => match req.session.vip {
                Some(vip) => out.ip(vip),
                None => out.absent(),
            },
            Item::ResCookie(_) | Item::ResHeader(_) | Item::ResLen | Item::ResProto | Item::StatusCode => {
                match self.res {
                    Some(res) => response(out, item, req, res),
                    None => out.absent(),
                }
            }
        }
    }
}

/// The items that there are with a response only.
fn response(out: &mut impl Out, item: &Item, req: &Request, res: &Response) {
    match item {
        Item::StatusCode => out.number(res.status.into()),
        Item::ResLen => out.number(req.stat.header_len_out.saturating_add(req.stat.body_len_out)),
        Item::ResProto => match res.version {
            Some(Version::HTTP_11) => out.plain("HTTP/1.1"),
            Some(version) => out.plain(&format!("HTTP/{}.{}", version.major, version.minor)),
            None => out.nothing(),
        },
        Item::ResCookie(name) => {
            let mut lines = res.header.get_all(SET_COOKIE).filter_map(SetCookie::parse);
            match lines.find(|cookie| cookie.name == name.as_bytes()) {
                Some(cookie) => out.text(&[&cookie.value]),
                None => out.absent(),
            }
        }
        Item::ResHeader(Some(name)) => {
            let mut values = res.header.get_all(name);
            match (values.next(), values.next()) {
                (None, _) => out.absent(),
                (Some(only), None) => out.text(&[only]),
                (Some(first), Some(second)) => {
                    let mut parts = vec![first, &b","[..], second];
                    for value in values {
                        parts.extend([&b","[..], value]);
                    }
                    out.text(&parts);
                }
            }
        }
        _ => out.absent(),
    }
}

fn text_or_dash(out: &mut impl Out, text: &[u8]) {
    if text.is_empty() { out.absent() } else { out.text(&[text]) }
}

/// Milliseconds between two times; 0 where one is missing.
fn span(out: &mut impl Out, from: Option<Instant>, to: Option<Instant>) {
    out.number(between(from, to).map_or(0, millis));
}

/// Milliseconds between two times, where both are there.
fn span_or_dash(out: &mut impl Out, from: Option<Instant>, to: Option<Instant>) {
    match between(from, to) {
        Some(span) => out.number(millis(span)),
        None => out.absent(),
    }
}

fn between(from: Option<Instant>, to: Option<Instant>) -> Option<Duration> {
    Some(to?.saturating_duration_since(from?))
}

/// Nothing where the way ended before the request was prepared for a backend.
fn connect_time(out: &mut impl Out, req: &Request) {
    if req.stat.cluster_start.is_none() {
        return out.nothing();
    }
    let state = &req.http.state;
    match (state.connect_backend_start, state.connect_backend_end) {
        (Some(start), Some(end)) if end < start => out.absent(),
        (start, end) => span(out, start, end),
    }
}

/// `CODE` or `CODE,message`.
pub(super) fn error(out: &mut impl Out, code: Option<ErrorCode>, message: &str) {
    match code {
        None => out.absent(),
        Some(code) if message.is_empty() => out.text(&[code.as_str().as_bytes()]),
        Some(code) => out.text(&[code.as_str().as_bytes(), b",", message.as_bytes()]),
    }
}

/// `cluster,subcluster,addr,name`, the address without its port.
fn backend(out: &mut impl Out, req: &Request) {
    let backend = &req.backend;
    let addr = backend.addr.rsplit_once(':').map_or(&*backend.addr, |(addr, _)| addr);
    out.text(&[
        backend.cluster.as_bytes(),
        b",",
        backend.sub_cluster.as_bytes(),
        b",",
        addr.as_bytes(),
        b",",
        backend.name.as_bytes(),
    ]);
}

/// `url,code`
fn redirect(out: &mut impl Out, req: &Request) {
    if req.redirect.url.is_empty() {
        return out.absent();
    }
    out.text(&[&req.redirect.url, b",", itoa::Buffer::new().format(req.redirect.code).as_bytes()]);
}

/// The URL as it is now: once forwarded, that of the backend.
fn url(out: &mut impl Out, url: &Url) {
    // What is not there is empty.
    let given = |there: bool, text: &'static [u8]| if there { text } else { b"" };
    let (scheme, host) = (url.scheme.as_ref(), url.host.as_ref());
    let has_query = url.force_query || !url.raw_query.is_empty();
    let path = if url.opaque.is_empty() { url.escaped_path() } else { Cow::Borrowed(url.opaque.as_ref()) };
    let has_authority = url.opaque.is_empty() && !(scheme.is_empty() && host.is_empty());
    out.text(&[
        scheme,
        given(!scheme.is_empty(), b":"),
        given(has_authority, b"//"),
        if has_authority { host } else { b"" },
        given(has_authority && !host.is_empty() && !path.is_empty() && !path.starts_with(b"/"), b"/"),
        &path,
        given(has_query, b"?"),
        &url.raw_query,
    ]);
}
