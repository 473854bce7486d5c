//! `bfe cond 'EXPRESSION' [--request FILE]`: what a condition means, where it is wrong, what it says of a
//! request.

use anyhow::{Context, bail};
use bfe_basic::condition::explain;
use bfe_basic::{BodyPeek, Request, Session};
use bfe_http::Body;
use bfe_http::h1::{framing, head, lines};
use bytes::BytesMut;
use std::io::Read;
use std::rc::Rc;

/// Usage of the command.
pub(crate) const USAGE: &str = "\
Usage: bfe cond 'EXPRESSION' [--request FILE]

Says where a condition is wrong, or how it is understood. With a file that holds a raw HTTP/1 request (`-` is
standard input), says whether the request matches, and which part decided.
";

/// Longest target and body that are read; generous, as nobody attacks here.
const MAX_TARGET: usize = 1 << 20;
const MAX_FILE: u64 = 64 << 20;

/// Runs the command. Says whether the request matches, where one is given, else true.
///
/// # Errors
/// When the expression or the request is malformed; the text tells where.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<bool> {
    let (mut expression, mut file) = (None, None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.strip_prefix("--request").or_else(|| argument.strip_prefix("-request")) {
            Some("") => file = Some(rest.next().context("--request needs a file")?.clone()),
            Some(value) if value.starts_with('=') => file = Some(value.trim_start_matches('=').to_owned()),
            _ if expression.is_none() => expression = Some(argument.clone()),
            _ => bail!("one expression at a time: {argument:?}\n{USAGE}"),
        }
    }
    let Some(expression) = expression else { bail!("no expression\n{USAGE}") };
    let request = file.map(|file| read_request(&file)).transpose()?;
    let explanation = explain(&expression, request.as_ref())?;
    println!("{explanation}");
    Ok(explanation.outcome.is_none_or(|outcome| outcome.matched == Some(true)))
}

/// Reads a request as the proxy would. Lines may end with or without CR, and the empty line may be missing.
fn read_request(file: &str) -> anyhow::Result<Request> {
    let mut raw = Vec::new();
    if file == "-" {
        std::io::stdin().take(MAX_FILE).read_to_end(&mut raw)?;
    } else {
        let file_handle = std::fs::File::open(file).with_context(|| format!("open {file}"))?;
        file_handle.take(MAX_FILE).read_to_end(&mut raw)?;
    }
    let mut scanned = 0;
    if lines::find_end(&raw, &mut scanned).is_none() {
        raw.extend_from_slice(b"\r\n\r\n");
    }
    let mut bytes = BytesMut::from(raw.as_slice());
    let end = lines::find_end(&bytes, &mut 0).map_or(bytes.len(), |head| head.len());
    let head = bytes.split_to(end);
    let mut http =
        head::parse_request(head, MAX_TARGET).with_context(|| format!("{file}: no HTTP request"))?;
    framing::of_request(&mut http).with_context(|| format!("{file}: no HTTP request"))?;
    let body = bytes.freeze();
    http.body = Body::Full(body.clone());
    let mut req = Request::new(Rc::new(Session::default()), http);
    req.body_peek = BodyPeek::Read(body);
    Ok(req)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cond(arguments: &[&str]) -> Result<bool, String> {
        run(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>()).map_err(|e| format!("{e:#}"))
    }

    #[test]
    fn tells_what_matches_and_where_an_expression_is_wrong() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "POST /api/x HTTP/1.1\nHost: a.org\nContent-Length: 13\n\n{\"model\":\"m\"}",
        )
        .unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(cond(&["req_host_in(\"a.org\")", "--request", path]), Ok(true));
        assert_eq!(cond(&["req_body_json_in(\"model\", \"m\", false)", "--request", path]), Ok(true));
        assert_eq!(cond(&["req_method_in(\"GET\")", &format!("--request={path}")]), Ok(false));
        assert_eq!(cond(&["default_t()"]), Ok(true));
        assert!(cond(&["default_t() && nope()"]).unwrap_err().contains('^'));
        assert!(cond(&[]).is_err() && cond(&["a", "b"]).is_err());
    }
}
