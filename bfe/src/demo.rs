//! `-demo`: the real proxy on the default configuration, with backends of its own.
//!
//! The tree is the one in `conf/`, embedded; it is written to a temporary folder, and only ports that are
//! taken are replaced in it.

mod backends;
mod printer;

use anyhow::Context;
use bfe_server::Server;
use bfe_server::config::BfeConfig;
use std::fs;
use std::net::TcpListener;
use std::path::Path;

/// The files of the default tree, with the path that each has in it.
const TREE: &[(&str, &str)] = &[
    ("bfe.conf", include_str!("../../conf/bfe.conf")),
    ("server_data_conf/host_rule.data", include_str!("../../conf/server_data_conf/host_rule.data")),
    ("server_data_conf/vip_rule.data", include_str!("../../conf/server_data_conf/vip_rule.data")),
    ("server_data_conf/route_rule.data", include_str!("../../conf/server_data_conf/route_rule.data")),
    ("server_data_conf/cluster_conf.data", include_str!("../../conf/server_data_conf/cluster_conf.data")),
    ("server_data_conf/name_conf.data", include_str!("../../conf/server_data_conf/name_conf.data")),
    ("cluster_conf/gslb.data", include_str!("../../conf/cluster_conf/gslb.data")),
    ("cluster_conf/cluster_table.data", include_str!("../../conf/cluster_conf/cluster_table.data")),
    ("tls_conf/server_cert_conf.data", include_str!("../../conf/tls_conf/server_cert_conf.data")),
    ("tls_conf/tls_rule_conf.data", include_str!("../../conf/tls_conf/tls_rule_conf.data")),
    ("tls_conf/session_ticket_key.data", include_str!("../../conf/tls_conf/session_ticket_key.data")),
    ("tls_conf/certs/test_only.crt", include_str!("../../conf/tls_conf/certs/test_only.crt")),
    ("tls_conf/certs/test_only.key", include_str!("../../conf/tls_conf/certs/test_only.key")),
    ("tls_conf/client_crl/README", include_str!("../../conf/tls_conf/client_crl/README")),
    ("mod_ai_rate_limit/ai_rate_limit.data", include_str!("../../conf/mod_ai_rate_limit/ai_rate_limit.data")),
    (
        "mod_ai_rate_limit/mod_ai_rate_limit.conf",
        include_str!("../../conf/mod_ai_rate_limit/mod_ai_rate_limit.conf"),
    ),
    ("mod_ai_route/ai_route.data", include_str!("../../conf/mod_ai_route/ai_route.data")),
    ("mod_ai_route/mod_ai_route.conf", include_str!("../../conf/mod_ai_route/mod_ai_route.conf")),
    (
        "mod_ai_token_auth/mod_ai_token_auth.conf",
        include_str!("../../conf/mod_ai_token_auth/mod_ai_token_auth.conf"),
    ),
    ("mod_ai_token_auth/token_rule.data", include_str!("../../conf/mod_ai_token_auth/token_rule.data")),
    ("mod_auth_basic/auth_basic_rule.data", include_str!("../../conf/mod_auth_basic/auth_basic_rule.data")),
    ("mod_auth_basic/mod_auth_basic.conf", include_str!("../../conf/mod_auth_basic/mod_auth_basic.conf")),
    ("mod_auth_basic/userfile", include_str!("../../conf/mod_auth_basic/userfile")),
    ("mod_auth_jwt/auth_jwt_rule.data", include_str!("../../conf/mod_auth_jwt/auth_jwt_rule.data")),
    ("mod_auth_jwt/key_file", include_str!("../../conf/mod_auth_jwt/key_file")),
    ("mod_auth_jwt/mod_auth_jwt.conf", include_str!("../../conf/mod_auth_jwt/mod_auth_jwt.conf")),
    ("mod_access/mod_access.conf", include_str!("../../conf/mod_access/mod_access.conf")),
    (
        "mod_auth_request/auth_request_rule.data",
        include_str!("../../conf/mod_auth_request/auth_request_rule.data"),
    ),
    (
        "mod_auth_request/mod_auth_request.conf",
        include_str!("../../conf/mod_auth_request/mod_auth_request.conf"),
    ),
    ("mod_access_pb3/mod_access_pb3.conf", include_str!("../../conf/mod_access_pb3/mod_access_pb3.conf")),
    ("mod_block/mod_block.conf", include_str!("../../conf/mod_block/mod_block.conf")),
    ("mod_block/block_rules.data", include_str!("../../conf/mod_block/block_rules.data")),
    ("mod_block/ip_blocklist.data", include_str!("../../conf/mod_block/ip_blocklist.data")),
    ("mod_compress/compress_rule.data", include_str!("../../conf/mod_compress/compress_rule.data")),
    ("mod_compress/mod_compress.conf", include_str!("../../conf/mod_compress/mod_compress.conf")),
    ("mod_cors/cors_rule.data", include_str!("../../conf/mod_cors/cors_rule.data")),
    ("mod_cors/mod_cors.conf", include_str!("../../conf/mod_cors/mod_cors.conf")),
    ("mod_doh/mod_doh.conf", include_str!("../../conf/mod_doh/mod_doh.conf")),
    ("mod_errors/errors_rule.data", include_str!("../../conf/mod_errors/errors_rule.data")),
    ("mod_errors/mod_errors.conf", include_str!("../../conf/mod_errors/mod_errors.conf")),
    ("mod_geo/mod_geo.conf", include_str!("../../conf/mod_geo/mod_geo.conf")),
    ("mod_header/header_rule.data", include_str!("../../conf/mod_header/header_rule.data")),
    ("mod_header/mod_header.conf", include_str!("../../conf/mod_header/mod_header.conf")),
    ("mod_key_log/key_log.data", include_str!("../../conf/mod_key_log/key_log.data")),
    ("mod_key_log/mod_key_log.conf", include_str!("../../conf/mod_key_log/mod_key_log.conf")),
    ("mod_markdown/mod_markdown.conf", include_str!("../../conf/mod_markdown/mod_markdown.conf")),
    ("mod_markdown/mod_markdown.data", include_str!("../../conf/mod_markdown/mod_markdown.data")),
    ("mod_prison/mod_prison.conf", include_str!("../../conf/mod_prison/mod_prison.conf")),
    ("mod_prison/prison.data", include_str!("../../conf/mod_prison/prison.data")),
    ("mod_redirect/mod_redirect.conf", include_str!("../../conf/mod_redirect/mod_redirect.conf")),
    ("mod_redirect/redirect.data", include_str!("../../conf/mod_redirect/redirect.data")),
    ("mod_rewrite/mod_rewrite.conf", include_str!("../../conf/mod_rewrite/mod_rewrite.conf")),
    ("mod_rewrite/rewrite.data", include_str!("../../conf/mod_rewrite/rewrite.data")),
    ("mod_secure_link/mod_secure_link.conf", include_str!("../../conf/mod_secure_link/mod_secure_link.conf")),
    ("mod_secure_link/secure_link.data", include_str!("../../conf/mod_secure_link/secure_link.data")),
    (
        "mod_session_sticky/mod_session_sticky.conf",
        include_str!("../../conf/mod_session_sticky/mod_session_sticky.conf"),
    ),
    (
        "mod_session_sticky/mod_session_sticky.data",
        include_str!("../../conf/mod_session_sticky/mod_session_sticky.data"),
    ),
    ("mod_static/mime_type.data", include_str!("../../conf/mod_static/mime_type.data")),
    ("mod_static/mod_static.conf", include_str!("../../conf/mod_static/mod_static.conf")),
    ("mod_static/static_rule.data", include_str!("../../conf/mod_static/static_rule.data")),
    ("mod_tag/mod_tag.conf", include_str!("../../conf/mod_tag/mod_tag.conf")),
    ("mod_tag/tag_rule.data", include_str!("../../conf/mod_tag/tag_rule.data")),
    (
        "mod_tcp_keepalive/mod_tcp_keepalive.conf",
        include_str!("../../conf/mod_tcp_keepalive/mod_tcp_keepalive.conf"),
    ),
    ("mod_tcp_keepalive/tcp_keepalive.data", include_str!("../../conf/mod_tcp_keepalive/tcp_keepalive.data")),
    ("mod_trace/mod_trace.conf", include_str!("../../conf/mod_trace/mod_trace.conf")),
    ("mod_trace/trace_rule.data", include_str!("../../conf/mod_trace/trace_rule.data")),
    (
        "mod_trust_clientip/mod_trust_clientip.conf",
        include_str!("../../conf/mod_trust_clientip/mod_trust_clientip.conf"),
    ),
    (
        "mod_trust_clientip/trust_client_ip.data",
        include_str!("../../conf/mod_trust_clientip/trust_client_ip.data"),
    ),
    ("mod_unified_waf/mod_unified_waf.conf", include_str!("../../conf/mod_unified_waf/mod_unified_waf.conf")),
    ("mod_unified_waf/mod_unified_waf.data", include_str!("../../conf/mod_unified_waf/mod_unified_waf.data")),
    ("mod_unified_waf/product_param.data", include_str!("../../conf/mod_unified_waf/product_param.data")),
    ("mod_unified_waf/waf_instances.data", include_str!("../../conf/mod_unified_waf/waf_instances.data")),
    (
        "mod_body_process/body_process_rule.data",
        include_str!("../../conf/mod_body_process/body_process_rule.data"),
    ),
    (
        "mod_body_process/mod_body_process.conf",
        include_str!("../../conf/mod_body_process/mod_body_process.conf"),
    ),
    ("mod_wasm/mod_wasm.conf", include_str!("../../conf/mod_wasm/mod_wasm.conf")),
    ("mod_wasm/mod_wasm.data", include_str!("../../conf/mod_wasm/mod_wasm.data")),
    ("mod_userid/mod_userid.conf", include_str!("../../conf/mod_userid/mod_userid.conf")),
    ("mod_userid/userid_rule.data", include_str!("../../conf/mod_userid/userid_rule.data")),
    ("mod_waf/mod_waf.conf", include_str!("../../conf/mod_waf/mod_waf.conf")),
    ("mod_waf/waf_rule.data", include_str!("../../conf/mod_waf/waf_rule.data")),
];

/// The built-in backends: name, and port in the default tree.
const BACKENDS: [(&str, u16); 3] = [("backend-a", 8181), ("backend-b", 8182), ("backend-c", 8183)];

/// Runs the demo until it is interrupted.
///
/// # Errors
/// When the tree cannot be written, or a port not be opened.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut ports = Vec::new();
    for (name, port) in BACKENDS {
        let listener = bind_near(port)?;
        ports.push((port, listener.local_addr()?.port()));
        backends::start(name, listener)?;
    }
    let [http, https, monitor] = [free_near(8080)?, free_near(8443)?, free_near(8421)?];
    ports.extend([(8080, http), (8443, https), (8421, monitor)]);

    let dir = std::env::temp_dir().join(format!("bfe-demo-{}", std::process::id()));
    // Logs go beside the tree.
    let root = dir.join("conf");
    let ports: Vec<_> = ports.into_iter().filter(|(wanted, got)| wanted != got).collect();
    write_tree(&root, &ports).with_context(|| format!("write {}", root.display()))?;

    let control = crate::control_runtime()?;
    let (config, _) = BfeConfig::load(&root)?;
    let mut registry = bfe_modules::registry();
    registry.add(printer::Printer);
    let mut config = config;
    config.server.modules.push(printer::NAME.into());
    let server = Server::load(&root, config, &registry, control.handle().clone())?;
    println!("{}", introduction(&root, [http, https, monitor]));
    let served = server.run(&control);
    let _ = fs::remove_dir_all(&dir);
    Ok(served?)
}

fn introduction(root: &Path, [http, https, monitor]: [u16; 3]) -> String {
    format!(
        "bfe {version} demo: the default configuration tree, with three built-in backends.

  proxy    http://127.0.0.1:{http}/    https://127.0.0.1:{https}/ (test certificate)
  monitor  http://127.0.0.1:{monitor}/    metrics http://127.0.0.1:{monitor}/metrics
  tree     {root}

Try, in another terminal:

  curl -i -H 'Host: example.org' http://127.0.0.1:{http}/              two backends in turn
  curl -i -H 'Host: example.org' http://127.0.0.1:{http}/api/users     by condition: another cluster
  curl -i -H 'Host: img.example.org' http://127.0.0.1:{http}/a.png     by host: the static cluster
  curl -i -H 'Host: example.org' http://127.0.0.1:{http}/.git/config   closed by mod_block
  curl -i -d hello -H 'Host: example.org' http://127.0.0.1:{http}/echo a body, there and back
  curl http://127.0.0.1:{monitor}/monitor/proxy_state?format=kv        counters
  curl -ki -H 'Host: example.org' https://127.0.0.1:{https}/            the same over TLS
  edit {root}/server_data_conf/route_rule.data, then
  curl http://127.0.0.1:{monitor}/reload/server_data_conf              reload

A line a request follows; Ctrl-C ends it.
",
        version = bfe_server::VERSION,
        root = root.display(),
    )
}

fn write_tree(root: &Path, replaced: &[(u16, u16)]) -> std::io::Result<()> {
    for (path, text) in TREE {
        let mut text = (*text).to_owned();
        // What looks like a port in a key is none.
        let ports = if path.starts_with("tls_conf/") { &[] } else { replaced };
        for (wanted, got) in ports {
            text = text.replace(&wanted.to_string(), &got.to_string());
        }
        let file = root.join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, text)?;
    }
    Ok(())
}

/// Listens on a port of this machine; on any free one where it is taken.
fn bind_near(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).or_else(|_| TcpListener::bind(("127.0.0.1", 0)))
}

/// A port that is free on all addresses: this one, if it is.
fn free_near(port: u16) -> std::io::Result<u16> {
    TcpListener::bind(("::", port))
        .or_else(|_| TcpListener::bind(("::", 0)))
        .or_else(|_| TcpListener::bind(("0.0.0.0", 0)))?
        .local_addr()
        .map(|addr| addr.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_tree_is_the_whole_default_tree() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf");
        let mut on_disk = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    on_disk.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        let mut embedded: Vec<_> = TREE.iter().map(|(path, _)| (*path).to_owned()).collect();
        on_disk.sort();
        embedded.sort();
        assert_eq!(on_disk, embedded);
    }
}
