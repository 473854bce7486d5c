//! The pages and reloads of the core (monitor 3, 5).

use super::memory;
use crate::delays::Delays;
use crate::live::Live;
use crate::state::proxy_state;
use crate::websocket::websocket_state;
use bfe_balance::bal_state;
use bfe_http::h2::http2_state;
use bfe_http::protocol_state::{spdy_state, stream_state};
use bfe_http::proxy_protocol::proxy_protocol_state;
use bfe_http::transport::http_state;
use bfe_module::metrics::{FlatValue, flat, json_string};
use bfe_module::web::DuplicateHandler;
use bfe_module::{Callbacks, Point, WebHandlers};
use bfe_tls::tls_state;
use std::sync::Arc;

/// Registers what shows and reloads tables, and the counters of the core.
pub(crate) fn register(
    web: &mut WebHandlers,
    live: &Arc<Live>,
    delays: &Delays,
) -> Result<(), DuplicateHandler> {
    for (name, group) in [
        ("proxy_state", proxy_state::group()),
        ("bal_state", bal_state::group()),
        ("http_state", http_state::group()),
        ("tls_state", tls_state::group()),
        ("proxy_protocol_state", proxy_protocol_state::group()),
        ("websocket_state", websocket_state::group()),
        ("http2_state", http2_state::group()),
        ("spdy_state", spdy_state::group()),
        ("stream_state", stream_state::group()),
    ] {
        web.add_counters(name, &format!("{name}_diff"), group)?;
    }
    for (name, delay) in delays.pages() {
        web.add_delay(name, Arc::clone(delay))?;
    }
    web.add_monitor("server_stat", |_| {
        Ok(format!("{{\"total_bytes_body_buffer\":{}}}", crate::pipeline::body::bytes_held()))
    })?;
    web.add_monitor("proxy_mem_stat", |query| memory::page(query.get("format")))?;
    tables(web, live)?;
    reloads(web, live)
}

fn tables(web: &mut WebHandlers, live: &Arc<Live>) -> Result<(), DuplicateHandler> {
    use FlatValue::{Number, Text};
    let number = |n: usize| Number(i64::try_from(n).unwrap_or(i64::MAX));

    let at = Arc::clone(live);
    web.add_monitor("host_table_status", move |query| {
        let sizes = at.data.load().routes.status();
        let values = [
            ("HostTableSize", number(sizes.host_table_size)),
            ("HostTagTableSize", number(sizes.host_tag_table_size)),
            ("VipTableSize", number(sizes.vip_table_size)),
            ("ProductRouteTableSize", number(sizes.product_route_table_size)),
            ("ProductBasicRouteTableSize", number(sizes.product_basic_route_table_size)),
        ];
        flat(&values, query.get("format"))
    })?;
    let at = Arc::clone(live);
    web.add_monitor("host_table_version", move |query| {
        let data = at.data.load();
        let versions = data.routes.versions();
        let values = [
            ("HostTag", Text(versions.host_tag.to_owned())),
            ("Vip", Text(versions.vip.to_owned())),
            ("ProductRoute", Text(versions.product_route.to_owned())),
        ];
        flat(&values, query.get("format"))
    })?;
    let at = Arc::clone(live);
    web.add_monitor("cluster_table_version", move |query| {
        let version = at.data.load().cluster_table.version().to_owned();
        flat(&[("ClusterConfVer", Text(version))], query.get("format"))
    })?;
    let at = Arc::clone(live);
    web.add_monitor("bal_table_version", move |query| {
        let versions = at.balance.versions();
        let values = [
            ("ClusterTableConfVer", Text(versions.cluster_table_conf_ver.clone())),
            ("GslbConfTimeStamp", Text(versions.gslb_conf_time_stamp.clone())),
            ("GslbConfSrc", Text(versions.gslb_conf_src.clone())),
        ];
        flat(&values, query.get("format"))
    })?;
    let at = Arc::clone(live);
    web.add_monitor("bal_table_status", move |query| {
        match query.get("cluster_name").filter(|c| !c.is_empty()) {
            None => Ok(at.balance.status_json()),
            Some(cluster) => Ok(at.balance.cluster_status(cluster).json().into()),
        }
    })
}

fn reloads(web: &mut WebHandlers, live: &Arc<Live>) -> Result<(), DuplicateHandler> {
    let done = |result: Result<(), bfe_basic::conf::ConfErrors>| match result {
        Ok(()) => Ok(None),
        Err(errors) => Err(errors.to_string()),
    };
    let at = Arc::clone(live);
    web.add_reload("server_data_conf", move |query| done(at.reload_server_data(query.path())))?;
    let at = Arc::clone(live);
    web.add_reload("gslb_data_conf", move |query| done(at.reload_gslb(query.path())))?;
    let at = Arc::clone(live);
    web.add_reload("tls_conf", move |query| done(at.reload_tls(query.path(), query.get("enable"))))?;
    let at = Arc::clone(live);
    web.add_reload("tls_session_ticket_key", move |_| done(at.tls.reload_ticket_key()))?;
    let at = Arc::clone(live);
    web.add_reload("name_conf", move |query| done(at.reload_names(query.path())))
}

/// Registers what shows modules and their handlers.
pub(crate) fn register_modules(
    web: &mut WebHandlers,
    available: &[&str],
    enabled: &[&str],
    callbacks: &Callbacks,
) -> Result<(), DuplicateHandler> {
    let status = format!("{{\"available\":{},\"enabled\":{}}}", json_list(available), json_list(enabled));
    web.add_monitor("module_status", move |_| Ok(status.clone()))?;
    let points: Vec<_> = Point::ALL
        .iter()
        .enumerate()
        .map(|(i, point)| {
            let names = callbacks.names(*point);
            let mut modules: Vec<_> =
                names.iter().map(|name| name.split('.').next().unwrap_or(name)).collect();
            // In two steps here what is one handler there.
            modules.dedup();
            format!("\"{i}#{point}\":{}", json_list(&modules))
        })
        .collect();
    let handlers = format!("{{{}}}", points.join(","));
    web.add_monitor("module_handlers", move |_| Ok(handlers.clone()))
}

fn json_list(items: &[&str]) -> String {
    let items: Vec<_> = items.iter().map(|i| json_string(i)).collect();
    format!("[{}]", items.join(","))
}
