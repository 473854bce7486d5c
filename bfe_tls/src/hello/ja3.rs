//! JA3 fingerprints (tls 11).

use super::parse::ClientHello;
use md5::{Digest as _, Md5};
use std::fmt::Write as _;

impl ClientHello {
    /// The fingerprint in full, and hashed.
    pub(crate) fn ja3(&self) -> (String, String) {
        let mut raw = self.version.to_string();
        for list in [&self.suites, &self.extensions, &self.groups] {
            raw.push(',');
            join(&mut raw, list.iter().copied().filter(|v| v & 0x0f0f != 0x0a0a));
        }
        raw.push(',');
        join(&mut raw, self.points.iter().map(|p| u16::from(*p)));
        let hash = Md5::digest(&raw).iter().fold(String::with_capacity(32), |mut hash, byte| {
            let _ = write!(hash, "{byte:02x}");
            hash
        });
        (raw, hash)
    }
}

fn join(to: &mut String, values: impl Iterator<Item = u16>) {
    for (index, value) in values.enumerate() {
        let dash = if index > 0 { "-" } else { "" };
        // Writing to memory cannot fail.
        let _ = write!(to, "{dash}{value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_57_values_without_grease() {
        let hello = ClientHello {
            version: 0x0301,
            suites: vec![0x0a0a, 47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
            extensions: vec![0, 0x1a1a, 10, 11],
            groups: vec![0xfafa, 23, 24, 25],
            points: vec![0],
            ..ClientHello::default()
        };
        let (raw, hash) = hello.ja3();
        assert_eq!(raw, "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0");
        // The example of the JA3 authors.
        assert_eq!(hash, "ada70206e40642a3e4461f35503241d5");
        let empty = ClientHello { version: 0x0303, ..ClientHello::default() };
        assert_eq!(empty.ja3().0, "771,,,,");
    }
}
