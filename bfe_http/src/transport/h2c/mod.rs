//! Backends that speak HTTP/2 in the clear, by prior knowledge (lifecycle 21.1): few connections, many
//! requests on each.

mod body;
mod connections;
mod message;

pub(crate) use connections::{Connections, Lent};
pub use message::is_grpc;

use super::{Pool, Transport, TransportError};
use crate::h1::timer::Deadline;
use crate::{Header, Request, Response};
use body::{Answer, Sending, Unsent};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// How long a gRPC call may be without an answer: its head comes with the first message, and the call has a
/// deadline of its own.
const GRPC_HEAD: Duration = Duration::from_secs(3600);

/// Sends a request, and reads the head of the response. The body of the request is used up once there is a
/// connection. Header fields for which `keep` is false are not sent; `host` is named instead of the client's
/// host, if any.
///
/// # Errors
/// See [`TransportError`].
pub async fn round_trip(
    pool: &Pool,
    transport: &Arc<Transport>,
    addr: &Arc<str>,
    req: &mut Request,
    host: Option<&[u8]>,
    keep: impl Fn(&Header, &[u8]) -> bool,
) -> Result<Response, TransportError> {
    let host = host.unwrap_or(if req.host.is_empty() { addr.as_bytes() } else { &req.host });
    // What HTTP/2 cannot say is the client's fault, and no backend's.
    let head = message::request(req, host, keep).map_err(|reason| TransportError::WriteRequest {
        reason,
        client_timeout: true,
        processing: false,
    })?;
    let mut connection = pool.h2c.get(transport, addr).await?;
    let is_grpc = is_grpc(&req.header);
    let body = std::mem::take(&mut req.body);
    let bodyless = body.is_empty();
    let unsent = |e: h2::Error| TransportError::ReadResponseHead(e.to_string());
    let (mut answer, stream) = connection.sender().send_request(head, bodyless).map_err(unsent)?;
    let mut sending = Some(Sending::new(body, stream)).filter(|_| !bodyless);
    let limit = if is_grpc { Some(GRPC_HEAD) } else { transport.conf().response_header_timeout };
    let (mut deadline, mut armed) = (Deadline::default(), false);
    let answer = poll_fn(|cx| {
        if let Some(body) = &mut sending {
            match body.poll_send(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => sending = None,
                Poll::Ready(Err(Unsent::Body(e))) => {
                    return Poll::Ready(Err(TransportError::of_request_body(&e)));
                }
                // The answer tells why.
                Poll::Ready(Err(Unsent::Stream)) => sending = None,
            }
        }
        if let Poll::Ready(answer) = Pin::new(&mut answer).poll(cx) {
            return Poll::Ready(answer.map_err(|e| TransportError::ReadResponseHead(e.to_string())));
        }
        // The time counts from the end of the request; a call that goes on both ways has none.
        if sending.is_none() && !armed {
            armed = true;
            deadline.set(limit.and_then(|limit| Instant::now().checked_add(limit)));
        }
        deadline.poll_passed(cx).map(|()| Err(TransportError::ResponseHeadTimeout))
    })
    .await?;
    let (head, stream) = answer.into_parts();
    let mut response = message::response(&head);
    response.body = Answer::new(stream, sending, connection).into_body();
    Ok(response)
}
