//! The built-in modules of the BFE load balancer.
//!
//! A module is a folder: `mod.rs` is its manual and registers its handlers, `conf.rs` reads `NAME.conf`,
//! the other files are its data files and its logic. [`rule_file`] holds what rule files have in common,
//! [`module_conf`] what `NAME.conf` files have. A new module needs its folder, and a line in [`registry`].

mod accept_encoding;
mod auth_rule;
mod data_file;
mod failed_body;
mod hex;
mod http_address;
mod http_time;
mod json_answer;
pub mod mod_access;
pub mod mod_access_pb3;
pub mod mod_ai_rate_limit;
pub mod mod_ai_route;
pub mod mod_ai_token_auth;
pub mod mod_auth_basic;
pub mod mod_auth_jwt;
pub mod mod_auth_request;
pub mod mod_block;
pub mod mod_body_process;
pub mod mod_compress;
pub mod mod_cors;
pub mod mod_doh;
pub mod mod_errors;
pub mod mod_geo;
pub mod mod_header;
pub mod mod_http_code;
pub mod mod_key_log;
pub mod mod_logid;
pub mod mod_markdown;
pub mod mod_prison;
pub mod mod_redirect;
pub mod mod_rewrite;
pub mod mod_secure_link;
pub mod mod_session_sticky;
pub mod mod_static;
pub mod mod_tag;
pub mod mod_tcp_keepalive;
pub mod mod_trace;
pub mod mod_trust_clientip;
pub mod mod_unified_waf;
pub mod mod_userid;
pub mod mod_waf;
#[cfg(feature = "wasm")]
pub mod mod_wasm;
pub mod module_conf;
mod offload;
mod protobuf;
mod redis_conf;
pub mod rule_file;
mod secret_path;
mod set_cookie;
mod side_tls;
mod url_edit;

#[cfg(test)]
mod testing;

use bfe_module::Registry;

/// All built-in modules, in the order in which they are initialised and called (lifecycle 2.3).
#[must_use]
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add(mod_trust_clientip::ModuleTrustClientIp);
    registry.add(mod_logid::ModuleLogId);
    registry.add(mod_tcp_keepalive::ModuleTcpKeepalive);
    registry.add(mod_userid::ModuleUserId);
    registry.add(mod_geo::ModuleGeo);
    registry.add(mod_tag::ModuleTag);
    registry.add(mod_trace::ModuleTrace);
    registry.add(mod_cors::ModuleCors);
    registry.add(mod_block::ModuleBlock);
    registry.add(mod_prison::ModulePrison);
    registry.add(mod_auth_basic::ModuleAuthBasic);
    registry.add(mod_auth_jwt::ModuleAuthJwt);
    registry.add(mod_secure_link::ModuleSecureLink);
    registry.add(mod_waf::ModuleWaf);
    registry.add(mod_doh::ModuleDoh);
    registry.add(mod_redirect::ModuleRedirect);
    registry.add(mod_static::ModuleStatic);
    registry.add(mod_rewrite::ModuleRewrite);
    registry.add(mod_header::ModuleHeader);
    registry.add(mod_auth_request::ModuleAuthRequest);
    registry.add(mod_errors::ModuleErrors);
    registry.add(mod_markdown::ModuleMarkdown);
    registry.add(mod_compress::ModuleCompress);
    registry.add(mod_key_log::ModuleKeyLog);
    registry.add(mod_http_code::ModuleHttpCode);
    registry.add(mod_access::ModuleAccess);
    #[cfg(feature = "wasm")]
    registry.add(mod_wasm::ModuleWasm);
    registry.add(mod_unified_waf::ModuleUnifiedWaf);
    registry.add(mod_ai_token_auth::ModuleAiTokenAuth);
    registry.add(mod_ai_route::ModuleAiRoute);
    registry.add(mod_body_process::ModuleBodyProcess);
    registry.add(mod_ai_rate_limit::ModuleAiRateLimit);
    registry.add(mod_access_pb3::ModuleAccessPb3);
    registry.add(mod_session_sticky::ModuleSessionSticky);
    registry
}
