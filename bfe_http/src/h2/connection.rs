//! A connection: what is known of it, and the loop that drives it.

use super::budget::Budget;
use super::exchange::StreamExchange;
use super::fingerprint::Fingerprint;
use super::frame::{self, Code, flag, kind, setting};
use super::hpack::{Decoder, Encoder};
use super::input::{Fail, OpenBlock, OpenPayload, Step};
use super::output::{HIGH, Output};
use super::spdy::{self, Codec};
use super::stream::StreamState;
use super::wire::Event;
use crate::h1::Stream;
use crate::h1::timer::Deadline;
use crate::header_list::max_list;
use crate::{Request, buffer};
use bytes::{Bytes, BytesMut};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Largest frame that is taken.
pub(super) const MAX_FRAME: usize = 1 << 20;
/// Window of the connection for request bodies.
const CONNECTION_WINDOW: u32 = 1 << 30;
/// Window that every connection begins with.
const FIRST_WINDOW: u32 = 65_535;
/// The same in SPDY, of a stream and of a connection.
const SPDY_WINDOW: u32 = 65_536;
/// Limit on the preface of the client.
const PREFACE: Duration = Duration::from_secs(10);
/// Limit on the first frame after it.
const FIRST_FRAME: Duration = Duration::from_secs(2);
/// Default limit on the pause between two requests.
const AGAIN: Duration = Duration::from_secs(60);
/// Room for streams that an idle connection may keep.
const FEW: usize = 8;
/// Streams that are remembered as closed, to tell what comes late from what never was.
const REMEMBERED: usize = 64;

/// Settings of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Streams at once.
    pub max_streams: u32,
    /// Initial window of a stream for its request body, in bytes.
    pub window: u32,
    /// `MaxHeaderBytes`.
    pub max_header_bytes: usize,
    /// `MaxHeaderUriBytes`.
    pub max_uri_bytes: usize,
    /// `ClientReadTimeout`: until the first request.
    pub client_read_timeout: Duration,
    /// `GracefulShutdownTimeout`: from GOAWAY to the end.
    pub graceful_timeout: Duration,
    /// Whether clients may ask for another protocol on a stream (RFC 8441). SPDY has no such thing.
    pub extended_connect: bool,
}

impl Settings {
    /// Streams at once where no rule says anything.
    pub const MAX_STREAMS: u32 = 200;
    /// Window of a stream where no rule says anything.
    pub const WINDOW: u32 = FIRST_WINDOW;

    /// `MAX_HEADER_LIST_SIZE`.
    pub(super) fn max_list(&self) -> usize {
        max_list(self.max_header_bytes)
    }
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The preface has to come.
    Preface,
    /// The first frame has to come.
    FirstFrame,
    /// The first request has to come.
    FirstRequest,
    /// Requests.
    Running,
    /// The last GOAWAY has been said. What still comes is dropped.
    Parting,
    /// Our side ends; the client gets its last bytes.
    Closing,
    /// It is over.
    Gone,
}

/// What tasks of streams and the driver of the connection share.
pub(super) struct Inner {
    pub(super) io: Stream,
    /// Header blocks of a connection that speaks SPDY/3.1 instead.
    pub(super) spdy: Option<Box<Codec>>,
    pub(super) settings: Settings,
    pub(super) stage: Stage,
    pub(super) input: BytesMut,
    /// A frame whose payload is taken piece by piece.
    pub(super) payload: Option<OpenPayload>,
    /// A header block of more than one frame.
    pub(super) block: Option<OpenBlock>,
    pub(super) decoder: Decoder,
    /// Where the text of heads is put.
    pub(super) heads: BytesMut,
    pub(super) fingerprint: Fingerprint,
    pub(super) out: Output,
    pub(super) encoder: Encoder,
    /// A header block while it is made.
    pub(super) block_out: Vec<u8>,
    /// Streams whose task is there.
    pub(super) streams: FxHashMap<u32, StreamState>,
    /// How many of them have not ended.
    pub(super) open: u32,
    /// Number of the last stream of the client.
    pub(super) last_stream: u32,
    closed: VecDeque<u32>,
    /// How much the client takes on all streams.
    pub(super) send_window: i64,
    /// What it takes on a new stream.
    pub(super) first_send_window: i64,
    /// How much the client may send on all streams.
    pub(super) connection_window: i64,
    pub(super) connection_credit: u32,
    /// How much of it is given back at once.
    pub(super) credit_at: u32,
    /// A stream whose client was let send more than its window, see [`Self::may_overdraw`]; 0 for none.
    pub(super) overdrawn: u32,
    /// SETTINGS that the client has not acknowledged.
    pub(super) unacknowledged: u32,
    /// GOAWAY has been sent: new streams are not heard.
    pub(super) going_away: bool,
    pub(super) resets: Budget,
    /// The client has made us reset more streams than there is a budget for.
    pub(super) provoked: bool,
    pub(super) empties: Budget,
    pub(super) pings: Budget,
    pub(super) deadline: Deadline,
    /// Pause that is allowed after the last stream.
    again: Duration,
    driver: Waker,
    woken: bool,
}

/// A client connection that speaks HTTP/2.
pub struct Connection {
    inner: Rc<RefCell<Inner>>,
}

// === impl Connection ===

impl Connection {
    /// A connection over `io`, which has nothing of the client's read yet.
    #[must_use]
    pub fn new(io: Stream, settings: Settings) -> Self {
        let mut deadline = Deadline::default();
        deadline.set(Instant::now().checked_add(PREFACE.min(settings.client_read_timeout)));
        let streams = settings.max_streams;
        let inner = Inner {
            io,
            spdy: None,
            settings,
            stage: Stage::Preface,
            input: BytesMut::new(),
            payload: None,
            block: None,
            decoder: Decoder::default(),
            heads: BytesMut::new(),
            fingerprint: Fingerprint::default(),
            out: Output::default(),
            encoder: Encoder::default(),
            block_out: Vec::new(),
            streams: FxHashMap::default(),
            open: 0,
            last_stream: 0,
            closed: VecDeque::new(),
            send_window: i64::from(FIRST_WINDOW),
            first_send_window: i64::from(FIRST_WINDOW),
            connection_window: i64::from(CONNECTION_WINDOW),
            connection_credit: 0,
            credit_at: CONNECTION_WINDOW / 1024,
            overdrawn: 0,
            unacknowledged: 0,
            going_away: false,
            resets: Budget::new(streams.saturating_mul(2).max(100), 100),
            provoked: false,
            empties: Budget::new(1000, 100),
            pings: Budget::new(10_000, 1000),
            deadline,
            again: AGAIN,
            driver: Waker::noop().clone(),
            woken: false,
        };
        Self { inner: Rc::new(RefCell::new(inner)) }
    }

    /// A connection that speaks SPDY/3.1. Its windows are those of that protocol.
    #[must_use]
    pub fn spdy(io: Stream, settings: Settings) -> Self {
        let settings = Settings { max_streams: Settings::MAX_STREAMS, window: SPDY_WINDOW, ..settings };
        let connection = Self::new(io, settings);
        let mut inner = connection.inner.borrow_mut();
        inner.spdy = Some(Box::default());
        inner.send_window = i64::from(SPDY_WINDOW);
        inner.first_send_window = i64::from(SPDY_WINDOW);
        inner.connection_window = i64::from(SPDY_WINDOW);
        inner.credit_at = SPDY_WINDOW / 2;
        spdy::push_greeting(inner.out.frames(), SPDY_WINDOW);
        inner.settle();
        drop(inner);
        connection
    }

    /// Reads and writes, and waits for the next request; `None` once the connection is over. Streams go on
    /// only as long as this is polled.
    pub fn poll_request(&self, cx: &mut Context<'_>) -> Poll<Option<(Box<Request>, StreamExchange)>> {
        let step = self.inner.borrow_mut().poll_drive(cx);
        step.map(|opened| {
            opened.map(|opened| {
                let method = opened.request.method.as_ref();
                let exchange = StreamExchange::new(&self.inner, opened.id, method, opened.protocol);
                let mut request = opened.request;
                if opened.has_body {
                    request.body = exchange.request_body();
                }
                (request, exchange)
            })
        })
    }

    /// Tells the client to open no more streams. Those that are there go on; the connection ends when the
    /// client goes, or `GracefulShutdownTimeout` has passed.
    pub fn go_away(&self) {
        let mut inner = self.inner.borrow_mut();
        if !inner.going_away
            && !matches!(inner.stage, Stage::Preface | Stage::Parting | Stage::Closing | Stage::Gone)
        {
            inner.going_away = true;
            inner.push_goaway(Code::None);
            let end = Instant::now().checked_add(inner.settings.graceful_timeout);
            inner.deadline.set(end);
        }
    }
}

/// A stream that has been opened.
pub(super) struct Opened {
    pub(super) id: u32,
    pub(super) request: Box<Request>,
    pub(super) has_body: bool,
    /// What the client wants to speak on the stream; empty where it is HTTP.
    pub(super) protocol: Bytes,
}

// === impl Inner ===

impl Inner {
    /// The loop: what has been read is looked at first, then more is read, and only when there is nothing more
    /// to read does all that has gathered go out.
    fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Opened>> {
        self.driver.clone_from(cx.waker());
        self.woken = false;
        loop {
            match self.stage {
                Stage::Gone => return Poll::Ready(None),
                Stage::Parting | Stage::Closing => return self.poll_close(cx).map(|()| None),
                _ => {}
            }
            let step = if self.spdy.is_some() { self.spdy_step() } else { self.step() };
            match step {
                _ if self.provoked => {
                    self.fail(Fail::Calm);
                    continue;
                }
                Ok(Step::Opened(opened)) => return Poll::Ready(Some(opened)),
                Ok(Step::Next) => continue,
                Ok(Step::More) => {}
                Err(fail) => {
                    self.fail(fail);
                    continue;
                }
            }
            if self.out.is_flooded() {
                self.count(Event::Deaf);
                self.close();
                continue;
            }
            if self.out.len() >= HIGH && self.poll_flush(cx).is_err() {
                self.gone();
                continue;
            }
            match self.poll_fill(cx) {
                Poll::Ready(true) => continue,
                Poll::Ready(false) => {
                    self.gone();
                    continue;
                }
                Poll::Pending => {}
            }
            if self.poll_flush(cx).is_err() {
                self.gone();
                continue;
            }
            if self.deadline.poll_passed(cx).is_pending() {
                return Poll::Pending;
            }
            self.late();
        }
    }

    /// Reads more; false at the end. An idle connection holds no buffer meanwhile.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.input.is_empty() {
            if self.open == 0 {
                buffer::give_back(&mut self.input);
                self.heads = BytesMut::new();
                if self.streams.is_empty() && self.streams.capacity() > FEW {
                    self.streams = FxHashMap::default();
                }
            }
            match self.io.poll_readable(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.input.capacity() - self.input.len() < buffer::SMALL / 4 {
            let room = if self.payload.is_some() { 4 * buffer::SMALL } else { buffer::SMALL };
            buffer::reserve(&mut self.input, room);
        }
        match self.io.poll_read_buf(cx, &mut self.input) {
            Poll::Ready(Ok(n)) => Poll::Ready(n > 0),
            Poll::Ready(Err(_)) => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Writes what has gathered, as far as the client takes it.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<(), ()> {
        if self.out.len() == 0 {
            return Ok(());
        }
        match self.out.poll_write(&mut self.io, cx) {
            Poll::Ready(Err(_)) => return Err(()),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        if !self.out.waiting.is_empty() {
            self.wake_next();
        }
        Ok(())
    }

    /// Sees that what was appended to the output goes out, after all tasks that have something to add.
    pub(super) fn wake_writer(&mut self) {
        if !self.woken {
            self.woken = true;
            self.driver.wake_by_ref();
        }
    }

    /// The preface has come: now we speak.
    pub(super) fn greet(&mut self) {
        // A setting that is not there says as much as 0.
        let settings = [
            (setting::MAX_FRAME_SIZE, u32::try_from(MAX_FRAME).unwrap_or_default()),
            (setting::MAX_CONCURRENT_STREAMS, self.settings.max_streams),
            (setting::MAX_HEADER_LIST_SIZE, u32::try_from(self.settings.max_list()).unwrap_or(u32::MAX)),
            (setting::INITIAL_WINDOW_SIZE, self.settings.window),
            (setting::ENABLE_CONNECT_PROTOCOL, 1),
        ];
        let told = settings.len() - usize::from(!self.settings.extended_connect);
        let out = self.out.frames();
        frame::push_settings(out, settings.get(..told).unwrap_or_default());
        frame::push_numbers(out, kind::WINDOW_UPDATE, 0, &[CONNECTION_WINDOW - FIRST_WINDOW]);
        self.unacknowledged = 1;
        self.stage = Stage::FirstFrame;
        self.deadline.set(Instant::now().checked_add(FIRST_FRAME));
    }

    /// The first frame has come.
    pub(super) fn settle(&mut self) {
        self.stage = Stage::FirstRequest;
        self.deadline.set(Instant::now().checked_add(self.settings.client_read_timeout));
    }

    /// A stream has been opened: there is no limit on the connection while it is there.
    pub(super) fn busy(&mut self) {
        self.stage = Stage::Running;
        if !self.going_away {
            self.deadline.set(None);
        }
    }

    /// No stream is there, or the client has shown that it is still there: it may pause for so long from now.
    pub(super) fn rest(&mut self) {
        if self.stage == Stage::Running && !self.going_away {
            self.deadline.set(Instant::now().checked_add(self.again));
        }
    }

    /// Takes the pause that is allowed after the last stream.
    pub(super) fn set_again(&mut self, again: Duration) {
        self.again = again;
    }

    /// Remembers a stream that ended early.
    pub(super) fn note_closed(&mut self, id: u32) {
        if self.closed.len() == REMEMBERED {
            self.closed.pop_front();
        }
        self.closed.push_back(id);
    }

    /// Whether a stream was there, and not long ago.
    pub(super) fn was_there(&self, id: u32) -> bool {
        self.closed.contains(&id)
    }

    /// Appends a header block, in as many frames as it takes.
    pub(super) fn push_block(&mut self, id: u32, block: &[u8], end: bool) {
        let end = if end { flag::END_STREAM } else { 0 };
        let mut pieces = block.chunks(frame::DEFAULT_MAX).peekable();
        let mut kind = kind::HEADERS;
        let mut flags = end;
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                flags |= flag::END_HEADERS;
            }
            let out = self.out.frames();
            frame::push_head(out, piece.len(), kind, flags, id);
            out.extend_from_slice(piece);
            (kind, flags) = (kind::CONTINUATION, 0);
        }
    }
}
