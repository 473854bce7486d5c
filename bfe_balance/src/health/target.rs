//! Where a check goes to, and by what name.

use super::CheckError;
use crate::backend::Backend;
use crate::conf::cluster_conf::{CheckConf, HostType};
use std::net::IpAddr;
use tokio::net::TcpStream;

/// Address and port to connect to. A port in `CheckConf.Host` stands in for that of the backend.
pub(super) fn address(backend: &Backend, conf: &CheckConf) -> String {
    let mut parts = conf.host.split(':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(port), None) => format!("{}:{port}", backend.addr),
        _ => backend.addr_info.to_string(),
    }
}

/// The name for TLS and the `Host` field of an `https` or `tls` check. Empty where there is none.
pub(super) fn host_name<'a>(target: &'a str, conf: &'a CheckConf) -> &'a str {
    match conf.host_type {
        HostType::Host => &conf.host,
        HostType::InstanceIp => ip_text(target),
    }
}

/// The IP address of `addr:port`, IPv6 in its brackets. Empty where it is a name.
fn ip_text(target: &str) -> &str {
    let text = match target.rfind(']') {
        Some(end) if target.starts_with('[') => target.get(..=end).unwrap_or_default(),
        _ => target.split(':').next().unwrap_or_default(),
    };
    if unbracketed(text).parse::<IpAddr>().is_ok() { text } else { "" }
}

/// An IPv6 address without its brackets; anything else as it is.
pub(super) fn unbracketed(text: &str) -> &str {
    text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text)
}

/// Connects to `addr:port`; a name is resolved by the control runtime's own threads.
pub(super) async fn connect(target: &str) -> Result<TcpStream, CheckError> {
    Ok(TcpStream::connect(bfe_http::transport::dialled(target).as_ref()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bal_79_instance_ip() {
        for (target, want) in [
            ("1.2.3.4:80", "1.2.3.4"),
            ("[::1]:80", "[::1]"),
            ("name:80", ""),
            ("[name]:80", ""),
            ("1.2.3.4", "1.2.3.4"),
        ] {
            let conf = CheckConf { host_type: HostType::InstanceIp, ..CheckConf::default() };
            assert_eq!(host_name(target, &conf), want, "{target}");
        }
        let conf = CheckConf { host: "h:8".into(), ..CheckConf::default() };
        assert_eq!(host_name("1.2.3.4:80", &conf), "h:8");
    }
}
