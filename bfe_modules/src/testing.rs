//! What tests of modules have in common.

use crate::rule_file::{RawRule, RuleFile};
use bfe_basic::{Request, Session};
use bfe_http::Response;
use std::io::Write as _;
use std::rc::Rc;

/// A request of the product `p`.
pub(crate) fn request(method: &str, target: &str) -> Request {
    request_on(Session::default(), method, target)
}

/// A request of the product `p` on that connection.
pub(crate) fn request_on(session: Session, method: &str, target: &str) -> Request {
    let http = bfe_http::Request::new(method, target, "example.org").unwrap();
    let mut req = Request::new(Rc::new(session), http);
    req.route.product = "p".into();
    req
}

/// Header fields as `Name: value`, in order of arrival.
pub(crate) fn fields(header: &bfe_http::Header) -> Vec<String> {
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    header.iter().map(|(name, value)| format!("{}: {}", text(name), text(value))).collect()
}

/// The response of a request.
pub(crate) fn response(req: &Request) -> &Response {
    req.response.as_ref().unwrap()
}

/// A file with that text, loaded as rules.
pub(crate) fn load<Raw: RawRule>(text: &str) -> Result<RuleFile<Raw>, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    RuleFile::load(file.path().to_owned()).map_err(|e| e.to_string())
}

/// A file with the rules of product `p`, given as a JSON list.
pub(crate) fn rules<Raw: RawRule>(rules: &str) -> RuleFile<Raw> {
    load(&format!(r#"{{"Version":"v1","Config":{{"p":{rules}}}}}"#)).unwrap()
}

/// Whether the rules of product `p`, given as a JSON list, are accepted; else the first reason.
pub(crate) fn check<Raw: RawRule>(rules: &str) -> Result<(), String> {
    let text = format!(r#"{{"Version":"v1","Config":{{"p":{rules}}}}}"#);
    let error = load::<Raw>(&text).err();
    error.map_or(Ok(()), |e| Err(e.lines().next().unwrap_or_default().to_owned()))
}

/// A real Redis, on a port of its own, until it is dropped.
pub(crate) struct RedisServer {
    child: std::process::Child,
    address: std::net::SocketAddr,
    _dir: tempfile::TempDir,
}

impl RedisServer {
    /// Starts one that wants that password; `None`, said aloud, where the machine has no Redis.
    pub(crate) fn start(password: &str) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|dir| dir.join("redis-server").is_file()) {
            assert!(
                std::env::var("BFE_REQUIRE_PEERS").as_deref() != Ok("1"),
                "redis-server is not installed"
            );
            let _ = writeln!(std::io::stderr(), "SKIPPED: redis-server is not installed");
            return None;
        }
        // Another test may take the port in between.
        let server = (0..5).find_map(|_| Self::try_start(password));
        assert!(server.is_some(), "redis-server does not start");
        server
    }

    fn try_start(password: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let port = address.port().to_string();
        let child = std::process::Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--requirepass", password])
            .current_dir(dir.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { child, address, _dir: dir };
        for _ in 0..500 {
            if server.answers(password) {
                return Some(server);
            }
            if server.child.try_wait().unwrap().is_some() {
                return None;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        None
    }

    /// Whether it is this process that listens on the port.
    fn answers(&self, password: &str) -> bool {
        use std::io::Read as _;
        let Ok(mut stream) = std::net::TcpStream::connect(self.address) else { return false };
        let login = if password.is_empty() { String::new() } else { format!("AUTH {password}\r\n") };
        stream.write_all(format!("{login}INFO server\r\nQUIT\r\n").as_bytes()).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(1))).unwrap();
        let mut said = Vec::new();
        // What has come until then is enough.
        let _ = stream.read_to_end(&mut said);
        String::from_utf8_lossy(&said).contains(&format!("process_id:{}\r\n", self.child.id()))
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// The answer to a command without a password, whose words have no blanks: what is in a list or a text, with
    /// a blank between its items.
    pub(crate) fn ask(&self, command: &str) -> String {
        use std::io::{BufRead as _, BufReader};
        let mut stream = BufReader::new(std::net::TcpStream::connect(self.address).unwrap());
        stream.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut line = || {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        let (mut left, mut items) = (1usize, Vec::new());
        while left > 0 {
            left -= 1;
            let first = line();
            match first.split_at(1) {
                ("*", count) => left += count.parse::<usize>().unwrap(),
                ("$", "-1") => items.push("nil".to_owned()),
                ("$", _) => items.push(line()),
                (_, text) => items.push(text.to_owned()),
            }
        }
        items.join(" ")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of the Redis at that address, which may be none.
pub(crate) fn redis_service(address: &str) -> bfe_module::redis_service::RedisService {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};
    use std::time::Duration;
    // The table of names is one for the process, and published whole.
    static KNOWN: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let name = format!("test.redis.{address}");
    if !address.is_empty() {
        known.insert(name.clone(), address.to_owned());
    }
    bfe_basic::names::publish(known.iter().map(|(name, address)| (name.clone(), vec![address.clone()])));
    bfe_module::redis_service::RedisService::new(&bfe_module::redis_service::Settings {
        services: vec![(name, 1)],
        password: String::new(),
        connect: Duration::from_secs(2),
        answer: Duration::from_secs(2),
        dialled: |_| {},
        max_connections: 1,
    })
}
