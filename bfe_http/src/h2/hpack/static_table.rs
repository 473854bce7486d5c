//! The static table (RFC 7541, appendix A), names in canonical form.

/// A field that both sides know from the start.
pub(super) struct Known {
    /// Name in canonical form.
    pub(super) canonical: &'static str,
    /// Value.
    pub(super) value: &'static str,
}

const fn known(canonical: &'static str, value: &'static str) -> Known {
    Known { canonical, value }
}

/// Field number 1 and those after it.
pub(super) static TABLE: [Known; 61] = [
    known(":authority", ""),
    known(":method", "GET"),
    known(":method", "POST"),
    known(":path", "/"),
    known(":path", "/index.html"),
    known(":scheme", "http"),
    known(":scheme", "https"),
    known(":status", "200"),
    known(":status", "204"),
    known(":status", "206"),
    known(":status", "304"),
    known(":status", "400"),
    known(":status", "404"),
    known(":status", "500"),
    known("Accept-Charset", ""),
    known("Accept-Encoding", "gzip, deflate"),
    known("Accept-Language", ""),
    known("Accept-Ranges", ""),
    known("Accept", ""),
    known("Access-Control-Allow-Origin", ""),
    known("Age", ""),
    known("Allow", ""),
    known("Authorization", ""),
    known("Cache-Control", ""),
    known("Content-Disposition", ""),
    known("Content-Encoding", ""),
    known("Content-Language", ""),
    known("Content-Length", ""),
    known("Content-Location", ""),
    known("Content-Range", ""),
    known("Content-Type", ""),
    known("Cookie", ""),
    known("Date", ""),
    known("Etag", ""),
    known("Expect", ""),
    known("Expires", ""),
    known("From", ""),
    known("Host", ""),
    known("If-Match", ""),
    known("If-Modified-Since", ""),
    known("If-None-Match", ""),
    known("If-Range", ""),
    known("If-Unmodified-Since", ""),
    known("Last-Modified", ""),
    known("Link", ""),
    known("Location", ""),
    known("Max-Forwards", ""),
    known("Proxy-Authenticate", ""),
    known("Proxy-Authorization", ""),
    known("Range", ""),
    known("Referer", ""),
    known("Refresh", ""),
    known("Retry-After", ""),
    known("Server", ""),
    known("Set-Cookie", ""),
    known("Strict-Transport-Security", ""),
    known("Transfer-Encoding", ""),
    known("User-Agent", ""),
    known("Vary", ""),
    known("Via", ""),
    known("Www-Authenticate", ""),
];
