//! One JSON Web Key (RFC 7517, 7518, 8037).

use super::certificate::{self, Public};
use super::key::{Curve, Key};
use super::key_file::Members;
use super::token::BASE64;
use base64::Engine as _;

/// A key that could sign, and verifies nothing, as in the original.
const PRIVATE: Key = Key::Idle("it is a private key");

/// Makes a key of its members.
///
/// # Errors
/// What is wrong with it, without what stands in it.
pub(super) fn load(members: &Members) -> Result<Key, String> {
    for name in ["kid", "alg", "use", "x5u"] {
        members.text(name)?;
    }
    let kind = members.text("kty")?.unwrap_or_default();
    let (key, public) = match kind {
        "oct" => (Key::hmac(&needed(members, "k")?), None),
        "RSA" => rsa(members)?,
        "EC" => ec(members)?,
        "OKP" => okp(members)?,
        "" => return Err("kty is missing".into()),
        _ => return Err("kty is not oct, RSA, EC or OKP".into()),
    };
    certificate::check(members, public.as_ref())?;
    Ok(key)
}

fn rsa(members: &Members) -> Result<(Key, Option<Public>), String> {
    let (modulus, exponent) = (needed(members, "n")?, needed(members, "e")?);
    let key = if number(members, "d")?.is_some() {
        for name in ["p", "q"] {
            needed(members, name)?;
        }
        PRIVATE
    } else {
        // Numbers that are no key verify nothing, and that is no reason not to load.
        Key::rsa(&modulus, &exponent).unwrap_or_else(Key::Idle)
    };
    Ok((key, Some(Public::rsa(&modulus, &exponent))))
}

fn ec(members: &Members) -> Result<(Key, Option<Public>), String> {
    let curve =
        Curve::find(members.text("crv")?.unwrap_or_default()).ok_or("crv is not P-256, P-384 or P-521")?;
    let coordinate = |name: &str| {
        let bytes = needed(members, name)?;
        let wrong = || format!("{name} has {} bytes, and not {}", bytes.len(), curve.size());
        if bytes.len() == curve.size() { Ok(bytes) } else { Err(wrong()) }
    };
    let (x, y) = (coordinate("x")?, coordinate("y")?);
    // Also of a private key, whose point has to be right.
    let key = Key::ec(curve, &x, &y).ok_or("the point is not on the curve")?;
    let is_private = members.text("d")?.is_some();
    if is_private {
        coordinate("d")?;
    }
    Ok((if is_private { PRIVATE } else { key }, Some(Public::Point([&[4], &x[..], &y].concat()))))
}

fn okp(members: &Members) -> Result<(Key, Option<Public>), String> {
    if members.text("crv")? != Some("Ed25519") {
        return Err("crv is not Ed25519".into());
    }
    let x = needed(members, "x")?;
    // Too few bytes are filled up with zeros, and too many cut off, as in the original.
    let mut point = [0; 32];
    for (to, from) in point.iter_mut().zip(&x) {
        *to = *from;
    }
    let public = Some(Public::Point(point.to_vec()));
    if number(members, "d")?.is_some() {
        return Ok((PRIVATE, public));
    }
    Ok((Key::ed25519(&point).unwrap_or(Key::Idle("the point is not on the curve")), public))
}

/// The bytes of a member that has to be there.
fn needed(members: &Members, name: &str) -> Result<Vec<u8>, String> {
    number(members, name)?.ok_or_else(|| format!("{name} is missing"))
}

/// The bytes of a member; `None` where it is absent.
fn number(members: &Members, name: &str) -> Result<Option<Vec<u8>>, String> {
    members.text(name)?.map(|text| decode(text).ok_or_else(|| format!("{name} is not base64url"))).transpose()
}

/// base64url; line ends do not count.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let text: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    BASE64.decode(text).ok()
}
