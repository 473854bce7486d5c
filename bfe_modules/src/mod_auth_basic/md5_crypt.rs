//! MD5-crypt, as BSD and Apache have it, but with salts of any length.

use md5::{Digest, Md5};

/// The letters of its base64, whose digits begin with the lowest.
const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// How often the hash is mixed again, to take time.
const ROUNDS: u32 = 1000;
/// The order in which the bytes of the hash are written: four letters for three bytes, two for the last.
const ORDER: [&[usize]; 6] = [&[0, 6, 12], &[1, 7, 13], &[2, 8, 14], &[3, 9, 15], &[4, 10, 5], &[11]];

/// The hash without `magic` and salt, in letters.
pub(super) fn hash(password: &[u8], salt: &[u8], magic: &[u8]) -> Vec<u8> {
    let inner = md5(&[password, salt, password]);
    let mut outer = Md5::new();
    for part in [password, magic, salt] {
        outer.update(part);
    }
    for stretch in password.chunks(inner.len()) {
        outer.update(inner.get(..stretch.len()).unwrap_or_default());
    }
    // A bit of the length decides about a byte each, lowest first.
    let mut length = password.len();
    while length != 0 {
        let first = password.first().copied().unwrap_or_default();
        outer.update([if length & 1 == 1 { 0 } else { first }]);
        length >>= 1;
    }
    let mut hash: [u8; 16] = outer.finalize().into();
    for round in 0..ROUNDS {
        let (before, after) = if round % 2 == 1 { (password, &hash[..]) } else { (&hash[..], password) };
        let salt = if round % 3 == 0 { &[] } else { salt };
        let again = if round % 7 == 0 { &[] } else { password };
        hash = md5(&[before, salt, again, after]);
    }
    letters(&hash)
}

fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(part);
    }
    md5.finalize().into()
}

fn letters(hash: &[u8; 16]) -> Vec<u8> {
    let mut text = Vec::with_capacity(22);
    for group in ORDER {
        let bytes = group.iter().filter_map(|at| hash.get(*at));
        let mut value = bytes.fold(0u32, |value, byte| value << 8 | u32::from(*byte));
        for _ in 0..=group.len() {
            text.extend(LETTERS.get(value as usize % LETTERS.len()));
            value /= 64;
        }
    }
    text
}
