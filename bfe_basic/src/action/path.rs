//! Commands that change the path.

use crate::Request;
use bytes::Bytes;

/// Puts text in place of the path's leading slash; a slash leads afterwards in any case.
pub(super) fn add_prefix(req: &mut Request, prefix: &Bytes) {
    let path = &mut req.http.url.path;
    let rest = path.strip_prefix(b"/").unwrap_or(path);
    let lead: &[u8] =
        if prefix.is_empty() && !rest.starts_with(b"/") || !prefix.is_empty() && !prefix.starts_with(b"/") {
            b"/"
        } else {
            b""
        };
    *path = Bytes::from([lead, prefix, rest].concat());
}

/// Takes text off the front, whatever element it ends in; a slash leads afterwards in any case.
pub(super) fn trim_prefix(req: &mut Request, prefix: &Bytes) {
    let path = &mut req.http.url.path;
    if path.starts_with(prefix) {
        *path = path.slice(prefix.len()..);
    }
    if !path.starts_with(b"/") {
        *path = Bytes::from([b"/", path.as_ref()].concat());
    }
}
