//! # mod_static: files from a folder
//!
//! **What it does.** Answers requests that a rule matches with files. No backend sees them.
//!
//! **`mod_static/mod_static.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.DataPath` | `mod_static/static_rule.data` | rules, by product |
//! | `Basic.MimeTypePath` | `mod_static/mime_type.data` | content types by extension |
//! | `Basic.EnableCompress` | `false` | whether `FILE.gz` and `FILE.br` are sent to those who accept them |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Rules.** The first rule that matches decides. Its only command is `BROWSE`, with a folder, and the file
//! that is sent where another does not exist, or nothing. Relative paths count from the working directory of
//! the process.
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "shop": [
//!       {
//!         "Cond": "req_path_prefix_in(\"/assets\", false)",
//!         "Action": {"Cmd": "BROWSE", "Params": ["/srv/shop", "index.html"]}
//!       }
//!     ]
//!   }
//! }
//! ```
//!
//! **Paths.** The whole path of the request, decoded once, is looked up in the folder: `/assets/a.png` is
//! `/srv/shop/assets/a.png`. `..` stops at the folder, however it is encoded; what is still encoded after
//! decoding once is part of a name. Links in the file system are followed, also out of the folder: who may
//! write there decides what is served.
//!
//! **Answers.** 200 with the file; 405 for methods but GET and HEAD; 404; 403 where it may not be read; 500
//! for a folder. There are no ranges and no conditional requests.
//!
//! **Types.** `mime_type.data`, in which extensions count in any case, goes first:
//!
//! ```json
//! {"Version": "2024-01-01", "Config": {".wasm": "application/wasm"}}
//! ```
//!
//! Then come a small table of common types, and the system's own. Without any the type is guessed from the
//! first bytes.
//!
//! **Monitor.** `/monitor/mod_static`, `/monitor/mod_static.diff`: `FILE_BROWSE_COUNT`, `FILE_BROWSE_SIZE`,
//! `FILE_BROWSE_NOT_EXIST`, `FILE_BROWSE_FALLBACK_DEFAULT`, `FILE_BROWSE_CONTENT_TYPE_ERROR` (no type known),
//! and the gauge `FILE_CURRENT_OPENED`.
//!
//! **Reload.** `/reload/mod_static`, `/reload/mod_static.mime_type`, with `?path=FILE`. A wrong file changes
//! nothing.
//!
//! Realises modules-traffic 16.

mod conf;
mod file;
mod mime;
mod rule;

use crate::accept_encoding::accepts;
use crate::http_time;
use crate::rule_file::walk::first_match;
use crate::rule_file::{ReloadAnswer, RuleFile};
use arc_swap::ArcSwap;
use bfe_basic::{NeedBody, Request};
use bfe_http::{Body, Response};
use bfe_module::{
    AsyncRequestFilter, Callbacks, Handled, InitError, LocalBoxFuture, Module, Point, RequestOutcome,
    WebHandlers,
};
use bytes::Bytes;
use file::{Content, OpenError, Opened, Wanted};
use mime::{MimeTable, SystemTypes};
use mod_static_state as state;
use rule::{RawStaticRule, Site};
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

const NAME: &str = "mod_static";

bfe_http::counter_group! {
    /// `/monitor/mod_static`.
    pub mod_static_state "mod_static" {
        /// Bytes of the files, also of those that were only asked about.
        FILE_BROWSE_SIZE,
        /// Requests.
        FILE_BROWSE_COUNT,
        /// Files that are not there.
        FILE_BROWSE_NOT_EXIST,
        /// Files whose type is not known.
        FILE_BROWSE_CONTENT_TYPE_ERROR,
        /// Times that the default file was tried.
        FILE_BROWSE_FALLBACK_DEFAULT,
    }
    gauges {
        /// Files that are open.
        FILE_CURRENT_OPENED,
    }
}

/// The module.
pub struct ModuleStatic;

/// What the handlers share.
struct Files {
    rules: Arc<RuleFile<RawStaticRule>>,
    types: Arc<ArcSwap<MimeTable>>,
    system_types: SystemTypes,
    enable_compress: bool,
}

impl Module for ModuleStatic {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let conf = conf::load(conf_root)?;
        let rules = Arc::new(RuleFile::<RawStaticRule>::load(conf.rules)?);
        let types = Arc::new(ArcSwap::from_pointee(mime::load(&conf.mime_types)?));
        rules.register_reload(web_handlers, NAME, ReloadAnswer::Plain)?;
        let of_reload = Arc::clone(&types);
        web_handlers.add_reload("mod_static.mime_type", move |query| {
            let path = query.path().map_or(conf.mime_types.as_path(), Path::new);
            of_reload.store(Arc::new(mime::load(path).map_err(|e| e.to_string())?));
            Ok(None)
        })?;
        web_handlers.add_counters(NAME, "mod_static.diff", state::group())?;
        let files =
            Files { rules, types, system_types: SystemTypes::load(), enable_compress: conf.enable_compress };
        callbacks.add_async_request_filter(Point::HandleFoundProduct, "mod_static.serve", files)?;
        Ok(())
    }
}

impl AsyncRequestFilter for Files {
    fn ready(&self, req: &mut Request) -> Option<Handled> {
        match self.site(req) {
            Err(NeedBody) => Some(Err(NeedBody)),
            Ok(None) => Some(Ok(RequestOutcome::GO_ON)),
            Ok(Some(_)) => None,
        }
    }

    fn call<'a>(&'a self, req: &'a mut Request) -> LocalBoxFuture<'a, Handled> {
        Box::pin(async {
            let Some(site) = self.site(req)? else { return Ok(RequestOutcome::GO_ON) };
            state::group().inc(state::FILE_BROWSE_COUNT);
            let is_get = req.http.method.as_ref() == b"GET";
            if !is_get && req.http.method.as_ref() != b"HEAD" {
                return Ok(RequestOutcome::response(Response::internal(405)));
            }
            let wanted =
                Wanted { path: req.http.url.path.clone(), encodings: self.encodings(req), content: is_get };
            let opened = tokio::task::spawn_blocking(move || file::open(&site, &wanted)).await;
            Ok(RequestOutcome::response(match opened.unwrap_or(Err(OpenError::Other)) {
                Ok(opened) => self.response(opened),
                Err(OpenError::NotFound) => Response::internal(404),
                Err(OpenError::Forbidden) => Response::internal(403),
                Err(OpenError::NotAFile | OpenError::Other) => Response::internal(500),
            }))
        })
    }
}

impl Files {
    /// The site of the first rule that matches.
    fn site(&self, req: &Request) -> Result<Option<Arc<Site>>, NeedBody> {
        let table = self.rules.current();
        let rules = table.rules(&req.route.product).unwrap_or_default();
        Ok(first_match(rules, req)?.map(|rule| Arc::clone(&rule.site)))
    }

    fn encodings(&self, req: &Request) -> Vec<(&'static str, &'static [u8])> {
        let mut encodings: Vec<(&'static str, &'static [u8])> = Vec::new();
        if self.enable_compress {
            for (name, extension) in [("gzip", &b"gz"[..]), ("br", b"br")] {
                if accepts(&req.http.header, name.as_bytes()) {
                    encodings.push((name, extension));
                }
            }
        }
        encodings
    }

    fn response(&self, opened: Opened) -> Response {
        state::group().add(state::FILE_BROWSE_SIZE, opened.size);
        let mut response = Response::internal(200);
        let header = &mut response.header;
        match self.content_type(&opened.extension).filter(|kind| !kind.is_empty()) {
            Some(kind) => header.set("Content-Type", kind),
            None => state::group().inc(state::FILE_BROWSE_CONTENT_TYPE_ERROR),
        }
        if let Some(encoding) = opened.encoding {
            header.set("Content-Encoding", encoding);
        }
        header.set("Content-Length", opened.size.to_string());
        let modified = opened.modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        if let Some(time) = modified.filter(|time| !time.is_zero())
            && let Some(text) = i64::try_from(time.as_secs()).ok().and_then(http_time::format)
        {
            header.set("Last-Modified", text);
        }
        response.body = match opened.content {
            Content::None => Body::Empty,
            Content::Whole(bytes) => Body::Full(bytes),
            Content::Stream(body) => Body::Stream(Box::new(body)),
        };
        response
    }

    fn content_type(&self, extension: &str) -> Option<Bytes> {
        let own = self.types.load().get(extension.to_lowercase().as_str()).cloned();
        own.or_else(|| self.system_types.get(extension))
    }
}

#[cfg(test)]
mod tests;
