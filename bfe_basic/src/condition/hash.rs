//! Hash buckets (condition 5.4): the first word of MurmurHash3 x64-128, seed 0, modulo 10,000.

/// How many buckets there are.
pub const BUCKETS: u64 = 10_000;

const WORDS: usize = 157;

/// The bucket of a value, from 0 to 9,999.
#[must_use]
pub fn bucket(value: &[u8]) -> u64 {
    murmur3_h1(value) % BUCKETS
}

/// The first 64-bit word of MurmurHash3 x64-128 with seed 0.
#[must_use]
pub fn murmur3_h1(data: &[u8]) -> u64 {
    const C1: u64 = 0x87c3_7b91_1142_53d5;
    const C2: u64 = 0x4cf5_ad43_2745_937f;
    let mix1 = |k: u64| k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2);
    let mix2 = |k: u64| k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1);

    let (mut h1, mut h2) = (0u64, 0u64);
    let (blocks, tail) = data.as_chunks::<16>();
    for block in blocks {
        let whole = u128::from_le_bytes(*block);
        h1 ^= mix1(whole as u64);
        h1 = h1.rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 ^= mix2((whole >> 64) as u64);
        h2 = h2.rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    // A tail padded with zeros mixes to the same as a short one: a zero word adds nothing.
    let rest = tail.iter().rev().fold(0u128, |sum, byte| sum << 8 | u128::from(*byte));
    h2 ^= mix2((rest >> 64) as u64);
    h1 ^= mix1(rest as u64);

    let len = data.len() as u64;
    h1 ^= len;
    h2 ^= len;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    finish(h1).wrapping_add(finish(h2))
}

fn finish(mut k: u64) -> u64 {
    k ^= k >> 33;
    k = k.wrapping_mul(0xff51_afd7_ed55_8ccd);
    k ^= k >> 33;
    k = k.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ k >> 33
}

/// A set of buckets.
pub(crate) struct BucketSet(Box<[u64; WORDS]>);

impl BucketSet {
    /// Parses a list of sections `N` or `N-M`, separated by `|`.
    pub(crate) fn parse(list: &str) -> Result<Self, String> {
        let mut set = Self(Box::new([0; WORDS]));
        for section in list.split('|') {
            set.add_section(section)?;
        }
        Ok(set)
    }

    fn add_section(&mut self, section: &str) -> Result<(), String> {
        let mut bounds = section.split('-');
        let first = bounds.next().unwrap_or_default();
        let second = bounds.next();
        if bounds.next().is_some() {
            return Err(format!("hash value section {section} length error"));
        }
        let start = parse_number(section, first)?;
        let end = match second {
            Some(text) => parse_number(section, text)?,
            None => start,
        };
        if start > end {
            return Err(format!("hash value check section {section} err, start is larger"));
        }
        for bucket in start..=end {
            if let Some(word) = usize::try_from(bucket / 64).ok().and_then(|w| self.0.get_mut(w)) {
                *word |= 1 << (bucket % 64);
            }
        }
        Ok(())
    }

    /// Whether the bucket of `value` is in the set.
    pub(crate) fn has_value(&self, value: &[u8]) -> bool {
        let bucket = bucket(value);
        usize::try_from(bucket / 64)
            .ok()
            .and_then(|word| self.0.get(word))
            .is_some_and(|word| word >> (bucket % 64) & 1 == 1)
    }
}

/// A decimal number as the contract reads it: blanks are dropped wherever they are, one sign may lead.
fn parse_number(section: &str, text: &str) -> Result<u64, String> {
    let number: String = text.chars().filter(|c| *c != ' ').collect();
    let fail = |why: &str| {
        format!(
            "hash value check section {section} number {number} err strconv.Atoi: parsing {}: {why}",
            super::print::quote(&number)
        )
    };
    let digits = number.strip_prefix('+').unwrap_or(&number);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(fail("invalid syntax"));
    }
    let value: i64 = digits.parse().map_err(|_| fail("value out of range"))?;
    match u64::try_from(value) {
        Ok(value) if value < BUCKETS => Ok(value),
        _ => Err(format!("hash value check section {section} number {value} overlimit")),
    }
}
