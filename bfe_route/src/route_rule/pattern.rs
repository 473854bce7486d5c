//! Which host and path patterns a basic rule may have (config 7).

/// Checks a host pattern: text without `*`, `*`, or `*.` and text.
pub(super) fn check_host(host: &str) -> Result<(), &'static str> {
    match host.matches('*').count() {
        _ if host.is_empty() => Err("hostname is nil or empty"),
        0 => Ok(()),
        1 if host == "*" || host.starts_with("*.") => Ok(()),
        1 => Err("format error in wildcard host"),
        _ => Err("only one * is allowed in a hostname"),
    }
}

/// Checks a path pattern: text, with at most one `*`, at its end.
pub(super) fn check_path(path: &str) -> Result<(), &'static str> {
    match path.matches('*').count() {
        _ if path.is_empty() => Err("path is nil or empty"),
        0 => Ok(()),
        1 if path.ends_with('*') => Ok(()),
        1 => Err("* must appear as last character of path"),
        _ => Err("only one * is allowed in path"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cfg_74_hosts() {
        for (host, want) in [
            ("a.com", Ok(())),
            ("*", Ok(())),
            ("*.", Ok(())),
            ("*.a.com", Ok(())),
            ("http://x:80/", Ok(())),
            ("", Err("hostname is nil or empty")),
            ("*a.com", Err("format error in wildcard host")),
            ("a.*.com", Err("format error in wildcard host")),
            ("a.*", Err("format error in wildcard host")),
            ("*.*.com", Err("only one * is allowed in a hostname")),
            ("**", Err("only one * is allowed in a hostname")),
        ] {
            assert_eq!(check_host(host), want, "{host}");
        }
    }

    #[test]
    fn cfg_74_paths() {
        for (path, want) in [
            ("/", Ok(())),
            ("a", Ok(())),
            ("*", Ok(())),
            ("/*", Ok(())),
            ("/a*", Ok(())),
            ("/a/*", Ok(())),
            ("", Err("path is nil or empty")),
            ("/a*/", Err("* must appear as last character of path")),
            ("/*/a", Err("* must appear as last character of path")),
            ("/**", Err("only one * is allowed in path")),
        ] {
            assert_eq!(check_path(path), want, "{path}");
        }
    }
}
