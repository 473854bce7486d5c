//! `ip_blocklist.data`: addresses, ranges and prefixes, a line each.

use bfe_basic::conf::{ConfError, ConfErrors, Faults, Place, read_bytes};
use ipnet::IpNet;
use serde::Deserialize;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

/// Addresses, as sorted ranges without overlap. IPv4 counts as its mapped form.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct IpList(Vec<(u128, u128)>);

/// What the first line may say about the file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    version: String,
    #[serde(rename = "singleIPNum")]
    single_ip_num: i64,
    #[serde(rename = "pairIPNum")]
    pair_ip_num: i64,
}

/// Most single addresses, and most ranges, that the file announced.
struct Limits {
    single: usize,
    pair: usize,
}

impl IpList {
    /// Loads the file.
    pub(super) fn load(path: &Path) -> Result<Self, ConfErrors> {
        Self::parse(&path.display().to_string(), &read_bytes(path)?)
    }

    fn parse(file: &str, bytes: &[u8]) -> Result<Self, ConfErrors> {
        let text = String::from_utf8_lossy(bytes);
        let limits = text.lines().next().and_then(limits);
        let mut faults = Faults::new();
        let (mut ranges, mut single, mut pair) = (Vec::new(), 0usize, 0usize);
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_matches([' ', '\t', '\r']);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fault = |reason: String| ConfError {
                file: file.to_owned(),
                place: Some(Place { line: u32::try_from(number + 1).unwrap_or(u32::MAX), column: 1 }),
                key: String::new(),
                reason,
            };
            match range(line) {
                Ok((low, high)) => {
                    single += usize::from(low == high);
                    pair += usize::from(low != high);
                    if limits.as_ref().is_some_and(|l| single > l.single || pair > l.pair) {
                        return Err(fault(
                            "Max line exceed: more entries than the first line announces".into(),
                        )
                        .into());
                    }
                    ranges.push((low, high));
                }
                Err(reason) => faults.push_with(|| fault(format!("{reason} ({line})"))),
            }
        }
        faults.into_result()?;
        ranges.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut() {
                Some(last) if low <= last.1 => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        Ok(Self(merged))
    }

    /// Whether the list has the address.
    pub(super) fn has(&self, ip: IpAddr) -> bool {
        let ip = number(ip);
        let after = self.0.partition_point(|(low, _)| *low <= ip);
        after.checked_sub(1).and_then(|i| self.0.get(i)).is_some_and(|(_, high)| ip <= *high)
    }
}

fn limits(first_line: &str) -> Option<Limits> {
    let header: Header = serde_json::from_str(first_line.trim().strip_prefix('#')?).ok()?;
    if header.version.is_empty() {
        return None;
    }
    Some(Limits {
        single: usize::try_from(header.single_ip_num).ok()?,
        pair: usize::try_from(header.pair_ip_num).ok()?,
    })
}

/// The first and last address of a line.
fn range(line: &str) -> Result<(u128, u128), String> {
    let words: Vec<_> = line.split([' ', '\t']).filter(|w| !w.is_empty()).collect();
    match words.as_slice() {
        [prefix] if prefix.contains('/') => {
            let net: IpNet = prefix.parse().map_err(|_| "invalid prefix, expected address/length")?;
            Ok((number(net.network()), number(net.broadcast())))
        }
        [ip] => address(ip).map(|ip| (number(ip), number(ip))),
        [low, high] => {
            let (low, high) = (address(low)?, address(high)?);
            if low.is_ipv4() != high.is_ipv4() {
                return Err("the two addresses are of different families".into());
            }
            if number(low) > number(high) {
                return Err("the first address is greater than the second".into());
            }
            Ok((number(low), number(high)))
        }
        _ => Err("expected an address, two addresses, or address/length".into()),
    }
}

/// An address; IPv4 in its own form, however it is written.
fn address(text: &str) -> Result<IpAddr, String> {
    text.parse::<IpAddr>().map(|ip| ip.to_canonical()).map_err(|_| format!("invalid address {text}"))
}

fn number(ip: IpAddr) -> u128 {
    let v6: Ipv6Addr = match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    u128::from(v6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<IpList, String> {
        IpList::parse("ip.data", text.as_bytes()).map_err(|e| e.to_string())
    }

    #[test]
    fn addresses_ranges_and_prefixes() {
        let list =
            parse("# note\n\n 10.0.0.1 \r\n10.1.0.0\t 10.1.0.9\n10.2.0.0/16\n::1/128\n2001:db8::/32\n")
                .unwrap();
        for (ip, inside) in [
            ("10.0.0.1", true),
            ("::ffff:10.0.0.1", true),
            ("10.0.0.2", false),
            ("10.1.0.5", true),
            ("10.1.0.10", false),
            ("10.2.255.255", true),
            ("10.3.0.0", false),
            ("::1", true),
            ("2001:db8:1::", true),
            ("2001:db9::", false),
        ] {
            assert_eq!(list.has(ip.parse().unwrap()), inside, "{ip}");
        }
    }

    #[test]
    fn overlapping_ranges_are_merged() {
        let list = parse("10.0.0.0 10.0.0.9\n10.0.0.5 10.0.0.20\n10.0.0.7\n").unwrap();
        assert_eq!(list.0.len(), 1);
        assert!(list.has("10.0.0.20".parse().unwrap()));
    }

    #[test]
    fn wrong_lines_are_named() {
        for (text, want) in [
            (
                "10.0.0.1 # comment",
                "ip.data:1:1: expected an address, two addresses, or address/length (10.0.0.1 # comment)",
            ),
            (
                "\n10.0.0.2 10.0.0.1",
                "ip.data:2:1: the first address is greater than the second (10.0.0.2 10.0.0.1)",
            ),
            ("10.0.0.1 ::1", "ip.data:1:1: the two addresses are of different families (10.0.0.1 ::1)"),
            ("10.0.0.1/33", "ip.data:1:1: invalid prefix, expected address/length (10.0.0.1/33)"),
            ("x", "ip.data:1:1: invalid address x (x)"),
        ] {
            assert_eq!(parse(text).unwrap_err(), want);
        }
    }

    #[test]
    fn the_first_line_can_limit_the_entries() {
        let header = "#{\"version\":\"v\",\"singleIPNum\":1,\"pairIPNum\":0}\n";
        assert!(parse(&format!("{header}10.0.0.1\n")).is_ok());
        for more in ["10.0.0.1\n10.0.0.1\n", "10.0.0.1 10.0.0.2\n"] {
            assert!(parse(&format!("{header}{more}")).unwrap_err().contains("Max line exceed"), "{more}");
        }
        assert!(parse("#{\"version\":\"\",\"singleIPNum\":0,\"pairIPNum\":0}\n10.0.0.1\n").is_ok());
    }
}
