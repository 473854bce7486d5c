//! mod_auth_jwt.

use super::{expect_refused, write};
use bfe_tests::{Backend, Bfe, Tree};

const DATA: &str = "mod_auth_jwt/auth_jwt_rule.data";
const KEYS: &str = "mod_auth_jwt/keys";
/// A secret, and a token signed with it.
const SECRET: &str = r#"{"kty": "oct", "k": "YmZland0Mg"}"#;
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.SWkZGjSvVaQr6fF0gWrckQRrRKd81e7g_48ftpnHa_M";

fn get(authorization: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: ok\r\nAuthorization: {authorization}\r\n\r\n")
}

#[test]
fn authjwt_2_to_4_tokens_and_reload() {
    let backend = Backend::ok("hello");
    let tree = Tree::proxy(&backend)
        .module("mod_auth_jwt")
        .file("mod_auth_jwt/mod_auth_jwt.conf", "[Basic]\nDataPath = mod_auth_jwt/auth_jwt_rule.data\n")
        .file(DATA, r#"{"Version": "0", "Config": {}}"#)
        .file(KEYS, format!("[{SECRET}]"));
    let bfe = Bfe::start(&tree);
    let keys = bfe.conf().join(KEYS);
    let data = format!(
        r#"{{"Version": "1", "Config": {{"p": [{{"Cond": "default_t()", "KeyFile": "{}"}}]}}}}"#,
        keys.display()
    );
    write(&bfe, DATA, &data);
    assert_eq!(bfe.reload("mod_auth_jwt"), None);

    let mut client = bfe.client();
    let answer = client.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n");
    assert_eq!(
        answer.head,
        "HTTP/1.1 401 Unauthorized\r\nServer: bfe\r\nWww-Authenticate: Bearer realm=\"Restricted\"\r\nDate: now\r\n\
         Content-Length: 0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    );
    let good = format!("Bearer {TOKEN}");
    let statuses =
        [&good, &format!("bearer {TOKEN}"), &format!("{good}x")].map(|a| client.ask(get(a)).status);
    assert_eq!(statuses, [200, 401, 401]);
    assert_eq!(backend.requests()[0].header("Authorization"), Some(good.as_str()));
    let counters = bfe.counters("mod_auth_jwt");
    let names = ["RULE_HIT", "NO_AUTHORIZATION", "AUTHORIZATION_FORMAT_ERR", "SUCCESS", "FAILURE"];
    assert_eq!(names.map(|name| counters[&format!("REQ_AUTH_{name}")]), [4, 1, 1, 1, 3]);

    // A key file that is wrong changes nothing, and nobody can read its keys in the answer or the log.
    write(&bfe, KEYS, &format!("[{SECRET}, {{\"kty\": \"oct\", \"k\": \"not/url\"}}]"));
    expect_refused(&bfe, "mod_auth_jwt", &["Config.p[0].KeyFile", "keys: key 2: k is not base64url"]);
    assert_eq!(client.ask(get(&good)).status, 200);
    write(&bfe, KEYS, "[]");
    assert_eq!(bfe.reload("mod_auth_jwt"), None);
    assert_eq!(client.ask(get(&good)).status, 401);
    let output = bfe.output();
    for secret in ["YmZland0Mg", "not/url", TOKEN] {
        assert!(!output.contains(secret), "{secret} is in the log");
    }
}
