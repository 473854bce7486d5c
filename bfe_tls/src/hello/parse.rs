//! What stands in a hello (tls 7.7), as strict and as lenient as the reference.

/// A hello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientHello {
    /// Version, as old clients tell it.
    pub(crate) version: u16,
    pub(crate) random: [u8; 32],
    /// Identifier of the session to resume; empty for none.
    pub(crate) session_id: Vec<u8>,
    pub(crate) suites: Vec<u16>,
    /// Whether it can do without compression.
    pub(crate) null_compression: bool,
    /// Kinds of extensions, in order.
    pub(crate) extensions: Vec<u16>,
    /// Server name as it was sent; empty for none.
    pub(crate) server_name: String,
    /// Groups for the key exchange; none where they are left out.
    pub(crate) groups: Vec<u16>,
    /// Point formats; none where they are left out.
    pub(crate) points: Vec<u8>,
    /// Protocols by ALPN.
    pub(crate) alpn: Vec<Vec<u8>>,
    /// Whether a stapled OCSP response is wanted.
    pub(crate) status_request: bool,
    /// Whether a session ticket is presented, also in the form of TLS 1.3.
    pub(crate) has_ticket: bool,
    /// Versions, as new clients tell them.
    pub(crate) versions: Vec<u16>,
}

/// Bytes that are taken from the front.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, n: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<usize> {
        self.take(1)?.first().map(|b| usize::from(*b))
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.first_chunk().map(|b| u16::from_be_bytes(*b))
    }

    /// What follows a length of two bytes.
    fn counted(&mut self) -> Option<&'b [u8]> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }
}

/// Numbers of two bytes; `None` for half a number.
fn numbers(bytes: &[u8]) -> Option<Vec<u16>> {
    let (pairs, []) = bytes.as_chunks::<2>() else { return None };
    Some(pairs.iter().map(|b| u16::from_be_bytes(*b)).collect())
}

/// All of an extension as one list behind its length.
fn whole_list(content: &[u8]) -> Option<&[u8]> {
    let mut content = Bytes(content);
    let list = content.counted()?;
    content.0.is_empty().then_some(list)
}

impl ClientHello {
    /// Parses the body of the message; `None` where it is malformed.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut body = Bytes(body);
        let mut hello = Self { version: body.u16()?, ..Self::default() };
        hello.random = *body.take(32)?.first_chunk()?;
        let id = body.u8().filter(|len| *len <= 32)?;
        hello.session_id = body.take(id)?.to_vec();
        hello.suites = numbers(body.counted()?)?;
        let compressions = body.u8()?;
        hello.null_compression = body.take(compressions)?.contains(&0);
        if body.0.is_empty() {
            return Some(hello);
        }
        let mut extensions = Bytes(whole_list(body.0)?);
        while !extensions.0.is_empty() {
            let kind = extensions.u16()?;
            let content = extensions.counted()?;
            hello.extensions.push(kind);
            hello.extension(kind, content)?;
        }
        Some(hello)
    }

    fn extension(&mut self, kind: u16, content: &[u8]) -> Option<()> {
        match kind {
            // server_name
            0 => {
                if let Some(name) = server_name(content)? {
                    self.server_name = String::from_utf8_lossy(name).into_owned();
                }
            }
            // status_request: only its kind is looked at.
            5 => self.status_request = content.first() == Some(&1),
            // supported_groups
            10 => self.groups = numbers(whole_list(content)?)?,
            // ec_point_formats
            11 => {
                let mut content = Bytes(content);
                let len = content.u8()?;
                self.points = content.take(len)?.to_vec();
                content.0.is_empty().then_some(())?;
            }
            // signature_algorithms
            13 => drop(numbers(whole_list(content)?)?),
            // application_layer_protocol_negotiation
            16 => {
                let mut list = Bytes(whole_list(content)?);
                while !list.0.is_empty() {
                    let len = list.u8().filter(|len| *len > 0)?;
                    self.alpn.push(list.take(len)?.to_vec());
                }
            }
            // session_ticket
            35 => self.has_ticket |= !content.is_empty(),
            // pre_shared_key
            41 => self.has_ticket = true,
            // supported_versions; a malformed one is refused later.
            43 => {
                let list = content.split_first().and_then(|(_, list)| numbers(list));
                self.versions = list.unwrap_or_default();
            }
            // next_protocol_negotiation carries nothing.
            0x3374 => content.is_empty().then_some(())?,
            // renegotiation_info of a first handshake
            0xff01 => (content == [0]).then_some(())?,
            _ => {}
        }
        Some(())
    }

    /// Whether the client speaks TLS 1.3.
    pub(crate) fn offers_tls13(&self) -> bool {
        self.versions.contains(&super::TLS13)
    }
}

/// The first host name of the list. Other entries are passed over, but there must be one.
fn server_name(content: &[u8]) -> Option<Option<&[u8]>> {
    let mut content = Bytes(content);
    if content.u16()? == 0 {
        return Some(None);
    }
    loop {
        let kind = content.u8()?;
        let name = content.counted()?;
        if kind == 0 {
            return Some(Some(name));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A body with those extensions.
    pub(crate) fn body(extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let mut list = Vec::new();
        for (kind, content) in extensions {
            list.extend(kind.to_be_bytes());
            list.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
            list.extend(*content);
        }
        let mut body = [&[3, 3][..], &[9; 32], &[1, 7, 0, 4, 0xc0, 0x2f, 0x0a, 0x0a, 1, 0]].concat();
        body.extend(u16::try_from(list.len()).unwrap().to_be_bytes());
        body.extend(list);
        body
    }

    #[test]
    fn what_stands_in_a_hello() {
        let hello = ClientHello::parse(&body(&[
            (0, b"\0\x06\0\0\x03a.B"),
            (10, &[0, 4, 0, 29, 0, 23]),
            (11, &[1, 0]),
            (16, b"\0\x0c\x02h2\x08http/1.1"),
            (5, &[1, 0, 0, 0, 0]),
            (35, b"ticket"),
            (43, &[4, 3, 4, 3, 3]),
            (0xff01, &[0]),
        ]))
        .unwrap();
        assert_eq!(hello.server_name, "a.B");
        assert_eq!((hello.groups.as_slice(), hello.points.as_slice()), (&[29, 23][..], &[0][..]));
        assert_eq!(hello.alpn, [b"h2".to_vec(), b"http/1.1".to_vec()]);
        assert_eq!(hello.suites, [0xc02f, 0x0a0a]);
        assert_eq!(hello.extensions, [0, 10, 11, 16, 5, 35, 43, 0xff01]);
        assert!(
            hello.status_request
                && hello.has_ticket
                && !hello.session_id.is_empty()
                && hello.null_compression
        );
        assert!(hello.offers_tls13());
    }

    #[test]
    fn malformed_hellos() {
        let whole = body(&[(10, &[0, 2, 0, 23])]);
        for len in 0..whole.len() {
            // Without the list of extensions it is a hello as well.
            let fits = len == whole.len() - 10;
            assert_eq!(ClientHello::parse(whole.get(..len).unwrap()).is_some(), fits, "first {len} bytes");
        }
        assert!(ClientHello::parse(&[&whole[..], &[0]].concat()).is_none(), "trailing byte");
        for (kind, content, good) in [
            (0, &b"\0\0"[..], true),
            (0, b"\0\x09\x01\0\x01a\0\0\x01b", true),
            (0, b"\0\x04\x01\0\x01a", false),
            (0, b"\xff\xff\0\0\x01a", true),
            (0, b"\0", false),
            (10, &[0, 1, 0], false),
            (10, &[0, 2, 0], false),
            (11, &[2, 0], false),
            (11, &[], false),
            (13, &[0, 2, 4, 1], true),
            (13, &[0, 3, 4, 1, 1], false),
            (16, b"\0\x01\0", false),
            (16, b"\0\x02\x02a", false),
            (43, &[], true),
            (0x3374, &[], true),
            (0x3374, &[1], false),
            (0xff01, &[1, 1], false),
            (0xff01, &[], false),
            (9999, &[1, 2, 3], true),
        ] {
            assert_eq!(ClientHello::parse(&body(&[(kind, content)])).is_some(), good, "{kind} {content:?}");
        }
    }
}
