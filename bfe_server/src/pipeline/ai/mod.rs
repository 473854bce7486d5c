//! The way of a request through the AI gateway (ai-gateway 1 to 6).
//!
//! Where `EnableAiGateway` is on, each request goes this way instead of the other: its body is read at once, a module
//! finds targets for it by the client's API key, and these are tried in turn. `attempts` goes from cluster to cluster,
//! `cluster` from key to key, `model` writes the model into the body that `body` holds for all of them.

mod attempts;
mod body;
mod cluster;
mod keys;
mod model;

use super::{After, Exit, Way, call, count, proxy_state, route};
use crate::tables::ServerData;
use crate::worker::Worker;
use bfe_basic::ai::AiInfo;
use bfe_basic::{ErrorCode, Request};
use bfe_http::{Exchange, Header, Response};
use bfe_module::Point;
use body::Replay;
use std::sync::Arc;
use std::time::Instant;

/// From a request to an answer, or to what else becomes of it.
pub(super) async fn serve<'t, E: Exchange>(
    worker: &Worker,
    tables: &'t ServerData,
    req: &mut Request,
    way: &mut Way<'t>,
    exchange: &E,
) -> Exit {
    match all_steps(worker, tables, req, way, exchange).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn all_steps<'t, E: Exchange>(
    worker: &Worker,
    tables: &'t ServerData,
    req: &mut Request,
    way: &mut Way<'t>,
    exchange: &E,
) -> Result<Exit, Exit> {
    let mut body = begin(worker, req, way).await?;
    call(worker, Point::HandleBeforeLocation, req, way).await?;
    way.product = route::find_product(tables, req, way.now)?;
    call(worker, Point::HandleFoundProduct, req, way).await?;
    let Some(route) = req.ai.as_ref().and_then(|ai| ai.route.as_ref()).map(Arc::clone) else {
        return Err(no_route(req, way));
    };
    call(worker, Point::HandleAfterLocation, req, way).await?;
    Ok(attempts::run(worker, tables, req, way, exchange, &route, &mut body).await)
}

/// Once the answer has been sent: what the last handlers see of it, and what becomes of the connection.
pub(super) fn settle(req: &mut Request, way: &Way<'_>, after: After) -> After {
    if way.is_unlogged {
        req.response = None;
    }
    // One with many requests goes on for the others (ai-gateway 4.5).
    let is_shared = req.session.proto.get().is_multiplexed();
    if is_shared && way.status.is_some() { After::Keep } else { after }
}

/// Reads the body, and finds out which key and model the client has.
async fn begin(worker: &Worker, req: &mut Request, way: &mut Way<'_>) -> Result<Replay, Exit> {
    let mut ai = Box::new(AiInfo {
        client_api_key: api_key(&req.http.header).to_vec(),
        estimate_token: worker.config().server.estimate_token,
        ..AiInfo::default()
    });
    let body = Replay::read(worker, req).await;
    way.now = Instant::now();
    if let Ok(Some(name)) = req.body_json(model::MEMBER) {
        ai.client_model = name.to_vec();
        ai.target_model = name.to_vec();
    }
    req.ai = Some(ai);
    body.map_err(|error| {
        // Nothing can be forwarded, and nobody is there to be told.
        req.set_error(ErrorCode::BK_WRITE_REQUEST, error.to_string());
        Exit::Close
    })
}

/// The client's key: its first `Authorization`, without `Bearer ` and then `sk-`.
fn api_key(header: &Header) -> &[u8] {
    let key = header.get("Authorization").unwrap_or_default();
    let key = key.strip_prefix(b"Bearer ").unwrap_or(key);
    key.strip_prefix(b"sk-").unwrap_or(key)
}

/// Answers that there is no way for the request. The handlers of RequestFinish see no response.
fn no_route(req: &mut Request, way: &mut Way<'_>) -> Exit {
    count(proxy_state::ERR_BK_FIND_LOCATION);
    req.set_error(ErrorCode::BK_FIND_LOCATION, "no ai route found");
    way.is_unlogged = true;
    req.response = Some(Response::with_content(404, "text/plain", "AI route not found"));
    Exit::Respond(After::Close)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aig_4_the_key_of_the_client() {
        for (field, want) in [
            ("Bearer sk-abc", "abc"),
            ("sk-xyz", "xyz"),
            ("Bearer plain", "plain"),
            ("bearer x", "bearer x"),
            ("Bearer  sk-x", " sk-x"),
            ("sk-sk-x", "sk-x"),
            ("sk-Bearer x", "Bearer x"),
            ("Bearer Bearer x", "Bearer x"),
            ("", ""),
        ] {
            let mut header = Header::new();
            header.add("Authorization", field);
            header.add("Authorization", "other");
            assert_eq!(api_key(&header), want.as_bytes(), "{field}");
        }
        assert_eq!(api_key(&Header::new()), b"");
    }
}
