//! What the cookie says: a backend as JSON, masked, in base64.
//!
//! The mask hides and does not protect: whoever knows it can name any backend of the cluster.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bfe_module::metrics;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::fmt;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// A backend, and when the cookie is to be made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) ip: String,
    pub(super) port: i64,
    pub(super) sub_cluster: String,
    /// In seconds since 1970.
    pub(super) renew_time: Option<i64>,
}

impl Token {
    /// The value of the cookie.
    pub(super) fn encode(&self, mask: &[u8]) -> String {
        let renew = self.renew_time.map_or_else(|| "null".to_owned(), |time| time.to_string());
        let text = format!(
            r#"{{"ip":{},"port":{},"subcluster":{},"renewtime":{renew}}}"#,
            json_string(&self.ip),
            self.port,
            json_string(&self.sub_cluster)
        );
        BASE64.encode(masked(text.as_bytes(), mask))
    }

    /// What the value of a cookie says, if it can be read.
    pub(super) fn decode(value: &[u8], mask: &[u8]) -> Option<Self> {
        // Line ends do not count, as in the original.
        let value: Vec<u8> = value.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
        let text = masked(&BASE64.decode(value).ok()?, mask);
        let raw: RawToken = serde_json::from_str(&String::from_utf8_lossy(&text)).ok()?;
        Some(Self { ip: raw.ip?, port: raw.port?, sub_cluster: raw.sub_cluster?, renew_time: raw.renew_time })
    }

    /// Whether it names the same backend.
    pub(super) fn is_same_backend(&self, other: &Self) -> bool {
        (&self.ip, self.port, &self.sub_cluster) == (&other.ip, other.port, &other.sub_cluster)
    }

    /// Address and port, as balancing knows them.
    pub(super) fn addr_info(&self) -> String {
        format!("{}:{}", self.ip, self.port)
    }
}

fn masked(text: &[u8], mask: &[u8]) -> Vec<u8> {
    text.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
}

fn json_string(text: &str) -> String {
    metrics::html_safe(&metrics::json_string(text))
}

/// Members count in any case; of several the last counts.
#[derive(Default)]
struct RawToken {
    ip: Option<String>,
    port: Option<i64>,
    sub_cluster: Option<String>,
    renew_time: Option<i64>,
}

impl<'de> Deserialize<'de> for RawToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = RawToken;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_unit<E: Error>(self) -> Result<RawToken, E> {
                Ok(RawToken::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawToken, A::Error> {
                let mut token = RawToken::default();
                while let Some(name) = map.next_key::<String>()? {
                    match name.to_ascii_lowercase().as_str() {
                        "ip" => token.ip = map.next_value()?,
                        "port" => token.port = map.next_value()?,
                        "subcluster" => token.sub_cluster = map.next_value()?,
                        "renewtime" => token.renew_time = map.next_value()?,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(token)
            }
        }

        deserializer.deserialize_any(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(ip: &str, port: i64, sub_cluster: &str, renew_time: Option<i64>) -> Token {
        Token { ip: ip.into(), port, sub_cluster: sub_cluster.into(), renew_time }
    }

    #[test]
    fn sticky_1_vectors() {
        for (mask, token, want) in [
            (
                "a1111111bcd",
                token("127.0.0.1", 80, "unittest", None),
                "GhNYQRMLEwBQVEpRHwEfABMdExIMFhUTCwkBHRNCFwEHDURCRVRDEwtAFgoIRUVUQkUTHUARAQ9URkVYXFQTWA0RDV1M",
            ),
            (
                "defaultmask",
                token("10.1.2.3", 8080, "sub.bj", Some(1_700_001_800)),
                "H0cPEVdWVlxRXVpKV0hSV0BWHQ4BH0ZfXlFNXFhPEgYJBwkTEgEJBk9bURgRB0gDH05YTxMWBQESEggYCVZXUERbVFVWUE1cRBA",
            ),
        ] {
            assert_eq!(token.encode(mask.as_bytes()), want);
            assert_eq!(Token::decode(want.as_bytes(), mask.as_bytes()), Some(token));
            assert_eq!(Token::decode(want.as_bytes(), b"othermask"), None);
        }
        assert_eq!(BASE64.encode(masked(b"123", b"FFFF")), "d3R1");
    }

    #[test]
    fn what_can_be_read() {
        let decode =
            |text: &str| Token::decode(BASE64.encode(masked(text.as_bytes(), b"mask")).as_bytes(), b"mask");
        let good = Some(token("1.1.1.1", 80, "s", None));
        for (text, want) in [
            (r#"{"ip":"1.1.1.1","port":80,"subcluster":"s"}"#, good.clone()),
            (r#" {"IP":"x","Ip":"1.1.1.1","Port":80,"SubCluster":"s","renewTime":null,"more":[{}]} "#, good),
            (r#"{"ip":"1.1.1.1","port":80.0,"subcluster":"s"}"#, None),
            (r#"{"ip":"1.1.1.1","port":"80","subcluster":"s"}"#, None),
            (r#"{"ip":"1.1.1.1","port":80}"#, None),
            (r#"{"ip":null,"port":80,"subcluster":"s"}"#, None),
            (r#"{"ip":"1.1.1.1","port":80,"subcluster":"s"} x"#, None),
            ("null", None),
            ("[]", None),
            ("", None),
        ] {
            assert_eq!(decode(text), want, "{text}");
        }
        assert_eq!(Token::decode(b"!!!!", b"mask"), None);
        assert_eq!(Token::decode(b"YQ==", b"mask"), None);
    }

    #[test]
    fn text_is_escaped() {
        let value = token("a", 1, "<\"&>", None).encode(&[0]);
        let text = String::from_utf8(BASE64.decode(value).unwrap()).unwrap();
        assert_eq!(text, r#"{"ip":"a","port":1,"subcluster":"\u003c\"\u0026\u003e","renewtime":null}"#);
    }
}
