//! RSA signatures that the library does not take: of keys under 2048 bits, and PSS with salts of other lengths
//! than the hash. Only public numbers are at work here, so that nothing has to be hidden.

use super::algorithm::Sha;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};

/// The longest modulus, in bits.
const MOST_BITS: usize = 16_384;
/// The largest exponent.
const MOST_EXPONENT: u64 = (1 << 31) - 1;

/// A public key.
pub(super) struct RawRsa {
    modulus: Box<[u8]>,
    exponent: Box<[u8]>,
    params: BoxedMontyParams,
    power: BoxedUint,
    bits: usize,
}

impl RawRsa {
    /// A key of that modulus and exponent, as big-endian numbers.
    pub(super) fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, &'static str> {
        let (modulus, exponent) = (significant(modulus), significant(exponent));
        let first = modulus.first().ok_or("the modulus is 0")?;
        let bits = modulus.len() * 8 - first.leading_zeros() as usize;
        if bits > MOST_BITS {
            return Err("the modulus has more than 16384 bits");
        }
        let value = exponent.iter().try_fold(0u64, |value, byte| {
            value.checked_mul(256)?.checked_add(u64::from(*byte)).filter(|value| *value <= MOST_EXPONENT)
        });
        let value =
            value.filter(|value| *value >= 2).ok_or("the exponent is not between 2 and 2147483647")?;
        let odd = Odd::new(BoxedUint::from_be_slice_vartime(modulus)).into_option();
        let params = BoxedMontyParams::new_vartime(odd.ok_or("the modulus is even")?);
        Ok(Self {
            modulus: modulus.into(),
            exponent: exponent.into(),
            params,
            power: BoxedUint::from(value),
            bits,
        })
    }

    pub(super) fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    pub(super) fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    /// Length of the modulus.
    pub(super) fn bits(&self) -> usize {
        self.bits
    }

    /// The encoded message that a signature holds, as long as the modulus (RFC 8017, 5.2.2).
    fn encoded_message(&self, signature: &[u8]) -> Option<Vec<u8>> {
        if signature.len() != self.modulus.len() || signature >= &*self.modulus {
            return None;
        }
        let signature = BoxedUint::from_be_slice(signature, self.params.bits_precision()).ok()?;
        let message = BoxedMontyForm::new(signature, &self.params).pow(&self.power).retrieve();
        let message = message.to_be_bytes();
        message.get(message.len().checked_sub(self.modulus.len())?..).map(<[u8]>::to_vec)
    }

    /// RSASSA-PKCS1-v1_5 (RFC 8017, 8.2.2): the whole encoding is made, and has to be there.
    pub(super) fn verifies_pkcs1(&self, sha: Sha, message: &[u8], signature: &[u8]) -> bool {
        let Some(found) = self.encoded_message(signature) else { return false };
        let hash = sha.hash(&[message]);
        let info = [digest_info(sha), hash.as_ref()].concat();
        // Eight bytes of padding at least.
        let Some(padding) = found.len().checked_sub(info.len() + 3).filter(|length| *length >= 8) else {
            return false;
        };
        found == [&[0, 1][..], &vec![0xff; padding], &[0], &info].concat()
    }

    /// RSASSA-PSS (RFC 8017, 9.1.2), where the salt may have any length.
    pub(super) fn verifies_pss(&self, sha: Sha, message: &[u8], signature: &[u8]) -> bool {
        self.pss(sha, message, signature).unwrap_or(false)
    }

    fn pss(&self, sha: Sha, message: &[u8], signature: &[u8]) -> Option<bool> {
        let found = self.encoded_message(signature)?;
        // One bit less than the modulus, which may be a byte less.
        let bits = self.bits.checked_sub(1)?;
        let (lead, encoded) = found.split_at_checked(found.len() - bits.div_ceil(8))?;
        let hash_length = sha.algorithm().output_len();
        let (last, encoded) = encoded.split_last()?;
        let (masked, hash) = encoded.split_at_checked(encoded.len().checked_sub(hash_length)?)?;
        if lead.iter().any(|byte| *byte != 0) || *last != 0xbc {
            return None;
        }
        let unused = 0xff00u16.checked_shr((bits.div_ceil(8) * 8 - bits) as u32)? as u8;
        if masked.first()? & unused != 0 {
            return None;
        }
        let mut block: Vec<u8> =
            masked.iter().zip(mask(sha, hash, masked.len())).map(|(a, b)| a ^ b).collect();
        *block.first_mut()? &= !unused;
        let one = block.iter().position(|byte| *byte != 0)?;
        let (_, salted) = block.split_at_checked(one)?;
        let salt = salted.strip_prefix(&[1])?;
        let expected = sha.hash(&[&[0; 8], sha.hash(&[message]).as_ref(), salt]);
        Some(expected.as_ref() == hash)
    }
}

fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// MGF1 (RFC 8017, B.2.1).
fn mask(sha: Sha, seed: &[u8], length: usize) -> Vec<u8> {
    let mut mask = Vec::with_capacity(length + sha.algorithm().output_len());
    for counter in 0u32.. {
        if mask.len() >= length {
            break;
        }
        mask.extend_from_slice(sha.hash(&[seed, &counter.to_be_bytes()]).as_ref());
    }
    mask
}

/// What stands before a hash in PKCS #1 (RFC 8017, 9.2).
fn digest_info(sha: Sha) -> &'static [u8] {
    match sha {
        Sha::S256 => b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
        Sha::S384 => b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
        Sha::S512 => b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
    }
}
