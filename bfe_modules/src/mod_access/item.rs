//! What a template can name (modules-traffic 1.4).

use super::template::{Item, Named};
use bfe_http::canonical as canonical_name;

/// An item of a request line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RequestItem {
    Time,
    AllTime,
    Backend,
    ClusterDuration,
    ClusterName,
    ConnectTime,
    Error,
    Host,
    IsTrustClientIp,
    LastBackendDuration,
    LogId,
    Product,
    ProxyDelay,
    ReadReqDuration,
    ReadWriteServeTime,
    Redirect,
    RemoteAddr,
    ReqBodyLen,
    /// The name of the cookie.
    ReqCookie(Box<str>),
    /// The canonical name of the field.
    ReqHeader(Box<str>),
    ReqNth,
    ReqUri,
    RequestLine,
    RequestTime,
    ResBodyLen,
    /// The name of the cookie.
    ResCookie(Box<str>),
    /// The name of the field; `None` where it is not canonical: there never is such a field.
    ResHeader(Option<Box<str>>),
    ResLen,
    ResProto,
    ResponseDuration,
    RetryNum,
    ServerAddr,
    SinceSesStartTime,
    StatusCode,
    Subcluster,
    Url,
    Vip,
}

/// An item of a session line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionItem {
    Time,
    ClientIp,
    EndTime,
    Error,
    IsSecure,
    KeepaliveNum,
    Overhead,
    /// Nothing counts what is read and written: always 0.
    Total,
    StartTime,
    TlsClientRandom,
    TlsServerRandom,
    Use100,
}

/// The names of all items; none is the beginning of another.
const NAMES: [(&str, Kind); 50] = {
    use RequestItem as R;
    use SessionItem as S;
    [
        ("time", Kind::Both),
        ("all_time", Kind::Request(|_| R::AllTime)),
        ("backend", Kind::Request(|_| R::Backend)),
        ("cluster_duration", Kind::Request(|_| R::ClusterDuration)),
        ("cluster_name", Kind::Request(|_| R::ClusterName)),
        ("connect_time", Kind::Request(|_| R::ConnectTime)),
        ("error", Kind::Request(|_| R::Error)),
        ("host", Kind::Request(|_| R::Host)),
        ("is_trust_clientip", Kind::Request(|_| R::IsTrustClientIp)),
        ("last_backend_duration", Kind::Request(|_| R::LastBackendDuration)),
        ("log_id", Kind::Request(|_| R::LogId)),
        ("product", Kind::Request(|_| R::Product)),
        ("proxy_delay", Kind::Request(|_| R::ProxyDelay)),
        ("read_req_duration", Kind::Request(|_| R::ReadReqDuration)),
        ("readwrite_serve_time", Kind::Request(|_| R::ReadWriteServeTime)),
        ("redirect", Kind::Request(|_| R::Redirect)),
        ("remote_addr", Kind::Request(|_| R::RemoteAddr)),
        ("req_body_len", Kind::Request(|_| R::ReqBodyLen)),
        ("req_cookie", Kind::Request(|key| R::ReqCookie(key.into()))),
        ("req_header", Kind::Request(|key| R::ReqHeader(canonical(key)))),
        ("req_nth", Kind::Request(|_| R::ReqNth)),
        ("req_uri", Kind::Request(|_| R::ReqUri)),
        ("request_line", Kind::Request(|_| R::RequestLine)),
        ("request_time", Kind::Request(|_| R::RequestTime)),
        ("res_body_len", Kind::Request(|_| R::ResBodyLen)),
        ("res_cookie", Kind::Request(|key| R::ResCookie(key.into()))),
        ("res_header", Kind::Request(|key| R::ResHeader((*canonical(key) == *key).then(|| key.into())))),
        ("res_len", Kind::Request(|_| R::ResLen)),
        ("res_proto", Kind::Request(|_| R::ResProto)),
        ("response_duration", Kind::Request(|_| R::ResponseDuration)),
        ("retry_num", Kind::Request(|_| R::RetryNum)),
        ("server_addr", Kind::Request(|_| R::ServerAddr)),
        ("since_ses_start_time", Kind::Request(|_| R::SinceSesStartTime)),
        ("status_code", Kind::Request(|_| R::StatusCode)),
        ("subcluster", Kind::Request(|_| R::Subcluster)),
        ("url", Kind::Request(|_| R::Url)),
        ("vip", Kind::Request(|_| R::Vip)),
        // The time from the first backend's start, under its other name.
        ("write_serve_time", Kind::Request(|_| R::LastBackendDuration)),
        ("ses_clientip", Kind::Session(S::ClientIp)),
        ("ses_end_time", Kind::Session(S::EndTime)),
        ("ses_error", Kind::Session(S::Error)),
        ("ses_is_secure", Kind::Session(S::IsSecure)),
        ("ses_keepalive_num", Kind::Session(S::KeepaliveNum)),
        ("ses_overhead", Kind::Session(S::Overhead)),
        ("ses_read_total", Kind::Session(S::Total)),
        ("ses_start_time", Kind::Session(S::StartTime)),
        ("ses_tls_client_random", Kind::Session(S::TlsClientRandom)),
        ("ses_tls_server_random", Kind::Session(S::TlsServerRandom)),
        ("ses_use100", Kind::Session(S::Use100)),
        ("ses_write_total", Kind::Session(S::Total)),
    ]
};

/// Which lines an item is for.
#[derive(Clone, Copy)]
enum Kind {
    Both,
    /// Made from the key.
    Request(fn(&str) -> RequestItem),
    Session(SessionItem),
}

/// The canonical name of a header field; keys are text, so that this is too.
fn canonical(key: &str) -> Box<str> {
    String::from_utf8_lossy(&canonical_name(key.as_bytes())).into()
}

/// The item whose name `text` begins with.
fn find(text: &str) -> Option<(&'static str, Kind)> {
    NAMES.iter().find(|(name, _)| text.starts_with(name)).copied()
}

impl Item for RequestItem {
    fn find(text: &str, key: Option<&str>) -> Named<Self> {
        match find(text) {
            None => Named::Unknown,
            Some((_, Kind::Session(_))) => Named::Elsewhere,
            Some((name, Kind::Both)) => Named::Here(name, Self::Time),
            // Without a key, the name of the item is the key.
            Some((name, Kind::Request(make))) => Named::Here(name, make(key.unwrap_or(name))),
        }
    }

    fn member(&self, name: &str) -> String {
        match self {
            // Names of header fields have no case, those of cookies have.
            Self::ReqHeader(key) | Self::ResHeader(Some(key)) => {
                format!("{name}_{}", plain(key).to_ascii_lowercase())
            }
            Self::ReqCookie(key) | Self::ResCookie(key) => format!("{name}_{}", plain(key)),
            _ => name.to_owned(),
        }
    }
}

impl Item for SessionItem {
    fn find(text: &str, _key: Option<&str>) -> Named<Self> {
        match find(text) {
            None => Named::Unknown,
            Some((_, Kind::Request(_))) => Named::Elsewhere,
            Some((name, Kind::Both)) => Named::Here(name, Self::Time),
            Some((name, Kind::Session(item))) => Named::Here(name, item),
        }
    }

    fn member(&self, name: &str) -> String {
        name.to_owned()
    }
}

/// A key as part of a member's name: letters and digits stay, all else is `_`.
fn plain(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_no_name_is_the_beginning_of_another() {
        for (i, (name, _)) in NAMES.iter().enumerate() {
            for (j, (other, _)) in NAMES.iter().enumerate() {
                assert!(i == j || !other.starts_with(name), "{name} {other}");
            }
        }
    }
}
