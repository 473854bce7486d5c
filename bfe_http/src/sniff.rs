//! Content type of a body by its first bytes, for responses that do not tell it (lifecycle 10.2, 22.4).
//!
//! The list is the short one of the reference: no MP4 video, no web fonts but the old ones, `text/xml` for
//! an XML declaration, `application/x-gzip` for gzip.

/// How many bytes are looked at.
const SNIFF_LEN: usize = 512;

/// Markup that tells HTML when a blank or `>` follows it, letters in upper case.
const HTML: [&[u8]; 17] = [
    b"<!DOCTYPE HTML",
    b"<HTML",
    b"<HEAD",
    b"<SCRIPT",
    b"<IFRAME",
    b"<H1",
    b"<DIV",
    b"<FONT",
    b"<TABLE",
    b"<A",
    b"<STYLE",
    b"<TITLE",
    b"<B",
    b"<BODY",
    b"<BR",
    b"<P",
    b"<!--",
];

/// Exact beginnings.
const EXACT: [(&[u8], &str); 11] = [
    (b"%PDF-", "application/pdf"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"\xef\xbb\xbf", "text/plain; charset=utf-8"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\x89PNG\x0d\x0a\x1a\x0a", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"BM", "image/bmp"),
    (b"\x00\x00\x01\x00", "image/vnd.microsoft.icon"),
    (b"\x4f\x67\x67\x53\x00", "application/ogg"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
];

const ARCHIVES: [(&[u8], &str); 3] = [
    (b"\x52\x61\x72\x20\x1a\x07\x00", "application/x-rar-compressed"),
    (b"\x50\x4b\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/x-gzip"),
];

/// The content type of a body that begins with `data`; always a type, `text/plain` for an empty body.
#[must_use]
pub fn content_type(data: &[u8]) -> &'static str {
    let data = data.get(..SNIFF_LEN).unwrap_or(data);
    let blank = |b: &u8| matches!(b, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ');
    let text = data.get(data.iter().position(|b| !blank(b)).unwrap_or(data.len())..).unwrap_or_default();
    if HTML.iter().any(|tag| starts_tag(text, tag)) {
        return "text/html; charset=utf-8";
    }
    if text.starts_with(b"<?xml") {
        return "text/xml; charset=utf-8";
    }
    for (start, kind) in EXACT.iter().chain(&ARCHIVES) {
        if data.starts_with(start) {
            return kind;
        }
    }
    match (data.get(..4), data.get(8..12), data.get(8..14)) {
        (Some([0xfe, 0xff, ..]), ..) => return "text/plain; charset=utf-16be",
        (Some([0xff, 0xfe, ..]), ..) => return "text/plain; charset=utf-16le",
        (Some(b"RIFF"), _, Some(b"WEBPVP")) => return "image/webp",
        (Some(b"RIFF"), Some(b"WAVE"), _) => return "audio/wave",
        _ => {}
    }
    let binary = |b: &u8| matches!(b, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    if text.iter().any(binary) { "application/octet-stream" } else { "text/plain; charset=utf-8" }
}

fn starts_tag(text: &[u8], tag: &[u8]) -> bool {
    text.len() > tag.len()
        && text.iter().zip(tag).all(|(b, t)| b.to_ascii_uppercase() == *t)
        && matches!(text.get(tag.len()), Some(b' ' | b'>'))
}

#[cfg(test)]
mod tests {
    use super::content_type;

    #[test]
    fn types_by_first_bytes() {
        for (data, want) in [
            (&b""[..], "text/plain; charset=utf-8"),
            (b"  <html>", "text/html; charset=utf-8"),
            (b"<html", "text/plain; charset=utf-8"),
            (b"<!DOCTYPE html>", "text/html; charset=utf-8"),
            (b"\n<?xml version", "text/xml; charset=utf-8"),
            (b"\x1f\x8b\x08\x00", "application/x-gzip"),
            (b"RIFF....WEBPVP8", "image/webp"),
            (b"RIFF....AVI ", "text/plain; charset=utf-8"),
            (b"Rar!\x1a\x07\x00", "application/octet-stream"),
            (b"\xfe\xff\x00a", "text/plain; charset=utf-16be"),
            (b"\xff\xfea\x00", "text/plain; charset=utf-16le"),
            (b"\xff\xfea", "text/plain; charset=utf-8"),
            (b"a\x00b", "application/octet-stream"),
            (b"plain", "text/plain; charset=utf-8"),
        ] {
            assert_eq!(content_type(data), want, "{data:?}");
        }
    }
}
