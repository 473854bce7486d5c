//! A scripted backend: reads requests, records all bytes, answers as it is told.

use crate::reply::{Reply, Step};
use crate::wait::wait_for;
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// A request as a strict backend reads it.
#[derive(Clone, Debug)]
pub struct Received {
    /// Number of its connection, from 0.
    pub connection: usize,
    /// The head, with its empty line.
    pub head: String,
    /// The body, without its framing.
    pub body: Vec<u8>,
}

impl Received {
    /// The request line.
    #[must_use]
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The first value of a header field, by its name as it is on the wire.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

type Script = dyn Fn(&Received) -> Reply + Send + Sync;

/// A server on a port of its own, until it is dropped.
pub struct Backend {
    port: u16,
    shared: Arc<Shared>,
    /// Keeps the port of a backend that refuses connections from being given to anybody else.
    reserved: Option<Socket>,
}

struct Shared {
    script: Box<Script>,
    seen: Mutex<Seen>,
    changed: Condvar,
    stopped: AtomicBool,
}

#[derive(Default)]
struct Seen {
    requests: Vec<Received>,
    /// All bytes of each connection.
    raw: Vec<Vec<u8>>,
    /// The connections that are open, for the end.
    open: Vec<Option<TcpStream>>,
    /// How many holds have been released, and how many were begun.
    released: usize,
    held: usize,
}

// === impl Backend ===

impl Backend {
    /// Answers every request as `script` says.
    pub fn start(script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(), script)
    }

    /// Answers on a port that another backend had until now: one that was killed, and comes back.
    pub fn start_at(port: u16, script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener =
            wait_for("the port to be free", || TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
        Self::on(listener, script)
    }

    fn on(listener: TcpListener, script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        // The default backlog of the standard library is too small for storms.
        SockRef::from(&listener).listen(4096).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            seen: Mutex::default(),
            changed: Condvar::new(),
            stopped: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || of_thread.accept(&listener));
        Self { port, shared, reserved: None }
    }

    /// Answers every request in the same way.
    #[must_use]
    pub fn always(reply: Reply) -> Self {
        Self::start(move |_| reply.clone())
    }

    /// Answers every request with 200 and that body.
    #[must_use]
    pub fn ok(body: &str) -> Self {
        Self::always(Reply::ok(body))
    }

    /// Answers every request with its own body.
    #[must_use]
    pub fn echo() -> Self {
        Self::start(|req| Reply::ok(&req.body))
    }

    /// Refuses connections.
    #[must_use]
    pub fn refusing() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        let shared = Arc::new(Shared {
            script: Box::new(|_| Reply::new()),
            seen: Mutex::default(),
            changed: Condvar::new(),
            stopped: AtomicBool::new(false),
        });
        Self { port, shared, reserved: Some(socket) }
    }

    /// Leaves the port of a backend that refuses to another program, for which it stands from now on.
    pub fn free_port(&mut self) {
        self.reserved = None;
    }

    /// Its port on the loopback address.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:port`.
    #[must_use]
    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The requests so far, in the order in which they were complete.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.shared.lock().requests.clone()
    }

    /// How many requests there were so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.lock().requests.len()
    }

    /// All bytes of each connection so far.
    #[must_use]
    pub fn raw(&self) -> Vec<Vec<u8>> {
        self.shared.lock().raw.clone()
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.shared.lock().open.iter().flatten().count()
    }

    /// Waits until there were so many requests, and gives the last of them.
    #[must_use]
    pub fn wait_requests(&self, n: usize) -> Received {
        wait_for("requests at the backend", || self.requests().into_iter().nth(n - 1))
    }

    /// Waits until so many replies are at a [`Step::Hold`] in all.
    pub fn wait_held(&self, n: usize) {
        wait_for("replies on hold", || (self.shared.lock().held >= n).then_some(()));
    }

    /// Lets everything go on that is at a [`Step::Hold`] now.
    pub fn release(&self) {
        let mut seen = self.shared.lock();
        seen.released = seen.held;
        self.shared.changed.notify_all();
    }

    /// Closes all connections that are open.
    pub fn close_connections(&self) {
        for stream in self.shared.lock().open.iter().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Relaxed);
        self.shared.changed.notify_all();
        self.close_connections();
        // Wakes the accepting thread.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

// === impl Shared ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.stopped.load(Relaxed) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let _ = stream.set_nodelay(true);
            let number = {
                let mut seen = self.lock();
                seen.raw.push(Vec::new());
                seen.open.push(stream.try_clone().ok());
                seen.raw.len() - 1
            };
            let shared = Arc::clone(self);
            // Many tests have many connections; their threads need little.
            let thread = thread::Builder::new().stack_size(256 * 1024);
            let _ = thread.spawn(move || {
                shared.serve(number, stream);
                if let Some(open) = shared.lock().open.get_mut(number) {
                    *open = None;
                }
            });
        }
    }

    fn serve(&self, number: usize, mut stream: TcpStream) {
        let mut reader = Reader { shared: self, number, buf: Vec::new() };
        while let Some((head, body)) = reader.request(&mut stream) {
            let received = Received { connection: number, head, body };
            self.lock().requests.push(received.clone());
            for step in (self.script)(&received).0 {
                if !self.step(step, &mut stream) {
                    return;
                }
            }
        }
    }

    /// Takes a step; false where the connection ends.
    fn step(&self, step: Step, stream: &mut TcpStream) -> bool {
        match step {
            Step::Send(bytes) => stream.write_all(&bytes).is_ok(),
            Step::Dribble(bytes, size, pause) => bytes.chunks(size).all(|piece| {
                thread::sleep(pause);
                stream.write_all(piece).is_ok()
            }),
            Step::Pause(time) => {
                thread::sleep(time);
                true
            }
            Step::Stall => {
                let mut dropped = [0; 4096];
                while matches!(stream.read(&mut dropped), Ok(n) if n > 0) {}
                false
            }
            Step::Hold => {
                let mut seen = self.lock();
                seen.held += 1;
                let mine = seen.held;
                while seen.released < mine && !self.stopped.load(Relaxed) {
                    let wait = self.changed.wait_timeout(seen, Duration::from_millis(100));
                    seen = wait.unwrap_or_else(PoisonError::into_inner).0;
                }
                true
            }
            Step::Close => {
                let _ = stream.shutdown(Shutdown::Write);
                false
            }
            Step::Reset => {
                let _ = SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
                // The clone that is kept for the end would hold the socket open.
                let _ = stream.shutdown(Shutdown::Read);
                self.forget(stream);
                false
            }
        }
    }

    fn forget(&self, stream: &TcpStream) {
        let peer = stream.peer_addr().ok();
        for open in &mut self.lock().open {
            if open.as_ref().is_some_and(|o| o.peer_addr().ok() == peer) {
                *open = None;
            }
        }
    }
}

/// Reads requests and records what it reads.
struct Reader<'s> {
    shared: &'s Shared,
    number: usize,
    buf: Vec<u8>,
}

impl Reader<'_> {
    fn fill(&mut self, stream: &mut TcpStream) -> Option<()> {
        let mut piece = [0; 64 * 1024];
        let n = loop {
            match stream.read(&mut piece) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                read => break read.ok().filter(|n| *n > 0)?,
            }
        };
        self.buf.extend_from_slice(&piece[..n]);
        if let Some(raw) = self.shared.lock().raw.get_mut(self.number) {
            raw.extend_from_slice(&piece[..n]);
        }
        Some(())
    }

    /// The next request; `None` at the end.
    fn request(&mut self, stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
        let end = loop {
            if let Some(i) = find(&self.buf, b"\r\n\r\n") {
                break i + 4;
            }
            self.fill(stream)?;
        };
        let head: Vec<u8> = self.buf.drain(..end).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let body = if field("Transfer-Encoding") == Some("chunked") {
            self.chunked(stream)?
        } else {
            let length = field("Content-Length").and_then(|n| n.parse().ok()).unwrap_or(0);
            self.exactly(stream, length)?
        };
        Some((head, body))
    }

    fn exactly(&mut self, stream: &mut TcpStream, n: usize) -> Option<Vec<u8>> {
        while self.buf.len() < n {
            self.fill(stream)?;
        }
        Some(self.buf.drain(..n).collect())
    }

    fn chunked(&mut self, stream: &mut TcpStream) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line(stream)?;
            let size = usize::from_str_radix(line.trim(), 16).ok()?;
            if size == 0 {
                while !self.line(stream)?.is_empty() {}
                return Some(body);
            }
            body.extend(self.exactly(stream, size)?);
            self.line(stream)?;
        }
    }

    fn line(&mut self, stream: &mut TcpStream) -> Option<String> {
        let end = loop {
            if let Some(i) = find(&self.buf, b"\r\n") {
                break i;
            }
            self.fill(stream)?;
        };
        let line: Vec<u8> = self.buf.drain(..end + 2).collect();
        Some(String::from_utf8_lossy(&line[..end]).into_owned())
    }
}

pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}
