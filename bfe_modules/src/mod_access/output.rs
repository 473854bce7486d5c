//! How values stand in a line: as text, or as JSON.

use super::clock::Moment;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Where the value of one item goes. What comes from clients and backends goes through `text` only, which
/// lets no byte of it end or forge a line.
pub(super) trait Out {
    /// Text from anywhere, in parts.
    fn text(&mut self, parts: &[&[u8]]);

    /// Text of the proxy's own, without quotes and control characters.
    fn plain(&mut self, text: &str);

    /// There is no value: `-`, or `null`.
    fn absent(&mut self);

    /// There is no value, and text has nothing in its place.
    fn nothing(&mut self);

    /// A number.
    fn number(&mut self, n: u64);

    /// Yes or no.
    fn boolean(&mut self, yes: bool);

    /// An address and port.
    fn addr(&mut self, addr: SocketAddr);

    /// An address without port.
    fn ip(&mut self, ip: IpAddr);

    /// Bytes in hexadecimal.
    fn hex(&mut self, bytes: &[u8]);

    /// The time of a line: `2006-01-02 15:04:05`, or RFC 3339.
    fn time(&mut self, at: &Moment);

    /// The time of a request: `[02/Jan/2006:15:04:05 -0700]`, or RFC 3339.
    fn common_time(&mut self, at: &Moment);

    /// The time of a session: as Go prints times, with what the other clock shows, or RFC 3339.
    fn long_time(&mut self, at: &Moment, instant: Instant);

    /// A duration: as Go prints it, or in milliseconds.
    fn duration(&mut self, duration: Duration);
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1000) + u64::from(duration.subsec_millis())
}

// === Text ===

/// Text. Control characters other than tab are written as `\x0A`; between double quotes, `"` and `\` too.
pub(super) struct Text<'l> {
    line: &'l mut Vec<u8>,
    quoted: bool,
}

impl<'l> Text<'l> {
    pub(super) fn new(line: &'l mut Vec<u8>, quoted: bool) -> Self {
        Self { line, quoted }
    }

    #[cold]
    fn escaped(&mut self, text: &[u8]) {
        for b in text {
            if is_control(*b) || self.quoted && is_quote(*b) {
                // Writing to memory cannot fail.
                let _ = write!(self.line, "\\x{b:02X}");
            } else {
                self.line.push(*b);
            }
        }
    }
}

fn is_control(b: u8) -> bool {
    b < 0x20 && b != b'\t' || b == 0x7f
}

fn is_quote(b: u8) -> bool {
    b == b'"' || b == b'\\'
}

impl Out for Text<'_> {
    fn text(&mut self, parts: &[&[u8]]) {
        for part in parts {
            // Without an early exit, this is done many bytes at a time.
            let odd = part.iter().fold(false, |odd, b| odd | is_control(*b) | is_quote(*b));
            if odd {
                self.escaped(part);
            } else {
                self.line.extend_from_slice(part);
            }
        }
    }

    fn plain(&mut self, text: &str) {
        self.line.extend_from_slice(text.as_bytes());
    }

    fn absent(&mut self) {
        self.line.push(b'-');
    }

    fn nothing(&mut self) {}

    fn number(&mut self, n: u64) {
        number(self.line, n);
    }

    fn boolean(&mut self, yes: bool) {
        self.plain(if yes { "true" } else { "false" });
    }

    fn addr(&mut self, addr: SocketAddr) {
        socket_addr(self.line, addr);
    }

    fn ip(&mut self, ip: IpAddr) {
        ip_addr(self.line, ip);
    }

    fn hex(&mut self, bytes: &[u8]) {
        hex(self.line, bytes);
    }

    fn time(&mut self, at: &Moment) {
        at.write_plain(self.line);
    }

    fn common_time(&mut self, at: &Moment) {
        at.write_common(self.line);
    }

    fn long_time(&mut self, at: &Moment, instant: Instant) {
        at.write_long(self.line, instant);
    }

    fn duration(&mut self, duration: Duration) {
        go_duration(self.line, duration);
    }
}

// === Json ===

/// JSON. Bytes that are not UTF-8 are written as U+FFFD.
pub(super) struct Json<'l> {
    line: &'l mut Vec<u8>,
}

impl<'l> Json<'l> {
    pub(super) fn new(line: &'l mut Vec<u8>) -> Self {
        Self { line }
    }

    fn quoted(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.line.push(b'"');
        write(self.line);
        self.line.push(b'"');
    }
}

fn json_text(line: &mut Vec<u8>, text: &str) {
    let odd = text.bytes().fold(false, |odd, b| odd | (b < 0x20) | is_quote(b));
    if !odd {
        line.extend_from_slice(text.as_bytes());
        return;
    }
    for b in text.bytes() {
        let _ = match b {
            b'"' | b'\\' => line.write_all(&[b'\\', b]),
            b'\t' => line.write_all(b"\\t"),
            0..0x20 => write!(line, "\\u{b:04x}"),
            _ => line.write_all(&[b]),
        };
    }
}

impl Out for Json<'_> {
    fn text(&mut self, parts: &[&[u8]]) {
        self.quoted(|line| {
            for part in parts {
                json_text(line, &String::from_utf8_lossy(part));
            }
        });
    }

    fn plain(&mut self, text: &str) {
        self.quoted(|line| line.extend_from_slice(text.as_bytes()));
    }

    fn absent(&mut self) {
        self.line.extend_from_slice(b"null");
    }

    fn nothing(&mut self) {
        self.absent();
    }

    fn number(&mut self, n: u64) {
        number(self.line, n);
    }

    fn boolean(&mut self, yes: bool) {
        self.line.extend_from_slice(if yes { b"true" } else { b"false" });
    }

    fn addr(&mut self, addr: SocketAddr) {
        self.quoted(|line| socket_addr(line, addr));
    }

    fn ip(&mut self, ip: IpAddr) {
        self.quoted(|line| ip_addr(line, ip));
    }

    fn hex(&mut self, bytes: &[u8]) {
        self.quoted(|line| hex(line, bytes));
    }

    fn time(&mut self, at: &Moment) {
        self.quoted(|line| at.write_rfc3339(line));
    }

    fn common_time(&mut self, at: &Moment) {
        self.time(at);
    }

    fn long_time(&mut self, at: &Moment, _instant: Instant) {
        self.time(at);
    }

    fn duration(&mut self, duration: Duration) {
        self.number(millis(duration));
    }
}

// === values ===

fn number(line: &mut Vec<u8>, n: u64) {
    line.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

fn ip_addr(line: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(v4) => {
            for (i, octet) in v4.octets().iter().enumerate() {
                if i > 0 {
                    line.push(b'.');
                }
                line.extend_from_slice(itoa::Buffer::new().format(*octet).as_bytes());
            }
        }
        IpAddr::V6(v6) => {
            let _ = write!(line, "{v6}");
        }
    }
}

fn socket_addr(line: &mut Vec<u8>, addr: SocketAddr) {
    if addr.is_ipv6() {
        line.push(b'[');
    }
    ip_addr(line, addr.ip());
    if addr.is_ipv6() {
        line.push(b']');
    }
    line.push(b':');
    line.extend_from_slice(itoa::Buffer::new().format(addr.port()).as_bytes());
}

fn hex(line: &mut Vec<u8>, bytes: &[u8]) {
    for b in bytes {
        let _ = write!(line, "{b:02x}");
    }
}

/// A duration as Go prints it: `1m15.005s`, `1.5ms`, `12µs`, `0s` (modules-traffic 1.5).
fn go_duration(line: &mut Vec<u8>, duration: Duration) {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let (unit, digits, name) = match nanos {
        0 => return line.extend_from_slice(b"0s"),
        1..1_000 => (1, 0, "ns"),
        1_000..1_000_000 => (1_000, 3, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, 6, "ms"),
        _ => (1_000_000_000, 9, "s"),
    };
    let (mut whole, fraction) = (nanos / unit, nanos % unit);
    if name == "s" {
        let (hours, minutes) = (whole / 3600, whole / 60 % 60);
        if hours > 0 {
            let _ = write!(line, "{hours}h");
        }
        if hours > 0 || minutes > 0 {
            let _ = write!(line, "{minutes}m");
        }
        whole %= 60;
    }
    let _ = write!(line, "{whole}");
    super::clock::fraction(line, fraction, digits);
    line.extend_from_slice(name.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut line = Vec::new();
        write(&mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn access_1_5_durations() {
        for (nanos, want) in [
            (0, "0s"),
            (1, "1ns"),
            (12_000, "12µs"),
            (12_340, "12.34µs"),
            (1_500_000, "1.5ms"),
            (999_999_999, "999.999999ms"),
            (3_000_000_000, "3s"),
            (75_005_000_000, "1m15.005s"),
            (3_600_000_000_000, "1h0m0s"),
            (90_061_000_000_001, "25h1m1.000000001s"),
        ] {
            assert_eq!(written(|line| go_duration(line, Duration::from_nanos(nanos))), want);
        }
    }

    #[test]
    fn no_byte_forges_a_line() {
        let all: Vec<u8> = (0..=255).collect();
        for quoted in [false, true] {
            let mut line = Vec::new();
            Text::new(&mut line, quoted).text(&[&all]);
            assert!(line.iter().all(|b| !is_control(*b)));
            assert_eq!(line.contains(&b'"'), !quoted);
            assert!(line.windows(4).any(|w| w == b"\\x0A"));
        }
        // What forges nothing is as it was.
        let mut line = Vec::new();
        Text::new(&mut line, false).text(&[b"a\tb|\"c\\ \xe9\xff"]);
        assert_eq!(line, b"a\tb|\"c\\ \xe9\xff");
    }

    #[test]
    fn json_is_json_whatever_the_bytes() {
        let all: Vec<u8> = (0..=255).collect();
        for text in [&all[..], b"", b"plain", "grün".as_bytes(), b"\xff\"\n"] {
            let mut line = Vec::new();
            Json::new(&mut line).text(&[text, b"|"]);
            let back: String = serde_json::from_slice(&line).unwrap();
            assert_eq!(back, format!("{}|", String::from_utf8_lossy(text)));
        }
    }

    #[test]
    fn addresses() {
        for addr in ["1.2.3.4:0", "255.255.255.255:65535", "[2001:db8::1]:443", "[::]:1"] {
            assert_eq!(written(|line| socket_addr(line, addr.parse().unwrap())), addr);
        }
    }
}
