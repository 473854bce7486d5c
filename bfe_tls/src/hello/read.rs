//! Reading records until a whole hello is there (tls 7.6, 7.7).

use super::parse::ClientHello;
use crate::alert::Alert;
use crate::failure::alert_name;
use bytes::BytesMut;
use std::borrow::Cow;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Longest content of a record, in bytes.
const MAX_PLAIN: usize = 16_384;
/// Longest record that is looked at, in bytes.
const MAX_RECORD: usize = 16_384 + 2048;
/// Longest first record: anything longer is not TLS.
const MAX_FIRST: usize = 0x3000;
/// Longest handshake message, in bytes.
const MAX_MESSAGE: usize = 65_536;
/// Most bytes that are read for a hello; warnings and empty records count.
const MAX_BYTES: usize = 128 * 1024;
/// Room for reading. Most hellos fit in.
const ROOM: usize = 4096;

/// Length of what stands in front of a record.
const HEAD: usize = 5;
/// What was not to come now, or not in this form.
const UNEXPECTED: &str = "local error: unexpected message";

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// Why there is no hello.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HelloError {
    /// The client closed without a byte.
    #[error("EOF")]
    NoData,
    /// The client closed too early.
    #[error("{0}")]
    Cut(&'static str),
    /// Reading failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The client gave up by itself.
    #[error("remote error: {}", alert_name(*.0))]
    Alerted(u8),
    /// A hello in SSLv2 form: answered by an alert.
    #[error("tls: unsupported SSLv2 handshake received")]
    Sslv2,
    /// Not a hello: answered by an alert.
    #[error("{0}")]
    Bad(Cow<'static, str>, Alert),
}

/// Reads a hello. `buf` holds what came before, and afterwards all that has been read, without warnings and
/// empty records in front of the hello: what comes next would not take them.
pub(crate) async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    buf: &mut BytesMut,
) -> Result<ClientHello, HelloError> {
    let mut records = Records::default();
    loop {
        if let Some(hello) = records.look(buf)? {
            records.tidy(buf);
            return Ok(hello);
        }
        if buf.len() > MAX_BYTES {
            return Err(HelloError::Bad(UNEXPECTED.into(), Alert::UnexpectedMessage));
        }
        buf.reserve(ROOM);
        match stream.read_buf(buf).await? {
            0 if buf.is_empty() => return Err(HelloError::NoData),
            // Between two records it is an end like any other.
            0 if buf.len() < records.at + HEAD => return Err(HelloError::Cut("EOF")),
            0 => return Err(HelloError::Cut("unexpected EOF")),
            _ => {}
        }
    }
}

/// How far the records have been looked at.
#[derive(Default)]
struct Records {
    /// Where the next record begins.
    at: usize,
    /// How many there were before.
    count: usize,
    /// What the handshake records have held so far.
    message: Vec<u8>,
}

impl Records {
    /// Makes one run of handshake records of what was looked at, of a version that everybody takes.
    fn tidy(&self, buf: &mut BytesMut) {
        let usual = buf.get(1) == Some(&3);
        if self.count < 2 && usual {
            return;
        }
        let rest = buf.split_off(self.at.min(buf.len()));
        buf.clear();
        for part in self.message.chunks(MAX_PLAIN) {
            // A part is never longer than its length has room for.
            let [high, low] = u16::try_from(part.len()).unwrap_or_default().to_be_bytes();
            buf.extend_from_slice(&[HANDSHAKE, 3, 1, high, low]);
            buf.extend_from_slice(part);
        }
        buf.extend_from_slice(&rest);
    }

    /// Looks at all whole records; the hello, once it is complete.
    fn look(&mut self, buf: &[u8]) -> Result<Option<ClientHello>, HelloError> {
        let bad = |why: &'static str, alert| Err(HelloError::Bad(why.into(), alert));
        loop {
            let rest = buf.get(self.at..).unwrap_or_default();
            let Some((&[kind, major, minor, high, low], rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            if kind == 0x80 {
                return Err(HelloError::Sslv2);
            }
            let len = usize::from(u16::from_be_bytes([high, low]));
            if len > MAX_RECORD {
                let why = format!("tls: oversized record received with length {len}");
                return Err(HelloError::Bad(why.into(), Alert::RecordOverflow));
            }
            let version = u16::from_be_bytes([major, minor]);
            if !matches!(kind, ALERT | HANDSHAKE) || version >= 0x1000 || len >= MAX_FIRST {
                return bad("tls: first record does not look like a TLS handshake", Alert::UnexpectedMessage);
            }
            let Some(content) = rest.get(..len) else { return Ok(None) };
            self.at += 5 + len;
            self.count += 1;
            match (kind, content) {
                // Warnings are passed over, but for the one that says good-bye.
                (ALERT, &[_, 0]) => return Err(HelloError::Cut("EOF")),
                (ALERT, &[1, _]) => {}
                (ALERT, &[2, code]) => return Err(HelloError::Alerted(code)),
                (ALERT, _) => return bad(UNEXPECTED, Alert::UnexpectedMessage),
                _ => self.message.extend_from_slice(content),
            }
            if let Some(hello) = whole(&self.message)? {
                return Ok(Some(hello));
            }
        }
    }
}

/// The hello that a handshake message is, once all of it is there.
pub(crate) fn whole(message: &[u8]) -> Result<Option<ClientHello>, HelloError> {
    let bad = |why: &'static str, alert| Err(HelloError::Bad(why.into(), alert));
    let Some((&[kind, high, mid, low], body)) = message.split_first_chunk() else { return Ok(None) };
    let len = usize::try_from(u32::from_be_bytes([0, high, mid, low])).unwrap_or(usize::MAX);
    if len > MAX_MESSAGE {
        return bad("local error: internal error", Alert::InternalError);
    }
    let Some(body) = body.get(..len) else { return Ok(None) };
    let hello = if kind == CLIENT_HELLO { ClientHello::parse(body) } else { None };
    match hello {
        Some(hello) => Ok(Some(hello)),
        None => bad(UNEXPECTED, Alert::UnexpectedMessage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(bytes: &[u8]) -> String {
        match Records::default().look(bytes) {
            Ok(Some(_)) => "hello".into(),
            Ok(None) => "more".into(),
            Err(HelloError::Bad(_, alert)) => format!("{}", alert as u8),
            Err(error) => error.to_string(),
        }
    }

    /// A hello with nothing in it, in records of that size.
    fn hello(size: usize) -> Vec<u8> {
        let body = [&[3, 3][..], &[0; 32], &[0, 0, 2, 0xc0, 0x2f, 1, 0]].concat();
        let len = u8::try_from(body.len()).unwrap();
        let message = [&[1, 0, 0, len][..], &body].concat();
        let record = |part: &[u8]| [&[22, 3, 1, 0, u8::try_from(part.len()).unwrap()][..], part].concat();
        message.chunks(size).flat_map(record).collect()
    }

    #[test]
    fn tls_35_37_what_is_no_hello() {
        for (bytes, want) in [
            (&b"GET / HTTP/1.0\r\n\r\n"[..], "10"),
            (b"GET", "more"),
            (&[0x80, 0x2e, 1, 3, 1], "tls: unsupported SSLv2 handshake received"),
            (&[22, 3, 1, 0x48, 1], "22"),
            (&[22, 3, 1, 0x30, 0], "10"),
            (&[22, 0x10, 0, 0, 1], "10"),
            (&[23, 3, 1, 0, 1], "10"),
            (&[21, 3, 1, 0, 2, 2, 40], "remote error: handshake failure"),
            (&[21, 3, 1, 0, 2, 1, 0], "EOF"),
            (&[21, 3, 1, 0, 2, 3, 0], "EOF"),
            (&[21, 3, 1, 0, 2, 3, 40], "10"),
            (&[21, 3, 1, 0, 2, 0, 40], "10"),
            (&[21, 3, 1, 0, 2, 1, 90], "more"),
            (&[21, 3, 1, 0, 1, 1], "10"),
            (&[22, 3, 1, 0, 0], "more"),
            (&[22, 3, 1, 0, 4, 2, 0, 0, 0], "10"),
            (&[22, 3, 1, 0, 4, 1, 1, 0, 1], "80"),
            (&[22, 3, 1, 0, 4, 1, 0, 0, 0], "10"),
            (&[22, 3, 1, 0, 4, 1, 1, 0, 0], "more"),
        ] {
            assert_eq!(looked(bytes), want, "{bytes:?}");
        }
    }

    #[test]
    fn warnings_and_empty_records_are_left_out() {
        let clean = hello(200);
        let noise = [&[21, 3, 1, 0, 2, 1, 90][..], &[22, 3, 1, 0, 0]].concat();
        for (bytes, want) in [
            (clean.clone(), clean.clone()),
            ([&noise[..], &clean, b"rest"].concat(), [&clean[..], b"rest"].concat()),
            ([&hello(7)[..], b"rest"].concat(), [&clean[..], b"rest"].concat()),
            ([&[22, 2, 0], clean.get(3..).unwrap()].concat(), clean.clone()),
        ] {
            let mut buf = BytesMut::from(&bytes[..]);
            let mut records = Records::default();
            assert!(records.look(&buf).unwrap().is_some());
            records.tidy(&mut buf);
            assert_eq!(buf, want);
        }
    }

    #[test]
    fn hellos_may_come_in_pieces() {
        for size in [1, 3, 4, 5, 43, 200] {
            assert_eq!(looked(&hello(size)), "hello", "records of {size}");
        }
        let whole = hello(7);
        for len in 0..whole.len() {
            assert_eq!(looked(whole.get(..len).unwrap()), "more", "first {len} bytes");
        }
    }
}
