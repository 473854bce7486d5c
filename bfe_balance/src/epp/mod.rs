//! Pickers of endpoints: services that choose the backend of each request (`BalanceMode` `EPP`; balance 13).
//!
//! A picker speaks Envoy's external processing over gRPC. It is told of the request, names an endpoint, and is then
//! told of the response. Whatever goes wrong with it, the cluster's backends take turns as without it, and responses
//! do not wait for it.

mod messages;
mod report;

use crate::conf::cluster_conf::unverified;
use bfe_http::Response;
use bfe_http::transport::grpc::{Call, GrpcClient, GrpcError};
use bytes::Bytes;
use messages::{HeaderMap, HeaderValue, HttpBody, HttpHeaders, ProcessingRequest, ProcessingResponse, Told};
use prost::Message as _;
use prost_types::value::Kind;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const METHOD: &str = "/envoy.service.ext_proc.v3.ExternalProcessor/Process";
/// How long connecting to a picker may take.
const CONNECT: Duration = Duration::from_secs(1);
/// How long a picker may take for its choice, and later for each other answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a picker is not asked once it could not be connected to.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a picker has not picked.
#[derive(Debug, thiserror::Error)]
pub enum PickerError {
    /// The call came to nothing.
    #[error(transparent)]
    Call(#[from] GrpcError),
    /// It could not be connected to a moment ago.
    #[error("not connected a moment ago")]
    Pausing,
    /// Its answer is no message.
    #[error("not a message: {0}")]
    Decode(#[from] prost::DecodeError),
    /// It names no endpoint.
    #[error("no endpoint")]
    NoEndpoint,
    /// It took too long.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

/// The picker of a cluster.
#[derive(Debug)]
pub struct Picker {
    client: GrpcClient,
    addr: String,
    /// Until then it is not asked.
    pausing: Mutex<Option<Instant>>,
}

/// An exchange with a picker that has picked: it wants to know of the response.
pub struct Exchange {
    call: Call,
}

impl Picker {
    /// The picker at `addr`, host and port. Its certificate is not verified.
    ///
    /// # Errors
    /// What the TLS library says.
    pub(crate) fn new(addr: &str) -> Result<Self, String> {
        let client = GrpcClient::new(unverified(b"h2")?, addr, CONNECT);
        Ok(Self { client, addr: addr.to_owned(), pausing: Mutex::default() })
    }

    /// Address and port.
    #[must_use]
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// Asks for the endpoint of a request: the address and port of a backend. Of each header field the first value
    /// is sent; `body` is `None` where there is none.
    ///
    /// # Errors
    /// See [`PickerError`].
    pub async fn pick<'a>(
        &self,
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        body: Option<Bytes>,
    ) -> Result<(String, Exchange), PickerError> {
        let now = Instant::now();
        if self.pausing().is_some_and(|until| now < until) {
            return Err(PickerError::Pausing);
        }
        let header = |(name, value): (&[u8], &[u8])| HeaderValue {
            key: String::from_utf8_lossy(name).into_owned(),
            raw_value: value.to_vec(),
            ..HeaderValue::default()
        };
        let headers = HeaderMap { headers: fields.map(header).collect() };
        let head = HttpHeaders { headers: Some(headers), end_of_stream: body.is_none() };
        let exchange = self.exchange(head, body);
        tokio::time::timeout(ANSWER, exchange).await.unwrap_or(Err(PickerError::TimedOut(ANSWER)))
    }

    async fn exchange(
        &self,
        head: HttpHeaders,
        body: Option<Bytes>,
    ) -> Result<(String, Exchange), PickerError> {
        let call = self.client.call(METHOD).await;
        if let Err(GrpcError::Connect(_)) = call {
            *self.pausing.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now().checked_add(PAUSE);
        }
        let mut exchange = Exchange { call: call? };
        exchange.tell(Told::RequestHeaders(head)).await?;
        let has_body = body.is_some();
        if let Some(body) = body {
            let body = HttpBody { body: body.to_vec(), end_of_stream: true };
            exchange.tell(Told::RequestBody(body)).await?;
        }
        // Only the first answer counts, whichever it is.
        let first = ProcessingResponse::decode(exchange.call.receive().await?)?;
        if has_body && first.request_headers.is_some() {
            exchange.call.receive().await?;
        }
        let endpoint = endpoint(&first).ok_or(PickerError::NoEndpoint)?;
        Ok((endpoint, exchange))
    }

    fn pausing(&self) -> Option<Instant> {
        *self.pausing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exchange {
    async fn tell(&mut self, told: Told) -> Result<(), GrpcError> {
        let message = ProcessingRequest { request: Some(told) };
        self.call.send(&message.encode_to_vec()).await
    }

    /// Tells the picker of the response, while that is read. What the picker does not take in time it is not told.
    pub fn report(self, response: &mut Response) {
        report::report(self, response);
    }
}

/// The endpoint that an answer names: the first of the list.
fn endpoint(answer: &ProcessingResponse) -> Option<String> {
    let metadata = answer.dynamic_metadata.as_ref()?;
    let Some(Kind::StructValue(balancing)) = &metadata.fields.get("envoy.lb")?.kind else { return None };
    let endpoint = balancing.fields.get("x-gateway-destination-endpoint")?;
    let Some(Kind::StringValue(text)) = &endpoint.kind else { return None };
    let first = text.split(',').next().unwrap_or_default().trim();
    (!first.is_empty()).then(|| first.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::{Struct, Value};

    fn answer(key: &str, inner: &str, kind: Kind) -> ProcessingResponse {
        let object =
            |key: &str, kind| Struct { fields: [(key.to_owned(), Value { kind: Some(kind) })].into() };
        let metadata = object(key, Kind::StructValue(object(inner, kind)));
        ProcessingResponse { dynamic_metadata: Some(metadata), request_headers: None }
    }

    #[test]
    fn bal_111_endpoints_of_answers() {
        let text = |text: &str| Kind::StringValue(text.into());
        let named = |kind| endpoint(&answer("envoy.lb", "x-gateway-destination-endpoint", kind));
        assert_eq!(named(text(" 1.2.3.4:5 , 6.7.8.9:1")).as_deref(), Some("1.2.3.4:5"));
        assert_eq!(named(text("a")).as_deref(), Some("a"));
        for nothing in [text(""), text(" ,a"), Kind::NumberValue(1.0), Kind::BoolValue(true)] {
            assert_eq!(named(nothing), None);
        }
        assert_eq!(endpoint(&answer("envoy.lb", "other", text("a"))), None);
        assert_eq!(endpoint(&answer("other", "x-gateway-destination-endpoint", text("a"))), None);
        assert_eq!(endpoint(&ProcessingResponse::default()), None);
    }
}
