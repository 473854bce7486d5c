//! The head of a response: what it says, and as a header block (lifecycle 16).

use super::connection::Inner;
use super::hpack::Encoder;
use super::state::http2_state;
use crate::header_list::response::{declared, for_each_field};
use crate::status::allows_body;
use crate::{Header, http_date, sniff};

/// What is known when the head goes out.
pub(super) struct Known<'a> {
    /// First bytes of the body; empty where the head goes before them.
    pub(super) first: &'a [u8],
    /// `first` is the whole body.
    pub(super) complete: bool,
    pub(super) is_head: bool,
}

impl Inner {
    /// Appends the head of a response.
    pub(super) fn push_response(
        &mut self,
        id: u32,
        status: u16,
        header: &Header,
        known: &Known<'_>,
        end: bool,
    ) {
        if self.spdy.is_some() {
            return self.push_syn_reply(id, status, header, end);
        }
        let mut block = std::mem::take(&mut self.block_out);
        let encoder = &mut self.encoder;
        encoder.begin(&mut block);
        encoder.status(&mut block, status);
        let mut size = push_fields(encoder, &mut block, header);
        let mut field = |block: &mut Vec<u8>, name: &[u8], value: &[u8]| {
            size += name.len() + value.len();
            encoder.field(block, name, value);
        };
        let body_allowed = allows_body(status);
        if body_allowed && !header.contains("Content-Type") {
            field(&mut block, b"content-type", sniff::content_type(known.first).as_bytes());
        }
        if declared(header).is_some() {
            field(&mut block, b"content-length", header.get("Content-Length").unwrap_or_default());
        } else if known.complete && body_allowed && (!known.first.is_empty() || !known.is_head) {
            let mut digits = itoa::Buffer::new();
            field(&mut block, b"content-length", digits.format(known.first.len()).as_bytes());
        }
        if !header.contains("Date") {
            field(&mut block, b"date", &http_date());
        }
        let counters = http2_state::group();
        counters.add(http2_state::H2_RES_HEADER_ORIGINAL_SIZE, size as u64);
        counters.add(http2_state::H2_RES_HEADER_COMPRESS_SIZE, block.len() as u64);
        self.push_block(id, &block, end);
        block.clear();
        self.block_out = block;
        self.wake_writer();
    }

    /// Appends the agreement to speak another protocol on a stream. It has no body, so nothing tells its type
    /// and length (RFC 9110, 9.3.6).
    pub(super) fn push_agreement(&mut self, id: u32, header: &Header) {
        let mut block = std::mem::take(&mut self.block_out);
        self.encoder.begin(&mut block);
        self.encoder.status(&mut block, 200);
        let mut size = push_fields(&mut self.encoder, &mut block, header);
        if !header.contains("Date") {
            let date = http_date();
            size += 4 + date.len();
            self.encoder.field(&mut block, b"date", &date);
        }
        let counters = http2_state::group();
        counters.add(http2_state::H2_RES_HEADER_ORIGINAL_SIZE, size as u64);
        counters.add(http2_state::H2_RES_HEADER_COMPRESS_SIZE, block.len() as u64);
        self.push_block(id, &block, false);
        block.clear();
        self.block_out = block;
        self.wake_writer();
    }

    /// Appends the fields after a body; they end the stream.
    pub(super) fn push_trailers(&mut self, id: u32, trailers: &Header) {
        if self.spdy.is_some() {
            // They would be one more kind of frame for what no backend of its time sent.
            self.push_data_head(id, 0, true);
            return self.wake_writer();
        }
        let mut block = std::mem::take(&mut self.block_out);
        self.encoder.begin(&mut block);
        push_fields(&mut self.encoder, &mut block, trailers);
        self.push_block(id, &block, true);
        block.clear();
        self.block_out = block;
        self.wake_writer();
    }
}

/// Appends the fields that pass as they are; gives their size.
fn push_fields(encoder: &mut Encoder, block: &mut Vec<u8>, header: &Header) -> usize {
    let mut size = 0;
    for_each_field(header, |name, value| {
        size += name.len() + value.len();
        encoder.field(block, name, value);
    });
    size
}
