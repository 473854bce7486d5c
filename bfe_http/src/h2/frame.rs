//! Frames as bytes (RFC 9113, 4 and 6).

use std::borrow::Cow;

/// Bytes of the head of a frame.
pub(super) const HEAD: usize = 9;
/// Largest payload that a peer takes without having said so, and the largest that is sent.
pub(super) const DEFAULT_MAX: usize = 16_384;

/// Kinds of frames.
pub(super) mod kind {
    pub(in crate::h2) const DATA: u8 = 0;
    pub(in crate::h2) const HEADERS: u8 = 1;
    pub(in crate::h2) const PRIORITY: u8 = 2;
    pub(in crate::h2) const RST_STREAM: u8 = 3;
    pub(in crate::h2) const SETTINGS: u8 = 4;
    pub(in crate::h2) const PUSH_PROMISE: u8 = 5;
    pub(in crate::h2) const PING: u8 = 6;
    pub(in crate::h2) const GOAWAY: u8 = 7;
    pub(in crate::h2) const WINDOW_UPDATE: u8 = 8;
    pub(in crate::h2) const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub(super) mod flag {
    pub(in crate::h2) const END_STREAM: u8 = 1;
    pub(in crate::h2) const ACK: u8 = 1;
    pub(in crate::h2) const END_HEADERS: u8 = 4;
    pub(in crate::h2) const PADDED: u8 = 8;
    pub(in crate::h2) const PRIORITY: u8 = 32;
}

/// Settings.
pub(super) mod setting {
    pub(in crate::h2) const HEADER_TABLE_SIZE: u16 = 1;
    pub(in crate::h2) const ENABLE_PUSH: u16 = 2;
    pub(in crate::h2) const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub(in crate::h2) const INITIAL_WINDOW_SIZE: u16 = 4;
    pub(in crate::h2) const MAX_FRAME_SIZE: u16 = 5;
    pub(in crate::h2) const MAX_HEADER_LIST_SIZE: u16 = 6;
    pub(in crate::h2) const ENABLE_CONNECT_PROTOCOL: u16 = 8;
}

/// Error codes (RFC 9113, 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    None = 0,
    Protocol = 1,
    Internal = 2,
    FlowControl = 3,
    StreamClosed = 5,
    FrameSize = 6,
    Cancel = 8,
    Compression = 9,
    EnhanceYourCalm = 11,
}

/// What an error code is called (RFC 9113, 7).
pub(super) fn code_name(code: u32) -> Cow<'static, str> {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let name = usize::try_from(code).ok().and_then(|code| NAMES.get(code));
    name.map_or_else(|| Cow::Owned(format!("unknown error code {code:#x}")), |name| Cow::Borrowed(*name))
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes of the payload.
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// The stream; 0 for the connection.
    pub(super) stream: u32,
}

impl Head {
    /// The head that `bytes` begin with, if it is there whole.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let [l2, l1, l0, kind, flags, s3, s2, s1, s0] = *bytes.first_chunk::<HEAD>()?;
        Some(Self {
            length: u32::from_be_bytes([0, l2, l1, l0]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([s3 & 0x7f, s2, s1, s0]),
        })
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Appends the head of a frame. A payload is never longer than its three bytes of length can tell.
pub(super) fn push_head(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    let [.., l2, l1, l0] = u32::try_from(length).unwrap_or_default().to_be_bytes();
    let [s3, s2, s1, s0] = stream.to_be_bytes();
    out.extend_from_slice(&[l2, l1, l0, kind, flags, s3, s2, s1, s0]);
}

/// Appends a frame whose payload is one or two numbers.
pub(super) fn push_numbers(out: &mut Vec<u8>, kind: u8, stream: u32, numbers: &[u32]) {
    push_head(out, numbers.len() * 4, kind, 0, stream);
    for number in numbers {
        out.extend_from_slice(&number.to_be_bytes());
    }
}

/// Appends SETTINGS.
pub(super) fn push_settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    push_head(out, settings.len() * 6, kind::SETTINGS, 0, 0);
    for (id, value) in settings {
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// The settings in the payload of a SETTINGS frame.
pub(super) fn settings(payload: &[u8]) -> impl Iterator<Item = (u16, u32)> + '_ {
    let (each, _) = payload.as_chunks::<6>();
    each.iter().map(|[i1, i0, v3, v2, v1, v0]| {
        (u16::from_be_bytes([*i1, *i0]), u32::from_be_bytes([*v3, *v2, *v1, *v0]))
    })
}

/// A number of four bytes at the start of a payload, without its first bit, and that bit.
pub(super) fn number(payload: &[u8]) -> (u32, bool) {
    let number = payload.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    (number & 0x7fff_ffff, number >> 31 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_there_and_back() {
        let mut out = Vec::new();
        push_head(&mut out, 0x01_02_03, kind::DATA, flag::PADDED, 0x7fff_fffe);
        let head = Head::parse(&out).unwrap();
        assert_eq!(
            head,
            Head { length: 0x01_02_03, kind: kind::DATA, flags: flag::PADDED, stream: 0x7fff_fffe }
        );
        assert_eq!(Head::parse(&out[..8]), None);
        // The reserved bit says nothing.
        out[5] |= 0x80;
        assert_eq!(Head::parse(&out), Some(head));
    }

    #[test]
    fn settings_there_and_back() {
        let mut out = Vec::new();
        push_settings(&mut out, &[(5, 1 << 20), (3, 200)]);
        assert_eq!(settings(&out[HEAD..]).collect::<Vec<_>>(), [(5, 1 << 20), (3, 200)]);
        assert_eq!(number(&[0x80, 0, 0, 5]), (5, true));
    }
}
