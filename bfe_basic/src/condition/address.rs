//! Addresses as conditions compare them (condition 5.5): 16 bytes, IPv4 in its mapped form.

use std::io::Write;
use std::net::{IpAddr, Ipv6Addr};

/// An address as a number of 128 bits.
pub(crate) fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn is_v4(number: u128) -> bool {
    Ipv6Addr::from(number).to_ipv4_mapped().is_some()
}

/// Parses an address literal.
pub(crate) fn parse(text: &str) -> Result<u128, String> {
    text.parse().map(number).map_err(|_| format!("invalid IP addr string:{text}"))
}

/// Parses the two ends of a range.
pub(crate) fn parse_range(start: &str, end: &str) -> Result<(u128, u128), String> {
    let (low, high) = (parse(start)?, parse(end)?);
    if is_v4(low) != is_v4(high) {
        return Err(format!("startIP[{start}] and endIP[{end}] has different addr type(IPv4/IPv6)"));
    }
    if low > high {
        return Err(format!("startIP[{start}] must <= endIP[{end}]"));
    }
    Ok((low, high))
}

/// Ranges of addresses, sorted and without overlap.
#[derive(Default)]
pub(crate) struct RangeSet(Vec<(u128, u128)>);

impl RangeSet {
    pub(crate) fn new(mut ranges: Vec<(u128, u128)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut() {
                Some(last) if low <= last.1 => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        Self(merged)
    }

    /// Takes the ranges of another set in; [`RangeSet::settle`] must be called before the set is used.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Puts absorbed ranges into order.
    pub(crate) fn settle(&mut self) {
        *self = Self::new(std::mem::take(&mut self.0));
    }

    /// The ranges, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u128, u128)> {
        self.0.iter().copied()
    }

    /// How many separate ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        let ip = number(ip);
        let after = self.0.partition_point(|(low, _)| *low <= ip);
        after.checked_sub(1).and_then(|i| self.0.get(i)).is_some_and(|(_, high)| ip <= *high)
    }
}

/// Hands the text of an address to `test`: dotted for IPv4, mapped or not, else RFC 5952.
pub(crate) fn with_text<R>(ip: IpAddr, test: impl FnOnce(&[u8]) -> R) -> R {
    let mut buffer = [0u8; 48];
    let size = buffer.len();
    let mut rest: &mut [u8] = &mut buffer;
    // An address needs 39 bytes at most, so that the write does not fail.
    let _ = write!(rest, "{}", ip.to_canonical());
    let len = size - rest.len();
    test(buffer.get(..len).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cond_37_literals() {
        for bad in ["01.1.1.1", " 1.1.1.1", "1.1.1.1 ", "fe80::1%eth0", "1.1.1.0/24", "[::1]", "", "1.1.1"] {
            assert_eq!(parse(bad), Err(format!("invalid IP addr string:{bad}")));
        }
        assert_eq!(parse("::ffff:1.2.3.4"), parse("1.2.3.4"));
    }

    #[test]
    fn cond_116_text_of_an_address() {
        for (ip, text) in [
            ("::ffff:1.2.3.4", "1.2.3.4"),
            ("::1.2.3.4", "::102:304"),
            ("2001:0DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
        ] {
            with_text(ip.parse().unwrap(), |t| assert_eq!(t, text.as_bytes()));
        }
    }
}
