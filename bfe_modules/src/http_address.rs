//! Where a service is that modules ask: a URL, taken apart.

use crate::side_tls;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bfe_http::Url;
use bfe_http::transport::Kind;
use bfe_http::transport::side::SideClient;
use bfe_http::url::unescape;
use bytes::Bytes;
use std::borrow::Cow;

/// An `http` or `https` URL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) is_tls: bool,
    /// Host and port to connect to.
    pub(crate) connect: String,
    /// Value of `Host`.
    pub(crate) host: String,
    /// Path and query.
    pub(crate) target: Bytes,
    /// Value of `Authorization` for the user in the URL; `None` without one.
    pub(crate) authorization: Option<String>,
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err("there are blanks or control characters in it".into());
        }
        let text = text.split('#').next().unwrap_or_default();
        let (scheme, rest) = text.split_once("://").ok_or("expected http://host or https://host")?;
        let (is_tls, port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (false, "80"),
            "https" => (true, "443"),
            _ => return Err(format!("{scheme} is neither http nor https")),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if host.is_empty() || host.starts_with(':') {
            return Err("there is no host in it".into());
        }
        let given = host.rsplit_once(':').filter(|(name, _)| !name.starts_with('[') || name.ends_with(']'));
        let connect = match given {
            Some((name, "")) => format!("{name}:{port}"),
            Some((_, number)) if number.parse::<u16>().is_err() => {
                return Err(format!("invalid port {number:?}"));
            }
            Some(_) => host.to_owned(),
            None => format!("{host}:{port}"),
        };
        // Its own rules are those of targets; what it has to say of escapes is right here too.
        let target = Bytes::from(if path.starts_with('/') { path.to_owned() } else { format!("/{path}") });
        Url::parse_request_uri(&target).map_err(|e| e.to_string())?;
        let authorization = user.map(credentials).transpose()?;
        Ok(Self { is_tls, connect, host: host.to_owned(), target, authorization })
    }

    /// Connections to it.
    ///
    /// # Errors
    /// Where there is no TLS to be had.
    pub(crate) fn client(&self) -> Result<SideClient, String> {
        let kind = if self.is_tls { Kind::Https(side_tls::by_system_roots()?) } else { Kind::Http };
        Ok(SideClient::new(kind, &self.connect))
    }
}

/// `user:password` of a URL as a client sends it.
fn credentials(user: &str) -> Result<String, String> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let plain = |text: &str| unescape(text.as_bytes(), false).map(Cow::into_owned);
    let (name, password) = plain(name).zip(plain(password)).ok_or("invalid escape in the user")?;
    Ok(format!("Basic {}", STANDARD.encode([&name[..], b":", &password].concat())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, connect, host, target) in [
            ("http://h", "h:80", "h", "/"),
            ("HTTPS://h/", "h:443", "h", "/"),
            ("http://h:8080?a=b", "h:8080", "h:8080", "/?a=b"),
            ("http://h:/x/%41?q#f", "h:80", "h:", "/x/%41?q"),
            ("http://[::1]/x", "[::1]:80", "[::1]", "/x"),
            ("http://[::1]:81/x", "[::1]:81", "[::1]:81", "/x"),
            ("http://u:p@h/@", "h:80", "h", "/@"),
        ] {
            let address = Address::parse(text).unwrap();
            let found = (address.connect.as_str(), address.host.as_str(), address.target.as_ref());
            assert_eq!(found, (connect, host, target.as_bytes()), "{text}");
            assert_eq!(address.is_tls, text.starts_with("HTTPS"), "{text}");
        }
        let user = |text: &str| Address::parse(text).unwrap().authorization;
        assert_eq!(user("http://a%40b:c@h").as_deref(), Some("Basic YUBiOmM="));
        assert_eq!(user("http://a@h").as_deref(), Some("Basic YTo="));
        assert_eq!(user("http://h"), None);
        for wrong in [
            "h",
            "ftp://h",
            "http://",
            "http://:80",
            "http:// h",
            "http://h:x",
            "http://h/%zz",
            "http://%z@h",
        ] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }
}
