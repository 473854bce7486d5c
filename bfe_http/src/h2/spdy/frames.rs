//! Frames out.

use super::Codec;
use super::block::push_field;
use crate::h2::connection::Inner;
use crate::h2::frame::Code;
use crate::protocol_state::spdy_state;
use crate::{Header, is_token};

/// Kinds of control frames.
pub(super) mod kind {
    pub(in crate::h2) const SYN_STREAM: u8 = 1;
    pub(in crate::h2) const SYN_REPLY: u8 = 2;
    pub(in crate::h2) const RST_STREAM: u8 = 3;
    pub(in crate::h2) const SETTINGS: u8 = 4;
    pub(in crate::h2) const PING: u8 = 6;
    pub(in crate::h2) const GOAWAY: u8 = 7;
    pub(in crate::h2) const HEADERS: u8 = 8;
    pub(in crate::h2) const WINDOW_UPDATE: u8 = 9;
}

/// The stream, or the direction, ends.
pub(super) const FIN: u8 = 1;
/// The setting that is the window of a new stream.
pub(super) const INITIAL_WINDOW_SIZE: u32 = 7;

/// Appends the head of a control frame.
pub(super) fn push_head(out: &mut Vec<u8>, kind: u8, flags: u8, length: usize) {
    let [.., l2, l1, l0] = u32::try_from(length).unwrap_or_default().to_be_bytes();
    out.extend_from_slice(&[0x80, 3, 0, kind, flags, l2, l1, l0]);
}

/// Appends a control frame whose payload is numbers.
pub(super) fn push_numbers(out: &mut Vec<u8>, kind: u8, numbers: &[u32]) {
    push_head(out, kind, 0, numbers.len() * 4);
    for number in numbers {
        out.extend_from_slice(&number.to_be_bytes());
    }
}

/// Appends the head of a data frame.
pub(in crate::h2) fn push_data_head(out: &mut Vec<u8>, length: usize, end: bool, stream: u32) {
    let [.., l2, l1, l0] = u32::try_from(length).unwrap_or_default().to_be_bytes();
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(&[if end { FIN } else { 0 }, l2, l1, l0]);
}

/// The status of a reset that says the same as a code of HTTP/2.
pub(super) const fn status(code: Code) -> u32 {
    match code {
        // The answer is whole, and the rest of the request is not wanted.
        Code::None | Code::Cancel => 5,
        Code::Internal => 6,
        Code::FlowControl => 7,
        Code::StreamClosed => 9,
        Code::FrameSize => 11,
        Code::Protocol | Code::Compression | Code::EnhanceYourCalm => 1,
    }
}

/// Appends a reset.
pub(in crate::h2) fn push_reset(out: &mut Vec<u8>, stream: u32, code: Code) {
    push_numbers(out, kind::RST_STREAM, &[stream, status(code)]);
}

/// Appends the last word of a connection.
pub(in crate::h2) fn push_goaway(out: &mut Vec<u8>, last_stream: u32, code: Code) {
    let status = match code {
        Code::None => 0,
        Code::Internal => 2,
        _ => 1,
    };
    push_numbers(out, kind::GOAWAY, &[last_stream, status]);
}

/// Appends what the client gets to send.
pub(in crate::h2) fn push_window_update(out: &mut Vec<u8>, stream: u32, credit: u32) {
    push_numbers(out, kind::WINDOW_UPDATE, &[stream, credit]);
}

/// Appends the first words: the window of a stream.
pub(in crate::h2) fn push_greeting(out: &mut Vec<u8>, window: u32) {
    push_numbers(out, kind::SETTINGS, &[1, INITIAL_WINDOW_SIZE, window]);
}

fn is_hop_by_hop(name: &[u8]) -> bool {
    matches!(name, b"Connection" | b"Keep-Alive" | b"Proxy-Connection" | b"Transfer-Encoding")
}

impl Inner {
    /// Appends the head of a response: status and fields, and nothing else (lifecycle 17).
    pub(in crate::h2) fn push_syn_reply(&mut self, id: u32, code: u16, header: &Header, end: bool) {
        let mut digits = itoa::Buffer::new();
        let mut plain = vec![0; 4];
        let mut count = 2u32;
        let mut size = 0;
        push_field(&mut plain, b":status", digits.format(code).as_bytes());
        push_field(&mut plain, b":version", b"HTTP/1.1");
        // The values of a name are one field; in this order they stand side by side.
        let mut last: (Vec<u8>, Vec<u8>) = Default::default();
        let mut flush = |last: &mut (Vec<u8>, Vec<u8>), plain: &mut Vec<u8>| {
            if !last.0.is_empty() {
                count += 1;
                size += last.0.len() + last.1.len();
                push_field(plain, &last.0, &last.1);
                last.0.clear();
            }
        };
        header.for_each_sorted(|name, value| {
            let sound = is_token(name) && !value.iter().any(|b| matches!(b, 0 | b'\r' | b'\n'));
            if is_hop_by_hop(name) || !sound {
                return;
            }
            let name = name.to_ascii_lowercase();
            if name == last.0 {
                last.1.push(0);
                last.1.extend_from_slice(value);
            } else {
                flush(&mut last, &mut plain);
                last = (name, value.to_vec());
            }
        });
        flush(&mut last, &mut plain);
        plain.splice(..4, count.to_be_bytes());
        let mut block = std::mem::take(&mut self.block_out);
        if let Some(codec) = &mut self.spdy {
            Codec::write(codec, &plain, &mut block);
        }
        let counters = spdy_state::group();
        counters.add(spdy_state::SPDY_RES_HEADER_ORIGINAL_SIZE, size as u64);
        counters.add(spdy_state::SPDY_RES_HEADER_COMPRESS_SIZE, block.len() as u64);
        let out = self.out.frames();
        push_head(out, kind::SYN_REPLY, if end { FIN } else { 0 }, block.len() + 4);
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&block);
        block.clear();
        self.block_out = block;
        self.wake_writer();
    }
}
