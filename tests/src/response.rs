//! A response as a client reads it.

use crate::backend::find;

/// A response.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Its head, with the empty line; the value of `Date` is replaced by `now`.
    pub head: String,
    /// Its body, without its framing.
    pub body: Vec<u8>,
    /// Whether the body came to its proper end.
    pub complete: bool,
}

impl Response {
    /// The first value of a header field, by its name as it is on the wire.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or("(no text)")
    }

    /// Whether the head says that the connection ends.
    #[must_use]
    pub fn says_close(&self) -> bool {
        self.header("Connection") == Some("close")
    }
}

/// What a buffer holds of a response.
pub(crate) enum Parsed {
    /// More bytes are needed; so far it is this.
    NeedMore(Response),
    /// A whole response, and how many bytes of the buffer it takes.
    Whole(Response, usize),
}

/// Reads a response to a request of that method. `ended`: nothing more will come.
pub(crate) fn parse(buf: &[u8], method: &str, ended: bool) -> Parsed {
    let Some(end) = find(buf, b"\r\n\r\n").map(|i| i + 4) else {
        return Parsed::NeedMore(Response::default());
    };
    let head = String::from_utf8_lossy(&buf[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|s| s.get(..3)).and_then(|s| s.parse().ok()).unwrap_or(0);
    let mut response = Response { status, head: without_date(&head), ..Response::default() };
    let rest = &buf[end..];
    let field = |name: &str| response.header(name);
    let bodyless = method == "HEAD" || status < 200 || matches!(status, 204 | 304);
    if field("Transfer-Encoding") == Some("chunked") && !matches!(status, 204 | 304) && method != "HEAD" {
        let (body, used) = chunks(rest);
        response.body = body;
        return match used {
            Some(used) => whole(response, end + used),
            None => Parsed::NeedMore(response),
        };
    }
    if bodyless {
        return whole(response, end);
    }
    match field("Content-Length").and_then(|n| n.parse::<usize>().ok()) {
        Some(n) if rest.len() >= n => {
            response.body = rest[..n].to_vec();
            whole(response, end + n)
        }
        length => {
            // Not each time that a little more has come.
            if ended {
                response.body = rest.to_vec();
            }
            if length.is_none() && ended { whole(response, buf.len()) } else { Parsed::NeedMore(response) }
        }
    }
}

fn whole(mut response: Response, used: usize) -> Parsed {
    response.complete = true;
    Parsed::Whole(response, used)
}

/// The data of chunks so far, and where they end if they do.
fn chunks(buf: &[u8]) -> (Vec<u8>, Option<usize>) {
    let (mut at, mut body) = (0, Vec::new());
    loop {
        let rest = &buf[at..];
        let Some(line) = find(rest, b"\r\n") else { return (body, None) };
        let text = String::from_utf8_lossy(&rest[..line]);
        let Ok(size) = usize::from_str_radix(&text, 16) else { return (body, None) };
        let data = &rest[line + 2..];
        if size == 0 {
            return (body, data.starts_with(b"\r\n").then_some(at + line + 4));
        }
        if data.len() < size + 2 {
            body.extend_from_slice(&data[..size.min(data.len())]);
            return (body, None);
        }
        body.extend_from_slice(&data[..size]);
        at += line + 2 + size + 2;
    }
}

/// A head with `now` in place of the time.
pub(crate) fn without_date(head: &str) -> String {
    let lines = head.split_inclusive("\r\n");
    lines.map(|line| if line.starts_with("Date: ") { "Date: now\r\n" } else { line }).collect()
}
