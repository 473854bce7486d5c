//! Protocol buffers on the wire, as far as they are needed here: fields are written in the order of their
//! numbers, lengths in as few bytes as they take.

/// Writes the fields of a message.
pub(crate) struct Message<'b>(&'b mut Vec<u8>);

impl<'b> Message<'b> {
    /// Fields go behind what is in the buffer.
    pub(crate) fn new(buffer: &'b mut Vec<u8>) -> Self {
        Self(buffer)
    }

    /// An integer, enumeration or boolean.
    pub(crate) fn number(&mut self, field: u32, value: u64) {
        varint(self.0, u64::from(field) << 3);
        varint(self.0, value);
    }

    /// An integer of 64 bits, each of which is written.
    pub(crate) fn fixed64(&mut self, field: u32, value: u64) {
        varint(self.0, u64::from(field) << 3 | 1);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Text, which may be any bytes.
    pub(crate) fn text(&mut self, field: u32, text: &[u8]) {
        varint(self.0, u64::from(field) << 3 | 2);
        varint(self.0, text.len() as u64);
        self.0.extend_from_slice(text);
    }

    /// A message in this message.
    pub(crate) fn message(&mut self, field: u32, write: impl FnOnce(&mut Message<'_>)) {
        varint(self.0, u64::from(field) << 3 | 2);
        let start = self.0.len();
        write(&mut Message(self.0));
        // Its length goes in front of it, once it is known.
        let end = self.0.len();
        varint(self.0, (end - start) as u64);
        let length = self.0.len() - end;
        if let Some(bytes) = self.0.get_mut(start..) {
            bytes.rotate_right(length);
        }
    }
}

fn varint(buffer: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        buffer.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    buffer.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
pub(crate) mod read {
    //! Reading what has been written, for tests.

    use std::collections::BTreeMap;

    /// A value of a field.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) enum Value {
        Number(u64),
        Bytes(Vec<u8>),
    }

    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let b = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(b & 0x7f) << shift;
            if b < 0x80 {
                break;
            }
        }
        value
    }

    /// The fields of a message; they must be in the order of their numbers.
    pub(crate) fn fields(mut bytes: &[u8]) -> BTreeMap<u64, Value> {
        let mut fields = BTreeMap::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let value = match tag & 7 {
                0 => Value::Number(varint(&mut bytes)),
                1 => {
                    let (value, rest) = bytes.split_first_chunk().unwrap();
                    bytes = rest;
                    Value::Number(u64::from_le_bytes(*value))
                }
                2 => {
                    let length = usize::try_from(varint(&mut bytes)).unwrap();
                    let (text, rest) = bytes.split_at(length);
                    bytes = rest;
                    Value::Bytes(text.to_vec())
                }
                kind => panic!("wire type {kind}"),
            };
            let field = tag >> 3;
            // Of a repeated field the last value stays.
            assert!(fields.last_key_value().is_none_or(|(last, _)| *last <= field), "field {field}");
            fields.insert(field, value);
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_on_the_wire() {
        let mut buffer = b"before".to_vec();
        let mut message = Message::new(&mut buffer);
        message.number(1, 150);
        message.text(2, b"testing");
        message.message(3, |inner| {
            inner.number(1, u64::MAX);
            inner.message(200, |_| {});
        });
        message.message(4, |inner| inner.text(1, &[b'x'; 200]));
        let mut want = b"before\x08\x96\x01\x12\x07testing".to_vec();
        want.extend_from_slice(b"\x1a\x0e\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\xc2\x0c\x00");
        want.extend_from_slice(b"\x22\xcb\x01\x0a\xc8\x01");
        want.extend_from_slice(&[b'x'; 200]);
        assert_eq!(buffer, want);
    }
}
