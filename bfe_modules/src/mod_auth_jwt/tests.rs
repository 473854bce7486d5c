//! The module as requests meet it, and vectors made by other programs (OpenSSL by way of Python).

use super::*;
use crate::testing;
use base64::Engine as _;
use bfe_module::HandlerResult;
use serde_json::{Value, json};

const SECRET: &str = r#"[{"kty":"oct","k":"YmZland0Mg"}]"#;

/// The rules with that key file.
fn rules(keys: &str) -> Result<RuleFile<RawJwtRule>, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), keys).unwrap();
    let path = file.path().to_str().unwrap();
    let text = json!({"Version": "1", "Config": {"p": [
        {"Cond": "req_path_in(\"/a\", false)", "KeyFile": path, "Realm": "r"},
    ]}});
    testing::load(&text.to_string()).map_err(|error| error.replace(path, "KEYS"))
}

fn passes(rules: &RuleFile<RawJwtRule>, authorization: Option<String>) -> bool {
    let mut req = testing::request("GET", "/a");
    if let Some(value) = authorization {
        req.http.header.add("Authorization", value);
    }
    let result = found_product(rules, &mut req).unwrap().result();
    assert!(matches!(result, HandlerResult::GoOn | HandlerResult::Response));
    result == HandlerResult::GoOn
}

fn token_passes(rules: &RuleFile<RawJwtRule>, token: &str) -> bool {
    passes(rules, Some(format!("Bearer {token}")))
}

#[test]
fn authjwt_1_vectors() {
    let rules = rules(SECRET).unwrap();
    for (token, want) in [
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.SWkZGjSvVaQr6fF0gWrckQRrRKd81e7g_48ftpnHa_M", true),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.SWkZGjSvVaQr6fF0gWrckQRrRKd81e7g_48ftpnHa_N", true),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.SWkZGjSvVaQr6fF0gWrckQRrRKd81e7g_48ftpnHa_Q", false),
        (
            "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJ1MSJ9.8YJRpdApAPLqsFhNWYi1je8Y1bdqr2ZEyrarNK4q8SqvsdwuvpnoRSMKdsqJMymch7rt9nCgx7xU4BWXnZ0ClQ",
            true,
        ),
        ("eyJhbGciOiJIUzI1NiJ9.bnVsbA.W6L1WHgUSqcCrsC8Qf6pVbXdd3vLQDvWxVwUKJ7Mdek", true),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9IHh5eg.r0JbFDH0xg5BHBFgq_KhO-a9Nyg7lIDAH71nU8CfcEU", true),
        (
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IngiLCJjcml0IjpbInoiXX0.eyJzdWIiOiJ1MSJ9.M5P0Heu3PjAH83_uGu2TxaZGDGKLUZTRjaQSSRp3h9E",
            true,
        ),
        ("eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjB9.trHPMa9UZjBcSyc4X7O95Piqc6Ucadq8gl5OO6BNQZY", true),
        ("eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.D60EAjTgM4Ocu62jU_y0gnC_A5MxUhpQQAJD99aoGZE", false),
        (
            "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOiI0MTAyNDQ0ODAwIn0.r4pXPF7Es26-_DBtezp98_92eV-bisPOZ8_ZNl1rL08",
            false,
        ),
        ("eyJhbGciOiJIUzI1NiJ9.eyJleHAiOm51bGx9.fXpnnpcWCBK0z_GEGjhYTQhHivx_d1wqIia8ozIJFNI", false),
        ("eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjFlMzB9.mvGKLChckjZghvaC19tzOawv1v_ZpFijHmhsEs_2pWc", false),
        ("eyJhbGciOiJub25lIn0.e30.", false),
        // The signature of another algorithm than the header names.
        ("eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJ1MSJ9.SWkZGjSvVaQr6fF0gWrckQRrRKd81e7g_48ftpnHa_M", false),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.", false),
        ("", false),
    ] {
        assert_eq!(token_passes(&rules, token), want, "{token}");
    }
}

fn vectors() -> Vec<Value> {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

fn find(id: &str) -> Value {
    vectors().into_iter().find(|one| one["id"] == id).unwrap()
}

fn tokens(of: &Value) -> impl Iterator<Item = (String, String)> {
    let tokens = of["tokens"].as_object().unwrap().clone();
    tokens.into_iter().map(|(name, token)| (name, token.as_str().unwrap().to_owned()))
}

#[test]
fn authjwt_5_6_and_11_public_keys_verify_and_private_ones_do_not() {
    for vector in vectors() {
        let id = vector["id"].as_str().unwrap();
        let rules = rules(&json!([vector["key"]]).to_string()).unwrap();
        for (name, token) in tokens(&vector) {
            assert_eq!(token_passes(&rules, &token), !id.ends_with("private"), "{id} {name}");
            // Another message, and another signature.
            let (message, signature) = token.rsplit_once('.').unwrap();
            let mut bytes = token::BASE64.decode(signature).unwrap();
            for at in [0, bytes.len() / 2, bytes.len() - 1] {
                bytes[at] ^= 1;
                let damaged = format!("{message}.{}", token::BASE64.encode(&bytes));
                assert!(!token_passes(&rules, &damaged), "{id} {name}: byte {at}");
                bytes[at] ^= 1;
            }
            bytes.push(0);
            assert!(!token_passes(&rules, &format!("{message}.{}", token::BASE64.encode(&bytes))));
            assert!(!token_passes(&rules, &format!("{message}.")), "{id} {name}");
            let other = token.replacen(".eyJzdWIiOiJ1MSJ9.", ".eyJzdWIiOiJ1MiJ9.", 1);
            assert!(other != token && !token_passes(&rules, &other), "{id} {name}");
        }
    }
}

#[test]
fn keys_of_one_kind_verify_nothing_of_another() {
    let all = vectors();
    for key in &all {
        let rules = rules(&json!([key["key"]]).to_string()).unwrap();
        for (name, token) in all.iter().filter(|other| other["id"] != key["id"]).flat_map(tokens) {
            let is_of_key =
                tokens(key).any(|(_, own)| own == token) && !key["id"].as_str().unwrap().ends_with("private");
            assert_eq!(token_passes(&rules, &token), is_of_key, "{} {name}", key["id"]);
        }
    }
}

#[test]
fn authjwt_7_public_keys_are_no_secrets() {
    let vector = find("RSA 2048");
    let rules = rules(&json!([vector["key"]]).to_string()).unwrap();
    let modulus = token::BASE64.decode(vector["key"]["n"].as_str().unwrap()).unwrap();
    let message = "eyJhbGciOiJIUzI1NiJ9.e30";
    for secret in [&modulus[..], vector["key"]["n"].as_str().unwrap().as_bytes(), b""] {
        let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
        let tag = aws_lc_rs::hmac::sign(&secret, message.as_bytes());
        assert!(!token_passes(&rules, &format!("{message}.{}", token::BASE64.encode(tag))));
    }
}

#[test]
fn authjwt_4_any_key_of_the_file() {
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.SWkZGjSvVaQr6fF0gWrckQRrRKd81e7g_48ftpnHa_M";
    for (keys, want) in [
        (
            r#"[{"kty":"oct","k":"AAAA","kid":"1"},{"kty":"oct","k":"YmZland0Mg","kid":"2","use":"enc"}]"#,
            true,
        ),
        (r#"[{"kty":"oct","k":"AAAA"}]"#, false),
        ("[]", false),
        ("null", false),
    ] {
        assert_eq!(token_passes(&rules(keys).unwrap(), token), want, "{keys}");
    }
    let empty = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"");
    let tag = aws_lc_rs::hmac::sign(&empty, b"eyJhbGciOiJIUzI1NiJ9.e30");
    let token = format!("eyJhbGciOiJIUzI1NiJ9.e30.{}", token::BASE64.encode(tag));
    assert!(token_passes(&rules(r#"[{"kty":"oct","k":""}]"#).unwrap(), &token));
}

#[test]
fn authjwt_2_3_and_12_what_is_counted() {
    let rules = rules(SECRET).unwrap();
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.SWkZGjSvVaQr6fF0gWrckQRrRKd81e7g_48ftpnHa_M";
    let counters = [state::REQ_AUTH_NO_AUTHORIZATION, state::REQ_AUTH_AUTHORIZATION_FORMAT_ERR];
    // Only this test moves these two.
    let counts = || counters.map(|counter| state::group().get(counter));
    for (value, passed, moved) in [
        (None, false, [1, 0]),
        (Some(String::new()), false, [1, 0]),
        (Some(format!("bearer {token}")), false, [0, 1]),
        (Some(format!("Bearer  {token}")), false, [0, 1]),
        (Some("Bearer".to_owned()), false, [0, 1]),
        (Some("Bearer a b".to_owned()), false, [0, 1]),
        (Some("Basic x".to_owned()), false, [0, 1]),
        (Some("Bearer ".to_owned()), false, [0, 0]),
        (Some(format!("Bearer {token}")), true, [0, 0]),
    ] {
        let before = counts();
        assert_eq!(passes(&rules, value.clone()), passed, "{value:?}");
        let now = counts();
        assert_eq!([now[0] - before[0], now[1] - before[1]], moved, "{value:?}");
    }
    let mut other = testing::request("GET", "/b");
    assert_eq!(found_product(&rules, &mut other).unwrap().result(), HandlerResult::GoOn);
}

#[test]
fn numbers_that_are_no_key_verify_nothing() {
    let vector = find("RSA 2048");
    for (name, value) in [("n", ""), ("n", "Ag"), ("e", "AA"), ("e", "AQ"), ("e", "AgAAAAAA")] {
        let mut key = vector["key"].clone();
        key[name] = value.into();
        let rules = rules(&json!([key]).to_string()).unwrap();
        assert!(tokens(&vector).all(|(_, token)| !token_passes(&rules, &token)), "{name}: {value}");
    }
}

#[test]
fn authjwt_10_what_loads() {
    let (rsa, ec, okp) = (find("RSA 2048"), find("EC P-256"), find("OKP"));
    let with = |vector: &Value, members: Value| {
        let mut key = vector["key"].clone();
        for (name, value) in members.as_object().unwrap() {
            key[name] = value.clone();
        }
        json!([key]).to_string()
    };
    let mut rows = vec![
        (SECRET.to_owned(), ""),
        (r#"[{"kty":"oct","k":"YmZl\nand0Mg","key_ops":1,"KTY":{}}]"#.to_owned(), ""),
        ("{\"keys\":[]}".to_owned(), "KEYS:1: expected a list of keys"),
        ("\"secret\"".to_owned(), "expected a list of keys"),
        ("[\"secret\"]".to_owned(), "expected a list of keys"),
        ("[] x".to_owned(), "KEYS:1: is not JSON"),
        ("[".to_owned(), "is not JSON"),
        ("[null]".to_owned(), "KEYS: key 1: is null"),
        (r#"[{"kty":"oct","k":"AA","k":"AA"}]"#.to_owned(), r#"a key has the member "k" twice"#),
        (r#"[{"kty":"oct"}]"#.to_owned(), "key 1: k is missing"),
        (r#"[{"kty":"oct","K":"AA"}]"#.to_owned(), "key 1: k is missing"),
        (r#"[{"kty":"oct","k":"A="}]"#.to_owned(), "key 1: k is not base64url"),
        (r#"[{"kty":"oct","k":1}]"#.to_owned(), "key 1: k is not a string"),
        (r#"[{"kty":"oct","k":"AA","kid":1}]"#.to_owned(), "key 1: kid is not a string"),
        (r#"[{"k":"AA"}]"#.to_owned(), "kty is missing"),
        (r#"[{"kty":"Oct","k":"AA"}]"#.to_owned(), "kty is not oct"),
        (r#"[{"kty":"oct","k":"AA"},{"kty":"RSA","n":"AQ"}]"#.to_owned(), "key 2: e is missing"),
        (with(&rsa, json!({"e": "AA"})), ""),
        (with(&rsa, json!({"n": ""})), ""),
        (with(&rsa, json!({"n": "Ag"})), ""),
        (with(&rsa, json!({"d": "AQ"})), "p is missing"),
        (with(&rsa, json!({"d": "AQ", "p": "AQ", "q": "AQ"})), ""),
        (with(&ec, json!({"x": "AAAA"})), "x has 3 bytes, and not 32"),
        (with(&ec, json!({"y": ec["key"]["x"]})), "the point is not on the curve"),
        (with(&ec, json!({"crv": "P-384"})), "x has 32 bytes, and not 48"),
        (with(&ec, json!({"crv": "P-224"})), "crv is not P-256"),
        (with(&ec, json!({"d": "AQ"})), "d has 1 bytes, and not 32"),
        (with(&okp, json!({"crv": "X25519"})), "crv is not Ed25519"),
        (with(&okp, json!({"x": "AQ"})), ""),
        (with(&rsa, json!({"x5c": [rsa["cert"]], "x5t": rsa["x5t"], "x5t#S256": rsa["x5t256"]})), ""),
        (with(&rsa, json!({"x5t": rsa["x5t"]})), ""),
        (with(&rsa, json!({"x5t": "AAAA"})), "x5t has 3 bytes, and not 20"),
        (with(&rsa, json!({"x5c": [rsa["cert"]], "x5t#S256": "A".repeat(43)})), "x5t#S256 is not that of"),
        (with(&rsa, json!({"x5c": [ec["cert"]]})), "x5c: the certificate is of another key"),
        (with(&rsa, json!({"x5c": ["AAAA"]})), "x5c: certificate 1 cannot be read"),
        (with(&rsa, json!({"x5c": "AAAA"})), "x5c is not a list of strings"),
        (with(&ec, json!({"x5c": [ec["cert"]]})), ""),
        (with(&okp, json!({"x5c": [okp["cert"], rsa["cert"]]})), ""),
    ];
    let secret = json!([{"kty": "oct", "k": "AA", "x5c": [rsa["cert"]]}]).to_string();
    rows.push((secret, "x5c: a secret has no certificate"));
    for (keys, want) in rows {
        match rules(&keys) {
            Ok(_) => assert_eq!(want, "", "{keys} loads"),
            Err(reason) => {
                assert!(!want.is_empty() && reason.contains(want), "{keys}: {reason}");
                assert!(!reason.contains("secret\"") && !reason.contains("AAAA"), "{reason}");
            }
        }
    }
    for (list, want) in [
        ("[]", ""),
        ("null", "no RuleList for product: p"),
        (r#"[{"KeyFile":"x"}]"#, "Config.p[0].Cond: Cond empty."),
        (r#"[{"Cond":"default_t()"}]"#, "Config.p[0].KeyFile: KeyFile empty."),
        (r#"[{"Cond":"default_t()","KeyFile":"/nowhere/keys"}]"#, "no such file"),
    ] {
        let got = testing::check::<RawJwtRule>(list).err().unwrap_or_default();
        assert!(got.contains(want) && got.is_empty() == want.is_empty(), "{list}: {got}");
    }
}
