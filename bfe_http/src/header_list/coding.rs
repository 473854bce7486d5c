//! Integers, strings and names of header lists, as HPACK and QPACK both write them (RFC 7541, 5; RFC 9204, 4.1).

use super::huffman;
use crate::header::canonicalize;
use crate::is_token;

/// A block that cannot be decoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// Brings a name into canonical form; false where it is none, or not in lower case.
pub(crate) fn settle_name(name: &mut [u8]) -> bool {
    if name.starts_with(b":") {
        return true;
    }
    let sound = is_token(name) && !name.iter().any(u8::is_ascii_uppercase);
    canonicalize(name);
    sound
}

/// An integer with a prefix of so many bits.
pub(crate) fn integer(rest: &mut &[u8], prefix: u32) -> Result<usize, Broken> {
    let (first, mut tail) = rest.split_first().ok_or(Broken)?;
    let mask = (1usize << prefix) - 1;
    let mut value = usize::from(*first) & mask;
    if value == mask {
        let mut shift = 0u32;
        loop {
            let (byte, more) = tail.split_first().ok_or(Broken)?;
            tail = more;
            // Four bytes more are 28 bits: no length or index is beyond that.
            if shift > 21 {
                return Err(Broken);
            }
            value += usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    *rest = tail;
    Ok(value)
}

/// A string of at most `max` bytes, to the end of `out`. Its length has a prefix of so many bits; the bit before that
/// says which form it is.
pub(crate) fn string(rest: &mut &[u8], prefix: u32, max: usize, out: &mut Vec<u8>) -> Result<(), Broken> {
    let coded = rest.first().is_some_and(|b| b & 1 << prefix != 0);
    let length = integer(rest, prefix)?;
    if length > max {
        return Err(Broken);
    }
    let (text, tail) = rest.split_at_checked(length).ok_or(Broken)?;
    *rest = tail;
    let before = out.len();
    if !coded {
        out.extend_from_slice(text);
    } else if !huffman::decode(text, out) || out.len() - before > max {
        return Err(Broken);
    }
    Ok(())
}

/// Writes an integer behind the bits of `head`, with a prefix of so many bits.
pub(crate) fn put_integer(out: &mut Vec<u8>, head: u8, prefix: u32, value: usize) {
    let low = |n: usize| u8::try_from(n & 0xff).unwrap_or_default();
    let mask = (1usize << prefix) - 1;
    if value < mask {
        out.push(head | low(value));
        return;
    }
    out.push(head | low(mask));
    let mut rest = value - mask;
    while rest >= 128 {
        out.push(low(rest & 0x7f) | 0x80);
        rest >>= 7;
    }
    out.push(low(rest));
}

/// Writes a string behind the bits of `head`, in whichever form is shorter; its length has a prefix of so many bits,
/// and the bit before that says which form it is.
pub(crate) fn put_string(out: &mut Vec<u8>, head: u8, prefix: u32, text: &[u8]) {
    let coded = huffman::encoded_len(text);
    if coded < text.len() {
        put_integer(out, head | 1 << prefix, prefix, coded);
        huffman::encode(text, out);
    } else {
        put_integer(out, head, prefix, text.len());
        out.extend_from_slice(text);
    }
}
