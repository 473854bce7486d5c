//! Calls of gRPC services, in which both sides send messages, over TLS.
//!
//! They share nothing with the requests of clients: neither limits nor counters. A call stays on the worker that
//! makes it; dropping it cancels it.

use super::h2c::{Connections, Lent};
use super::{Kind, TlsBackend, Transport, TransportConf, TransportError};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Method, Request, Uri, Version};
use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest message that is received, as everywhere in gRPC where nothing else is said.
const MAX_MESSAGE: usize = 4 << 20;
/// In front of a message: whether it is compressed, and its length.
const PREFIX: usize = 5;
/// How often connections that are over are looked for.
const SWEEP: Duration = Duration::from_secs(30);

thread_local! {
    static CONNECTIONS: Rc<Connections> = Rc::default();
    static SWEPT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum GrpcError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] TransportError),
    /// The service cannot be called by that name.
    #[error("{0}")]
    Name(#[from] http::Error),
    /// The stream broke.
    #[error("{0}")]
    Stream(#[from] h2::Error),
    /// The service ended the call.
    #[error("call ended: {0}")]
    Ended(String),
    /// A message that is too long, or compressed.
    #[error("{0}")]
    Message(&'static str),
}

/// A server of gRPC services.
#[derive(Clone, Debug)]
pub struct GrpcClient {
    transport: Arc<Transport>,
    addr: Arc<str>,
}

impl GrpcClient {
    /// For a server at `addr`, host and port. `connect` is how long connecting may take, `tls` has to offer `h2`.
    #[must_use]
    pub fn new(tls: TlsBackend, addr: &str, connect: Duration) -> Self {
        let conf = TransportConf {
            connect_timeout: Some(connect),
            response_header_timeout: None,
            max_idle_per_host: 0,
            max_conns_per_host: 0,
        };
        Self { transport: Arc::new(Transport::uncounted(Kind::Https(tls), conf)), addr: addr.into() }
    }

    /// Calls the method at `path`. No limit on time is set here but for connecting.
    ///
    /// # Errors
    /// See [`GrpcError`].
    pub async fn call(&self, path: &'static str) -> Result<Call, GrpcError> {
        let connections = CONNECTIONS.with(Rc::clone);
        let now = Instant::now();
        if SWEPT.get().is_none_or(|swept| now.duration_since(swept) >= SWEEP) {
            SWEPT.set(Some(now));
            connections.sweep();
        }
        let uri = Uri::builder().scheme("https").authority(&*self.addr).path_and_query(path).build()?;
        let request = Request::builder()
            .method(Method::POST)
            .version(Version::HTTP_2)
            .uri(uri)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        let mut lent = connections.get(&self.transport, &self.addr).await?;
        let (answer, sending) = lent.sender().send_request(request, false)?;
        Ok(Call { sending, receiving: Receiving::Head(answer), received: BytesMut::new(), _lent: lent })
    }
}

/// A call that goes on.
pub struct Call {
    sending: SendStream<Bytes>,
    receiving: Receiving,
    received: BytesMut,
    _lent: Lent,
}

enum Receiving {
    Head(ResponseFuture),
    Messages(RecvStream),
}

impl Call {
    /// Sends a message.
    ///
    /// # Errors
    /// See [`GrpcError`].
    pub async fn send(&mut self, message: &[u8]) -> Result<(), GrpcError> {
        let length = u32::try_from(message.len()).map_err(|_| GrpcError::Message("message too long"))?;
        let mut frame = BytesMut::with_capacity(PREFIX + message.len());
        frame.put_u8(0);
        frame.put_u32(length);
        frame.put_slice(message);
        let mut rest = frame.freeze();
        while !rest.is_empty() {
            self.sending.reserve_capacity(rest.len());
            if self.sending.capacity() == 0 {
                match poll_fn(|cx| self.sending.poll_capacity(cx)).await {
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return Err(error.into()),
                    None => return Err(GrpcError::Ended("not for sending any more".into())),
                }
            }
            let piece = rest.split_to(self.sending.capacity().min(rest.len()));
            self.sending.send_data(piece, false)?;
        }
        Ok(())
    }

    /// Waits for a message.
    ///
    /// # Errors
    /// See [`GrpcError`]; the end of the call is one.
    pub async fn receive(&mut self) -> Result<Bytes, GrpcError> {
        loop {
            if let Some(message) = self.take_message()? {
                return Ok(message);
            }
            let stream = match &mut self.receiving {
                Receiving::Messages(stream) => stream,
                Receiving::Head(answer) => {
                    let (head, stream) = answer.await?.into_parts();
                    if head.status != 200 || head.headers.contains_key("grpc-status") {
                        return Err(GrpcError::Ended(format!("{}{}", head.status, status(&head.headers))));
                    }
                    self.receiving = Receiving::Messages(stream);
                    continue;
                }
            };
            match stream.data().await {
                Some(data) => {
                    let data = data?;
                    // What is held is bounded by the window and the longest message.
                    stream.flow_control().release_capacity(data.len())?;
                    self.received.extend_from_slice(&data);
                }
                None => {
                    let trailers = stream.trailers().await?.unwrap_or_default();
                    return Err(GrpcError::Ended(status(&trailers)));
                }
            }
        }
    }

    fn take_message(&mut self) -> Result<Option<Bytes>, GrpcError> {
        let Some(prefix) = self.received.first_chunk::<PREFIX>() else { return Ok(None) };
        let [compressed, length @ ..] = *prefix;
        if compressed != 0 {
            return Err(GrpcError::Message("compressed message"));
        }
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > MAX_MESSAGE {
            return Err(GrpcError::Message("message too long"));
        }
        if self.received.len() < PREFIX + length {
            return Ok(None);
        }
        self.received.advance(PREFIX);
        Ok(Some(self.received.split_to(length).freeze()))
    }
}

/// What the service says of the end of a call, in words.
fn status(fields: &HeaderMap) -> String {
    let field = |name: &str| fields.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    let code = field("grpc-status").unwrap_or_else(|| "none".into());
    format!(" grpc-status {code} {}", field("grpc-message").unwrap_or_default()).trim_end().to_owned()
}
