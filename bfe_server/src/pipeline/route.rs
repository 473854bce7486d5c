//! Product and cluster of a request (config 13).

use super::{After, Exit, Way, body, fail, proxy_state};
use crate::tables::{Cluster, ServerData};
use crate::worker::Worker;
use bfe_basic::{ErrorCode, NeedBody, Request};
use bfe_route::ProductNumber;
use std::time::Instant;

/// Finds the product by host, vip or default; gives its number, if it has one.
pub(super) fn find_product(
    tables: &ServerData,
    req: &mut Request,
    now: Instant,
) -> Result<Option<ProductNumber>, Exit> {
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
    Ok(hit.number)
}

/// Finds the cluster by the product's rules. The clock is read anew where the body had to be read for it.
pub(super) async fn find_cluster<'t>(
    worker: &Worker,
    tables: &'t ServerData,
    req: &mut Request,
    way: &mut Way<'_>,
) -> Result<&'t Cluster, Exit> {
    req.stat.locate_start = Some(way.now);
    let found = loop {
        match tables.routes.find_cluster(way.product, req) {
            Ok(found) => break found,
            Err(NeedBody) => {
                body::read(worker, req).await;
                way.now = Instant::now();
            }
        }
    };
    // It takes less than reading the clock would, unless the body had to be read.
    req.stat.locate_end = Some(way.now);
    let number = match found {
        Ok(number) => number,
        Err(e) => {
            let text = e.as_str();
            req.route.error = Some(text);
            let code = ErrorCode::BK_FIND_LOCATION;
            return Err(fail(req, proxy_state::ERR_BK_FIND_LOCATION, code, text, After::Close));
        }
    };
    let Some(cluster) = tables.cluster(number) else {
        let message = format!("no cluster found for {}", tables.routes.cluster_name(number));
        let code = ErrorCode::BK_NO_CLUSTER;
        return Err(fail(req, proxy_state::ERR_BK_NO_CLUSTER, code, &message, After::Close));
    };
    req.route.cluster = (&cluster.conf.name).into();
    req.backend.cluster = req.route.cluster.clone();
    Ok(cluster)
}
