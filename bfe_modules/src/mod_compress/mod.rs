//! # mod_compress: compressed responses
//!
//! **What it does.** Compresses the bodies of responses with gzip or brotli, for clients that accept it, while
//! they are sent.
//!
//! **`mod_compress/mod_compress.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.ProductRulePath` | `mod_compress/compress_rule.data` | rules, by product |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Rules.** The first rule that matches decides; where the client does not accept what it says, the response
//! is left alone. Responses that have a `Content-Encoding` already are not touched.
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "shop": [
//!       {
//!         "Cond": "req_path_suffix_in(\".js|.css\", true)",
//!         "Action": {"Cmd": "GZIP", "Quality": 6, "FlushSize": 512}
//!       }
//!     ]
//!   }
//! }
//! ```
//!
//! | field | meaning |
//! |---|---|
//! | `Cmd` | `GZIP` or `BROTLI` |
//! | `Quality` | GZIP: 0 to 9, -1 for the default, -2 for the fastest; BROTLI: 0 to 11 |
//! | `FlushSize` | bytes of the body, 64 to 4096, after which what is compressed is passed on |
//!
//! A client accepts an encoding by its bare name in `Accept-Encoding`; `gzip;q=1` does not count. A rule says
//! nothing of content types and sizes: put that into its condition. Small pieces of a stream wait until there
//! are `FlushSize` bytes. `Vary` and `ETag` are left as they are.
//!
//! Each compressed response needs about 0.3 MB (gzip) or 1 MB and more (brotli, by its quality) while it is
//! sent.
//!
//! **Monitor.** `/monitor/mod_compress`, `/monitor/mod_compress.diff`: `REQ_SUPPORT_COMPRESS` (clients that
//! accept one of both), `REQ_TOTAL` (of them, with a response that is not encoded), `REQ_MATCH_COMPRESS_RULE`,
//! `RES_ENCODE_COMPRESS`, `RES_ENCODE_GZIP_COMPRESS`, `RES_ENCODE_BR_COMPRESS`.
//!
//! **Reload.** `/reload/mod_compress`, with `?path=FILE`. A wrong file changes nothing.
//!
//! Realises modules-traffic 18.

mod rule;
mod stream;

use crate::accept_encoding::accepts;
use crate::module_conf;
use crate::rule_file::walk::first_match;
use crate::rule_file::{ReloadAnswer, RuleFile, RuleList};
use bfe_basic::{NeedBody, Request};
use bfe_http::Body;
use bfe_module::{Callbacks, HandlerResult, InitError, Module, WebHandlers};
use mod_compress_state as state;
use rule::{Method, RawCompressRule};
use std::path::Path;
use stream::Compressed;

const NAME: &str = "mod_compress";

bfe_http::counter_group! {
    /// `/monitor/mod_compress`.
    pub mod_compress_state "mod_compress" {
        /// Requests whose response might be compressed.
        REQ_TOTAL,
        /// Requests of clients that accept gzip or brotli.
        REQ_SUPPORT_COMPRESS,
        /// Requests that a rule matched.
        REQ_MATCH_COMPRESS_RULE,
        /// Responses compressed.
        RES_ENCODE_COMPRESS,
        /// Responses compressed with gzip.
        RES_ENCODE_GZIP_COMPRESS,
        /// Responses compressed with brotli.
        RES_ENCODE_BR_COMPRESS,
    }
}

/// The module.
pub struct ModuleCompress;

impl Module for ModuleCompress {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let data = ("ProductRulePath", "mod_compress/compress_rule.data");
        let rules =
            module_conf::rules::<RawCompressRule>(conf_root, web_handlers, NAME, data, ReloadAnswer::Plain)?;
        web_handlers.add_counters(NAME, "mod_compress.diff", state::group())?;
        callbacks.add_response_filter("mod_compress.compress", move |req| compress(&rules, req));
        Ok(())
    }
}

fn compress(rules: &RuleFile<RawCompressRule>, req: &mut Request) -> Result<HandlerResult, NeedBody> {
    let header = &req.http.header;
    let (gzip, brotli) = (accepts(header, b"gzip"), accepts(header, b"br"));
    if !gzip && !brotli {
        return Ok(HandlerResult::GoOn);
    }
    let table = rules.current();
    let encoded = is_encoded(req);
    let rules =
        if encoded { RuleList::default() } else { table.rules(&req.route.product).unwrap_or_default() };
    // Before anything is counted: a rule that wants the body has this called again.
    let rule = first_match(rules, req)?;
    let group = state::group();
    group.inc(state::REQ_SUPPORT_COMPRESS);
    if !encoded {
        group.inc(state::REQ_TOTAL);
    }
    let Some(rule) = rule else { return Ok(HandlerResult::GoOn) };
    group.inc(state::REQ_MATCH_COMPRESS_RULE);
    let (accepted, encoding, counter) = match rule.method {
        Method::Gzip(_) => (gzip, "gzip", state::RES_ENCODE_GZIP_COMPRESS),
        Method::Brotli(_) => (brotli, "br", state::RES_ENCODE_BR_COMPRESS),
    };
    if let Some(response) = req.response.as_mut().filter(|_| accepted) {
        let source = std::mem::take(&mut response.body);
        response.body = Body::Stream(Box::new(Compressed::new(source, rule.method, rule.flush_size)));
        response.content_length = -1;
        response.header.set("Content-Encoding", encoding);
        response.header.del("Content-Length");
        group.inc(counter);
        group.inc(state::RES_ENCODE_COMPRESS);
    }
    Ok(HandlerResult::GoOn)
}

/// Whether the response has an encoding of its own.
fn is_encoded(req: &Request) -> bool {
    let encoding = req.response.as_ref().and_then(|response| response.header.get("Content-Encoding"));
    encoding.is_some_and(|encoding| !encoding.is_empty() && encoding != b"identity")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use bfe_http::Response;

    #[test]
    fn compress_1_to_4_and_6_what_is_compressed() {
        let rules = testing::rules(
            r#"[{"Cond":"req_path_prefix_in(\"/g\", false)","Action":{"Cmd":"GZIP","Quality":6,"FlushSize":64}},
                {"Cond":"default_t()","Action":{"Cmd":"BROTLI","Quality":1,"FlushSize":64}},
                {"Cond":"default_t()","Action":{"Cmd":"GZIP","Quality":6,"FlushSize":64}}]"#,
        );
        for (path, accept, encoded, want) in [
            ("/g", "gzip", "", &["Content-Encoding: gzip"][..]),
            ("/g", "br", "", &["Content-Length: 5"]),
            ("/b", "br, gzip", "", &["Content-Encoding: br"]),
            ("/b", "gzip", "", &["Content-Length: 5"]),
            ("/b", "br;q=1.0", "", &["Content-Length: 5"]),
            ("/g", "gzip", "deflate", &["Content-Length: 5", "Content-Encoding: deflate"]),
            ("/g", "gzip", "identity", &["Content-Encoding: gzip"]),
        ] {
            let mut req = testing::request("GET", path);
            req.http.header.add("Accept-Encoding", accept);
            let mut response = Response::new(200);
            response.header.add("Content-Length", "5");
            if !encoded.is_empty() {
                response.header.add("Content-Encoding", encoded);
            }
            response.body = Body::Full("hello".into());
            req.response = Some(response);
            assert_eq!(compress(&rules, &mut req), Ok(HandlerResult::GoOn));
            assert_eq!(testing::fields(&testing::response(&req).header), want, "{path} {accept} {encoded}");
        }
    }

    #[test]
    fn compress_8_nothing_is_counted_for_clients_that_accept_nothing() {
        let rules = testing::rules("[]");
        let mut req = testing::request("GET", "/");
        req.http.header.add("Accept-Encoding", "deflate");
        req.response = Some(Response::new(200));
        assert_eq!(compress(&rules, &mut req), Ok(HandlerResult::GoOn));
        assert!(testing::response(&req).header.is_empty());
    }
}
