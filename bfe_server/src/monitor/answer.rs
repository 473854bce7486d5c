//! An answer of the monitor port.

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::ext::ReasonPhrase;
use hyper::{Method, Response, StatusCode, header};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Go's server tells the length of bodies up to this; longer ones are chunked.
const TOLD: usize = 2048;

/// The body of an answer.
pub(super) struct Whole(Bytes);

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = std::mem::take(&mut self.0);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.0.len() <= TOLD { SizeHint::with_exact(self.0.len() as u64) } else { SizeHint::default() }
    }
}

/// Status, type and body, and what else stands in the head.
pub(super) struct Answer {
    status: StatusCode,
    reason: Option<&'static str>,
    content_type: Option<&'static str>,
    fields: Vec<(&'static str, String)>,
    body: Bytes,
}

const HTML: &str = "text/html; charset=utf-8";

impl Answer {
    /// A body of that type.
    pub(super) fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            reason: None,
            content_type: Some(content_type),
            fields: Vec::new(),
            body: body.into(),
        }
    }

    /// Text or JSON. Without any, there is no type either.
    pub(super) fn text(body: String) -> Self {
        let content_type = (!body.is_empty()).then_some("text/plain; charset=utf-8");
        Self { content_type, ..Self::new("", body) }
    }

    /// A page.
    pub(super) fn html(body: impl Into<Bytes>) -> Self {
        Self::new(HTML, body)
    }

    /// Sends the client elsewhere. Only who gets or looks is told so in words.
    pub(super) fn redirect(to: &str, method: &Method) -> Self {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let answer = Self::text(String::new()).status(StatusCode::MOVED_PERMANENTLY);
            return answer.field("location", to);
        }
        let mut escaped = String::new();
        for c in to.chars() {
            match c {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&#34;"),
                '\'' => escaped.push_str("&#39;"),
                c => escaped.push(c),
            }
        }
        let body = format!("<a href=\"{escaped}\">Moved Permanently</a>.\n\n");
        Self::html(body).status(StatusCode::MOVED_PERMANENTLY).field("location", to)
    }

    /// With another reason behind the status.
    pub(super) fn reason(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// With another status.
    pub(super) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// With one more field in the head. A value that cannot stand there is left out.
    pub(super) fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// As it is sent.
    pub(super) fn into_response(self) -> Response<Whole> {
        let mut response = Response::new(Whole(self.body));
        *response.status_mut() = self.status;
        if let Some(reason) = self.reason {
            response.extensions_mut().insert(ReasonPhrase::from_static(reason.as_bytes()));
        }
        let head = response.headers_mut();
        if let Some(kind) = self.content_type {
            head.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
        }
        for (name, value) in self.fields {
            if let Ok(value) = value.try_into() {
                head.insert(header::HeaderName::from_static(name), value);
            }
        }
        response
    }
}
