//! Header blocks in.

use super::static_table::TABLE;
use super::{ENTRY_OVERHEAD, TABLE_SIZE};
use crate::header::is_value;
use crate::header_list::Sink;
use crate::header_list::coding::{Broken, integer, settle_name, string};
use bytes::Bytes;
use std::collections::VecDeque;

/// A field of the dynamic table.
struct Entry {
    /// Name in canonical form, then value.
    text: Bytes,
    name_len: usize,
    /// Name, and name with value, are of characters that are allowed.
    sound: (bool, bool),
}

impl Entry {
    fn size(&self) -> usize {
        self.text.len() + ENTRY_OVERHEAD
    }
}

/// The decoder of a connection.
pub(in crate::h2) struct Decoder {
    table: VecDeque<Entry>,
    size: usize,
    max_size: usize,
    /// The text of a literal field.
    scratch: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { table: VecDeque::new(), size: 0, max_size: TABLE_SIZE, scratch: Vec::new() }
    }
}

/// Largest `scratch` that is kept from one block to the next.
const KEPT: usize = 4096;

impl Decoder {
    /// Decodes a whole block, or up to where the sink wants no more. No string in it may be longer than
    /// `max_string`.
    pub(in crate::h2) fn decode(
        &mut self,
        block: &[u8],
        max_string: usize,
        sink: &mut impl Sink,
    ) -> Result<(), Broken> {
        let mut rest = block;
        let mut at_start = true;
        while let Some(first) = rest.first().copied() {
            if first & 0xe0 == 0x20 {
                let size = integer(&mut rest, 5)?;
                if !at_start || size > TABLE_SIZE {
                    return Err(Broken);
                }
                self.max_size = size;
                self.shrink_to(size);
                continue;
            }
            at_start = false;
            let go_on = if first & 0x80 != 0 {
                let index = integer(&mut rest, 7)?;
                self.indexed(index, sink)?
            } else {
                self.literal(&mut rest, first, max_string, sink)?
            };
            if !go_on {
                break;
            }
        }
        if self.scratch.capacity() > KEPT {
            self.scratch = Vec::new();
        }
        Ok(())
    }

    fn indexed(&self, index: usize, sink: &mut impl Sink) -> Result<bool, Broken> {
        let place = index.checked_sub(1).ok_or(Broken)?;
        if let Some(known) = TABLE.get(place) {
            return Ok(sink.field(known.canonical.as_bytes(), known.value.as_bytes(), true));
        }
        let entry = self.table.get(place - TABLE.len()).ok_or(Broken)?;
        let (name, value) = entry.text.split_at_checked(entry.name_len).ok_or(Broken)?;
        Ok(sink.field(name, value, entry.sound.1))
    }

    fn literal(
        &mut self,
        rest: &mut &[u8],
        first: u8,
        max_string: usize,
        sink: &mut impl Sink,
    ) -> Result<bool, Broken> {
        let add = first & 0x40 != 0;
        let index = integer(rest, if add { 6 } else { 4 })?;
        self.scratch.clear();
        let name_is_sound = match index.checked_sub(1) {
            None => {
                string(rest, 7, max_string, &mut self.scratch)?;
                settle_name(&mut self.scratch)
            }
            Some(place) => match TABLE.get(place) {
                Some(known) => {
                    self.scratch.extend_from_slice(known.canonical.as_bytes());
                    true
                }
                None => {
                    let entry = self.table.get(place - TABLE.len()).ok_or(Broken)?;
                    self.scratch.extend_from_slice(entry.text.get(..entry.name_len).unwrap_or_default());
                    entry.sound.0
                }
            },
        };
        let name_len = self.scratch.len();
        string(rest, 7, max_string, &mut self.scratch)?;
        let (name, value) = self.scratch.split_at_checked(name_len).ok_or(Broken)?;
        let sound = name_is_sound && is_value(value);
        let go_on = sink.field(name, value, sound);
        if add {
            self.insert(name_len, (name_is_sound, sound));
        }
        Ok(go_on)
    }

    /// Adds what is in `scratch` to the table.
    fn insert(&mut self, name_len: usize, sound: (bool, bool)) {
        let size = self.scratch.len() + ENTRY_OVERHEAD;
        self.shrink_to(self.max_size.saturating_sub(size));
        if size <= self.max_size {
            let text = Bytes::copy_from_slice(&self.scratch);
            self.table.push_front(Entry { text, name_len, sound });
            self.size += size;
        }
    }

    fn shrink_to(&mut self, size: usize) {
        while self.size > size {
            let Some(oldest) = self.table.pop_back() else { break };
            self.size -= oldest.size();
        }
    }
}
