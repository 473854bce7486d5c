//! A service that looks at texts: it refuses some, or gives others in their place (ai-gateway 11.5).

use crate::http_address::Address;
use crate::json_answer;
use bfe_http::Header;
use bfe_http::h1::encode::{OutFraming, RequestHead, request_head};
use bfe_http::transport::side::SideClient;
use bfe_http::url::escape_query;
use bytes::Bytes;
use serde::Deserialize;
use std::time::Duration;

/// How long the service may take for a text.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes; there may be a text in it as long as the longest one sent.
const MAX_ANSWER: usize = 2 * super::decoder::MAX_EVENT;
/// The form field with the text.
const FIELD: &[u8] = b"txt=";

/// What the service is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Whether a text may pass.
    Filter,
    /// For a text to put in its place.
    Replace,
}

/// The service; `None` where what is configured is no address. It fails for each text then.
pub(super) struct TextFilter {
    mode: Mode,
    service: Option<(Address, SideClient)>,
}

/// The answer of the service; each member has to have its type.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Answer {
    #[serde(rename = "Code")]
    _code: i32,
    #[serde(rename = "Message")]
    _message: String,
    #[serde(rename = "RequestId")]
    _request_id: String,
    risk_level: String,
    #[serde(rename = "RiskCode")]
    _risk_code: String,
    sentiment_score: f32,
    result_text: String,
}

/// What becomes of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    /// This takes its place.
    Replace(Bytes),
    /// Why it may not pass.
    Refuse(String),
}

impl TextFilter {
    pub(super) fn new(url: &str, mode: Mode) -> Self {
        let url = url.strip_suffix('/').unwrap_or(url);
        let name = if mode == Mode::Filter { "text-filter" } else { "text-replace" };
        let address = Address::parse(&format!("{url}/{name}"));
        let service = address.and_then(|address| address.client().map(|client| (address, client)));
        let service = service.inspect_err(|why| {
            log::warn!("mod_body_process: textfilter: {url:?} is no address, and every text passes: {why}");
        });
        Self { mode, service: service.ok() }
    }

    /// Asks about a text. Where there is no answer, it passes.
    pub(super) async fn ask(&self, text: &[u8]) -> Verdict {
        self.ask_within(text, TIMEOUT).await
    }

    pub(super) async fn ask_within(&self, text: &[u8], limit: Duration) -> Verdict {
        let answer = match tokio::time::timeout(limit, self.answer(text)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {limit:?}")),
        };
        match answer {
            Ok(answer) => self.verdict(answer),
            Err(why) => {
                log::warn!("mod_body_process: textfilter: a text passes unseen: {why}");
                Verdict::Pass
            }
        }
    }

    async fn answer(&self, text: &[u8]) -> Result<Answer, String> {
        let (address, client) = self.service.as_ref().ok_or("there is no address")?;
        let body = form(text);
        let mut response = client
            .send_with_body(&head(address, body.len()), &body)
            .await
            .map_err(|error| error.to_string())?;
        json_answer::read(&mut response, MAX_ANSWER).await.map_err(|error| error.to_string())
    }

    fn verdict(&self, answer: Answer) -> Verdict {
        let risk = answer.risk_level.as_str();
        match self.mode {
            Mode::Filter if risk == "REJECT" || risk == "REVIEW" && answer.sentiment_score < -0.5 => {
                Verdict::Refuse(format!("content audit failed: {risk}"))
            }
            Mode::Replace if !answer.result_text.is_empty() => Verdict::Replace(answer.result_text.into()),
            _ => Verdict::Pass,
        }
    }
}

/// The head of a request to the service.
fn head(address: &Address, length: usize) -> Vec<u8> {
    let mut header = Header::new();
    header.set("User-Agent", "Go-http-client/1.1");
    header.set("Content-Type", "application/x-www-form-urlencoded");
    header.set("Accept-Encoding", "gzip");
    if let Some(authorization) = &address.authorization {
        header.set("Authorization", authorization.clone());
    }
    let mut head = Vec::with_capacity(256);
    let line = RequestHead {
        method: b"POST",
        target: &address.target,
        host: address.host.as_bytes(),
        framing: OutFraming::Length(length as u64),
        trailers: b"",
    };
    request_head(&mut head, &line, &header, |_, _| true);
    head
}

/// A form with the text.
fn form(text: &[u8]) -> Bytes {
    [FIELD, &*escape_query(text)].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bfe_basic::conf::json;

    #[test]
    fn aib_8_requests_and_verdicts() {
        assert_eq!(form(b"data: a+\n\xff~"), "txt=data%3A+a%2B%0A%FF~");
        for (url, mode, want) in [
            ("http://h:81/base/", Mode::Filter, "POST /base/text-filter HTTP/1.1\r\nHost: h:81\r\n"),
            ("http://h", Mode::Replace, "POST /text-replace HTTP/1.1\r\nHost: h\r\n"),
            ("http://h//", Mode::Replace, "POST //text-replace HTTP/1.1\r\nHost: h\r\n"),
        ] {
            let (address, _) = TextFilter::new(url, mode).service.unwrap();
            let head = String::from_utf8(head(&address, 5)).unwrap();
            assert!(head.starts_with(want) && head.contains("Content-Length: 5\r\n"), "{head}");
        }
        for wrong in ["", "x", "h:80", "/"] {
            assert!(TextFilter::new(wrong, Mode::Filter).service.is_none());
        }
        let verdict = |mode, text: &str| {
            let answer = json::from_slice("answer", text.as_bytes()).ok()?.into_parts().0;
            Some(TextFilter::new("http://h", mode).verdict(answer))
        };
        let refused = |risk: &str| Some(Verdict::Refuse(format!("content audit failed: {risk}")));
        for (text, want) in [
            (r#"{"RiskLevel":"REJECT"}"#, refused("REJECT")),
            (r#"{"risklevel":"REVIEW","SentimentScore":-0.6}"#, refused("REVIEW")),
            (r#"{"RiskLevel":"REVIEW","SentimentScore":-0.5}"#, Some(Verdict::Pass)),
            (r#"{"RiskLevel":"reject"}"#, Some(Verdict::Pass)),
            (r#"{"ResultText":"x"}"#, Some(Verdict::Pass)),
            ("{}", Some(Verdict::Pass)),
            (r#"{"RiskLevel":5}"#, None),
            (r#"{"RiskLevel":"REJECT","Code":"0"}"#, None),
            ("x", None),
        ] {
            assert_eq!(verdict(Mode::Filter, text), want, "{text}");
        }
        let replaced = Some(Verdict::Replace("x".into()));
        assert_eq!(verdict(Mode::Replace, r#"{"ResultText":"x","RiskLevel":"REJECT"}"#), replaced);
        assert_eq!(verdict(Mode::Replace, r#"{"ResultText":"","RiskLevel":"REJECT"}"#), Some(Verdict::Pass));
    }
}
