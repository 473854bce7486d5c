//! MurmurHash3, x64 128-bit variant, seed 0, first half of the result.
//!
//! Sub-cluster choice and session sticky depend on the exact value (balance 3), so it is kept here with its
//! vectors rather than taken from a crate that might one day differ in it.

const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

/// The first 64 bits of the hash of `key`.
#[must_use]
pub fn hash64(key: &[u8]) -> u64 {
    let (blocks, tail) = key.as_chunks::<16>();
    let (mut h1, mut h2) = (0u64, 0u64);
    for block in blocks {
        let (k1, k2) = halves(block);
        h1 ^= mix1(k1);
        h1 = h1.rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 ^= mix2(k2);
        h2 = h2.rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    // What is left is the low bytes of one more block; zero bytes mix to zero.
    let mut last = [0u8; 16];
    for (to, from) in last.iter_mut().zip(tail) {
        *to = *from;
    }
    let (k1, k2) = halves(&last);
    h2 ^= mix2(k2);
    h1 ^= mix1(k1);

    let len = key.len() as u64;
    h1 ^= len;
    h2 ^= len;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    avalanche(h1).wrapping_add(avalanche(h2))
}

fn halves(block: &[u8; 16]) -> (u64, u64) {
    let whole = u128::from_le_bytes(*block);
    let low = u128::from(u64::MAX);
    // Both halves fit by construction.
    ((whole & low) as u64, (whole >> 64) as u64)
}

const fn mix1(k: u64) -> u64 {
    k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2)
}

const fn mix2(k: u64) -> u64 {
    k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1)
}

const fn avalanche(mut h: u64) -> u64 {
    h ^= h >> 33;
    h = h.wrapping_mul(0xff51_afd7_ed55_8ccd);
    h ^= h >> 33;
    h = h.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ (h >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bal_13_vectors() {
        let mapped = |v4: [u8; 4]| {
            let mut ip = [0u8; 16];
            ip[10..12].fill(0xff);
            ip[12..].copy_from_slice(&v4);
            ip.to_vec()
        };
        let v6 = "2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets().to_vec();
        for (key, want) in [
            (vec![1], 0x7ace_5c90_8374_fe16u64),
            (b"val".to_vec(), 0x9aba_8b85_d063_5154),
            (b"hello".to_vec(), 0xcbd8_a7b3_41bd_9b02),
            (b"alice".to_vec(), 0x4f1a_4f97_e8b3_55aa),
            (b"bob".to_vec(), 0xb51b_1f0c_60b4_afdd),
            (b"0123456789abcdef".to_vec(), 0x4be0_6d94_cf4a_d1a7),
            (b"0123456789abcdefg".to_vec(), 0x8e32_612d_aa45_f9de),
            (vec![b'x'; 40], 0x4907_43c1_dd91_4c61),
            (b"/index.html".to_vec(), 0xe986_6530_76f2_05f7),
            (b"/a?b=1".to_vec(), 0x7a2a_0f68_9b39_20d9),
            (vec![1, 2, 3, 4], 0x0a00_90a9_da04_0fe3),
            (mapped([1, 2, 3, 4]), 0xc4c5_e93d_22cc_1c5a),
            (mapped([192, 168, 1, 1]), 0x50d5_e3f9_2137_834d),
            (mapped([127, 0, 0, 1]), 0xe525_f2c4_457c_9764),
            (vec![127, 0, 0, 1], 0x2ec7_7f0a_7579_4c2e),
            (v6, 0x6aba_aee0_764b_f3c5),
        ] {
            assert_eq!(hash64(&key), want, "{key:?}");
        }
    }
}
