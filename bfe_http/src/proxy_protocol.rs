//! The PROXY protocol, versions 1 and 2, in front of a connection (lifecycle 4.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

crate::counter_group! {
    /// `/monitor/proxy_protocol_state`.
    pub proxy_protocol_state "proxy_state" {
        /// The header could not be read.
        PROXY_ERR_READ_HEADER,
        /// Connections without a header.
        PROXY_ERR_NO_PROXY_PROTOCOL,
        /// Headers of version 1 begun.
        PROXY_MATCHED_V1_SIGNATURE,
        /// Headers of version 2 begun.
        PROXY_MATCHED_V2_SIGNATURE,
        /// Headers that are malformed.
        PROXY_ERR_INVALID_HEADER,
        /// Good headers of version 1.
        PROXY_NORMAL_V1_HEADER,
        /// Good headers of version 2.
        PROXY_NORMAL_V2_HEADER,
    }
}

const V1: &[u8] = b"PROXY";
const V2: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest version 1 line.
const V1_MAX: usize = 107;

/// Where a connection really comes from and went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The client.
    pub source: SocketAddr,
    /// What the client connected to: the vip.
    pub destination: SocketAddr,
}

/// What the first bytes of a connection are.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// Too few bytes to tell.
    NeedMore,
    /// There is no header: all bytes belong to the protocol above.
    Absent,
    /// A header of so many bytes that says where the connection comes from.
    Header(Addresses, usize),
    /// A header of so many bytes that says the sender itself is the peer, as for a health check.
    Local(usize),
}

/// Why a header was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// The line of version 1 is too long or has too few words.
    #[error("Can't read proxy protocol version and command")]
    Header,
    /// An address that is none, or of another family than announced.
    #[error("Invalid address")]
    Address,
    /// A port that is none.
    #[error("Invalid port number")]
    Port,
    /// A family or transport that cannot carry this connection.
    #[error("Unsupported address family and protocol")]
    Family,
    /// A version or command that there is not.
    #[error("Unsupported proxy protocol version and command")]
    Command,
    /// A length that is too short for the addresses, or longer than allowed.
    #[error("Invalid length")]
    Length,
}

/// Looks at the first bytes of a connection. Headers longer than `max` bytes are refused.
///
/// # Errors
/// See [`ProxyError`]: the connection is to be closed.
pub fn parse(bytes: &[u8], max: usize) -> Result<Parsed, ProxyError> {
    let prefix = |signature: &[u8]| {
        let n = bytes.len().min(signature.len());
        bytes.get(..n) == signature.get(..n)
    };
    if prefix(V1) {
        if bytes.len() < V1.len() { Ok(Parsed::NeedMore) } else { parse_v1(bytes, max.min(V1_MAX)) }
    } else if prefix(V2) {
        if bytes.len() < V2.len() + 4 { Ok(Parsed::NeedMore) } else { parse_v2(bytes, max) }
    } else {
        Ok(Parsed::Absent)
    }
}

/// The header that tells these addresses, in that version; `None` where there is no such version. Addresses of
/// different families are told as IPv6.
#[must_use]
pub fn encode(addresses: &Addresses, version: u8) -> Option<Vec<u8>> {
    let Addresses { source, destination } = addresses;
    let ips = match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => Ok((from, to)),
        (from, to) => Err((in_v6(from), in_v6(to))),
    };
    match version {
        1 => {
            let (family, from, to): (_, IpAddr, IpAddr) = match ips {
                Ok((from, to)) => ("TCP4", from.into(), to.into()),
                Err((from, to)) => ("TCP6", from.into(), to.into()),
            };
            Some(format!("PROXY {family} {from} {to} {} {}\r\n", source.port(), destination.port()).into())
        }
        2 => {
            let mut out = V2.to_vec();
            match ips {
                Ok((from, to)) => {
                    out.extend_from_slice(&[0x21, 0x11, 0, 12]);
                    out.extend_from_slice(&from.octets());
                    out.extend_from_slice(&to.octets());
                }
                Err((from, to)) => {
                    out.extend_from_slice(&[0x21, 0x21, 0, 36]);
                    out.extend_from_slice(&from.octets());
                    out.extend_from_slice(&to.octets());
                }
            }
            out.extend_from_slice(&source.port().to_be_bytes());
            out.extend_from_slice(&destination.port().to_be_bytes());
            Some(out)
        }
        _ => None,
    }
}

fn in_v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

fn parse_v1(bytes: &[u8], max: usize) -> Result<Parsed, ProxyError> {
    let Some(lf) = memchr::memchr(b'\n', bytes.get(..bytes.len().min(max)).unwrap_or_default()) else {
        return if bytes.len() >= max { Err(ProxyError::Header) } else { Ok(Parsed::NeedMore) };
    };
    let line = bytes.get(..lf).and_then(|l| l.strip_suffix(b"\r")).ok_or(ProxyError::Header)?;
    let line = std::str::from_utf8(line).map_err(|_| ProxyError::Header)?;
    let words: Vec<_> = line.split(' ').collect();
    let (family, rest) = match words.as_slice() {
        [_, "UNKNOWN", ..] => return Ok(Parsed::Local(lf + 1)),
        [_, family, rest @ ..] => (*family, rest),
        _ => return Err(ProxyError::Header),
    };
    let [source, destination, source_port, destination_port, ..] = rest else {
        return Err(ProxyError::Header);
    };
    let address = |text: &str| -> Result<IpAddr, ProxyError> {
        let ip: IpAddr = text.parse().map_err(|_| ProxyError::Address)?;
        match (family, ip) {
            ("TCP4", IpAddr::V4(_)) => Ok(ip),
            // An IPv4 address in the form of the other family is neither.
            ("TCP6", IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_none() => Ok(ip),
            ("TCP4" | "TCP6", _) => Err(ProxyError::Address),
            _ => Err(ProxyError::Family),
        }
    };
    let port = |text: &str| -> Result<u16, ProxyError> {
        if text.bytes().all(|b| b.is_ascii_digit()) {
            text.parse().map_err(|_| ProxyError::Port)
        } else {
            Err(ProxyError::Port)
        }
    };
    let source = SocketAddr::new(address(source)?, port(source_port)?);
    let destination = SocketAddr::new(address(destination)?, port(destination_port)?);
    Ok(Parsed::Header(Addresses { source, destination }, lf + 1))
}

fn parse_v2(bytes: &[u8], max: usize) -> Result<Parsed, ProxyError> {
    let [command, family, high, low, ..] = *bytes.get(V2.len()..).unwrap_or_default() else {
        return Ok(Parsed::NeedMore);
    };
    let len = usize::from(u16::from_be_bytes([high, low]));
    let total = V2.len() + 4 + len;
    let local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(ProxyError::Command),
    };
    if total > max.max(V2.len() + 4 + 36) {
        return Err(ProxyError::Length);
    }
    if !local {
        let needed = match family {
            0x11 => 12,
            0x21 => 36,
            _ => return Err(ProxyError::Family),
        };
        if len < needed {
            return Err(ProxyError::Length);
        }
    }
    let Some(block) = bytes.get(V2.len() + 4..total) else { return Ok(Parsed::NeedMore) };
    if local {
        return Ok(Parsed::Local(total));
    }
    fn array<const N: usize>(block: &[u8], at: usize) -> Result<[u8; N], ProxyError> {
        block.get(at..at + N).and_then(|b| b.try_into().ok()).ok_or(ProxyError::Length)
    }
    let addresses = if family == 0x11 {
        let ip = |at| Ok::<_, ProxyError>(IpAddr::V4(Ipv4Addr::from(array::<4>(block, at)?)));
        Addresses {
            source: SocketAddr::new(ip(0)?, u16::from_be_bytes(array(block, 8)?)),
            destination: SocketAddr::new(ip(4)?, u16::from_be_bytes(array(block, 10)?)),
        }
    } else {
        let ip = |at| Ok::<_, ProxyError>(IpAddr::V6(Ipv6Addr::from(array::<16>(block, at)?)));
        Addresses {
            source: SocketAddr::new(ip(0)?, u16::from_be_bytes(array(block, 32)?)),
            destination: SocketAddr::new(ip(16)?, u16::from_be_bytes(array(block, 34)?)),
        }
    };
    Ok(Parsed::Header(addresses, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(source: &str, destination: &str) -> Addresses {
        Addresses { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    #[test]
    fn what_is_encoded_can_be_parsed() {
        let v4 = addresses("1.2.3.4:5", "6.7.8.9:10");
        let v6 = addresses("[::1]:5", "[fe80::2]:10");
        let mixed = addresses("1.2.3.4:5", "[fe80::2]:10");
        let told = addresses("[::ffff:1.2.3.4]:5", "[fe80::2]:10");
        for version in [1, 2] {
            for both in [v4, v6] {
                let bytes = encode(&both, version).unwrap();
                assert_eq!(parse(&bytes, 2048), Ok(Parsed::Header(both, bytes.len())), "{version} {both:?}");
            }
        }
        // As text this is not taken from others.
        let bytes = encode(&mixed, 2).unwrap();
        assert_eq!(parse(&bytes, 2048), Ok(Parsed::Header(told, bytes.len())));
        assert_eq!(encode(&v4, 1).unwrap(), b"PROXY TCP4 1.2.3.4 6.7.8.9 5 10\r\n");
        assert_eq!(encode(&v4, 0), None);
    }

    #[test]
    fn life_22_and_23_version_1() {
        let v4 = addresses("1.2.3.4:5", "6.7.8.9:10");
        let line = b"PROXY TCP4 1.2.3.4 6.7.8.9 5 10\r\nGET";
        assert_eq!(parse(line, 2048), Ok(Parsed::Header(v4, line.len() - 3)));
        for cut in 1..line.len() - 3 {
            assert_eq!(parse(&line[..cut], 2048), Ok(Parsed::NeedMore), "{cut}");
        }
        let v6 = addresses("[::1]:5", "[fe80::2]:10");
        assert!(
            matches!(parse(b"PROXY TCP6 ::1 fe80::2 5 10\r\n", 2048), Ok(Parsed::Header(a, _)) if a == v6)
        );
        assert!(matches!(parse(b"PROXYX TCP4 1.2.3.4 6.7.8.9 5 10 extra\r\n", 2048), Ok(Parsed::Header(..))));
        assert_eq!(parse(b"PROXY UNKNOWN\r\n", 2048), Ok(Parsed::Local(15)));
        for bad in [
            "PROXY TCP4 1.2.3.4 6.7.8.9 5 10\n",
            "PROXY TCP4 1.2.3.4 6.7.8.9 5\r\n",
            "PROXY TCP4 ::1 ::1 5 10\r\n",
            "PROXY TCP6 1.2.3.4 6.7.8.9 5 10\r\n",
            "PROXY TCP6 ::ffff:1.2.3.4 ::1 5 10\r\n",
            "PROXY TCP4 1.2.3.4 6.7.8.9 5 65536\r\n",
            "PROXY TCP4 1.2.3.4 6.7.8.9 a 10\r\n",
            "PROXY UDP4 1.2.3.4 6.7.8.9 5 10\r\n",
        ] {
            assert!(parse(bad.as_bytes(), 2048).is_err(), "{bad:?}");
        }
        assert!(parse(&[b"PROXY ".as_slice(), &[b'a'; 200]].concat(), 2048).is_err());
        for other in ["GET / HTTP/1.1\r\n", "POST /", "PUT /", "\r\nGET"] {
            assert_eq!(parse(other.as_bytes(), 2048), Ok(Parsed::Absent), "{other:?}");
        }
    }

    #[test]
    fn life_22_and_23_version_2() {
        let header = |command: u8, family: u8, body: &[u8]| {
            let len = u16::try_from(body.len()).unwrap().to_be_bytes();
            [V2.as_slice(), &[command, family], &len, body].concat()
        };
        let body = [1, 2, 3, 4, 6, 7, 8, 9, 0, 5, 0, 10];
        let with_tlv = [&body[..], &[4, 0, 1, 0]].concat();
        let good = header(0x21, 0x11, &with_tlv);
        let want = addresses("1.2.3.4:5", "6.7.8.9:10");
        assert_eq!(parse(&good, 2048), Ok(Parsed::Header(want, good.len())));
        for cut in 1..good.len() {
            assert_eq!(parse(&good[..cut], 2048), Ok(Parsed::NeedMore), "{cut}");
        }
        assert!(matches!(parse(&header(0x21, 0x21, &[0; 36]), 2048), Ok(Parsed::Header(..))));
        assert_eq!(parse(&header(0x20, 0, &[]), 2048), Ok(Parsed::Local(16)));
        for (command, family, len) in [
            (0x22, 0x11, 12),
            (0x11, 0x11, 12),
            (0x21, 0x12, 12),
            (0x21, 0, 12),
            (0x21, 0x11, 11),
            (0x21, 0x21, 35),
            (0x21, 0x11, 4000),
        ] {
            assert!(
                parse(&header(command, family, &vec![0; len]), 2048).is_err(),
                "{command:x} {family:x} {len}"
            );
        }
    }
}
