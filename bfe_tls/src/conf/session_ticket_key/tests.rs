use super::*;

fn loaded(bytes: &[u8]) -> Result<[u8; KEY_BYTES], String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key.data");
    std::fs::write(&file, bytes).unwrap();
    load(&file).map_err(|e| e.to_string())
}

#[test]
fn tls_17_key_files() {
    let hex = "aB".repeat(48);
    let json = |version: &str, key: &str| format!(r#"{{"Version":"{version}","SessionTicketKey":"{key}"}}"#);
    assert_eq!(loaded(json("1", &hex).as_bytes()), Ok([0xab; 48]));
    assert_eq!(loaded(&[7; 48]), Ok([7; 48]));
    for (bytes, says) in [
        (vec![7; 47], "48 bare bytes"),
        (vec![], "48 bare bytes"),
        (json("", &hex).into_bytes(), "no Version"),
        (json("1", hex.get(..94).unwrap()).into_bytes(), "expected 96 hexadecimal digits, got 94"),
        (json("1", "zz").into_bytes(), "hexadecimal digits"),
        (json("1", "").into_bytes(), "got 0"),
        (b"{}".to_vec(), "no Version"),
    ] {
        let error = loaded(&bytes).unwrap_err();
        assert!(error.contains(says), "{error}");
        assert!(!error.contains("aBaB"), "the key is in the message: {error}");
    }
}
