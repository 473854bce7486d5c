//! The head of a request, from the opening of its stream to what the pipeline gets.

use super::body::RequestBody;
use super::code::{Code, Fault};
use super::connection::{Active, Shared};
use super::exchange::StreamExchange;
use super::frame::{self, Frames, Piece, kind};
use super::qpack;
use super::state::{count, http3_state};
use crate::header_list::coding::Broken;
use crate::header_list::request::{self, Collector, Parts};
use crate::{Body, Request, Version};
use bytes::{Bytes, BytesMut};
use quinn::{ReadError, RecvStream, SendStream, VarInt};
use std::rc::Rc;
use tokio::time::timeout;

/// Room for the text of a head.
const HEAD_TEXT: usize = 4096;
/// Most bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// A stream that a client has opened for a request.
pub struct Incoming {
    active: Active,
    shared: Rc<Shared>,
    send: SendStream,
    recv: Incomplete,
}

/// What comes on the stream of a request.
pub(super) struct Incomplete {
    pub(super) stream: RecvStream,
    pub(super) frames: Frames,
}

/// Why there is no request. The client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The client, or its connection, has gone.
    #[error("client disconnected")]
    Gone,
    /// It did not come in time.
    #[error("i/o timeout")]
    Timeout,
    /// It breaks the rules.
    #[error("malformed request")]
    Malformed,
    /// The path is too long.
    #[error("path too long")]
    LongPath,
    /// There are too many fields, or too large ones.
    #[error("header too long")]
    LongHeader,
}

/// Why a stream gives no more.
pub(super) enum Cut {
    /// The client has reset it.
    Reset,
    /// The connection has gone.
    Gone,
    Fault(Fault),
}

impl Incomplete {
    /// What comes next; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Result<Option<Piece>, Cut> {
        loop {
            if let Some(piece) = self.frames.next().map_err(Cut::Fault)? {
                return Ok(Some(piece));
            }
            match self.stream.read_chunk(CHUNK, true).await {
                Ok(Some(chunk)) => self.frames.push(chunk.bytes),
                Ok(None) if self.frames.is_between() => return Ok(None),
                Ok(None) => return Err(Cut::Fault(Fault::Connection(Code::Frame))),
                Err(ReadError::Reset(_)) => return Err(Cut::Reset),
                Err(_) => return Err(Cut::Gone),
            }
        }
    }
}

impl Incoming {
    pub(super) fn new(active: Active, shared: Rc<Shared>, send: SendStream, recv: RecvStream) -> Self {
        let frames = Frames::new(shared.settings.max_list(), Rc::clone(&shared.held));
        Self { active, shared, send, recv: Incomplete { stream: recv, frames } }
    }

    /// Reads the head of the request, within the time that there is for that.
    ///
    /// # Errors
    /// See [`HeadError`]; the client has been told, and the counters moved.
    pub async fn read(mut self) -> Result<(Box<Request>, StreamExchange), HeadError> {
        let limit = self.shared.settings.client_read_timeout;
        let head = timeout(limit, head(&self.shared, &mut self.recv)).await;
        match head.unwrap_or(Err(HeadError::Timeout)) {
            Ok(head) => Ok(self.begin(head)),
            Err(error) => {
                self.refuse(error);
                Err(error)
            }
        }
    }

    fn begin(self, head: Head) -> (Box<Request>, StreamExchange) {
        let Head { mut request, expects, first, ends } = head;
        let is_head = request.method.as_ref() == b"HEAD";
        let id = VarInt::from(self.send.id()).into_inner();
        request.state.serial_number = u32::try_from(id / 4 + 1).unwrap_or(u32::MAX);
        let declared = u64::try_from(request.content_length).ok();
        let exchange = StreamExchange::new(self.active, self.shared, self.send, is_head);
        if !ends {
            let body = RequestBody::new(self.recv, first, declared, expects, exchange.request_side());
            request.body = Body::Stream(Box::new(body));
        }
        (Box::new(request), exchange)
    }

    /// Tells the client.
    fn refuse(mut self, error: HeadError) {
        use http3_state as s;
        let (counter, code, status) = match error {
            HeadError::Gone => (s::H3_ERR_GOT_RESET, Code::RequestIncomplete, None),
            HeadError::Timeout => (s::H3_TIMEOUT_REQUEST, Code::RequestCancelled, None),
            HeadError::Malformed => (s::H3_ERR_BAD_REQUEST, Code::Message, None),
            HeadError::LongPath => (s::H3_ERR_MAX_HEADER_URI_SIZE, Code::ExcessiveLoad, Some(414)),
            HeadError::LongHeader => (s::H3_ERR_MAX_HEADER_LIST_SIZE, Code::ExcessiveLoad, Some(431)),
        };
        count(counter);
        // Where the stream has ended already there is nobody to be told.
        let _ = self.recv.stream.stop(code.into());
        let Some(status) = status else {
            let _ = self.send.reset(code.into());
            return;
        };
        let mut list = qpack::Encoder::response(status);
        list.field(b"content-length", b"0");
        let answer = frame::whole(kind::HEADERS, &list.finish());
        tokio::task::spawn_local(async move {
            let limit = self.shared.settings.client_read_timeout;
            let sent = timeout(limit, self.send.write_all(&answer)).await;
            let _ =
                if matches!(sent, Ok(Ok(()))) { self.send.finish() } else { self.send.reset(code.into()) };
        });
    }
}

/// A head that has been read.
struct Head {
    request: Request,
    /// The client waits for `100 Continue`.
    expects: bool,
    /// What came behind it.
    first: Option<Piece>,
    /// There is no body.
    ends: bool,
}

async fn head(shared: &Shared, recv: &mut Incomplete) -> Result<Head, HeadError> {
    let cut = |cut| match cut {
        Cut::Reset | Cut::Gone => HeadError::Gone,
        Cut::Fault(Fault::LongList) => HeadError::LongHeader,
        Cut::Fault(Fault::Connection(code)) => {
            shared.fail(code, "a frame that has no place in a request");
            HeadError::Malformed
        }
    };
    let list = match recv.next().await.map_err(cut)? {
        Some(Piece::Frame(kind::HEADERS, list)) => list,
        Some(_) => return Err(cut(Cut::Fault(Fault::Connection(Code::FrameUnexpected)))),
        None => return Err(HeadError::Gone),
    };
    let settings = &shared.settings;
    let mut text = BytesMut::with_capacity(HEAD_TEXT.min(list.len() * 2));
    let mut fields = Collector::new(&mut text, None, settings.max_list(), settings.max_uri_bytes);
    decode(shared, &list, &mut fields)?;
    // The frame does not tell whether there is a body. Where there is rarely one, what comes next does.
    let mut next = None;
    let ends = if fields.has_body_rarely() {
        next = recv.next().await.map_err(cut)?;
        next.is_none()
    } else {
        false
    };
    let fault = |fault| match fault {
        request::Fault::Malformed => HeadError::Malformed,
        request::Fault::LongPath => HeadError::LongPath,
        request::Fault::LongList => HeadError::LongHeader,
    };
    let Parts { request, expects, protocol } = fields.request(Version::HTTP_3, ends).map_err(fault)?;
    if !protocol.is_empty() || !has_one_host(&request) {
        return Err(HeadError::Malformed);
    }
    Ok(Head { request, expects, first: next, ends })
}

fn decode(shared: &Shared, list: &Bytes, fields: &mut Collector<'_>) -> Result<(), HeadError> {
    let max = shared.settings.max_list();
    if let Err(Broken) = qpack::decode(list, max, fields) {
        shared.fail(Code::QpackDecompression, "fields that cannot be decoded");
        return Err(HeadError::Malformed);
    }
    let counters = http3_state::group();
    counters.add(http3_state::H3_REQ_HEADER_COMPRESS_SIZE, list.len() as u64);
    counters.add(http3_state::H3_REQ_HEADER_ORIGINAL_SIZE, fields.size as u64);
    Ok(())
}

/// A request has a host, and tells only one (RFC 9114, 4.3.1).
fn has_one_host(request: &Request) -> bool {
    let mut fields = request.header.get_all("Host");
    !request.host.is_empty() && fields.all(|host| host.eq_ignore_ascii_case(&request.host))
}

/// The fields behind a body.
pub(super) fn trailers(shared: &Shared, list: &Bytes) -> Result<crate::Header, HeadError> {
    let mut text = BytesMut::new();
    let mut fields = Collector::new(&mut text, None, shared.settings.max_list(), 0);
    decode(shared, list, &mut fields)?;
    fields.trailers().ok_or(HeadError::Malformed)
}
