//! One cluster: from key to key (ai-gateway 5).

use super::body::Replay;
use super::keys::{self, Keys};
use super::model;
use crate::pipeline::forward::{self, Outcome};
use crate::pipeline::{After, Way, count, deadline, proxy_state};
use crate::tables::{Cluster, ServerData};
use crate::worker::Worker;
use bfe_balance::conf::cluster_conf::{AiKey, AiKeyPolicy, ModelTable};
use bfe_basic::ai::{AiTarget, TokenPrice};
use bfe_basic::{ErrorCode, Request};
use bfe_http::{Exchange, Response};
use bytes::Bytes;
use std::time::Instant;

const AUTHORIZATION: &str = "Authorization";

/// What came of a cluster, or of one of its keys.
pub(super) struct Tried<'t> {
    /// The answer.
    pub(super) response: Option<Response>,
    /// There is none, because something failed.
    pub(super) is_error: bool,
    /// What becomes of the client's connection.
    pub(super) after: After,
    /// The cluster, if there is one of that name.
    pub(super) cluster: Option<&'t Cluster>,
}

impl Tried<'_> {
    /// Nothing was sent, and nothing failed.
    pub(super) const NOTHING: Self =
        Self { response: None, is_error: false, after: After::Keep, cluster: None };

    /// Status of the answer, else 0.
    pub(super) fn status(&self) -> u16 {
        self.response.as_ref().map_or(0, |response| response.status)
    }
}

/// Tries a cluster, with one key after the other where it has keys.
pub(super) async fn invoke<'t, E: Exchange>(
    worker: &Worker,
    tables: &'t ServerData,
    req: &mut Request,
    way: &mut Way<'_>,
    exchange: &E,
    attempt: &AiTarget,
    body: &mut Replay,
) -> Tried<'t> {
    let cluster = tables.cluster_named(&attempt.cluster);
    // Also the name of one that is not there stands in logs.
    req.route.cluster = cluster.map_or_else(|| attempt.cluster.as_str().into(), |c| (&c.conf.name).into());
    req.backend.cluster = req.route.cluster.clone();
    if let Some(ai) = &mut req.ai {
        ai.price = None;
    }
    let Some(cluster) = cluster else {
        count(proxy_state::ERR_BK_NO_CLUSTER);
        req.set_error(ErrorCode::BK_NO_CLUSTER, format!("no cluster found for {}", attempt.cluster));
        return Tried { is_error: true, after: After::Close, ..Tried::NOTHING };
    };
    let limit = if req.is_sse { None } else { cluster.conf.basic.read_client };
    exchange.set_read_deadline(deadline(way.now, limit));
    let ai = cluster.conf.ai.as_ref();
    match ai.filter(|ai| !ai.keys.is_empty()) {
        None => forward_once(worker, cluster, req, way, attempt, body, None).await,
        Some(ai) => {
            let policy = ai.key_policy.clone().unwrap_or_else(AiKeyPolicy::absent);
            key_by_key(worker, cluster, req, way, attempt, body, (&ai.keys, policy)).await
        }
    }
}

/// Tries keys until one is good for an answer, or no more tries are left.
async fn key_by_key<'t>(
    worker: &Worker,
    cluster: &'t Cluster,
    req: &mut Request,
    way: &mut Way<'_>,
    attempt: &AiTarget,
    body: &mut Replay,
    (list, mut policy): (&[AiKey], AiKeyPolicy),
) -> Tried<'t> {
    let mut last = Tried { cluster: Some(cluster), ..Tried::NOTHING };
    if policy.max_retries > 0 && !body.prepare(req) {
        log::warn!(
            "AI gateway: the request body cannot be sent twice, so there is no other try at {}",
            attempt.cluster
        );
        policy.max_retries = 0;
    }
    let mut keys = Keys::new(list);
    let mut kept = None;
    for retry in 0..=policy.max_retries {
        if retry > 0 {
            if let Some(ai) = &mut req.ai {
                ai.retry_count = ai.retry_count.saturating_add(1);
            }
            if !body.rewind(req) {
                log::warn!("AI gateway: the request body cannot be sent again to {}", attempt.cluster);
                break;
            }
            let wait = keys::backoff(&policy, retry);
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            way.now = Instant::now();
        }
        let Some((place, key)) = kept.take().or_else(|| keys.choose()) else {
            log::warn!("AI gateway: no key of {} is left", attempt.cluster);
            break;
        };
        last = forward_once(worker, cluster, req, way, attempt, body, Some(key)).await;
        match last.status() {
            1..=399 => break,
            429 => keys.mark_used(place),
            401..=403 => keys.mark_dead(place),
            500.. => kept = Some((place, key)),
            0 if last.is_error => kept = Some((place, key)),
            _ => break,
        }
        log::info!(
            "AI gateway: key {:?} of {} failed with status {}",
            key.name,
            attempt.cluster,
            last.status()
        );
    }
    last
}

/// Forwards the request with a key, or with the client's own.
async fn forward_once<'t>(
    worker: &Worker,
    cluster: &'t Cluster,
    req: &mut Request,
    way: &mut Way<'_>,
    attempt: &AiTarget,
    body: &mut Replay,
    key: Option<&AiKey>,
) -> Tried<'t> {
    let conf = cluster.conf.ai.as_ref();
    model::apply(req, body, &attempt.model, conf);
    if let (Some(ai), Some(conf)) = (&mut req.ai, conf) {
        if !conf.provider.is_empty() {
            ai.provider.clone_from(&conf.provider);
        }
        if let Some(table) = &conf.model_table {
            ai.cost_currency.clone_from(&table.currency);
            ai.price = price(table, &ai.target_model);
        }
        let name = key.map(|key| key.name.clone()).unwrap_or_default();
        ai.cluster_keys.push((req.route.cluster.clone(), name));
    }
    // The key is for this cluster alone: neither the next one nor a log is to see it.
    let own = key.filter(|key| !key.key.is_empty()).map(|key| authorize(req, key));
    let outcome = forward::forward::<true>(worker, cluster, req, way).await;
    if let Some(own) = own {
        req.http.header.del(AUTHORIZATION);
        for value in own {
            req.http.header.add(AUTHORIZATION, value);
        }
    }
    let tried = |response, is_error, after| Tried { response, is_error, after, cluster: Some(cluster) };
    match outcome {
        Outcome::Answered => tried(req.response.take(), false, After::Keep),
        Outcome::Failed(after) => tried(None, true, after),
        Outcome::Refused(after) => tried(None, false, after),
    }
}

/// What tokens of a model cost; other modes than `chat` have no price (ai-gateway 9.5).
fn price(table: &ModelTable, model: &[u8]) -> Option<TokenPrice> {
    let price = table.get(std::str::from_utf8(model).ok()?, "chat")?;
    let (input, output) = price.units();
    Some(TokenPrice { input, output })
}

/// Puts a key into the request; gives what the client has sent in its place.
fn authorize(req: &mut Request, key: &AiKey) -> Vec<Bytes> {
    let header = &mut req.http.header;
    let own = header.get_all(AUTHORIZATION).map(Bytes::copy_from_slice).collect();
    header.set(AUTHORIZATION, ["Bearer ", &key.key].concat());
    own
}
