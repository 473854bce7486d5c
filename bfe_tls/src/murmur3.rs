//! MurmurHash3, x86 32-bit variant, seed 0.
//!
//! Which clients see a protocol depends on the exact value (tls 3.3), so it is kept here with its vectors.

const C1: u32 = 0xcc9e_2d51;
const C2: u32 = 0x1b87_3593;

/// The hash of `key`.
pub(crate) fn hash32(key: &[u8]) -> u32 {
    let (blocks, tail) = key.as_chunks::<4>();
    let mut h = blocks.iter().fold(0u32, |h, block| {
        (h ^ mix(u32::from_le_bytes(*block))).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
    });
    // What is left is the low bytes of one more block; zero bytes mix to zero.
    h ^= mix(tail.iter().rev().fold(0, |k, b| k << 8 | u32::from(*b)));
    h ^= u32::try_from(key.len()).unwrap_or(u32::MAX);
    h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
    h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
    h ^ h >> 16
}

const fn mix(k: u32) -> u32 {
    k.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_31_vectors() {
        for (key, want) in [
            (&b""[..], 0u32),
            (b"hello", 0x248b_fa47),
            (b"hello, world", 0x149b_bb7f),
            (b"The quick brown fox jumps over the lazy dog", 0x2e4f_f723),
        ] {
            assert_eq!(hash32(key), want, "{key:?}");
        }
        for (ip, mapped, bare) in
            [([127, 0, 0, 1], 48, 56), ([10, 1, 2, 3], 80, 60), ([192, 0, 2, 7], 38, 83)]
        {
            let ip = std::net::Ipv4Addr::from(ip);
            assert_eq!(hash32(&ip.to_ipv6_mapped().octets()) % 100, mapped, "{ip} in 16 bytes");
            assert_eq!(hash32(&ip.octets()) % 100, bare, "{ip} in 4 bytes");
        }
    }
}
