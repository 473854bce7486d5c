//! The client's address (lifecycle 7.2).

use bfe_basic::Request;
use std::net::{IpAddr, SocketAddr};

/// Decides who the client is: the peer, or what a trusted peer says.
pub(super) fn set(req: &mut Request) {
    if !req.session.trust_source.get() {
        return;
    }
    let header = &req.http.header;
    let real = header.get("X-Real-Ip").filter(|v| !v.is_empty());
    let (ip, port) = match real {
        Some(ip) => (Some(ip), header.get("X-Real-Port")),
        None => (first_of(header.get("X-Forwarded-For")), first_of(header.get("X-Forwarded-Port"))),
    };
    let parse = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<IpAddr>().ok();
    let port = port.and_then(|p| std::str::from_utf8(p).ok()?.parse().ok()).unwrap_or(0);
    req.client_addr = ip.and_then(parse).map(|ip| SocketAddr::new(ip.to_canonical(), port));
    req.client_ip_mapped = true;
}

/// The first element of a list of the first field.
fn first_of(list: Option<&[u8]>) -> Option<&[u8]> {
    list?.split(|b| *b == b',').next().map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn life_54_who_the_client_is() {
        let peer: SocketAddr = "10.0.0.1:999".parse().unwrap();
        for (trusted, fields, want) in [
            (false, &[("X-Real-Ip", "1.2.3.4")][..], Some("10.0.0.1:999")),
            (true, &[("X-Real-Ip", "1.2.3.4"), ("X-Real-Port", "80")][..], Some("1.2.3.4:80")),
            (true, &[("X-Real-Ip", "1.2.3.4"), ("X-Real-Port", "x")][..], Some("1.2.3.4:0")),
            (true, &[("X-Real-Ip", "bad"), ("X-Forwarded-For", "1.1.1.1")][..], None),
            (
                true,
                &[("X-Forwarded-For", " 5.6.7.8 , 9.9.9.9"), ("X-Forwarded-Port", "81,82")][..],
                Some("5.6.7.8:81"),
            ),
            (true, &[][..], None),
        ] {
            let session = bfe_basic::Session { remote_addr: Some(peer), ..Default::default() };
            session.trust_source.set(trusted);
            let mut req = Request::new(Rc::new(session), bfe_http::Request::new("GET", "/", "a").unwrap());
            for (name, value) in fields {
                req.http.header.add(*name, *value);
            }
            set(&mut req);
            assert_eq!(req.client_addr, want.map(|w| w.parse().unwrap()), "{fields:?}");
        }
    }
}
