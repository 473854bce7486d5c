//! A connection: its control streams, and the streams of its requests as they open.

use super::code::Code;
use super::control;
use super::frame::{self, Held, kind, put_varint};
use super::incoming::Incoming;
use super::state::{count, http3_state};
use crate::header_list::max_list;
use quinn::{ConnectionError, SendStream, VarInt};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// What a connection allows.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// `MaxHeaderBytes`.
    pub max_header_bytes: usize,
    /// Longest path, in bytes.
    pub max_uri_bytes: usize,
    /// Until when the head of a request must have come, from the opening of its stream.
    pub client_read_timeout: Duration,
}

impl Settings {
    /// What a list of fields may count.
    pub(super) fn max_list(&self) -> usize {
        max_list(self.max_header_bytes)
    }
}

/// How many lists of fields of the largest size may be on their way at once.
const HEADS: usize = 2;

/// A connection that has shaken hands.
pub struct Connection(Rc<Shared>);

/// What the streams of a connection share.
pub(super) struct Shared {
    pub(super) quic: quinn::Connection,
    pub(super) settings: Settings,
    /// What its streams hold of frames that have not come whole.
    pub(super) held: Rc<Held>,
    /// Our control stream. It has to stay open.
    control: RefCell<Option<SendStream>>,
    /// The client's streams of which there may be only one have begun, by kind.
    pub(super) begun: Cell<u8>,
    /// The number behind that of the last request that was taken.
    next_id: Cell<u64>,
    /// The client is to be told that nothing new is taken.
    going_away: Cell<bool>,
    /// It has been told: no stream is taken from this number on.
    gone_from: Cell<Option<u64>>,
    active: Cell<usize>,
    changed: Notify,
}

/// A request that counts as under way.
pub(super) struct Active(Rc<Shared>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get() - 1);
        self.0.changed.notify_one();
    }
}

impl Connection {
    /// Begins: tells the client our settings.
    ///
    /// # Errors
    /// Where the connection has gone, or the client lets no stream through.
    pub async fn open(quic: quinn::Connection, settings: Settings) -> Result<Self, ConnectionError> {
        let (mut hello, mut payload) = (Vec::new(), Vec::new());
        put_varint(&mut hello, control::CONTROL);
        put_varint(&mut payload, control::MAX_FIELD_SECTION_SIZE);
        put_varint(&mut payload, settings.max_list() as u64);
        hello.extend(frame::whole(kind::SETTINGS, &payload));
        let opened = timeout(settings.client_read_timeout, async {
            let mut control = quic.open_uni().await?;
            // Where it can't be written, the connection has gone, which the next look at it tells.
            let _ = control.write_all(&hello).await;
            Ok::<_, ConnectionError>(control)
        });
        let Ok(control) = opened.await else {
            quic.close(Code::StreamCreation.into(), b"no room for a control stream");
            return Err(ConnectionError::TimedOut);
        };
        Ok(Self(Rc::new(Shared {
            control: RefCell::new(Some(control?)),
            held: Held::new(settings.max_list().saturating_mul(HEADS)),
            quic,
            settings,
            begun: Cell::new(0),
            next_id: Cell::new(0),
            going_away: Cell::new(false),
            gone_from: Cell::new(None),
            active: Cell::new(0),
            changed: Notify::new(),
        })))
    }

    /// Waits for the next request; `None` once there will be none, because the connection has ended, or has been told
    /// to [`go_away`](Self::go_away) and all requests are done.
    pub async fn accept(&self) -> Option<Incoming> {
        let shared = &self.0;
        loop {
            if shared.going_away.get() {
                if shared.gone_from.get().is_none() {
                    shared.tell_the_end().await;
                }
                if shared.active.get() == 0 {
                    return None;
                }
            }
            tokio::select! {
                stream = shared.quic.accept_bi() => {
                    let (mut send, mut recv) = stream.ok()?;
                    let id = VarInt::from(send.id()).into_inner();
                    if shared.gone_from.get().is_some_and(|end| id >= end) {
                        // The client sends it again on another connection.
                        let _ = send.reset(Code::RequestRejected.into());
                        let _ = recv.stop(Code::RequestRejected.into());
                        continue;
                    }
                    shared.next_id.set(shared.next_id.get().max(id + 4));
                    shared.active.set(shared.active.get() + 1);
                    return Some(Incoming::new(Active(Rc::clone(shared)), Rc::clone(shared), send, recv));
                }
                stream = shared.quic.accept_uni() => {
                    // As many as the transport lets the client open at once.
                    tokio::task::spawn_local(control::read(Rc::clone(shared), stream.ok()?));
                }
                () = shared.changed.notified() => {}
            }
        }
    }

    /// Takes no new requests; those under way go on.
    pub fn go_away(&self) {
        if !self.0.going_away.replace(true) {
            self.0.changed.notify_one();
        }
    }

    /// Ends the connection.
    pub fn close(&self) {
        self.0.quic.close(Code::None.into(), b"");
    }
}

impl Shared {
    /// Sends GOAWAY.
    async fn tell_the_end(&self) {
        let end = self.next_id.get();
        self.gone_from.set(Some(end));
        let mut payload = Vec::new();
        put_varint(&mut payload, end);
        let text = frame::whole(kind::GOAWAY, &payload);
        let Some(mut control) = self.control.take() else { return };
        // A client that takes no more bytes finds out when the connection ends.
        let _ = timeout(self.settings.client_read_timeout, control.write_all(&text)).await;
        *self.control.borrow_mut() = Some(control);
    }

    /// Whether no new requests are taken.
    pub(super) fn is_going_away(&self) -> bool {
        self.going_away.get()
    }

    /// Ends the connection of a client that broke the rules.
    pub(super) fn fail(&self, code: Code, why: &'static str) {
        if self.quic.close_reason().is_none() {
            count(http3_state::H3_ERR_CONN);
            log::debug!("http3: {}: {code:?}: {why}", self.quic.remote_address());
        }
        self.quic.close(code.into(), why.as_bytes());
    }
}
