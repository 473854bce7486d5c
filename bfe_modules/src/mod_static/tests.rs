use super::*;
use crate::testing;
use bfe_module::{HandlerResult, Progress};

/// A folder with files, and the module on it.
struct Fixture {
    _folder: tempfile::TempDir,
    callbacks: Callbacks,
}

impl Fixture {
    fn new(default: &str, enable_compress: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        for (name, text) in [
            ("a.txt", "text"),
            ("index.html", "index"),
            ("z.js", "js"),
            ("z.js.gz", "gz"),
            ("z.js.br", "br"),
            ("x.FOO", "foo"),
            ("noext", "?"),
            ("dir/inner", "inner"),
        ] {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        std::fs::write(root.join("large.bin"), vec![b'x'; 200_000]).unwrap();
        std::fs::write(folder.path().join("secret"), "secret").unwrap();
        let rules = serde_json::json!([
            {"Cond": "default_t()", "Action": {"Cmd": "BROWSE", "Params": [root, default]}}
        ]);
        let types = MimeTable::from([(".foo".into(), Bytes::from_static(b"x/foo"))]);
        let files = Files {
            rules: Arc::new(testing::rules(&rules.to_string())),
            types: Arc::new(ArcSwap::from_pointee(types)),
            system_types: SystemTypes::load(),
            enable_compress,
        };
        let mut callbacks = Callbacks::default();
        callbacks.add_async_request_filter(Point::HandleFoundProduct, "s", files).unwrap();
        Self { _folder: folder, callbacks }
    }

    /// Status, encoding and type of the answer, its announced length, and its body.
    async fn get(&self, method: &str, path: &str, accepts: &'static str) -> (u16, String, String) {
        let mut req = testing::request(method, path);
        req.http.header.add("Accept-Encoding", accepts);
        let mut progress = Progress::default();
        let result = self.callbacks.run_request(Point::HandleFoundProduct, &mut req, &mut progress).await;
        assert_eq!(result, Ok(HandlerResult::Response));
        let mut response = req.response.unwrap();
        let mut body = Vec::new();
        while let Some(piece) = response.body.data().await {
            body.extend_from_slice(&piece.unwrap());
        }
        let field =
            |name: &str| String::from_utf8_lossy(response.header.get(name).unwrap_or(b"-")).into_owned();
        let facts =
            format!("{} {} {}", field("Content-Type"), field("Content-Encoding"), field("Content-Length"));
        let body =
            if body.len() > 100 { format!("{} bytes", body.len()) } else { String::from_utf8(body).unwrap() };
        (response.status, facts, body)
    }
}

fn answer(status: u16, facts: &str, body: &str) -> (u16, String, String) {
    (status, facts.into(), body.into())
}

#[tokio::test]
async fn static_1_2_5_to_7_and_10_answers() {
    let site = Fixture::new("", false);
    for (method, path, want) in [
        ("GET", "/x.FOO", answer(200, "x/foo - 3", "foo")),
        ("GET", "/index.html", answer(200, "text/html; charset=utf-8 - 5", "index")),
        ("HEAD", "/index.html", answer(200, "text/html; charset=utf-8 - 5", "")),
        ("GET", "/noext", answer(200, "- - 1", "?")),
        ("GET", "/z.js", answer(200, "text/javascript; charset=utf-8 - 2", "js")),
        ("POST", "/a.txt", answer(405, "- - -", "")),
        ("GET", "/none", answer(404, "- - -", "")),
        ("GET", "/a.txt/x", answer(404, "- - -", "")),
        ("GET", "/dir", answer(500, "- - -", "")),
        ("GET", "/a.txt%00", answer(500, "- - -", "")),
        ("GET", "/../secret", answer(404, "- - -", "")),
        ("GET", "/%2e%2e/secret", answer(404, "- - -", "")),
        ("GET", "/..%2fsecret", answer(404, "- - -", "")),
        ("GET", "/%252e%252e/secret", answer(404, "- - -", "")),
        ("GET", "/dir/%2e%2e/..//index.html", answer(200, "text/html; charset=utf-8 - 5", "index")),
    ] {
        assert_eq!(site.get(method, path, "gzip").await, want, "{method} {path}");
    }
}

#[tokio::test]
async fn static_3_default_file() {
    let site = Fixture::new("index.html", false);
    let index = answer(200, "text/html; charset=utf-8 - 5", "index");
    for path in ["/none", "/dir", "/"] {
        assert_eq!(site.get("GET", path, "").await, index, "{path}");
    }
}

#[tokio::test]
async fn static_4_and_5_compressed_siblings() {
    let site = Fixture::new("", true);
    for (accepts, want) in [
        ("br, gzip", "text/javascript; charset=utf-8 gzip 2 gz"),
        ("br", "text/javascript; charset=utf-8 br 2 br"),
        ("gzip;q=1.0", "text/javascript; charset=utf-8 - 2 js"),
    ] {
        let (_, facts, body) = site.get("GET", "/z.js", accepts).await;
        assert_eq!(format!("{facts} {body}"), want);
    }
    assert_eq!(site.get("GET", "/index.html", "gzip").await.2, "index");
}

#[tokio::test]
async fn large_files_are_read_while_they_are_sent() {
    let site = Fixture::new("", false);
    let opened = || state::group().get(state::FILE_CURRENT_OPENED);
    let before = opened();
    assert_eq!(site.get("GET", "/large.bin", "").await.2, "200000 bytes");
    assert_eq!(opened(), before);
}
