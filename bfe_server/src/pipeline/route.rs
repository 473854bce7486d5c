//! Product and cluster of a request (config 13).

use super::{After, Exit, body, fail, proxy_state};
use crate::tables::{Cluster, ServerData};
use crate::worker::Worker;
use bfe_basic::{ErrorCode, NeedBody, Request};
use std::time::Instant;

/// Finds the product by host, vip or default.
pub(super) fn find_product(tables: &ServerData, req: &mut Request, now: Instant) -> Result<(), Exit> {
    req.stat.find_product_start = Some(now);
    let hit = tables.routes.find_product(&req.http.host, req.session.vip);
    // It takes less than reading the clock would.
    req.stat.find_product_end = Some(now);
    let Some(hit) = hit else {
        req.route.error = Some("no product found");
        let code = ErrorCode::BK_FIND_PRODUCT;
        return Err(fail(req, proxy_state::ERR_BK_FIND_PRODUCT, code, "no product found", After::Close));
    };
    req.route.host_tag = hit.host_tag.into();
    req.route.product = hit.product.into();
    Ok(())
}

/// Finds the cluster by the product's rules. `now` is read anew where the body had to be read for it.
pub(super) async fn find_cluster<'t>(
    worker: &Worker,
    tables: &'t ServerData,
    req: &mut Request,
    now: &mut Instant,
) -> Result<&'t Cluster, Exit> {
    req.stat.locate_start = Some(*now);
    let found = loop {
        match tables.routes.find_cluster(&req.route.product, req) {
            Ok(found) => break found,
            Err(NeedBody) => {
                body::read(worker, req).await;
                *now = Instant::now();
            }
        }
    };
    // It takes less than reading the clock would, unless the body had to be read.
    req.stat.locate_end = Some(*now);
    let name = match found {
        Ok(name) => name,
        Err(e) => {
            let text = e.as_str();
            req.route.error = Some(text);
            let code = ErrorCode::BK_FIND_LOCATION;
            return Err(fail(req, proxy_state::ERR_BK_FIND_LOCATION, code, text, After::Close));
        }
    };
    req.route.cluster = name.into();
    let Some(cluster) = tables.cluster(&req.route.cluster) else {
        let message = format!("no cluster found for {}", req.route.cluster);
        let code = ErrorCode::BK_NO_CLUSTER;
        return Err(fail(req, proxy_state::ERR_BK_NO_CLUSTER, code, &message, After::Close));
    };
    req.backend.cluster = req.route.cluster.clone();
    Ok(cluster)
}
