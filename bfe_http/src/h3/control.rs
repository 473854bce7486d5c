//! The streams on which a client tells its settings, and what it does with its tables (RFC 9114, 6.2 and 7.2).

use super::code::{Code, Fault};
use super::connection::Shared;
use super::frame::{Frames, Piece, kind, varint};
use bytes::Bytes;
use quinn::{ReadError, RecvStream};
use std::rc::Rc;

/// Kinds of streams.
pub(super) const CONTROL: u64 = 0;
const PUSH: u64 = 1;
const QPACK_ENCODER: u64 = 2;
const QPACK_DECODER: u64 = 3;

/// The setting that limits lists of fields.
pub(super) const MAX_FIELD_SECTION_SIZE: u64 = 6;
/// Settings of HTTP/2 that must not come.
const OF_HTTP2: [u64; 4] = [2, 3, 4, 5];
/// Largest frame of a control stream, in bytes.
const MAX_FRAME: usize = 4096;
/// Most bytes that are read at once.
const CHUNK: usize = 4096;

/// Why a stream is not read on.
type Failed = (Code, &'static str);

/// Reads a stream of the client to its end; what is wrong on it ends the connection.
pub(super) async fn read(shared: Rc<Shared>, mut stream: RecvStream) {
    if let Err((code, why)) = serve(&shared, &mut stream).await {
        shared.fail(code, why);
    }
}

async fn serve(shared: &Shared, stream: &mut RecvStream) -> Result<(), Failed> {
    let mut first = Vec::new();
    let kind = loop {
        if let Some(kind) = varint(&mut &first[..]) {
            break kind;
        }
        let mut byte = [0];
        match stream.read(&mut byte).await {
            Ok(Some(_)) => first.extend(byte),
            // It ended before it was anything.
            _ => return Ok(()),
        }
    };
    let once = |bit: u8| {
        let begun = shared.begun.get();
        shared.begun.set(begun | bit);
        if begun & bit == 0 { Ok(()) } else { Err((Code::StreamCreation, "a second stream of its kind")) }
    };
    match kind {
        CONTROL => {
            once(1)?;
            control(shared, stream).await?;
        }
        PUSH => return Err((Code::StreamCreation, "a push by a client")),
        QPACK_ENCODER => {
            once(2)?;
            // Our table has no room: all that can be said of it is that it has none.
            instructions(stream, |byte| byte == 0x20)
                .await
                .map_err(|()| (Code::QpackEncoderStream, "an instruction for a table that has no room"))?;
        }
        QPACK_DECODER => {
            once(4)?;
            // Of lists that refer to no table, only their cancellation is told.
            instructions(stream, is_cancellation())
                .await
                .map_err(|()| (Code::QpackDecoderStream, "an acknowledgement of what was not sent"))?;
        }
        _ => {
            // It may mean something one day.
            let _ = stream.stop(Code::StreamCreation.into());
            return Ok(());
        }
    }
    Err((Code::ClosedCriticalStream, "a control stream has ended"))
}

/// The next bytes; `None` at the end, and where the connection has gone.
async fn chunk(stream: &mut RecvStream) -> Result<Option<Bytes>, Failed> {
    match stream.read_chunk(CHUNK, true).await {
        Ok(chunk) => Ok(chunk.map(|chunk| chunk.bytes)),
        Err(ReadError::Reset(_)) => Err((Code::ClosedCriticalStream, "a control stream was reset")),
        Err(_) => Ok(None),
    }
}

async fn control(shared: &Shared, stream: &mut RecvStream) -> Result<(), Failed> {
    let mut frames = Frames::new(MAX_FRAME, Rc::clone(&shared.held));
    let mut has_settings = false;
    while let Some(bytes) = chunk(stream).await? {
        frames.push(bytes);
        loop {
            let piece = match frames.next() {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(Fault::Connection(code)) => return Err((code, "a frame that has no place here")),
                Err(Fault::LongList) => return Err((Code::FrameUnexpected, "fields on the control stream")),
            };
            match piece {
                Piece::Frame(kind::SETTINGS, settings) if !has_settings => {
                    check_settings(&settings)?;
                    has_settings = true;
                }
                _ if !has_settings => return Err((Code::MissingSettings, "settings have to come first")),
                // Nothing is ever pushed.
                Piece::Frame(kind::GOAWAY | kind::MAX_PUSH_ID | kind::CANCEL_PUSH, number) => {
                    let mut rest = &number[..];
                    if varint(&mut rest).is_none() || !rest.is_empty() {
                        return Err((Code::Frame, "a frame that is not one number"));
                    }
                }
                Piece::Frame(..) | Piece::Data(_) => {
                    return Err((Code::FrameUnexpected, "a frame that has no place on the control stream"));
                }
            }
        }
    }
    Ok(())
}

fn check_settings(mut payload: &[u8]) -> Result<(), Failed> {
    let mut seen = Vec::new();
    while !payload.is_empty() {
        let (Some(id), Some(_value)) = (varint(&mut payload), varint(&mut payload)) else {
            return Err((Code::Frame, "settings that are cut"));
        };
        if OF_HTTP2.contains(&id) || seen.contains(&id) {
            return Err((Code::Settings, "a setting that must not come"));
        }
        seen.push(id);
    }
    Ok(())
}

/// Reads instructions to the end of the stream, as long as each byte is `fine`.
async fn instructions(stream: &mut RecvStream, mut fine: impl FnMut(u8) -> bool) -> Result<(), ()> {
    // To break them off is to end the stream, which is wrong in any case.
    while let Ok(Some(bytes)) = chunk(stream).await {
        if !bytes.iter().all(|byte| fine(*byte)) {
            return Err(());
        }
    }
    Ok(())
}

/// Whether a byte goes on with cancellations: an integer with a prefix of six bits behind `01`.
fn is_cancellation() -> impl FnMut(u8) -> bool {
    let mut continues = false;
    move |byte| {
        if continues {
            continues = byte & 0x80 != 0;
            return true;
        }
        continues = byte & 0x3f == 0x3f;
        byte & 0xc0 == 0x40
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings() {
        for (payload, want) in [
            (&[][..], Ok(())),
            (&[6, 0x40, 0x80, 1, 0, 0x21, 7], Ok(())),
            (&[6], Err(Code::Frame)),
            (&[6, 0x40], Err(Code::Frame)),
            (&[2, 0], Err(Code::Settings)),
            (&[6, 1, 6, 1], Err(Code::Settings)),
        ] {
            assert_eq!(check_settings(payload).map_err(|(code, _)| code), want, "{payload:?}");
        }
    }

    #[test]
    fn cancellations() {
        for (bytes, want) in
            [(&[0x40, 0x44][..], true), (&[0x7f, 0x80, 0x01, 0x40], true), (&[0x84], false), (&[0x01], false)]
        {
            assert_eq!(bytes.iter().copied().all(is_cancellation()), want, "{bytes:?}");
        }
    }
}
