//! A token taken apart: header, claims, signature.

use super::algorithm::Algorithm;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// base64 of tokens and keys: no padding; bits of the last letter that mean nothing are not looked at.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// A token whose signature has not been looked at.
pub(super) struct Token<'t> {
    pub(super) algorithm: Algorithm,
    pub(super) claims: Claims,
    /// What is signed.
    pub(super) message: &'t [u8],
    pub(super) signature: Vec<u8>,
}

impl<'t> Token<'t> {
    /// Takes a token apart; `None` where it is malformed, or its algorithm unknown.
    pub(super) fn parse(token: &'t [u8]) -> Option<Self> {
        let first = memchr::memchr(b'.', token)?;
        let last = memchr::memrchr(b'.', token)?;
        let (message, signature) = (token.get(..last)?, token.get(last + 1..)?);
        // The base64 of the claims has no dot, so that there are three parts and not more.
        let (header, claims) = (token.get(..first)?, token.get(first + 1..last)?);
        let header = text(header)?;
        let header: Members = serde_json::from_str(&header).ok()?;
        let Some(Value::Text(algorithm)) = header.algorithm else { return None };
        let claims = text(claims)?;
        // Only the first value counts; what follows it is not looked at.
        let mut claims = serde_json::Deserializer::from_str(&claims);
        let claims = Option::<Members>::deserialize(&mut claims).ok()?.unwrap_or_default();
        Some(Self {
            algorithm: Algorithm::find(&algorithm)?,
            claims: Claims(claims.times),
            message,
            signature: BASE64.decode(signature).ok()?,
        })
    }
}

/// The text of a part; bytes that are not UTF-8 become U+FFFD.
fn text(part: &[u8]) -> Option<String> {
    Some(String::from_utf8_lossy(&BASE64.decode(part).ok()?).into_owned())
}

/// The times of a token: `exp`, `iat`, `nbf`.
pub(super) struct Claims([Option<Value>; 3]);

impl Claims {
    /// Whether the token is valid at a time, in seconds since 1970; there is no leeway.
    pub(super) fn are_valid_at(&self, now: i64) -> bool {
        let [expires, issued, not_before] = &self.0;
        let holds = |claim: &Option<Value>, is_right: fn(i64, i64) -> bool| match claim {
            None => true,
            Some(Value::Number(number)) => {
                let time = seconds(*number);
                time == 0 || is_right(now, time)
            }
            Some(_) => false,
        };
        holds(expires, |now, time| now <= time)
            && holds(issued, |now, time| now >= time)
            && holds(not_before, |now, time| now >= time)
    }
}

/// A number cut to seconds. One that does not fit is the lowest there is: long over, as a time to expire.
fn seconds(number: f64) -> i64 {
    // 2^63, which is the first that does not fit.
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&number) { number as i64 } else { i64::MIN }
}

/// What is of interest in a header and in claims. Of members given twice the last counts; names count by case.
#[derive(Default)]
struct Members {
    algorithm: Option<Value>,
    times: [Option<Value>; 3],
}

/// A value of a member, as far as it is of interest.
enum Value {
    Text(String),
    Number(f64),
    Other,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                while let Some(name) = map.next_key::<String>()? {
                    let [expires, issued, not_before] = &mut members.times;
                    let place = match name.as_str() {
                        "alg" => &mut members.algorithm,
                        "exp" => expires,
                        "iat" => issued,
                        "nbf" => not_before,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *place = Some(map.next_value()?);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(text.to_owned()))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
                Ok(Value::Number(number))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
                Ok(Value::Number(number as f64))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
                Ok(Value::Number(number as f64))
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Value, E> {
                Ok(Value::Other)
            }

            fn visit_unit<E: Error>(self) -> Result<Value, E> {
                Ok(Value::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Value::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Value::Other)
            }
        }

        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        format!("{}.{}.c2ln", BASE64.encode(header), BASE64.encode(claims))
    }

    #[test]
    fn what_is_a_token() {
        let good = r#"{"alg":"HS256","typ":[1],"kid":{"a":null}}"#;
        for (header, claims, want) in [
            (good, "{}", true),
            (good, "null", true),
            (good, "{} trailing", true),
            (good, "{}}", true),
            (r#" {"alg":"none","alg":"HS256"} "#, "{}", true),
            (r#"{"alg":"\u0048S256","x":"\ud800"}"#, "{}", true),
            (good, "", false),
            (good, "[]", false),
            (good, "1", false),
            (good, "{", false),
            (good, r#"{"exp":1e999}"#, false),
            (r#"{"alg":"HS256"} x"#, "{}", false),
            (r#"{"Alg":"HS256"}"#, "{}", false),
            (r#"{"alg":"hs256"}"#, "{}", false),
            (r#"{"alg":"none"}"#, "{}", false),
            (r#"{"alg":1}"#, "{}", false),
            ("{}", "{}", false),
            ("null", "{}", false),
            ("", "{}", false),
        ] {
            assert_eq!(Token::parse(token(header, claims).as_bytes()).is_some(), want, "{header} {claims}");
        }
        let whole = token(good, "{}");
        let (two, padded) = (whole.rsplit_once('.').unwrap().0.to_owned(), format!("{whole}="));
        for wrong in ["", ".", "..", "...", &two, &format!("{whole}.x"), &format!(".{whole}"), &padded] {
            assert!(Token::parse(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn authjwt_8_and_9_times() {
        let now = 1_700_000_000;
        for (claims, want) in [
            (r#"{"aud":"x","iss":1,"sub":null}"#, true),
            (r#"{"exp":1700000000}"#, true),
            (r#"{"exp":1699999999}"#, false),
            (r#"{"exp":1700000000.9}"#, true),
            (r#"{"exp":1699999999.9}"#, false),
            (r#"{"exp":0}"#, true),
            (r#"{"exp":0.5}"#, true),
            (r#"{"exp":-1}"#, false),
            (r#"{"exp":1e30}"#, false),
            (r#"{"nbf":1e30}"#, true),
            (r#"{"exp":9223372036854775807}"#, false),
            (r#"{"nbf":1700000000,"iat":1700000000}"#, true),
            (r#"{"nbf":1700000001}"#, false),
            (r#"{"iat":1700000001}"#, false),
            (r#"{"exp":"4102444800"}"#, false),
            (r#"{"exp":null}"#, false),
            (r#"{"nbf":true}"#, false),
            (r#"{"iat":[]}"#, false),
            (r#"{"iat":{"a":1}}"#, false),
            (r#"{"exp":1,"exp":4102444800}"#, true),
            (r#"{"Exp":1}"#, true),
            ("null", true),
        ] {
            let token = token(r#"{"alg":"HS256"}"#, claims);
            let token = Token::parse(token.as_bytes()).unwrap();
            assert_eq!(token.claims.are_valid_at(now), want, "{claims}");
        }
    }
}
