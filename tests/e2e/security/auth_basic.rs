//! mod_auth_basic.

use super::{expect_refused, write};
use bfe_tests::{Backend, Bfe, Tree};
use std::time::{Duration, Instant};

const DATA: &str = "mod_auth_basic/auth_basic_rule.data";
const USERS: &str = "mod_auth_basic/users";
/// Two users with the password `123456`; the first is looked up by bcrypt.
const TWO: &str = "slow:$2y$05$abcdefghijklmnopqrstuu1Z..wm/IlVbtpza52hgqCBArL1cvSg6\n\
                   fast:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=\n";
/// `slow:123456`, `fast:123456`, `slow:wrong`.
const CREDENTIALS: [&str; 3] = ["c2xvdzoxMjM0NTY=", "ZmFzdDoxMjM0NTY=", "c2xvdzp3cm9uZw=="];

fn get(credentials: &str) -> String {
    format!("GET /a HTTP/1.1\r\nHost: ok\r\nAuthorization: Basic {credentials}\r\n\r\n")
}

/// The rules: the user file is named as it is found from the folder of the process.
fn data(bfe: &Bfe, file: &str) -> String {
    let file = bfe.conf().join(file);
    format!(
        r#"{{"Version": "1", "Config": {{"p": [
            {{"Cond": "req_path_in(\"/a\", false)", "UserFile": "{}", "Realm": "r"}}]}}}}"#,
        file.display()
    )
}

fn start(backend: &Backend) -> Bfe {
    let tree = Tree::proxy(backend)
        .module("mod_auth_basic")
        .file(
            "mod_auth_basic/mod_auth_basic.conf",
            "[Basic]\nDataPath = mod_auth_basic/auth_basic_rule.data\n",
        )
        .file(DATA, r#"{"Version": "0", "Config": {}}"#)
        .file(USERS, TWO);
    let bfe = Bfe::start(&tree);
    write(&bfe, DATA, &data(&bfe, USERS));
    assert_eq!(bfe.reload("mod_auth_basic"), None);
    bfe
}

#[test]
fn authbasic_1_8_14_passwords_and_reload() {
    let backend = Backend::ok("hello");
    let bfe = start(&backend);
    let mut client = bfe.client();
    let answer = client.ask("GET /a HTTP/1.1\r\nHost: ok\r\n\r\n");
    assert_eq!(
        answer.head,
        "HTTP/1.1 401 Unauthorized\r\nServer: bfe\r\nWww-Authenticate: Basic realm=\"r\"\r\nDate: now\r\n\
         Content-Length: 0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    );
    let statuses = CREDENTIALS.map(|credentials| client.ask(get(credentials)).status);
    assert_eq!(statuses, [200, 200, 401]);
    assert_eq!(backend.requests()[0].header("Authorization"), Some("Basic c2xvdzoxMjM0NTY="));
    let counters = bfe.counters("mod_auth_basic");
    let counts = ["RULE_HIT", "CHALLENGE", "SUCCESS", "FAILURE"].map(|n| counters[&format!("REQ_AUTH_{n}")]);
    assert_eq!(counts, [4, 1, 2, 1]);

    // A user file that is wrong changes nothing, and its line is named without what is in it.
    write(&bfe, USERS, &format!("{TWO}secret:a:b:c\n"));
    expect_refused(&bfe, "mod_auth_basic", &["Config.p[0].UserFile", "users:3: Format error"]);
    assert!(!bfe.output().contains("secret"));
    assert_eq!(client.ask(get(CREDENTIALS[1])).status, 200);
    write(&bfe, USERS, TWO.lines().next().unwrap());
    assert_eq!(bfe.reload("mod_auth_basic"), None);
    assert_eq!(CREDENTIALS.map(|credentials| client.ask(get(credentials)).status), [200, 401, 401]);
}

#[test]
fn slow_hashes_do_not_hold_up_others() {
    let backend = Backend::ok("hello");
    let bfe = start(&backend);
    // bcrypt at cost 13 takes a good part of a second, or more.
    write(&bfe, USERS, "slow:$2y$13$abcdefghijklmnopqrstuu1Z..wm/IlVbtpza52hgqCBArL1cvSg6\n");
    assert_eq!(bfe.reload("mod_auth_basic"), None);
    let begin = Instant::now();
    let mut slow: Vec<_> = (0..4).map(|_| bfe.client()).collect();
    for client in &mut slow {
        client.send(get(CREDENTIALS[0]));
    }
    let mut others: Vec<_> = (0..8).map(|_| bfe.client()).collect();
    for client in &mut others {
        assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n").status, 200);
    }
    let others_took = begin.elapsed();
    slow[0].set_patience(Duration::from_secs(120));
    assert_eq!(slow[0].read_response("GET").status, 401);
    assert!(others_took * 2 < begin.elapsed(), "others took {others_took:?} of {:?}", begin.elapsed());
}
