//! Asking a picker of endpoints which backend gets a request (balance 13).

use super::{body, out_request};
use crate::worker::Worker;
use bfe_balance::epp::{Exchange, Picker, PickerError};
use bfe_balance::{Backend, Balancer};
use bfe_basic::{BodyPeek, Request};
use bytes::Bytes;
use std::sync::Arc;

/// The backend that the cluster's picker chooses; `None` where it does not, or there is none: then the balancer does.
pub(super) async fn pick(
    worker: &Worker,
    balancer: &Balancer,
    req: &mut Request,
) -> Option<(Arc<Backend>, Box<Exchange>)> {
    let picker = balancer.picker(req)?;
    // Rare, and not to make the memory of each request larger.
    match Box::pin(ask(worker, &picker, req)).await {
        Ok((endpoint, exchange)) => Some((balancer.picked(req, &endpoint), Box::new(exchange))),
        Err(error) => {
            log::info!("endpoint picker {}: {error}", picker.addr());
            None
        }
    }
}

async fn ask(worker: &Worker, picker: &Picker, req: &mut Request) -> Result<(String, Exchange), PickerError> {
    let has_body = req.http.content_length != 0;
    if has_body && matches!(req.body_peek, BodyPeek::Unread) {
        body::read(worker, req).await;
    }
    let body = has_body.then(|| match &req.body_peek {
        BodyPeek::Read(start) => start.clone(),
        BodyPeek::Unread | BodyPeek::Failed => Bytes::new(),
    });
    let header = &req.http.header;
    let length = req.http.content_length.to_string();
    let length = req.http.has_content_length.then_some((&b"Content-Length"[..], length.as_bytes()));
    let fields = header.first_values().filter(|(name, _)| out_request::is_forwarded(header, name));
    picker.pick(fields.chain(length), body).await
}
