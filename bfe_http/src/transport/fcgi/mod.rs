//! FastCGI backends (lifecycle 20): a connection a request, closed after it.

mod params;
mod record;

use super::{TransportConf, TransportError, connect};
use crate::h1::chunked::{Decoded, Decoder};
use crate::h1::lines::RawHead;
use crate::h1::timer::Deadline;
use crate::h1::{head, lines};
use crate::status::allows_body;
use crate::{Body, BodyError, BodyStream, Header, Request, Response, buffer};
use bytes::{Bytes, BytesMut};
use record::{Reader, Said};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

/// Largest head of a response.
const MAX_HEAD: usize = 1024 * 1024;
/// Room for reading.
const ROOM: usize = 64 * 1024;
/// What may wait to be sent before more of the body is read.
const UNSENT: usize = 64 * 1024;
/// How much of what a script complains about is logged for a request, in bytes.
const MAX_COMPLAINT: usize = 1024;

/// `FCGIConf` of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FcgiConf {
    /// Root of the scripts.
    pub root: String,
    /// More variables; they override those that BFE makes.
    pub env_vars: BTreeMap<String, String>,
}

/// What the transport has to know besides the request.
pub struct Asked<'a> {
    /// The backend.
    pub addr: &'a Arc<str>,
    /// The client.
    pub remote: Option<SocketAddr>,
    /// The host to name instead of the client's, if any.
    pub host: Option<&'a [u8]>,
    /// Settings of the cluster.
    pub conf: &'a FcgiConf,
    /// Limits. The reference has none here.
    pub limits: &'a TransportConf,
}

/// Sends a request, and reads the head of the response. The body of the request is used up once there is a
/// connection. Header fields for which `keep` is false are not sent.
///
/// # Errors
/// See [`TransportError`].
pub async fn round_trip(
    req: &mut Request,
    asked: &Asked<'_>,
    keep: impl Fn(&Header, &[u8]) -> bool,
) -> Result<Response, TransportError> {
    let stream = connect(asked.addr, asked.limits.connect_timeout)
        .await
        .map_err(|reason| TransportError::Connect { reason, addr: Arc::clone(asked.addr) })?;
    let mut out = Vec::with_capacity(2048);
    record::push_begin(&mut out);
    record::push_params(&mut out, &params::encode(req, asked, keep));
    let is_head = req.method.as_ref() == b"HEAD";
    let mut exchange = FcgiExchange {
        stream,
        out,
        done: 0,
        body: std::mem::take(&mut req.body),
        sent: Sent::No,
        buf: BytesMut::new(),
        reader: Reader::default(),
        complained: 0,
        addr: Arc::clone(asked.addr),
    };
    let (head, rest, ended) = exchange.head(asked.limits.response_header_timeout).await?;
    let unreadable = |e: &dyn std::fmt::Display| TransportError::ReadResponseHead(e.to_string());
    let header = head::parse_cgi(head).map_err(|e| unreadable(&e))?;
    let mut response = Response::new(200);
    if let Some(status) = header.get("Status").filter(|s| !s.is_empty()) {
        let code = status.split(|b| *b == b' ').next().unwrap_or_default();
        response.status = std::str::from_utf8(code)
            .ok()
            .and_then(|c| c.parse().ok())
            .ok_or_else(|| unreadable(&format_args!("bad Status: {:?}", String::from_utf8_lossy(code))))?;
    }
    let chunked = header.get("Transfer-Encoding").is_some_and(|te| te == b"chunked");
    response.content_length = header
        .get("Content-Length")
        .and_then(|v| std::str::from_utf8(v).ok()?.parse().ok())
        .unwrap_or(if ended && rest.is_empty() { 0 } else { -1 });
    response.header = header;
    response.header.del("Transfer-Encoding");
    let bodyless = is_head || !allows_body(response.status);
    response.body = if bodyless || (ended && rest.is_empty()) {
        Body::Empty
    } else {
        let decoder = chunked.then(Decoder::default);
        Body::Stream(Box::new(Output { exchange, rest, decoder, ended }))
    };
    Ok(response)
}

/// How far the request is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// There is more to send.
    No,
    /// All of it has been put into `out`.
    Read,
    /// All of it is with the kernel.
    Yes,
    /// The backend does not want the rest, but may have answered.
    Refused,
}

/// A request under way.
struct FcgiExchange {
    stream: TcpStream,
    out: Vec<u8>,
    done: usize,
    body: Body,
    sent: Sent,
    buf: BytesMut,
    reader: Reader,
    /// Bytes of complaints logged so far.
    complained: usize,
    addr: Arc<str>,
}

impl FcgiExchange {
    /// Sends what can be sent. Ready once nothing is left to do.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        while matches!(self.sent, Sent::No | Sent::Read) {
            let mut body_waits = false;
            while self.sent == Sent::No && self.out.len() - self.done < UNSENT {
                match self.body.poll_data(cx) {
                    Poll::Pending => {
                        body_waits = true;
                        break;
                    }
                    Poll::Ready(Some(piece)) => record::push_stdin(&mut self.out, &piece?),
                    Poll::Ready(None) => {
                        record::push_stdin_end(&mut self.out);
                        self.sent = Sent::Read;
                    }
                }
            }
            let rest = self.out.get(self.done..).unwrap_or_default();
            if rest.is_empty() {
                self.out.clear();
                self.done = 0;
                match self.sent {
                    Sent::Read => self.sent = Sent::Yes,
                    _ if body_waits => return Poll::Pending,
                    _ => {}
                }
                continue;
            }
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest)) {
                Ok(n) if n > 0 => self.done += n,
                // A script may answer without reading its input.
                Ok(_) | Err(_) => self.sent = Sent::Refused,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The next output; `None` at the end of it. A connection that closes without an end record is an error.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            match self.reader.next(&mut self.buf) {
                Said::Output(piece) => return Poll::Ready(Ok(Some(piece))),
                Said::End => return Poll::Ready(Ok(None)),
                Said::Malformed(why) => return Poll::Ready(Err(io::Error::other(why))),
                Said::Complaint(text) => self.log(&text),
                Said::NeedMore => {
                    if self.buf.capacity() - self.buf.len() < ROOM / 4 {
                        buffer::reserve(&mut self.buf, ROOM);
                    }
                    let read = tokio_util::io::poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.buf);
                    if ready!(read)? == 0 {
                        // Cut before the end: not to be taken for a whole answer.
                        let why = if self.reader.has_begun() { "unexpected EOF" } else { "EOF" };
                        return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, why)));
                    }
                }
            }
        }
    }

    /// Logs what a script complains about, as one line of printable text, up to a limit.
    fn log(&mut self, text: &[u8]) {
        let shown = text.get(..text.len().min(MAX_COMPLAINT - self.complained)).unwrap_or_default();
        self.complained += shown.len();
        if !shown.is_empty() {
            log::warn!("fcgi: {}: {}", self.addr, String::from_utf8_lossy(shown).trim_end().escape_debug());
        }
    }

    /// Sends, and reads the head of the response. With it: what followed it already, and whether that was all.
    async fn head(&mut self, timeout: Option<Duration>) -> Result<(RawHead, BytesMut, bool), TransportError> {
        let mut deadline = Deadline::default();
        let (mut armed, mut scanned) = (false, 0);
        let mut output = BytesMut::new();
        poll_fn(|cx| {
            match self.poll_send(cx) {
                Poll::Ready(Err(e)) => return Poll::Ready(Err(TransportError::of_request_body(&e))),
                Poll::Ready(Ok(())) if !armed => {
                    armed = true;
                    deadline.set(timeout.and_then(|t| Instant::now().checked_add(t)));
                }
                _ => {}
            }
            loop {
                match self.poll_output(cx) {
                    Poll::Ready(Ok(Some(piece))) => {
                        output.extend_from_slice(&piece);
                        if let Some(found) = lines::find_end(&output, &mut scanned) {
                            let head = found.cut(&mut output);
                            return Poll::Ready(Ok((head, std::mem::take(&mut output), false)));
                        }
                        if output.len() > MAX_HEAD {
                            let why = "response head too large".to_owned();
                            return Poll::Ready(Err(TransportError::ReadResponseHead(why)));
                        }
                    }
                    Poll::Ready(Ok(None)) if output.is_empty() => {
                        return Poll::Ready(Err(TransportError::ReadResponseHead("EOF".into())));
                    }
                    // A head may end with the output.
                    Poll::Ready(Ok(None)) => {
                        output.extend_from_slice(b"\r\n\r\n");
                        return Poll::Ready(Ok((std::mem::take(&mut output).into(), BytesMut::new(), true)));
                    }
                    Poll::Ready(Err(e)) => {
                        return Poll::Ready(Err(TransportError::ReadResponseHead(e.to_string())));
                    }
                    Poll::Pending if deadline.poll_passed(cx).is_ready() => {
                        return Poll::Ready(Err(TransportError::ResponseHeadTimeout));
                    }
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }
}

/// The body of a response.
struct Output {
    exchange: FcgiExchange,
    /// What has been read of it and not been given on.
    rest: BytesMut,
    /// Takes off the chunks that a script made itself.
    decoder: Option<Decoder>,
    ended: bool,
}

impl BodyStream for Output {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if let Poll::Ready(Err(e)) = self.exchange.poll_send(cx) {
            self.ended = true;
            return Poll::Ready(Some(Err(e)));
        }
        loop {
            match &mut self.decoder {
                None if !self.rest.is_empty() => {
                    return Poll::Ready(Some(Ok(self.rest.split().freeze())));
                }
                None => {}
                Some(decoder) => match decoder.decode(&mut self.rest) {
                    Ok(Decoded::Data(data)) => return Poll::Ready(Some(Ok(data))),
                    Ok(Decoded::End) => return Poll::Ready(None),
                    Ok(Decoded::NeedMore) if self.ended => {
                        return Poll::Ready(Some(Err(decoder.eof(&self.rest))));
                    }
                    Ok(Decoded::NeedMore) => {}
                    Err(e) => return Poll::Ready(Some(Err(e))),
                },
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match ready!(self.exchange.poll_output(cx)) {
                Ok(Some(piece)) if self.decoder.is_none() => return Poll::Ready(Some(Ok(piece))),
                Ok(Some(piece)) => self.rest.extend_from_slice(&piece),
                Ok(None) => self.ended = true,
                Err(e) => return Poll::Ready(Some(Err(e.into()))),
            }
        }
    }
}
