//! The `tls` check (a handshake) and the `https` check (a handshake and a request).

use super::CheckError;
use super::http::{malformed, request_uri};
use crate::conf::cluster_conf::{CheckScheme, ClusterConf};
use bfe_http::transport::server_name;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How much of an answer is read at most, in bytes; its first line is all that counts.
const MAX_ANSWER: usize = 4096;
/// How long to wait for a backend's refusal of a handshake.
const REFUSAL: Duration = Duration::from_millis(500);

/// Does the handshake on `stream` and, for `https`, asks and judges the answer.
pub(super) async fn exchange(stream: TcpStream, host: &str, conf: &ClusterConf) -> Result<(), CheckError> {
    let check = &conf.check;
    // The check of the file sees to it that there is one for these schemes.
    let tls = conf.check_tls.as_ref().ok_or_else(|| CheckError::Request("HTTPSConf".to_owned()))?;
    let name =
        server_name(host, tls.insecure_skip_verify).ok_or_else(|| CheckError::Name(host.to_owned()))?;
    let mut stream = TlsConnector::from(Arc::clone(&tls.tls)).connect(name, stream).await?;
    if check.scheme == CheckScheme::Tls {
        return say_goodbye(&mut stream).await;
    }
    let uri = if check.uri.is_empty() { "/".to_owned() } else { request_uri(&check.uri)? };
    if host.bytes().any(|b| b.is_ascii_control()) {
        return Err(CheckError::Request(host.to_owned()));
    }
    let request = format!("GET {uri} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: BFE-Health-Check\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::with_capacity(512);
    while !answer.contains(&b'\n') && answer.len() < MAX_ANSWER {
        match stream.read_buf(&mut answer).await {
            Ok(0) => break,
            Ok(_) => {}
            // Closed without a goodbye, but perhaps after a status line.
            Err(_) if !answer.is_empty() => break,
            Err(error) => return Err(error.into()),
        }
    }
    let status = status_of(&answer).ok_or_else(|| malformed(&answer))?;
    match &check.status_range {
        Some(range) if range.matches(status) => Ok(()),
        Some(_) => Err(CheckError::StatusRange(status)),
        None => Ok(check.status.matches(status)?),
    }
}

/// Closes the connection and waits a little for what the backend says to it. By TLS 1.3 the client's part of
/// the handshake is over before the backend can refuse its certificate, or the want of one.
async fn say_goodbye(stream: &mut TlsStream<TcpStream>) -> Result<(), CheckError> {
    stream.shutdown().await?;
    match timeout(REFUSAL, stream.read(&mut [0; 64])).await {
        Ok(Err(error)) if error.kind() == ErrorKind::InvalidData => Err(error.into()),
        // Closed, or silent, or something else to say: nothing of it is a refusal.
        _ => Ok(()),
    }
}

/// The first three digits between blanks in the first line.
fn status_of(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|b| *b == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let digits = line
        .split_ascii_whitespace()
        .skip(1)
        .find(|word| word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit()))?;
    digits.parse().ok()
}
