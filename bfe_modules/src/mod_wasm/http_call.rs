//! HTTP calls that plugins ask for (modules-security 11): a `GET`, whatever it carries, to a whole URL.
//!
//! Up to nine redirects are followed. Answers are unpacked where they are packed with gzip and the plugin has not
//! asked for that itself.

use crate::side_tls;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bfe_http::h1::encode::{OutFraming, RequestHead, request_head};
use bfe_http::transport::side::SideClient;
use bfe_http::transport::{Kind, TlsBackend};
use bfe_http::url::unescape;
use bfe_http::{Header, Response, is_token};
use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use lru::LruCache;
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use url::{ParseError, Url};

/// Most calls that follow from one callback.
pub(super) const MAX_CALLS: u32 = 32;
/// Longest body of an answer, packed or not.
pub(super) const MAX_BODY: usize = 16 << 20;
/// Limit on a call whose plugin sets none.
const LONGEST: Duration = Duration::from_secs(60);
/// Most requests of a call, with those that redirects lead to.
const MAX_REQUESTS: usize = 10;
/// Servers to which connections are kept.
const SERVERS: NonZeroUsize = NonZeroUsize::new(64).unwrap();

static LAST_ID: AtomicI32 = AtomicI32::new(0);

/// A call that a plugin has asked for.
#[derive(Debug)]
pub(super) struct HttpCall {
    pub(super) id: i32,
    /// Where to; else why there is nowhere to go.
    url: Result<Url, String>,
    header: Header,
    body: Bytes,
    timeout: Duration,
}

/// The answer to a call.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) header: Header,
    pub(super) body: Bytes,
}

/// Whether an escape in front of the query of a URL is none.
fn has_bad_escape(text: &str) -> bool {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    path.split('%')
        .skip(1)
        .any(|rest| !rest.as_bytes().get(..2).is_some_and(|b| b.iter().all(u8::is_ascii_hexdigit)))
}

/// Whether what has no scheme looks as if it had one.
fn has_colon_in_front(text: &str) -> bool {
    text.split(['/', '?', '#']).next().is_some_and(|first| first.contains(':'))
}

impl HttpCall {
    /// A call to `url`; `timeout` is in milliseconds. `None` where the URL is none at all: one that leads nowhere is
    /// found out when the call is done.
    pub(super) fn new(url: &[u8], header: Header, body: Bytes, timeout: i32) -> Option<Self> {
        let text = std::str::from_utf8(url).ok()?;
        if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) || has_bad_escape(text) {
            return None;
        }
        let url = match Url::parse(text) {
            Ok(url) => usable(url),
            Err(ParseError::InvalidPort) => return None,
            Err(ParseError::RelativeUrlWithoutBase) if has_colon_in_front(text) => return None,
            Err(error) => Err(format!("{text:?}: {error}")),
        };
        let timeout = u64::try_from(timeout).ok().filter(|ms| *ms > 0).map_or(LONGEST, Duration::from_millis);
        let id = LAST_ID.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        Some(Self { id, url, header, body, timeout })
    }
}

fn usable(url: Url) -> Result<Url, String> {
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(format!("{url}: unsupported protocol scheme {scheme:?}")),
    }
}

/// Does calls. Workers share it; each has connections of its own.
pub(super) struct Caller {
    servers: Mutex<LruCache<String, SideClient>>,
    /// Made when first needed: it reads the certificates of the system.
    tls: OnceLock<Result<TlsBackend, String>>,
}

impl Caller {
    pub(super) fn new() -> Self {
        Self { servers: Mutex::new(LruCache::new(SERVERS)), tls: OnceLock::new() }
    }

    /// Does a call. `None` where no answer comes, which is logged.
    pub(super) async fn call(&self, call: Box<HttpCall>) -> Option<Answer> {
        let id = call.id;
        match self.answer(*call).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                log::error!("mod_wasm: http call {id} fails: {error}");
                None
            }
        }
    }

    /// [`Caller::call`], where nothing but waiting can be done.
    pub(super) fn call_and_wait(&self, call: Box<HttpCall>) -> Option<Answer> {
        let wait = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|e| log::error!("mod_wasm: http call {}: {e}", call.id)).ok()?;
            runtime.block_on(self.call(call))
        };
        // A thread of its own: this one may belong to a runtime already.
        std::thread::scope(|scope| scope.spawn(wait).join()).ok().flatten()
    }

    async fn answer(&self, call: HttpCall) -> Result<Answer, String> {
        let HttpCall { url, mut header, mut body, timeout, .. } = call;
        let mut url = url?;
        let first = url.clone();
        for (name, value) in header.iter() {
            let text = String::from_utf8_lossy(name);
            if !is_token(name) {
                return Err(format!("{url}: invalid header field name {text:?}"));
            }
            if value.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
                return Err(format!("{url}: invalid header field value for {text:?}"));
            }
        }
        let deadline = Instant::now() + timeout;
        for _ in 0..MAX_REQUESTS {
            let unpack = !is_set(&header, "Accept-Encoding") && !is_set(&header, "Range");
            let client = self.server(&url)?;
            let head = head(&url, &header, body.len(), unpack);
            let response = match timeout_at(deadline, client.send_with_body(&head, &body)).await {
                Ok(response) => response.map_err(|e| format!("{url}: {e}"))?,
                Err(_) => return Err(format!("{url}: no answer within {timeout:?}")),
            };
            let Some(next) = redirect(&url, &response)? else {
                return Ok(read(&url, response, unpack, deadline).await);
            };
            if !matches!(response.status, 307 | 308) {
                body = Bytes::new();
            }
            let next = usable(next)?;
            follow(&mut header, &url, &next, &first);
            url = next;
        }
        Err(format!("{first}: stopped after {MAX_REQUESTS} redirects"))
    }

    /// The client for the server of a URL.
    fn server(&self, url: &Url) -> Result<SideClient, String> {
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| format!("{url}: no host"))?;
        let addr = format!("{host}:{}", url.port_or_known_default().unwrap_or(80));
        let key = format!("{}://{addr}", url.scheme());
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = servers.get(&key) {
            return Ok(client.clone());
        }
        let kind = match url.scheme() {
            "https" => Kind::Https(self.tls.get_or_init(side_tls::by_system_roots).clone()?),
            _ => Kind::Http,
        };
        let client = SideClient::new(kind, &addr);
        servers.put(key, client.clone());
        Ok(client)
    }
}

fn is_set(header: &Header, name: &str) -> bool {
    header.get(name).is_some_and(|value| !value.is_empty())
}

/// The head of a request.
fn head(url: &Url, given: &Header, body: usize, unpack: bool) -> Vec<u8> {
    let mut header = given.clone();
    match given.get("User-Agent") {
        None => header.set("User-Agent", "Go-http-client/1.1"),
        Some(b"") => {
            header.del("User-Agent");
        }
        Some(_) => {}
    }
    if unpack {
        header.set("Accept-Encoding", "gzip");
    }
    let password = url.password();
    if (!url.username().is_empty() || password.is_some()) && !is_set(given, "Authorization") {
        let plain = |text: &str| unescape(text.as_bytes(), false).unwrap_or_default().into_owned();
        let user = [plain(url.username()), plain(password.unwrap_or_default())].join(&b':');
        header.set("Authorization", format!("Basic {}", STANDARD.encode(user)));
    }
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut head = Vec::with_capacity(512);
    let line = RequestHead {
        method: b"GET",
        target: target.as_bytes(),
        host: host.as_bytes(),
        framing: if body == 0 { OutFraming::None } else { OutFraming::Length(body as u64) },
        trailers: b"",
    };
    request_head(&mut head, &line, &header, |_, _| true);
    head
}

/// Where an answer sends the call on to, if it does.
fn redirect(url: &Url, response: &Response) -> Result<Option<Url>, String> {
    let location = response.header.get("Location").filter(|location| !location.is_empty());
    let (301..=303 | 307 | 308, Some(location)) = (response.status, location) else { return Ok(None) };
    let location = String::from_utf8_lossy(location);
    url.join(&location).map(Some).map_err(|e| format!("{url}: redirected to {location:?}: {e}"))
}

/// Fits the header for a redirect: what is secret stays with the first server and those below it.
fn follow(header: &mut Header, from: &Url, to: &Url, first: &Url) {
    let (host, of) = (to.host_str().unwrap_or_default(), first.host_str().unwrap_or_default());
    let is_below = host.strip_suffix(of).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if !is_below {
        for secret in ["Authorization", "Www-Authenticate", "Cookie", "Cookie2"] {
            header.del(secret);
        }
    }
    if from.scheme() != "https" || to.scheme() == "https" {
        let mut referer = from.clone();
        // Neither fails for a URL with a host.
        let _ = referer.set_username("");
        let _ = referer.set_password(None);
        referer.set_fragment(None);
        header.set("Referer", String::from(referer));
    }
}

/// Reads the body of an answer. What has come is given, also where the rest does not come.
async fn read(url: &Url, response: Response, unpack: bool, deadline: Instant) -> Answer {
    let Response { mut header, mut body, .. } = response;
    let mut bytes = BytesMut::new();
    loop {
        let error = match timeout_at(deadline, body.data()).await {
            Ok(None) => break,
            Ok(Some(Ok(piece))) => {
                let room = MAX_BODY - bytes.len();
                bytes.extend_from_slice(piece.get(..room).unwrap_or(&piece));
                if piece.len() <= room {
                    continue;
                }
                format!("the body is longer than {MAX_BODY} bytes")
            }
            Ok(Some(Err(error))) => error.to_string(),
            Err(_) => "the body does not end in time".to_owned(),
        };
        log::error!("mod_wasm: http call to {url}: {error}");
        break;
    }
    let is_packed = header.get("Content-Encoding").is_some_and(|coding| coding.eq_ignore_ascii_case(b"gzip"));
    if !(unpack && is_packed) {
        return Answer { header, body: bytes.freeze() };
    }
    header.del("Content-Encoding");
    header.del("Content-Length");
    let mut plain = Vec::new();
    let limit = u64::try_from(MAX_BODY).unwrap_or(u64::MAX);
    if let Err(error) = MultiGzDecoder::new(&bytes[..]).take(limit).read_to_end(&mut plain) {
        log::error!("mod_wasm: http call to {url}: body: {error}");
    }
    Answer { header, body: plain.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(url: &str) -> Option<HttpCall> {
        HttpCall::new(url.as_bytes(), Header::new(), Bytes::new(), 0)
    }

    #[test]
    fn urls() {
        assert!(call("http://h/a%20b?%zz").unwrap().url.is_ok());
        for no_url in ["http://h/%zz", "http://h/a\n", "http://h:x/", ":x", "1a:b/c"] {
            assert!(call(no_url).is_none(), "{no_url}");
        }
        for nowhere in ["cluster", "ftp://h/", "/path", "http://"] {
            assert!(call(nowhere).unwrap().url.is_err(), "{nowhere}");
        }
        assert_eq!(call("http://h").unwrap().timeout, LONGEST);
        assert!(call("http://h").unwrap().id < call("http://h").unwrap().id);
    }

    #[test]
    fn wasm_12_what_is_sent() {
        let head = |url: &str, header: &Header, body, unpack| {
            String::from_utf8(head(&Url::parse(url).unwrap(), header, body, unpack)).unwrap()
        };
        assert_eq!(
            head("http://u:p%40@h:81/a?b#c", &Header::new(), 0, true),
            "GET /a?b HTTP/1.1\r\nHost: h:81\r\nAccept-Encoding: gzip\r\nAuthorization: Basic dTpwQA==\r\n\
             User-Agent: Go-http-client/1.1\r\n\r\n"
        );
        let mut own = Header::new();
        own.add("User-Agent", "");
        own.add("Host", "other");
        own.add("X-A", "1");
        assert_eq!(
            head("http://h", &own, 3, false),
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX-A: 1\r\n\r\n"
        );
    }

    #[test]
    fn redirects_keep_secrets() {
        let url = |text: &str| Url::parse(text).unwrap();
        let kept = |from: &str, to: &str| {
            let mut header = Header::new();
            header.add("Cookie", "a");
            follow(&mut header, &url(from), &url(to), &url(from));
            (header.contains("Cookie"), header.get("Referer").map(<[u8]>::to_vec))
        };
        assert_eq!(kept("http://u:p@h.org/x", "https://h.org/"), (true, Some(b"http://h.org/x".to_vec())));
        assert_eq!(kept("https://h.org/", "http://a.h.org/"), (true, None));
        assert!(!kept("http://h.org/", "http://eh.org/").0);
        let mut response = Response::new(302);
        assert_eq!(redirect(&url("http://h/a/b"), &response), Ok(None));
        response.header.set("Location", "c?d");
        assert_eq!(redirect(&url("http://h/a/b"), &response), Ok(Some(url("http://h/a/c?d"))));
        response.header.set("Location", "http://h:x/");
        assert!(redirect(&url("http://h/a/b"), &response).is_err());
        response.status = 304;
        assert_eq!(redirect(&url("http://h/a/b"), &response), Ok(None));
    }
}
