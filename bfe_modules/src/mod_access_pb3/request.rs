//! Records of requests (modules-traffic 2.4, `RequestLog`).

use super::{Now, PRODUCT, ai, connection, id, low, millis, tag, v4};
use crate::protobuf::Message;
use bfe_basic::Request;
use bfe_http::{Header, Response};
use std::net::IpAddr;

/// Writes a `BfeLog` about a request.
pub(super) fn log(message: &mut Message<'_>, now: Now, req: &Request, res: Option<&Response>) {
    message.number(1, PRODUCT);
    message.number(2, now.seconds);
    message.number(3, id(&req.log_id));
    let product = if req.route.product.is_empty() { "bfe" } else { &req.route.product };
    message.text(26, tag(if req.error_code.is_some() { "req_err_" } else { "req_" }, product).as_bytes());
    message.number(200, 0);
    message.message(210, |log| {
        basic(log, req);
        head(log, req);
        place(log, req);
        if let Some(res) = res {
            response(log, req, res);
        }
        times(log, now, req);
        ai::fields(log, req);
    });
}

/// What went wrong, lengths, and who it was.
fn basic(log: &mut Message<'_>, req: &Request) {
    let session = &req.session;
    log.text(3, req.error_code.map_or("", |code| code.as_str()).as_bytes());
    log.text(4, req.error_msg.as_bytes());
    log.number(5, low(req.stat.header_len_in));
    log.number(6, low(req.stat.body_len_in));
    log.number(7, id(&session.id.borrow()));
    log.message(8, |info| connection(info, session));
    let client = req.client_addr.map(|a| a.ip());
    log.number(9, v4(client));
    log.number(11, req.http.state.serial_number.into());
    let is_v6 = if session.trust_source.get() {
        req.http.header.get("Clientip6").is_some_and(|value| !value.is_empty())
    } else {
        req.remote_addr.is_some_and(|a| a.is_ipv6())
    };
    log.number(13, is_v6.into());
    if let Some(IpAddr::V6(ip)) = client {
        log.text(14, ip.to_string().as_bytes());
    }
}

/// What it asked for.
fn head(log: &mut Message<'_>, req: &Request) {
    let (http, header) = (&req.http, &req.http.header);
    let told = header.get("X-Bfe-Proto").filter(|told| req.session.trust_source.get() && !told.is_empty());
    log.text(41, told.unwrap_or_else(|| req.protocol()));
    log.text(42, &http.host);
    log.text(43, &http.request_uri);
    let now = http.url.request_uri();
    if now != http.request_uri {
        log.text(44, &now);
    }
    for (field, name) in [
        (45, "Referer"),
        (47, "X-Forwarded-For"),
        (48, "Accept-Language"),
        (49, "Authorization"),
        (50, "User-Agent"),
    ] {
        joined(log, field, header, name);
    }
    log.text(52, &http.method);
}

/// Where it went.
fn place(log: &mut Message<'_>, req: &Request) {
    let backend = &req.backend;
    log.text(101, req.route.product.as_bytes());
    log.text(102, backend.cluster.as_bytes());
    log.text(103, backend.sub_cluster.as_bytes());
    let addr = backend.addr.rsplit_once(':');
    if let Some((ip, port)) = addr
        && let Ok(ip @ IpAddr::V4(_)) = ip.parse()
    {
        log.message(104, |info| {
            info.number(1, v4(Some(ip)));
            info.number(2, port.parse().unwrap_or_default());
        });
    }
    log.number(105, req.retry_time.into());
}

/// What the answer was.
fn response(log: &mut Message<'_>, req: &Request, res: &Response) {
    log.number(151, res.status.into());
    log.number(152, low(req.stat.header_len_out));
    log.number(153, low(req.stat.body_len_out));
    joined(log, 154, &res.header, "Content-Type");
    joined(log, 155, &res.header, "Location");
}

/// How long things took.
fn times(log: &mut Message<'_>, now: Now, req: &Request) {
    let (stat, state) = (&req.stat, &req.http.state);
    log.number(201, millis(stat.read_req_start, Some(now.instant)));
    log.number(202, millis(stat.read_req_start, stat.read_req_end));
    log.number(203, millis(stat.cluster_start, stat.cluster_end));
    log.number(204, millis(stat.backend_start, stat.backend_end));
    log.number(205, millis(stat.response_start, stat.response_end));
    log.number(206, millis(req.session.start.map(|(at, _)| at), stat.response_end));
    let connect = match (state.connect_backend_start, state.connect_backend_end) {
        (Some(start), Some(end)) if end >= start => millis(Some(start), Some(end)),
        _ => 0,
    };
    log.number(207, connect);
    log.number(208, millis(stat.read_req_end, stat.backend_first));
}

/// All values of a header field, joined by commas, where it is there.
fn joined(log: &mut Message<'_>, field: u32, header: &Header, name: &str) {
    let mut values = header.get_all(name);
    let Some(first) = values.next() else { return };
    let Some(second) = values.next() else { return log.text(field, first) };
    let mut all = [first, b",", second].concat();
    for value in values {
        all.push(b',');
        all.extend_from_slice(value);
    }
    log.text(field, &all);
}
