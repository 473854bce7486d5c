//! The handshake of a connection (tls 17.1, 17.2).

use crate::alert::{Alert, NO_VERSION};
use crate::conf::tls_rule_conf::Rule;
use crate::counters::tls_state as s;
use crate::course::{Course, count_check, did_resume};
use crate::failure::words;
use crate::handshake_thread::HandshakeThread;
use crate::hello::{self, ClientHello, HelloError};
use crate::protocol::Protocol;
use crate::select::{CertLookup, Cipher, Peer, Selection};
use crate::server::{Tables, TlsServer};
use crate::stream::{ClientStream, Tapped};
use bfe_basic::TlsState;
use bytes::BytesMut;
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout_at;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::{FallibleAccept, TlsStream};

/// How long a client that is refused may still be sending, and in how many pieces.
const LINGER: Duration = Duration::from_millis(500);
/// The extension by which a client says that it can do with tickets.
const SESSION_TICKET: u16 = 35;
/// See [`LINGER`].
const LINGER_READS: usize = 128;

/// Why there was no handshake. The connection is of no use any more; the client has been told what there is to
/// tell.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// It took too long.
    #[error("i/o timeout")]
    Timeout,
    /// There was no hello that anything could be made of.
    #[error("{0}")]
    Hello(String),
    /// The hello asks for what is not supported.
    #[error("{0}")]
    Refused(Cow<'static, str>),
    /// It failed later on.
    #[error("{}", words(.0))]
    Failed(#[from] io::Error),
    /// A session was resumed whose certificate is not good any more.
    #[error("client certificate of a resumed session: {0}")]
    ClientCert(tokio_rustls::rustls::Error),
}

/// A handshake that is over.
pub struct Handshake<S> {
    /// How the certificate was found; `None` where it did not come to that.
    pub lookup: Option<CertLookup>,
    /// What came of it.
    pub result: Result<Established<S>, HandshakeError>,
}

/// A connection that has shaken hands.
pub struct Established<S> {
    /// Its stream.
    pub stream: ClientStream<S>,
    /// What modules get to know.
    pub state: TlsState,
    /// What is spoken on it: what the rule insists on, else what ALPN found, else HTTP/1.
    pub protocol: Protocol,
    /// Parameters of the protocol.
    pub params: ProtocolParams,
    /// Whether the client could as well speak HTTP/3, where that is served.
    pub allows_http3: bool,
}

/// Parameters of a protocol (tls 3.3). Only those written in a rule's own `NextProtos` count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProtocolParams {
    /// HTTP/2: streams at once; `None` for the default.
    pub max_streams: Option<u32>,
    /// HTTP/2: initial window of a stream, in bytes; `None` for the default.
    pub window: Option<u32>,
    /// Raw TCP: version of the PROXY header towards the backend; 0 for none.
    pub proxy_protocol: u8,
    /// The protocol is never dropped, not even under load.
    pub steady: bool,
}

impl TlsServer {
    /// Shakes hands with a client. `early` is what has been read from it already; `thread` does the costly step.
    pub async fn handshake<S>(
        &self,
        thread: &HandshakeThread,
        mut stream: S,
        mut early: BytesMut,
        peer: &Peer,
        deadline: Instant,
    ) -> Handshake<S>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let begin = Instant::now();
        let read = timeout_at(deadline.into(), hello::read(&mut stream, &mut early)).await;
        let hello = match read.map_err(|_| HandshakeError::Timeout) {
            Ok(Ok(hello)) => hello,
            Ok(Err(error)) => return fail(None, no_hello(stream, &error).await),
            Err(timeout) => return fail(None, counted(timeout)),
        };
        let tables = self.tables();
        let (lookup, selected) = self.select(&tables, &hello, peer);
        if lookup.is_some() {
            count_check(&hello, self.has_tickets());
        }
        let selection = match selected {
            Ok(selection) => selection,
            Err(refusal) => {
                if refusal.no_shared_suite {
                    s::group().inc(s::TLS_HANDSHAKE_NO_SHARED_CIPHER_SUITE);
                }
                send(&mut stream, refusal.alert, refusal.version).await;
                return fail(lookup, counted(HandshakeError::Refused(refusal.why)));
            }
        };
        let stream = Tapped::new(stream, early);
        let result = self.proceed(thread, stream, &tables, hello, &selection, (begin, deadline)).await;
        Handshake { lookup, result }
    }

    /// Everything after the decision.
    async fn proceed<S>(
        &self,
        thread: &HandshakeThread,
        stream: Tapped<S>,
        tables: &Tables,
        hello: ClientHello,
        selection: &Selection,
        (begin, deadline): (Instant, Instant),
    ) -> Result<Established<S>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let group = s::group();
        if selection.assumed_points {
            group.inc(s::TLS_HANDSHAKE_ACCEPT_ECDHE_WITHOUT_EXT);
        }
        let (config, course) = Course::begin(self, tables, &hello, selection, begin)
            .map_err(|e| counted(HandshakeError::Failed(io::Error::other(e))))?;
        let (config, cached) = match self.session_cache().filter(|_| selection.cipher != Cipher::Tls13) {
            None => (config, None),
            Some(cache) => {
                let domain = selection.rule.authority.as_deref().map(|a| a.fingerprint).unwrap_or_default();
                let id = if course.presented { &[] } else { hello.session_id.as_slice() };
                let gets_ticket = self.has_tickets() && hello.extensions.contains(&SESSION_TICKET);
                let (config, one) = cache.of_one_connection(&config, id, domain, !gets_ticket).await;
                (config, Some((cache, one)))
            }
        };
        let accept = TlsAcceptor::from(config).accept(stream).into_fallible();
        let mut tls = match timeout_at(deadline.into(), finish(thread, accept)).await {
            Ok(Ok(tls)) => tls,
            Ok(Err((error, below))) => {
                // Without an answer to the hello it had failed before it began.
                let begun = below.is_some_and(|below| below.server_random().is_some());
                if begun {
                    course.count_full(&hello);
                } else {
                    group.inc(s::TLS_HANDSHAKE_READ_CLIENT_HELLO_ERR);
                }
                return Err(HandshakeError::Failed(error));
            }
            Err(_) => {
                course.count_full(&hello);
                return Err(HandshakeError::Timeout);
            }
        };
        let (below, connection) = tls.get_mut();
        below.settle();
        if let Some((cache, one)) = cached {
            cache.store(&one);
            if did_resume(connection) && !course.presented {
                group.inc(s::TLS_HANDSHAKE_SHOULD_RESUME_SESSION_CACHE);
            }
        }
        let state = course
            .finish(hello, selection, connection, below.server_random())
            .map_err(HandshakeError::ClientCert)?;
        let protocol = selection.rule.mandatory().or(selection.alpn).unwrap_or(Protocol::Http1);
        Ok(Established {
            stream: ClientStream::new(tls, selection.rule.dynamic_record),
            state,
            protocol,
            params: params(&selection.rule, protocol),
            allows_http3: selection.rule.allows_http3(),
        })
    }
}

/// Does a handshake. Its first step, which answers the hello, is for the thread; the others cost little. Where it
/// fails, also gives what was below it.
async fn finish<S>(
    thread: &HandshakeThread,
    accept: FallibleAccept<Tapped<S>>,
) -> Result<TlsStream<Tapped<S>>, (io::Error, Option<Tapped<S>>)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let done = match thread.poll_once(accept).await.map_err(|error| (error, None))? {
        (Poll::Ready(done), _) => done,
        (Poll::Pending, accept) => accept.await,
    };
    done.map_err(|(error, below)| (error, Some(below)))
}

/// Counts a failure up to and including the negotiation.
fn counted(error: HandshakeError) -> HandshakeError {
    s::group().inc(s::TLS_HANDSHAKE_READ_CLIENT_HELLO_ERR);
    error
}

fn fail<S>(lookup: Option<CertLookup>, error: HandshakeError) -> Handshake<S> {
    Handshake { lookup, result: Err(error) }
}

/// Tells the client why, and counts.
async fn no_hello<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, error: &HelloError) -> HandshakeError {
    match error {
        HelloError::NoData => s::group().inc(s::TLS_HANDSHAKE_ZERO_DATA),
        HelloError::Sslv2 => {
            s::group().inc(s::TLS_HANDSHAKE_SSLV2_NOT_SUPPORT);
            send(&mut stream, Alert::ProtocolVersion, NO_VERSION).await;
        }
        HelloError::Bad(_, alert) => send(&mut stream, *alert, NO_VERSION).await,
        HelloError::Cut(_) | HelloError::Io(_) | HelloError::Alerted(_) => {}
    }
    counted(HandshakeError::Hello(error.to_string()))
}

/// Sends an alert, and drops what still comes for a while: a reset would overtake it.
async fn send<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, alert: Alert, version: u16) {
    let sent = async {
        stream.write_all(&alert.record(version)).await?;
        stream.shutdown().await?;
        let mut rest = [0; 512];
        for _ in 0..LINGER_READS {
            if stream.read(&mut rest).await? == 0 {
                break;
            }
        }
        io::Result::Ok(())
    };
    // It is only a courtesy.
    let _ = tokio::time::timeout(LINGER, sent).await;
}

fn params(rule: &Arc<Rule>, protocol: Protocol) -> ProtocolParams {
    use crate::conf::tls_rule_conf::Level;
    match rule.protos.iter().find(|p| p.protocol == protocol).filter(|_| rule.own_protos) {
        None => ProtocolParams::default(),
        Some(proto) => ProtocolParams {
            max_streams: Some(proto.max_streams),
            window: Some(proto.window),
            proxy_protocol: proto.proxy_protocol,
            steady: proto.level != Level::Optional,
        },
    }
}
