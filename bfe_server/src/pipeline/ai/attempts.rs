//! From cluster to cluster: the target, then the fallbacks (ai-gateway 4).

use super::body::Replay;
use super::cluster::{self, Tried};
use super::{keys, model};
use crate::pipeline::{Exit, Way, internal_error};
use crate::tables::ServerData;
use crate::worker::Worker;
use bfe_basic::Request;
use bfe_basic::ai::{AiRoute, AiTarget};
use bfe_http::{Body, BodyError, BodyStream, Exchange};
use bytes::Bytes;
use std::task::{Context, Poll};

/// Tries one target, and the fallbacks while that fails.
pub(super) async fn run<'t, E: Exchange>(
    worker: &Worker,
    tables: &'t ServerData,
    req: &mut Request,
    way: &mut Way<'t>,
    exchange: &E,
    route: &AiRoute,
    body: &mut Replay,
) -> Exit {
    let target = select(&route.targets, fastrand::i64(0..100)).filter(|target| !target.cluster.is_empty());
    let mut attempts: Vec<&AiTarget> = target.into_iter().chain(&route.fallbacks).collect();
    if attempts.len() > 1 && !body.prepare(req) {
        log::warn!("AI gateway: the request body cannot be sent twice, so there are no fallbacks");
        attempts.truncate(1);
    }
    let mut last = Tried::NOTHING;
    for (place, attempt) in attempts.iter().enumerate() {
        if place > 0 && !reset(req, way, body) {
            log::warn!("AI gateway: the request body cannot be sent again, so there are no more fallbacks");
            // The answer before was given up already.
            if let Some(response) = &mut last.response {
                response.body = Body::Stream(Box::new(GivenUp));
            }
            break;
        }
        last = cluster::invoke(worker, tables, req, way, exchange, attempt, body).await;
        if last.response.is_some() {
            // Of a body in chunks no length is told.
            req.stat.body_len_in = if req.http.content_length > 0 { exchange.body_read() } else { 0 };
        }
        if place + 1 == attempts.len() || !falls_back(&last) {
            break;
        }
        log::info!(
            "AI gateway: cluster {} failed with status {}, the next is tried",
            attempt.cluster,
            last.status()
        );
    }
    match last.response {
        Some(response) => {
            way.cluster = last.cluster;
            req.response = Some(response);
            Exit::Respond(last.after)
        }
        None => internal_error(req, last.after),
    }
}

/// The first target at which the sum of weights exceeds `point`, else the last.
fn select(targets: &[AiTarget], point: i64) -> Option<&AiTarget> {
    if let [only] = targets {
        return Some(only);
    }
    let place = keys::by_weight(targets.iter().map(|target| target.weight), point);
    place.and_then(|place| targets.get(place)).or(targets.last())
}

/// Whether the next cluster is tried (ai-gateway 4.2). Where nothing was sent, and nothing failed either, it is not.
fn falls_back(tried: &Tried<'_>) -> bool {
    tried.is_error || matches!(tried.status(), 400 | 401 | 402 | 403 | 422 | 429 | 500..)
}

/// Makes the request ready for another cluster; false where its body is gone.
fn reset(req: &mut Request, way: &mut Way<'_>, body: &mut Replay) -> bool {
    req.retry_time = 0;
    if !body.rewind(req) {
        return false;
    }
    way.lease = None;
    if req.http.content_length >= 0 {
        model::unknown_length(req);
    }
    req.error_code = None;
    req.error_msg.clear();
    true
}

/// The body of an answer that was given up.
struct GivenUp;

impl BodyStream for GivenUp {
    fn poll_data(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let closed = std::io::Error::other("http: read on closed response body");
        Poll::Ready(Some(Err(BodyError::Io(closed))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::After;
    use bfe_http::Response;

    #[test]
    fn aif_1_targets_by_weight() {
        let targets = |weights: &[i64]| -> Vec<AiTarget> {
            let target = |weight: &i64| AiTarget { weight: *weight, ..AiTarget::default() };
            weights.iter().map(target).collect()
        };
        let weights = [60, 0, 30, 10];
        let targets = targets(&weights);
        let mut counts = [0; 4];
        for point in 0..100 {
            let chosen = select(&targets, point).unwrap();
            counts[targets.iter().position(|t| std::ptr::eq(t, chosen)).unwrap()] += 1;
        }
        assert_eq!(counts, weights);
        assert!(select(&[], 0).is_none());
        assert_eq!(select(&targets[1..2], 99).map(|t| t.weight), Some(0), "the only one");
    }

    #[test]
    fn aif_2_and_3_what_leads_to_a_fallback() {
        let tried =
            |status, is_error| Tried { response: Some(Response::new(status)), is_error, ..Tried::NOTHING };
        for status in [400, 401, 402, 403, 422, 429, 500, 501, 502, 503, 504, 599, 600] {
            assert!(falls_back(&tried(status, false)), "{status}");
        }
        for status in [200, 204, 301, 302, 304, 404, 405, 406, 408, 409, 410, 413, 418, 451] {
            assert!(!falls_back(&tried(status, false)), "{status}");
        }
        assert!(falls_back(&Tried { is_error: true, ..Tried::NOTHING }));
        assert!(!falls_back(&Tried::NOTHING));
        assert_eq!(Tried::NOTHING.after, After::Keep);
    }
}
