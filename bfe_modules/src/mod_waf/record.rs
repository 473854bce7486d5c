//! The line of the log for a rule that was tried.

use super::uri::Uri;
use bfe_http::url::unescape;
use bfe_http::{Query, Request};
use bfe_module::metrics::json_string;
use jiff::Zoned;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What happens where the rule hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The request ends.
    Block,
    /// It is counted.
    Check,
}

/// The line, with its end.
pub(super) fn line(rule: &str, kind: Kind, hit: bool, req: &Request) -> Vec<u8> {
    let kind = match kind {
        Kind::Block => "Block",
        Kind::Check => "Check",
    };
    let time = Zoned::now().strftime("%Y/%m/%d %H:%M:%S %Z").to_string();
    let mut line = format!("[{time}] [INFO] [{}] ", std::process::id());
    // Writing to memory cannot fail.
    let _ = write!(line, r#"{{"Rule":{},"Type":"{kind}","Hit":{hit},"RuleRequest":"#, text(rule.as_bytes()));
    line.push_str(&request(req));
    line.push_str("}\n");
    line.into_bytes()
}

/// The request as JSON.
fn request(req: &Request) -> String {
    let uri = Uri::parse(&req.request_uri);
    let unquoted = unescape(&req.request_uri, true).unwrap_or_default();
    format!(
        r#"{{"Method":{},"Version":"","Headers":{},"Uri":{},"UriUnquote":{},"UriParsed":{},"QueryValues":{}}}"#,
        text(&req.method),
        headers(req),
        text(&req.request_uri),
        text(&unquoted),
        uri.as_ref().map_or_else(|| "null".to_owned(), parsed),
        uri.as_ref().map_or_else(|| "{}".to_owned(), |uri| query(&Query::parse(&uri.url.raw_query))),
    )
}

fn headers(req: &Request) -> String {
    let mut fields: BTreeMap<&[u8], Vec<String>> = BTreeMap::new();
    for (name, value) in req.header.iter() {
        fields.entry(name).or_default().push(text(value));
    }
    lists(&fields)
}

fn query(query: &Query) -> String {
    let mut pairs: BTreeMap<&[u8], Vec<String>> = BTreeMap::new();
    for (key, value) in query.iter() {
        pairs.entry(key).or_default().push(text(value));
    }
    lists(&pairs)
}

/// An object of lists, its names sorted.
fn lists(all: &BTreeMap<&[u8], Vec<String>>) -> String {
    let members: Vec<_> =
        all.iter().map(|(name, values)| format!("{}:[{}]", text(name), values.join(","))).collect();
    format!("{{{}}}", members.join(","))
}

fn parsed(uri: &Uri) -> String {
    let url = &uri.url;
    format!(
        r#"{{"Scheme":{},"Opaque":{},"User":{},"Host":{},"Path":{},"Fragment":{},"RawQuery":{},"RawPath":{},"RawFragment":{},"ForceQuery":{},"OmitHost":{}}}"#,
        text(&url.scheme),
        text(&url.opaque),
        if uri.has_user { "{}" } else { "null" },
        text(&url.host),
        text(&url.path),
        text(&uri.fragment),
        text(&url.raw_query),
        text(&url.raw_path),
        text(&uri.raw_fragment),
        url.force_query,
        uri.omits_host,
    )
}

/// Text as a JSON string, without what HTML would take for markup. Bytes that are not UTF-8 become U+FFFD, and
/// control characters escapes, so that a record is always one line.
fn text(bytes: &[u8]) -> String {
    let quoted = json_string(&String::from_utf8_lossy(bytes));
    if quoted.is_ascii() && !quoted.contains(['<', '>', '&']) {
        return quoted;
    }
    let mut out = String::with_capacity(quoted.len() + 16);
    for c in quoted.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\u{fffd}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waf_5_a_line() {
        let mut req = Request::new("POST", "/b?x=%3Ca%3E&x=2&a=&bad=%zz", "h").unwrap();
        for (name, value) in
            [("X-B", &b"1"[..]), ("Content-Length", b"3"), ("Accept", b"\xff<&>\x01"), ("X-B", b"2")]
        {
            req.header.add(name, value);
        }
        let line = String::from_utf8(line("RuleBashCmd", Kind::Check, true, &req)).unwrap();
        let (lead, record) = line.split_once("] {").unwrap();
        let lead: Vec<_> = lead.split("] [").collect();
        assert_eq!((lead[0].len() >= 24, lead[1]), (true, "INFO"), "{line}");
        assert_eq!(lead[2], std::process::id().to_string());
        assert_eq!(
            record,
            concat!(
                r#""Rule":"RuleBashCmd","Type":"Check","Hit":true,"RuleRequest":{"Method":"POST","Version":"","#,
                r#""Headers":{"Accept":["\ufffd\u003c\u0026\u003e\u0001"],"Content-Length":["3"],"X-B":["1","2"]},"#,
                r#""Uri":"/b?x=%3Ca%3E\u0026x=2\u0026a=\u0026bad=%zz","UriUnquote":"","#,
                r#""UriParsed":{"Scheme":"","Opaque":"","User":null,"Host":"","Path":"/b","Fragment":"","#,
                r#""RawQuery":"x=%3Ca%3E\u0026x=2\u0026a=\u0026bad=%zz","RawPath":"","RawFragment":"","ForceQuery":false,"OmitHost":false},"#,
                r#""QueryValues":{"a":[""],"x":["\u003ca\u003e","2"]}}}"#,
                "\n"
            )
        );
    }

    #[test]
    fn waf_10_a_target_that_is_no_url() {
        let req = Request::new("GET", "/a+b?x#%zz", "h").unwrap();
        assert!(request(&req).ends_with(r#""UriUnquote":"","UriParsed":null,"QueryValues":{}}"#));
        let req = Request::new("GET", "/a+b?x=%41", "h").unwrap();
        assert!(request(&req).contains(r#""UriUnquote":"/a b?x=A","#));
    }
}
