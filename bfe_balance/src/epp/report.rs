//! Telling a picker of the response that came of its choice.

use super::messages::{HeaderMap, HeaderValue, HttpBody, HttpHeaders, Told};
use super::{ANSWER, Exchange};
use bfe_http::transport::grpc::GrpcError;
use bfe_http::{Body, BodyError, BodyStream, Header, Response};
use bytes::Bytes;
use std::task::{Context, Poll};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Pieces of a body that wait for the picker; where there are more, they are dropped.
const QUEUE: usize = 10;

/// The body of a response, of which the picker gets a copy.
struct Copied {
    body: Body,
    copies: Sender<Bytes>,
}

pub(super) fn report(exchange: Exchange, response: &mut Response) {
    let (copies, pieces) = channel(QUEUE);
    let mut headers: Vec<_> = response.header.first_values().map(|(name, value)| text(name, value)).collect();
    let length = response.content_length;
    // That of an empty response may be our own finding.
    if length > 0 || length == 0 && response.status == 200 {
        headers.push(text(b"Content-Length", length.to_string().as_bytes()));
    }
    let head = HttpHeaders { headers: Some(HeaderMap { headers }), end_of_stream: false };
    tokio::task::spawn_local(async move {
        if let Err(error) = tell(exchange, head, pieces).await {
            log::info!("endpoint picker: not told of a response: {error}");
        }
    });
    if !response.body.is_empty() {
        let body = std::mem::take(&mut response.body);
        response.body = Body::Stream(Box::new(Copied { body, copies }));
    }
}

fn text(name: &[u8], value: &[u8]) -> HeaderValue {
    let lossy = |bytes| String::from_utf8_lossy(bytes).into_owned();
    HeaderValue { key: lossy(name), value: lossy(value), ..HeaderValue::default() }
}

async fn tell(mut exchange: Exchange, head: HttpHeaders, mut pieces: Receiver<Bytes>) -> Result<(), Untold> {
    within(exchange.tell(Told::ResponseHeaders(head))).await?;
    answer(&mut exchange).await?;
    while let Some(piece) = pieces.recv().await {
        let piece = HttpBody { body: piece.to_vec(), end_of_stream: false };
        within(exchange.tell(Told::ResponseBody(piece))).await?;
    }
    let end = HttpBody { body: Vec::new(), end_of_stream: true };
    within(exchange.tell(Told::ResponseBody(end))).await?;
    answer(&mut exchange).await
}

/// Why the picker is not told the rest.
#[derive(Debug, thiserror::Error)]
enum Untold {
    #[error(transparent)]
    Call(#[from] GrpcError),
    #[error("no answer within {ANSWER:?}")]
    TimedOut,
}

/// Waits for an answer, of which nothing is read.
async fn answer(exchange: &mut Exchange) -> Result<(), Untold> {
    within(exchange.call.receive()).await.map(drop)
}

async fn within<T>(step: impl Future<Output = Result<T, GrpcError>>) -> Result<T, Untold> {
    Ok(tokio::time::timeout(ANSWER, step).await.map_err(|_| Untold::TimedOut)??)
}

impl BodyStream for Copied {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let data = self.body.poll_data(cx);
        if let Poll::Ready(Some(Ok(piece))) = &data {
            // The client does not wait for the picker.
            let _ = self.copies.try_send(piece.clone());
        }
        data
    }

    fn take_trailers(&mut self) -> Option<Header> {
        self.body.take_trailers()
    }
}
