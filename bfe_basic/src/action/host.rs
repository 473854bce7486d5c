//! Commands that change the host.

use crate::Request;
use bytes::Bytes;

/// `/a.org/x` becomes host `a.org`, path `/x`; a path with fewer than two slashes stays.
pub(super) fn set_from_path_prefix(req: &mut Request) {
    let url = &mut req.http.url;
    let mut slashes = memchr::memchr_iter(b'/', &url.path);
    if let (Some(first), Some(second)) = (slashes.next(), slashes.next()) {
        req.http.host = url.path.slice(first + 1..second);
        url.path = url.path.slice(second..);
    }
}

/// Takes the host of an absolute target, with another end, for the host.
pub(super) fn replace_suffix(req: &mut Request, old: &Bytes, new: &Bytes) {
    if let Some(front) = req.http.url.host.strip_suffix(old.as_ref()) {
        req.http.host = Bytes::from([front, new].concat());
    }
}
