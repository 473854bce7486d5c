//! The files of `tls_conf/` (tls 3).

pub(crate) mod client_auth;
mod pem;
pub(crate) mod server_cert_conf;
pub(crate) mod session_ticket_key;
pub(crate) mod tls_rule_conf;

use std::collections::HashMap;

/// Maps by text.
pub(crate) type Map<K, V> = HashMap<K, V>;

/// Whether a name with `*` as some of its labels covers a host: the same number of labels, each equal byte by
/// byte or `*` (tls 4).
pub(crate) fn covers(name: &str, host: &str) -> bool {
    if name.is_empty() || host.is_empty() {
        return false;
    }
    let mut labels = host.split('.');
    name.split('.').all(|want| labels.next().is_some_and(|label| want == "*" || want == label))
        && labels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn tls_20_a_star_covers_one_label() {
        for (name, host, want) in [
            ("*.example.org", "a.example.org", true),
            ("*.example.org", "a.b.example.org", false),
            ("*.example.org", "example.org", false),
            ("a.*.org", "a.b.org", true),
            ("*.*", "a.b", true),
            ("a*.org", "ab.org", false),
            ("example.org", "example.org", true),
            ("example.org", "EXAMPLE.org", false),
            ("example.org", "example.org.", false),
            ("*.example.org", "*.example.org", true),
            ("", "", false),
        ] {
            assert_eq!(covers(name, host), want, "{name} {host}");
        }
    }
}
