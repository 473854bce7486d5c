//! DNS messages (RFC 1035), as far as they have to be understood: where records begin and end.

use std::net::{IpAddr, Ipv6Addr};

/// Length of the header.
const HEADER: usize = 12;
/// Most pointers that are followed in a name, and longest name.
const MAX_POINTERS: usize = 126;
const MAX_NAME: usize = 255;
/// What is said of a client: a record of type OPT (41), for messages of 4096 bytes, with one option of type
/// client subnet (8): an IPv6 address (family 2) of which all 128 bits count.
const OPT: [u8; 19] = [0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 24, 0, 8, 0, 20, 0, 2, 128, 0];

/// A message that has been looked through.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// The message up to its last record; counts in the header are those of the records that are there.
    bytes: Vec<u8>,
    lowest_ttl: u32,
}

impl Message {
    /// Looks a message through. What follows its last record is cut off; a message that ends before all the
    /// records that it promises have come has fewer.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER] = bytes.first_chunk()?;
        let (_, counts) = header.split_at_checked(4)?;
        let (pairs, _) = counts.as_chunks::<2>();
        let mut at = HEADER;
        let mut found = [0u16; 4];
        let mut lowest = None;
        let mut missing = 0;
        for (section, (promised, found)) in pairs.iter().zip(&mut found).enumerate() {
            for _ in 0..u16::from_be_bytes(*promised) {
                if at == bytes.len() {
                    break;
                }
                at = skip_name(bytes, at)?;
                if section == 0 {
                    // A question may end after its name, or after its type: what is missing is 0.
                    let rest = bytes.len() - at;
                    missing = if matches!(rest, 0 | 2) { 4 - rest } else { 0 };
                    at += 4 - missing;
                } else {
                    let (ttl, length) = record(bytes.get(at..)?)?;
                    at += 10 + usize::from(length);
                    if section == 1 {
                        lowest = Some(lowest.map_or(ttl, |lowest: u32| lowest.min(ttl)));
                    }
                }
                *found += 1;
                if at > bytes.len() {
                    return None;
                }
            }
        }
        let mut whole: Vec<u8> = header.iter().copied().take(4).collect();
        whole.extend(found.iter().flat_map(|count| count.to_be_bytes()));
        whole.extend_from_slice(bytes.get(HEADER..at)?);
        whole.extend(std::iter::repeat_n(0, missing));
        Some(Self { bytes: whole, lowest_ttl: lowest.unwrap_or(0) })
    }

    /// The same with a record that tells the client's address, if that is known. One that the client sent
    /// itself stays.
    pub(super) fn with_client(mut self, client: Option<IpAddr>) -> Self {
        let Some(client) = client else { return self };
        let address: Ipv6Addr = match client.to_canonical() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        self.bytes.extend_from_slice(&OPT);
        self.bytes.extend_from_slice(&address.octets());
        if let Some([.., high, low]) = self.bytes.first_chunk_mut::<HEADER>() {
            let count = u16::from_be_bytes([*high, *low]).saturating_add(1);
            [*high, *low] = count.to_be_bytes();
        }
        self
    }

    /// The identifier, by which an answer belongs to a query.
    pub(super) fn id(&self) -> Option<[u8; 2]> {
        self.bytes.first_chunk().copied()
    }

    /// The lowest TTL of its answers, in seconds; 0 without any.
    pub(super) fn lowest_ttl(&self) -> u32 {
        self.lowest_ttl
    }

    /// The message as it is sent.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The message as it is sent.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }
}

/// TTL, and length of the data, of a record behind its name.
fn record(bytes: &[u8]) -> Option<(u32, u16)> {
    let [_, _, _, _, t0, t1, t2, t3, l0, l1] = *bytes.first_chunk::<10>()?;
    Some((u32::from_be_bytes([t0, t1, t2, t3]), u16::from_be_bytes([l0, l1])))
}

/// Where what follows a name begins. The name is followed to its end, which may be elsewhere.
fn skip_name(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut length, mut pointers) = (start, 0, 0);
    let mut behind = None;
    loop {
        match *bytes.get(at)? {
            0 => return Some(behind.unwrap_or(at + 1)),
            label @ 1..=63 => {
                length += usize::from(label) + 1;
                at += usize::from(label) + 1;
                if length >= MAX_NAME || at > bytes.len() {
                    return None;
                }
            }
            high @ 0xc0..=0xff => {
                let low = *bytes.get(at + 1)?;
                behind.get_or_insert(at + 2);
                at = usize::from(u16::from_be_bytes([high & 0x3f, low]));
                pointers += 1;
                if pointers > MAX_POINTERS {
                    return None;
                }
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A query for `a.b`, type 1, class 1.
    const QUERY: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x01b\x00\x00\x01\x00\x01";
    /// An answer to it with two addresses, whose names are pointers.
    const ANSWER: &[u8] = b"\x12\x34\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00\x01a\x01b\x00\x00\x01\x00\x01\
        \xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x00\x00\x04\x01\x02\x03\x04\
        \xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x05\x06\x07\x08";

    fn parsed(bytes: &[u8]) -> Option<Vec<u8>> {
        Message::parse(bytes).map(|message| message.to_bytes())
    }

    #[test]
    fn messages_are_cut_and_counted() {
        assert_eq!(parsed(QUERY).as_deref(), Some(QUERY));
        assert_eq!(parsed(&[QUERY, b"more"].concat()).as_deref(), Some(QUERY));
        assert_eq!(Message::parse(ANSWER).unwrap().lowest_ttl(), 60);
        assert_eq!(Message::parse(QUERY).unwrap().lowest_ttl(), 0);
        // A header alone, whatever it promises.
        assert_eq!(parsed(&QUERY[..12]).unwrap(), b"\x12\x34\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00");
        // A question cut after its name, and after its type.
        let cut = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x01b\x00\x00\x00\x00\x00";
        assert_eq!(parsed(&QUERY[..17]).unwrap(), cut);
        assert_eq!(parsed(&QUERY[..19]).unwrap()[17..], [0, 1, 0, 0]);
        // One record less than promised.
        assert_eq!(
            parsed(&ANSWER[..37]).unwrap()[..12],
            *b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
        );
    }

    #[test]
    fn damaged_messages_are_refused() {
        for length in [0, 11, 13, 15, 18, 22, 31, 35, ANSWER.len() - 1] {
            let whole = if length < 20 { QUERY } else { ANSWER };
            assert!(parsed(&whole[..length]).is_none(), "{length}");
        }
        let named = |name: &[u8]| parsed(&[&QUERY[..12], name, b"\x00\x01\x00\x01"].concat());
        assert!(named(b"\xc0\x0c").is_none(), "a pointer to itself");
        assert!(named(b"\xc0\xff").is_none(), "a pointer beyond the end");
        assert!(named(b"\x80a\x00").is_none(), "a label of an unknown kind");
        assert!(named(&[&[63; 64].repeat(4)[..], b"\x00"].concat()).is_none(), "a name that is too long");
        assert!(named(b"\x00").is_some());
    }

    #[test]
    fn doh_5_client_subnet() {
        let query = Message::parse(QUERY).unwrap();
        let told = query.clone().with_client(Some("1.2.3.4".parse().unwrap()));
        let (start, record) = told.as_bytes().split_at(QUERY.len());
        assert_eq!(start[..12], *b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01");
        assert_eq!(
            record,
            b"\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x18\x00\x08\x00\x14\x00\x02\x80\x00\
              \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04"
        );
        // What is told is a message, and one record is told beside another.
        assert_eq!(parsed(told.as_bytes()).as_deref(), Some(told.as_bytes()));
        assert_eq!(told.with_client(Some("::1".parse().unwrap())).as_bytes()[11], 2);
        assert_eq!(query.clone().with_client(None).as_bytes(), QUERY);
    }
}
