//! Dictionaries of addresses: single ones and ranges (condition 11.2), and their text files (11.3).

mod text;

pub use text::{LoadError, LoadReason, Loaded, load_file, load_text};

use crate::condition::{RangeSet, address_number};
use std::collections::HashSet;
use std::net::IpAddr;

/// Why an address or a range was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InsertError {
    /// One end is IPv4 (mapped counts), the other is not.
    #[error("InsertPair failed: startIP and endIP should both be ipv4 or non-ipv4")]
    Family,
    /// The range ends before it starts.
    #[error("InsertPair failed: startIPStr {0} > endIPStr {1}")]
    Order(IpAddr, IpAddr),
    /// There are more single addresses than announced, and one more.
    #[error("hashSet: Set is full")]
    Full,
}

/// Collects the entries of a dictionary.
pub struct IpDictBuilder {
    max_singles: usize,
    singles: HashSet<u128>,
    ranges: Vec<(u128, u128)>,
}

impl IpDictBuilder {
    /// A builder for that many single addresses; one more finds room.
    #[must_use]
    pub fn new(singles: usize) -> Self {
        Self { max_singles: singles.saturating_add(1), singles: HashSet::new(), ranges: Vec::new() }
    }

    /// Adds an address.
    ///
    /// # Errors
    /// When the room is used up, even if the address is there already.
    pub fn insert_single(&mut self, ip: IpAddr) -> Result<(), InsertError> {
        if self.singles.len() >= self.max_singles {
            return Err(InsertError::Full);
        }
        self.singles.insert(address_number(ip));
        Ok(())
    }

    /// Adds a range, both ends inclusive.
    ///
    /// # Errors
    /// When its ends are of different families or in the wrong order.
    pub fn insert_range(&mut self, start: IpAddr, end: IpAddr) -> Result<(), InsertError> {
        let (start, end) = (start.to_canonical(), end.to_canonical());
        if start.is_ipv4() != end.is_ipv4() {
            return Err(InsertError::Family);
        }
        if address_number(start) > address_number(end) {
            return Err(InsertError::Order(start, end));
        }
        self.ranges.push((address_number(start), address_number(end)));
        Ok(())
    }

    /// The dictionary; overlapping ranges become one.
    #[must_use]
    pub fn build(self, version: impl Into<String>) -> IpDict {
        let mut singles: Vec<u128> = self.singles.into_iter().collect();
        singles.sort_unstable();
        IpDict { singles, ranges: RangeSet::new(self.ranges), version: version.into() }
    }
}

/// A dictionary of addresses. IPv4 and its mapped form are the same.
#[derive(Default)]
pub struct IpDict {
    /// Sorted.
    singles: Vec<u128>,
    ranges: RangeSet,
    version: String,
}

impl IpDict {
    /// Whether an address is in it.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.singles.binary_search(&address_number(ip)).is_ok() || self.ranges.has(ip)
    }

    /// How many single addresses and separate ranges there are. Ranges that touch without overlap are
    /// separate.
    #[must_use]
    pub fn len(&self) -> usize {
        self.singles.len() + self.ranges.len()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Version by the file; empty where it has none.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

impl std::fmt::Debug for IpDict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IpDict").field("version", &self.version).field("len", &self.len()).finish()
    }
}

/// Whether an address belongs to a private network: the three blocks of RFC 1918, also in mapped form.
#[must_use]
pub fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn util_2_private() {
        for (text, want) in [
            ("10.0.0.1", true),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
            ("::ffff:192.168.1.1", true),
            ("127.0.0.1", false),
            ("169.254.1.1", false),
            ("fd00::1", false),
        ] {
            assert_eq!(is_private(ip(text)), want, "{text}");
        }
    }

    #[test]
    fn util_3_to_5_inserting() {
        let mut builder = IpDictBuilder::new(1);
        assert_eq!(builder.insert_single(ip("1.1.1.1")), Ok(()));
        assert_eq!(builder.insert_single(ip("1.1.1.1")), Ok(()));
        assert_eq!(builder.insert_single(ip("::2")), Ok(()));
        assert_eq!(builder.insert_single(ip("::2")), Err(InsertError::Full));
        assert_eq!(builder.insert_range(ip("1.1.1.1"), ip("::1")), Err(InsertError::Family));
        let error = builder.insert_range(ip("::ffff:2.2.2.2"), ip("1.1.1.1")).unwrap_err();
        assert_eq!(error.to_string(), "InsertPair failed: startIPStr 2.2.2.2 > endIPStr 1.1.1.1");
        for (start, end) in [("2.0.0.0", "2.0.0.9"), ("2.0.0.10", "2.0.0.20"), ("2.0.0.5", "2.0.0.7")] {
            builder.insert_range(ip(start), ip(end)).unwrap();
        }
        let dict = builder.build("");
        assert_eq!(dict.len(), 4);
        assert!(dict.contains(ip("2.0.0.20")) && !dict.contains(ip("2.0.0.21")));
    }
}
