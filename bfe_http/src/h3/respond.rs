//! Sending a response (lifecycle 10; RFC 9114, 4.1).

use super::code::Code;
use super::exchange::{Output, StreamExchange};
use super::frame::{self, kind};
use super::qpack::Encoder;
use super::state::{count, http3_state};
use crate::body::join;
use crate::h1::server::{FlushPolicy, SendError, SendOptions, Sent};
use crate::h1::timer::Deadline;
use crate::header_list::response::{declared, for_each_field};
use crate::status::allows_body;
use crate::{Body, BodyError, Header, Response, http_date, sniff};
use bytes::Bytes;
use quinn::{StoppedError, VarInt};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

/// What is held back at most, to go out with what follows; as much as HTTP/2 holds back.
const BUFFER: usize = 4096;

/// What is waited for while a body is passed on.
enum Event {
    Body(Option<Result<Bytes, BodyError>>),
    Flush,
    /// The client wants no more of it, or has gone.
    Stopped,
}

/// A response on its way.
struct Sending<'a> {
    exchange: &'a StreamExchange,
    output: Output,
    status: u16,
    header: &'a Header,
    /// The body stays here: that of a `HEAD`, or of a status that has none.
    is_bodiless: bool,
    /// What has not been sent yet.
    held: Bytes,
    head_sent: bool,
    header_len: u64,
    body_len: u64,
    policy: FlushPolicy,
    /// When what is held is to go out.
    timer: Option<Deadline>,
    /// Ends when the client wants no more.
    stopped: Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>>>>,
}

impl StreamExchange {
    /// Sends a response. Its body is used up; status and header stay.
    pub(super) async fn send_response(&self, res: &mut Response, options: &SendOptions) -> Sent {
        let mut body = std::mem::take(&mut res.body);
        let Some(output) = self.side.send.take() else {
            let error = SendError::Write(io::Error::other("http3: a second response"));
            return Sent { error: Some(error), keep: true, ..Sent::default() };
        };
        let mut sending = Sending {
            exchange: self,
            stopped: Box::pin(output.stream.stopped()),
            output,
            status: res.status,
            header: &res.header,
            is_bodiless: self.is_head || !allows_body(res.status),
            held: Bytes::new(),
            head_sent: false,
            header_len: 0,
            body_len: 0,
            policy: options.flush,
            timer: None,
        };
        let result = match self.side.broken.get() {
            None => sending.run(&mut body, options).await,
            Some(_) => Err(gone()),
        };
        let Sending { mut output, header_len, body_len, .. } = sending;
        if result.is_ok() {
            // Where it fails, the client has stopped it, and knows.
            let _ = output.stream.finish();
        } else {
            let code = self.side.broken.get().unwrap_or(Code::InternalError);
            let _ = output.stream.reset(code.into());
        }
        self.complete.set(true);
        *self.side.send.borrow_mut() = Some(output);
        Sent { header_len, body_len, error: result.err(), keep: true, linger: false }
    }
}

impl Sending<'_> {
    async fn run(&mut self, body: &mut Body, options: &SendOptions) -> Result<(), SendError> {
        let unsent = std::mem::take(&mut self.output.unsent);
        self.write([unsent]).await?;
        let limit = declared(self.header);
        let mut total = 0;
        loop {
            match self.next(body).await {
                Event::Body(None) => break,
                Event::Body(Some(Err(error))) => {
                    // What has come is passed on, and then it is cut.
                    let _ = self.flush(false).await;
                    return Err(SendError::Body(error));
                }
                Event::Body(Some(Ok(_))) if self.is_bodiless => {}
                Event::Body(Some(Ok(piece))) => {
                    total += piece.len() as u64;
                    if limit.is_some_and(|limit| total > limit) {
                        return Err(SendError::TooLong);
                    }
                    if self.held.len() + piece.len() > BUFFER {
                        self.flush(false).await?;
                    }
                    self.held = join(std::mem::take(&mut self.held), piece);
                    if self.policy == FlushPolicy::Immediate || self.held.len() > BUFFER {
                        self.flush(false).await?;
                    }
                }
                Event::Flush => self.flush(false).await?,
                Event::Stopped if options.cancel_on_close => {
                    return Err(SendError::Body(BodyError::ClientGone));
                }
                Event::Stopped => return Err(gone()),
            }
        }
        if !self.is_bodiless && limit.is_some_and(|limit| total != limit) {
            // A client takes it for broken in any case (RFC 9114, 4.1.2).
            let _ = self.flush(false).await;
            return Err(SendError::Body(BodyError::UnexpectedEof));
        }
        let trailers = body.take_trailers();
        self.flush(trailers.is_none()).await?;
        match trailers {
            Some(trailers) => self.trailers(&trailers).await,
            None => Ok(()),
        }
    }

    /// Waits for what the body has next, for the time to flush, or for the client to stop.
    async fn next(&mut self, body: &mut Body) -> Event {
        // A head that waits for its body says something, too.
        let is_due = self.policy == FlushPolicy::Immediate && !self.head_sent;
        if let FlushPolicy::Every(interval) = self.policy
            && !self.held.is_empty()
        {
            self.timer.get_or_insert_with(|| Deadline::after(interval));
        }
        let event = poll_fn(|cx| {
            if let Poll::Ready(next) = body.poll_data(cx) {
                return Poll::Ready(Event::Body(next));
            }
            if is_due || self.timer.as_mut().is_some_and(|timer| timer.poll_passed(cx).is_ready()) {
                return Poll::Ready(Event::Flush);
            }
            self.stopped.as_mut().poll(cx).map(|_| Event::Stopped)
        });
        event.await
    }

    /// Sends what is held, behind the head where that has not been sent. `complete`: that is all of the body.
    async fn flush(&mut self, complete: bool) -> Result<(), SendError> {
        let mut parts = [Bytes::new(), Bytes::new(), Bytes::new()];
        let body = std::mem::take(&mut self.held);
        self.timer = None;
        if !self.head_sent {
            self.head_sent = true;
            parts[0] = self.head(&body, complete);
            self.header_len = parts[0].len() as u64;
        }
        if !body.is_empty() {
            self.body_len += body.len() as u64;
            parts[1] = frame::head(kind::DATA, body.len()).into();
            parts[2] = body;
        }
        self.write(parts).await
    }

    /// The frame of the head.
    fn head(&self, first: &[u8], complete: bool) -> Bytes {
        let mut list = Encoder::response(self.status);
        let mut size = 0;
        let mut field = |name: &[u8], value: &[u8]| {
            size += name.len() + value.len();
            list.field(name, value);
        };
        for_each_field(self.header, &mut field);
        let body_allowed = allows_body(self.status);
        if body_allowed && !self.header.contains("Content-Type") {
            field(b"content-type", sniff::content_type(first).as_bytes());
        }
        if declared(self.header).is_some() {
            field(b"content-length", self.header.get("Content-Length").unwrap_or_default());
        } else if complete && body_allowed && (!first.is_empty() || !self.exchange.is_head) {
            let mut digits = itoa::Buffer::new();
            field(b"content-length", digits.format(first.len()).as_bytes());
        }
        if !self.header.contains("Date") {
            field(b"date", &http_date());
        }
        let list = list.finish();
        let counters = http3_state::group();
        counters.add(http3_state::H3_RES_HEADER_ORIGINAL_SIZE, size as u64);
        counters.add(http3_state::H3_RES_HEADER_COMPRESS_SIZE, list.len() as u64);
        frame::whole(kind::HEADERS, &list).into()
    }

    async fn trailers(&mut self, trailers: &Header) -> Result<(), SendError> {
        let mut list = Encoder::fields();
        for_each_field(trailers, |name, value| list.field(name, value));
        self.write([frame::whole(kind::HEADERS, &list.finish()).into()]).await
    }

    /// Writes as fast as the client takes it, until the deadline.
    async fn write<const N: usize>(&mut self, mut parts: [Bytes; N]) -> Result<(), SendError> {
        while parts.iter().any(|part| !part.is_empty()) {
            let deadline = &self.exchange.write_deadline;
            let mut write = pin!(self.output.stream.write_chunks(&mut parts));
            let written = poll_fn(|cx| match write.as_mut().poll(cx) {
                Poll::Pending => deadline.borrow_mut().poll_passed(cx).map(|()| None),
                Poll::Ready(written) => Poll::Ready(Some(written)),
            });
            match written.await {
                Some(Ok(_)) => {}
                Some(Err(_)) => return Err(gone()),
                None => {
                    count(http3_state::H3_TIMEOUT_WRITE_STREAM);
                    self.exchange.side.broken.set(Some(Code::RequestCancelled));
                    return Err(SendError::Write(io::Error::other("http3: write stream timeout")));
                }
            }
        }
        Ok(())
    }
}

fn gone() -> SendError {
    SendError::Write(io::Error::other("http3: stream closed"))
}
