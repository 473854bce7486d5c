//! # mod_markdown: Markdown as HTML
//!
//! **What it does.** Renders responses in Markdown to HTML, and removes from it what could harm who looks at it
//! (scripts, styles, event handlers, links of other schemes than http, https and mailto).
//!
//! **`mod_markdown/mod_markdown.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.ProductRulePath` | `mod_markdown/markdown_rule.data` | rules, by product |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Rules.** The first rule that matches decides.
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "docs": [
//!       {"Cond": "req_path_suffix_in(\".md\", false)"}
//!     ]
//!   }
//! }
//! ```
//!
//! A response is rendered if its `Content-Type` has `text/markdown` in it and its `Content-Length` is 1 to
//! 32768; others are left alone. One whose body does not come is replaced by a 500. Files of mod_static are
//! not rendered.
//!
//! Tables, struck-out text, definition lists, `{#id}` of headings, bare addresses, typographic quotes and
//! dashes are understood.
//!
//! **Monitor.** `/monitor/mod_markdown`, `/monitor/mod_markdown.diff`: `REQ_TOTAL` (products with rules),
//! `REQ_MARK_DOWN_RULE_HIT`, `RSP_RENDER_SUCCESS`, `RSP_RENDER_FAILURE`, `RSP_RENDER_IGNORE` (never moves),
//! `ERR_COUNT_READ_FAIL`, `ERR_COUNT_RENDER_FAIL`.
//!
//! **Reload.** `/reload/mod_markdown`, with `?path=FILE`. A wrong file changes nothing.
//!
//! Realises modules-traffic 17.

mod polish;
mod render;
mod rule;

use crate::module_conf;
use crate::rule_file::walk::first_match;
use crate::rule_file::{ReloadAnswer, RuleFile};
use bfe_basic::{NeedBody, Request};
use bfe_http::{Body, Response};
use bfe_module::{
    AsyncResponseFilter, Callbacks, HandlerResult, InitError, LocalBoxFuture, Module, WebHandlers,
};
use bytes::Bytes;
use mod_markdown_state as state;
use rule::RawMarkdownRule;
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "mod_markdown";
/// The longest document, in bytes.
const MAX_BODY: i64 = 32768;

bfe_http::counter_group! {
    /// `/monitor/mod_markdown`.
    pub mod_markdown_state "mod_markdown" {
        /// Requests of products with rules.
        REQ_TOTAL,
        /// Requests that a rule matched.
        REQ_MARK_DOWN_RULE_HIT,
        /// Responses rendered.
        RSP_RENDER_SUCCESS,
        /// Responses that were not rendered though a rule matched.
        RSP_RENDER_FAILURE,
        /// Never moves.
        RSP_RENDER_IGNORE,
        /// Bodies that could not be read.
        ERR_COUNT_READ_FAIL,
        /// Bodies that could not be rendered: empty ones.
        ERR_COUNT_RENDER_FAIL,
    }
}

/// The module.
pub struct ModuleMarkdown;

impl Module for ModuleMarkdown {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let data = ("ProductRulePath", "mod_markdown/markdown_rule.data");
        let rules =
            module_conf::rules::<RawMarkdownRule>(conf_root, web_handlers, NAME, data, ReloadAnswer::Plain)?;
        web_handlers.add_counters(NAME, "mod_markdown.diff", state::group())?;
        callbacks.add_async_response_filter("mod_markdown.render", Markdown(rules));
        Ok(())
    }
}

struct Markdown(Arc<RuleFile<RawMarkdownRule>>);

impl AsyncResponseFilter for Markdown {
    fn ready(&self, req: &mut Request) -> Option<Result<HandlerResult, NeedBody>> {
        let table = self.0.current();
        let Some(rules) = table.rules(&req.route.product) else { return Some(Ok(HandlerResult::GoOn)) };
        let is_hit = match first_match(rules, req) {
            Ok(rule) => rule.is_some(),
            Err(NeedBody) => return Some(Err(NeedBody)),
        };
        let group = state::group();
        group.inc(state::REQ_TOTAL);
        if !is_hit {
            return Some(Ok(HandlerResult::GoOn));
        }
        group.inc(state::REQ_MARK_DOWN_RULE_HIT);
        if req.response.as_ref().is_some_and(can_be_rendered) {
            return None;
        }
        group.inc(state::RSP_RENDER_FAILURE);
        Some(Ok(HandlerResult::GoOn))
    }

    fn call<'a>(&'a self, req: &'a mut Request) -> LocalBoxFuture<'a, Result<HandlerResult, NeedBody>> {
        Box::pin(async {
            let Some(response) = &mut req.response else { return Ok(HandlerResult::GoOn) };
            let html = match read(&mut response.body).await {
                Ok(source) if source.is_empty() => Err(state::ERR_COUNT_RENDER_FAIL),
                // Other requests of this worker do not wait for it.
                Ok(source) => {
                    let render = move || render::render(&String::from_utf8_lossy(&source));
                    tokio::task::spawn_blocking(render).await.map_err(|_| state::ERR_COUNT_RENDER_FAIL)
                }
                Err(()) => Err(state::ERR_COUNT_READ_FAIL),
            };
            match html {
                Ok(html) => {
                    state::group().inc(state::RSP_RENDER_SUCCESS);
                    replace(response, html);
                }
                Err(why) => {
                    state::group().inc(why);
                    state::group().inc(state::RSP_RENDER_FAILURE);
                    *response = Response::internal(500);
                }
            }
            Ok(HandlerResult::GoOn)
        })
    }
}

fn can_be_rendered(response: &Response) -> bool {
    let kind = response.header.get("Content-Type").unwrap_or_default();
    memchr::memmem::find(kind, b"text/markdown").is_some()
        && (1..=MAX_BODY).contains(&response.content_length)
}

/// The whole body.
async fn read(body: &mut Body) -> Result<Vec<u8>, ()> {
    let mut source = Vec::new();
    while let Some(piece) = body.data().await {
        source.extend_from_slice(&piece.map_err(drop)?);
        if i64::try_from(source.len()).map_or(true, |size| size > MAX_BODY) {
            return Err(());
        }
    }
    Ok(source)
}

fn replace(response: &mut Response, html: String) {
    response.content_length = i64::try_from(html.len()).unwrap_or(i64::MAX);
    response.header.set("Content-Length", html.len().to_string());
    response.header.set("Content-Type", "text/html; charset=UTF-8");
    response.body = Body::Full(Bytes::from(html));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use bfe_module::Progress;

    async fn run(kind: &'static str, length: i64, body: Vec<u8>) -> (u16, String) {
        let rules = Arc::new(testing::rules(r#"[{"Cond":"default_t()"}]"#));
        let mut callbacks = Callbacks::default();
        callbacks.add_async_response_filter("m", Markdown(rules));
        let mut response = Response::new(200);
        response.header.add("Content-Type", kind);
        response.content_length = length;
        response.body = Body::Full(body.into());
        let mut req = testing::request("GET", "/");
        req.response = Some(response);
        callbacks.run_read_response(&mut req, &mut Progress::default()).await.unwrap();
        let mut response = req.response.unwrap();
        let kind = response.header.get("Content-Type").unwrap_or(b"-").to_vec();
        let body = response.body.data().await.map(Result::unwrap).unwrap_or_default();
        let body = if body.len() > 20 {
            format!("{} bytes", body.len())
        } else {
            String::from_utf8(body.to_vec()).unwrap()
        };
        (response.status, format!("{} {body}", String::from_utf8(kind).unwrap()))
    }

    #[tokio::test]
    async fn markdown_1_to_4_what_is_rendered() {
        for (kind, length, body, want) in [
            (
                "text/markdown; charset=utf-8",
                7,
                b"# hello".to_vec(),
                (200, "text/html; charset=UTF-8 <h1>hello</h1>\n"),
            ),
            ("text/plain", 7, b"# hello".to_vec(), (200, "text/plain # hello")),
            ("text/markdown", -1, b"# hello".to_vec(), (200, "text/markdown # hello")),
            ("text/markdown", 0, b"# hello".to_vec(), (200, "text/markdown # hello")),
            ("text/markdown", 32768, vec![b'a'; 32768], (200, "text/html; charset=UTF-8 32776 bytes")),
            ("text/markdown", 32769, vec![b'a'; 32769], (200, "text/markdown 32769 bytes")),
            ("text/markdown", 5, Vec::new(), (500, "- ")),
        ] {
            let (status, text) = run(kind, length, body).await;
            assert_eq!((status, text.as_str()), want, "{kind} {length}");
        }
    }
}
