//! What a client accepts, as far as the rules of the original go (modules-traffic 16, 18).

use bfe_http::Header;

/// Whether the first `Accept-Encoding` field has that token: in lower or upper case, between blanks, tabs,
/// commas and the ends. A token with a parameter (`gzip;q=1`) is none.
pub(crate) fn accepts(header: &Header, token: &[u8]) -> bool {
    header.get("Accept-Encoding").is_some_and(|field| {
        field.split(|b| matches!(b, b' ' | b'\t' | b',')).any(|element| element.eq_ignore_ascii_case(token))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_5_compress_2_tokens() {
        for (field, want) in [
            ("gzip", true),
            ("br, gzip", true),
            ("br\tGZIP,x", true),
            ("gzip;q=1.0", false),
            ("xgzip", false),
            ("", false),
        ] {
            let mut header = Header::new();
            header.add("Accept-Encoding", field);
            header.add("Accept-Encoding", "gzip");
            assert_eq!(accepts(&header, b"gzip"), want, "{field}");
        }
        assert!(!accepts(&Header::new(), b"gzip"));
    }
}
