//! Host names in the form in which they are compared: lower case, without port and without one trailing dot.

/// Names up to this length are folded without an allocation.
const ON_STACK: usize = 256;

/// Runs `look_up` with the request's host as tables know it: cut at the first colon, in lower case, without
/// one trailing dot.
pub(crate) fn with_request_host<R>(host: &[u8], look_up: impl FnOnce(&[u8]) -> R) -> R {
    let name = memchr::memchr(b':', host).and_then(|colon| host.get(..colon)).unwrap_or(host);
    with_lower(name, |name| look_up(name.strip_suffix(b".").unwrap_or(name)))
}

/// A host name of a table, folded as that of a request, but for the colon.
pub(crate) fn table_host(host: &str) -> String {
    let mut folded = lower(host);
    if folded.ends_with('.') {
        folded.pop();
    }
    folded
}

fn with_lower<R>(name: &[u8], look_up: impl FnOnce(&[u8]) -> R) -> R {
    if !name.is_ascii() {
        return look_up(lower(&String::from_utf8_lossy(name)).as_bytes());
    }
    if !name.iter().any(u8::is_ascii_uppercase) {
        return look_up(name);
    }
    let mut buffer = [0; ON_STACK];
    match buffer.get_mut(..name.len()) {
        Some(buffer) => {
            buffer.copy_from_slice(name);
            buffer.make_ascii_lowercase();
            look_up(buffer)
        }
        None => look_up(&name.to_ascii_lowercase()),
    }
}

/// Lower case, letter by letter; a letter whose lower case would be several is kept.
fn lower(text: &str) -> String {
    let letter = |c: char| {
        let mut lower = c.to_lowercase();
        match (lower.next(), lower.next()) {
            (Some(one), None) => one,
            _ => c,
        }
    };
    text.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cfg_120_hosts_are_folded() {
        let long = "A".repeat(300);
        for (host, want) in [
            ("", ""),
            ("a.org", "a.org"),
            ("A.Org", "a.org"),
            ("a.org:80", "a.org"),
            ("A.org.:80", "a.org"),
            ("a.org..", "a.org."),
            (".", ""),
            (":80", ""),
            ("[::1]:80", "["),
            ("É.org", "é.org"),
            (&long, &"a".repeat(300)),
        ] {
            with_request_host(host.as_bytes(), |folded| assert_eq!(folded, want.as_bytes(), "{host}"));
        }
        with_request_host(b"\xff.ORG", |folded| assert_eq!(folded, "\u{fffd}.org".as_bytes()));
        assert_eq!(table_host("A.org:80."), "a.org:80");
    }
}
