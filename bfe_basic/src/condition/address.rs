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

/// Most networks, on average, that a range of a set is taken apart into.
const MAX_NETWORKS: usize = 64;

/// An address as a row of bits, a byte each.
pub(crate) fn bits(number: u128) -> [u8; 128] {
    std::array::from_fn(|i| u8::from(number >> (127 - i) & 1 == 1))
}

/// Hands over the networks that make up the ranges, each as the row of bits that its addresses begin with;
/// stops and gives `false` where they are too many.
pub(crate) fn networks(ranges: &RangeSet, mut each: impl FnMut(&[u8])) -> bool {
    let mut left = ranges.len().saturating_mul(MAX_NETWORKS);
    for (mut low, high) in ranges.iter() {
        loop {
            // The largest network that begins here and does not reach beyond the end.
            let mut host_bits = low.trailing_zeros();
            while host_bits > 0
                && low.checked_add(u128::MAX >> (128 - host_bits)).is_none_or(|end| end > high)
            {
                host_bits -= 1;
            }
            if left == 0 {
                return false;
            }
            left -= 1;
            let length = 128 - host_bits as usize;
            each(bits(low).get(..length).unwrap_or_default());
            let size = 1u128.checked_shl(host_bits).unwrap_or(0);
            match low.checked_add(size).filter(|next| size > 0 && *next <= high) {
                Some(next) => low = next,
                None => break,
            }
        }
    }
    true
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
    fn networks_are_the_ranges() {
        let number = |ip: &str| parse(ip).unwrap();
        for (low, high) in [
            ("10.0.0.1", "200.255.255.254"),
            ("1.2.3.4", "1.2.3.4"),
            ("::", "::1"),
            ("fe80::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            let (low, high) = (number(low), number(high));
            let mut all = Vec::new();
            assert!(networks(&RangeSet::new(vec![(low, high)]), |network| all.push(network.to_vec())));
            let has = |ip: u128| all.iter().filter(|n| bits(ip).starts_with(n)).count();
            for ip in [low, high, low + (high - low) / 2, low + (high - low) / 3] {
                assert_eq!(has(ip), 1, "{ip:x}");
            }
            for ip in [low.checked_sub(1), high.checked_add(1)].into_iter().flatten() {
                assert_eq!(has(ip), 0, "{ip:x}");
            }
        }
        let scattered = (0..100).map(|i| (i * 2, i * 2)).collect();
        assert!(networks(&RangeSet::new(scattered), |_| {}));
        assert!(!networks(&RangeSet::new(vec![(1, u128::MAX - 1)]), |_| {}));
    }

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
