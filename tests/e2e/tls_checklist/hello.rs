//! Hellos written by hand, and what the proxy says to them.

use bfe_tests::{Bfe, LIMIT};
use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

/// A hello whose fields are what the test says.
#[derive(Clone)]
pub(super) struct Hello {
    pub(super) version: u16,
    pub(super) session_id: Vec<u8>,
    pub(super) suites: Vec<u16>,
    pub(super) compressions: Vec<u8>,
    pub(super) extensions: Vec<(u16, Vec<u8>)>,
}

/// Numbers of two bytes behind their length, in bytes.
pub(super) fn list(numbers: &[u16]) -> Vec<u8> {
    counted(&numbers.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<_>>())
}

/// Bytes behind their length of two bytes.
pub(super) fn counted(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// A key share of X25519.
pub(super) fn x25519() -> Vec<u8> {
    // Any number is a public key; this one is the curve's own point.
    let point = [&[9][..], &[0; 31]].concat();
    [&29u16.to_be_bytes(), counted(&point).as_slice()].concat()
}

impl Hello {
    /// One of TLS 1.2 that has nothing to be refused for.
    pub(super) fn tls12() -> Self {
        Self {
            version: 0x0303,
            session_id: Vec::new(),
            suites: vec![0xc02b, 0xc02f],
            compressions: vec![0],
            extensions: vec![
                (10, list(&[29, 23])),
                (11, vec![1, 0]),
                (13, list(&[0x0403, 0x0804, 0x0401])),
                (23, Vec::new()),
            ],
        }
    }

    /// One of TLS 1.3 that has nothing to be refused for.
    pub(super) fn tls13() -> Self {
        Self { session_id: vec![7; 32], suites: vec![0x1301], ..Self::tls12() }
            .with(43, [4, 3, 4, 3, 3])
            .with(51, counted(&x25519()))
    }

    pub(super) fn version(self, version: u16) -> Self {
        Self { version, ..self }
    }

    pub(super) fn suites(self, suites: &[u16]) -> Self {
        Self { suites: suites.to_vec(), ..self }
    }

    pub(super) fn session_id(self, id: &[u8]) -> Self {
        Self { session_id: id.to_vec(), ..self }
    }

    /// With an extension, in place of one of that kind.
    pub(super) fn with(mut self, kind: u16, content: impl AsRef<[u8]>) -> Self {
        self.extensions.retain(|(known, _)| *known != kind);
        self.extensions.push((kind, content.as_ref().to_vec()));
        self
    }

    /// With a server name.
    pub(super) fn name(self, name: &str) -> Self {
        let entry = [&[0][..], &counted(name.as_bytes())].concat();
        self.with(0, counted(&entry))
    }

    /// The message.
    pub(super) fn message(&self) -> Vec<u8> {
        let extensions: Vec<u8> = self
            .extensions
            .iter()
            .flat_map(|(kind, content)| [&kind.to_be_bytes(), counted(content).as_slice()].concat())
            .collect();
        let body = [
            &self.version.to_be_bytes()[..],
            &[5; 32],
            &[u8::try_from(self.session_id.len()).unwrap()],
            &self.session_id,
            &list(&self.suites),
            &[u8::try_from(self.compressions.len()).unwrap()],
            &self.compressions,
            &counted(&extensions),
        ]
        .concat();
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[1], &length[1..], &body].concat()
    }

    /// The message in records of up to so many bytes.
    pub(super) fn records(&self, size: usize) -> Vec<u8> {
        self.message().chunks(size).flat_map(|part| record(22, part)).collect()
    }
}

/// A record in the clear.
pub(super) fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, 3, 1], counted(content).as_slice()].concat()
}

/// What a server's hello says.
#[derive(Debug)]
pub(super) struct ServerHello {
    pub(super) session_id: Vec<u8>,
    pub(super) suite: u16,
    pub(super) compression: u8,
    pub(super) extensions: Vec<(u16, Vec<u8>)>,
    retry: bool,
}

impl ServerHello {
    fn parse(body: &[u8]) -> Self {
        let random = &body[2..34];
        let (session_id, rest) = body[35..].split_at(usize::from(body[34]));
        let mut extensions = Vec::new();
        let mut list = rest.get(5..).unwrap_or_default();
        while let Some(([k1, k2, l1, l2], rest)) = list.split_first_chunk() {
            let (content, rest) = rest.split_at(usize::from(u16::from_be_bytes([*l1, *l2])));
            extensions.push((u16::from_be_bytes([*k1, *k2]), content.to_vec()));
            list = rest;
        }
        Self {
            session_id: session_id.to_vec(),
            suite: u16::from_be_bytes([rest[0], rest[1]]),
            compression: rest[2],
            extensions,
            // The random of a hello that is none, but a wish for another one.
            retry: random.starts_with(&[0xcf, 0x21, 0xad, 0x74]),
        }
    }

    pub(super) fn extension(&self, kind: u16) -> Option<&[u8]> {
        self.extensions.iter().find(|(known, _)| *known == kind).map(|(_, content)| content.as_slice())
    }
}

/// A connection to the TLS port.
pub(super) struct Wire {
    stream: TcpStream,
    /// What records of the handshake have held, and nobody has asked for yet.
    messages: Vec<u8>,
}

impl Wire {
    pub(super) fn connect(bfe: &Bfe) -> Self {
        let stream = TcpStream::connect(bfe.https_addr()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self { stream, messages: Vec::new() }
    }

    /// Sends bytes; false where the proxy has closed already.
    pub(super) fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Says that nothing more will be sent.
    pub(super) fn end(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// The next record; `None` once the proxy has closed.
    pub(super) fn record(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        let closed = |e: Error| assert!(e.kind() != ErrorKind::WouldBlock, "the proxy says nothing");
        self.stream.read_exact(&mut head).map_err(closed).ok()?;
        let mut content = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        self.stream.read_exact(&mut content).map_err(closed).ok()?;
        Some((head[0], content))
    }

    /// Kind and body of the next message.
    ///
    /// # Errors
    /// In a few words, what came in place of it.
    fn message(&mut self) -> Result<(u8, Vec<u8>), String> {
        loop {
            if let Some(([kind, l1, l2, l3], rest)) = self.messages.split_first_chunk() {
                let (kind, length) = (*kind, u32::from_be_bytes([0, *l1, *l2, *l3]) as usize);
                if rest.len() >= length {
                    let body = rest[..length].to_vec();
                    self.messages.drain(..4 + length);
                    return Ok((kind, body));
                }
            }
            match self.record() {
                Some((22, content)) => self.messages.extend(content),
                Some((21, content)) => return Err(format!("alert {}", content[1])),
                Some((kind, _)) => return Err(format!("record {kind}")),
                None => return Err("closed".into()),
            }
        }
    }

    /// The server's hello.
    ///
    /// # Errors
    /// In a few words, what came in place of it.
    pub(super) fn hello(&mut self) -> Result<ServerHello, String> {
        match self.message()? {
            (2, body) => Ok(ServerHello::parse(&body)),
            (kind, _) => Err(format!("message {kind}")),
        }
    }

    /// Reads to the end of the server's first flight of TLS 1.2; the number of its group.
    pub(super) fn group(&mut self) -> u16 {
        let mut group = 0;
        loop {
            match self.message().unwrap() {
                (12, body) => group = u16::from_be_bytes([body[1], body[2]]),
                (14, _) => return group,
                _ => {}
            }
        }
    }
}

/// The proxy's answer in a few words.
pub(super) fn answer(bfe: &Bfe, bytes: &[u8]) -> String {
    let mut wire = Wire::connect(bfe);
    wire.send(bytes);
    match wire.hello() {
        Err(other) => other,
        Ok(hello) if hello.retry => {
            let share = hello.extension(51).expect("the group that is wanted");
            format!("retry {:04x}", u16::from_be_bytes([share[0], share[1]]))
        }
        Ok(hello) => {
            let version = if hello.extension(43) == Some(&[3, 4]) { "1.3" } else { "1.2" };
            format!("{version} {:04x}", hello.suite)
        }
    }
}
