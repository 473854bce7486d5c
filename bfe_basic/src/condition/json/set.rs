//! Writing a text into a document (ai-gateway 6.2).

use super::string::quote;
use super::{token, walk};
use std::borrow::Cow;

/// The document with a text as the member `name` of its object; `name` has nothing in it that means something in
/// a path. `None` where the document is an array, which has no members.
///
/// Where the member is there, only the bytes of its value (of the first, where there are several) change. Where it
/// is not, it comes behind the others, and what follows the last brace is lost; so is a document that is neither
/// object nor array.
#[must_use]
pub fn set_text(document: &[u8], name: &str, text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(document.len() + name.len() + text.len() + 8);
    if let Some((before, after)) = around(document, name) {
        out.extend_from_slice(before);
        write_text(text, &mut out);
        out.extend_from_slice(after);
        return Some(out);
    }
    let object = match token::document(document).raw {
        Cow::Borrowed([b'[', ..]) => return None,
        Cow::Borrowed(raw @ [b'{', ..]) => raw,
        _ => b"{}",
    };
    let end = object.iter().rposition(|b| *b == b'}').unwrap_or(0);
    out.extend_from_slice(object.get(..end).unwrap_or_default());
    let inside = object.get(1..).unwrap_or_default();
    if inside.iter().find(|b| **b > b' ').is_some_and(|b| !matches!(b, b'}' | b']')) {
        out.push(b',');
    }
    write_text(name.as_bytes(), &mut out);
    out.push(b':');
    write_text(text, &mut out);
    out.push(b'}');
    Some(out)
}

/// What stands before and behind the value of a member.
fn around<'d>(document: &'d [u8], name: &str) -> Option<(&'d [u8], &'d [u8])> {
    let Cow::Borrowed(raw) = walk::get(document, name.as_bytes(), 0).raw else { return None };
    // A value that has been found is a part of the document.
    let start = raw.as_ptr().addr().checked_sub(document.as_ptr().addr())?;
    let (before, rest) = document.split_at_checked(start)?;
    (start > 0 && !raw.is_empty()).then_some(())?;
    Some((before, rest.get(raw.len()..)?))
}

/// As it is, unless something in it has to be escaped.
fn write_text(text: &[u8], out: &mut Vec<u8>) {
    if text.iter().any(|b| matches!(b, 0..b' ' | 0x80.. | b'"' | b'\\')) {
        return quote(text, out);
    }
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aim_2_7_and_8_what_is_written() {
        for (document, text, want) in [
            // The value alone is replaced, whatever it was.
            (r#"{"model":"a"}"#, "b", r#"{"model":"b"}"#),
            (
                "\n{ \"x\" : [1, 2 ],\t\"model\" :\"a\" , \"y\":{} } \n",
                "b",
                "\n{ \"x\" : [1, 2 ],\t\"model\" :\"b\" , \"y\":{} } \n",
            ),
            (r#"{"model":7,"n":1}"#, "b", r#"{"model":"b","n":1}"#),
            (r#"{"model":null}"#, "b", r#"{"model":"b"}"#),
            (r#"{"model":{"model":"a"}}"#, "b", r#"{"model":"b"}"#),
            (r#"{"a":{"model":"x"},"model":"a"}"#, "b", r#"{"a":{"model":"x"},"model":"b"}"#),
            (r#"{"model":"a","model":"c"}"#, "b", r#"{"model":"b","model":"c"}"#),
            (r#"text {"model":"a"} more"#, "b", r#"text {"model":"b"} more"#),
            (r#"{"model":"a","messages":[{"con"#, "b", r#"{"model":"b","messages":[{"con"#),
            // An object without it.
            (r#"{"n":1}"#, "b", r#"{"n":1,"model":"b"}"#),
            ("{}", "b", r#"{"model":"b"}"#),
            ("  { \n } trailing", "b", "{ \n \"model\":\"b\"}"),
            (r#"{"n":{"a":1}} x"#, "b", r#"{"n":{"a":1},"model":"b"}"#),
            (r#"{"n":[1,2"#, "b", r#","model":"b"}"#),
            ("{", "b", r#""model":"b"}"#),
            // No object at all.
            ("", "b", r#"{"model":"b"}"#),
            (" \r\n\t", "b", r#"{"model":"b"}"#),
            ("hello", "b", r#"{"model":"b"}"#),
            ("42", "b", r#"{"model":"b"}"#),
            (r#""model""#, "b", r#"{"model":"b"}"#),
            (r#"x{"n":1}"#, "b", r#"{"model":"b"}"#),
            // What has to be escaped.
            (r#"{"model":"a"}"#, "<b>&", r#"{"model":"<b>&"}"#),
            (r#"{"model":"a"}"#, "\"<b>", r#"{"model":"\"\u003cb\u003e"}"#),
            (r#"{"model":"a"}"#, "a\\\n", r#"{"model":"a\\\n"}"#),
            (r#"{"model":"a"}"#, "é&", "{\"model\":\"é\\u0026\"}"),
            (r#"{"model":"a"}"#, "\x7f", "{\"model\":\"\x7f\"}"),
        ] {
            let got = set_text(document.as_bytes(), "model", text.as_bytes()).unwrap();
            assert_eq!(String::from_utf8_lossy(&got), want, "{document}");
        }
        for document in ["[]", r#" [{"model":"a"}]"#, "[1"] {
            assert_eq!(set_text(document.as_bytes(), "model", b"b"), None, "{document}");
        }
    }
}
