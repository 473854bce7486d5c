//! # mod_session_sticky: one backend for a session
//!
//! **What it does.** Sends the requests of a session to the backend that had the first of them, as long as that
//! backend can be used; else balancing chooses as always.
//!
//! **`mod_session_sticky/mod_session_sticky.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.DataPath` | `mod_session_sticky/session_sticky.data` | rules, by product |
//! | `Basic.CacheSize` | `10000`, which is also the least | sessions that are remembered |
//! | `Basic.CacheType` | `local` | where they are: in this process, or in `redis`, which several proxies share |
//! | `Redis.Bns` | | name of the Redis in `name_conf.data`, or several: `name,weight:10\|other,weight:20` |
//! | `Redis.ConnectTimeout` | | milliseconds |
//! | `Redis.ReadTimeout`, `Redis.WriteTimeout` | | milliseconds; together they are the time for a command |
//! | `Redis.ExpireSeconds` | | how long a session is remembered, from its last answer with an identifier |
//! | `Redis.Password` | | sent with `AUTH` |
//! | `Redis.MaxActive` | one for each CPU, which is also the most | connections to a Redis |
//! | `Redis.MaxIdle` | | read, without effect: connections are shared and stay |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Rules.** The first rule that matches decides. Those of `global` are for products without a list.
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "shop": [
//!       {"Cond": "req_path_prefix_in(\"/cart\", false)", "Path": "/cart", "MaxAge": 3600, "HttpOnly": true}
//!     ]
//!   }
//! }
//! ```
//!
//! | field | default | meaning |
//! |---|---|---|
//! | `Type` | `Cookie` | `Cookie`: a cookie of ours names the backend; `Sticky`: an identifier that the backend gave |
//! | `CookieKey` | `bfe_ssbl` | name of the cookie |
//! | `Domain`, `Path`, `Secure`, `HttpOnly` | | of the cookie |
//! | `MaxAge` | `3600` | of the cookie, in seconds |
//! | `RenewWindow` | half of `MaxAge` | seconds before its end at which the cookie is made anew |
//! | `MaskCode` | `defaultmask` | hides what the cookie says; it is no protection |
//! | `StandbyMaskCode` | | checked, without effect |
//! | `Header`, `URIParam`, `StickyRequestField` | | `Sticky`: where the identifier is looked for after the cookie: field (by its exact name), query, path in a JSON body |
//! | `StickyResponseField` | | `Sticky`: where the identifier is in a JSON answer that has no such cookie |
//!
//! A Redis that does not answer is one that knows no session: requests wait for it as long as the times above
//! say, and are balanced as always. Cookies of the type `Cookie` need no memory and no Redis.
//!
//! Looking into an answer holds it back until its end has come, or as much of it as `AccessibleBodySize` says.
//!
//! **Monitor.** `/monitor/mod_session_sticky`: the version of the rules.
//!
//! **Reload.** `/reload/mod_session_sticky`, with `?path=FILE`. A wrong file changes nothing.
//!
//! Realises modules-traffic 20.

mod cache;
mod conf;
mod monitor;
mod rule;
mod token;

use crate::failed_body::failed;
use crate::rule_file::walk::first_match;
use crate::rule_file::{ReloadAnswer, RuleFile};
use crate::set_cookie::SetCookie;
use bfe_basic::condition::json;
use bfe_basic::{ContextValue, NeedBody, Request, SESSION_STICKY_BACKEND_KEY, StickyBackend};
use bfe_module::redis_service::RedisService;
use bfe_module::{
    AsyncRequestFilter, AsyncResponseFilter, Callbacks, Handled, HandlerResult, InitError, LocalBoxFuture,
    Module, Point, RequestOutcome, WebHandlers,
};
use bytes::Bytes;
use cache::Cache;
use conf::CacheConf;
use rule::{CookieRule, IdRule, Kind, RawStickyRule, StickyRule};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use token::Token;

const NAME: &str = "mod_session_sticky";
/// Product whose rules are for products without a list.
const GLOBAL: &str = "global";
/// Where what is known of the session waits for the response.
const MATCHED: &str = "mod_session_sticky.matched";
/// Most of an answer that is looked into, where nothing is configured.
const ACCESSIBLE_BODY_SIZE: usize = 2 * 1024 * 1024;

/// The module.
pub struct ModuleSessionSticky;

impl Module for ModuleSessionSticky {
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
        let rules = Arc::new(RuleFile::<RawStickyRule>::load(conf.rules)?);
        let cache = Arc::new(match conf.cache {
            CacheConf::Local(size) => Cache::local(size),
            CacheConf::Redis(settings, seconds) => Cache::Redis(RedisService::new(&settings), seconds),
        });
        rules.register_reload(web_handlers, NAME, ReloadAnswer::Plain)?;
        let of_monitor = Arc::clone(&rules);
        web_handlers.add_monitor(NAME, move |query| {
            monitor::page(of_monitor.current().version(), query.get("format"))
        })?;
        let on_request = OnRequest { rules, cache: Arc::clone(&cache) };
        callbacks.add_async_request_filter(
            Point::HandleAfterLocation,
            "mod_session_sticky.request",
            on_request,
        )?;
        callbacks.add_async_response_filter("mod_session_sticky.response", OnResponse(cache));
        Ok(())
    }
}

/// The rule of a request, and what its cookie said.
#[derive(Clone)]
struct Matched {
    rule: Arc<StickyRule>,
    token: Option<Token>,
}

struct OnRequest {
    rules: Arc<RuleFile<RawStickyRule>>,
    cache: Arc<Cache>,
}

/// What a request says about its session: what its cookie names, or an identifier that has to be looked up.
type Said = (Matched, Option<Bytes>);

impl OnRequest {
    /// The rule of a request, and what it finds; `None` without a rule.
    fn read(&self, req: &Request) -> Result<Option<Said>, NeedBody> {
        let table = self.rules.current();
        let rules = table.rules(&req.route.product).or_else(|| table.rules(GLOBAL)).unwrap_or_default();
        let Some(rule) = first_match(rules, req)? else { return Ok(None) };
        let (token, id) = match &rule.kind {
            Kind::Cookie(cookie) => {
                let value = req.cookies().get(&rule.cookie);
                (value.and_then(|value| Token::decode(value, &cookie.mask)), None)
            }
            Kind::Id(places) => (None, sent_id(rule, places, req)?),
        };
        Ok(Some((Matched { rule: Arc::clone(rule), token }, id)))
    }
}

/// Leaves what is known for balancing and for the response.
fn leave(req: &mut Request, matched: Matched, looked_up: Option<StickyBackend>) {
    let of_token = matched
        .token
        .as_ref()
        .map(|token| StickyBackend { sub_cluster: token.sub_cluster.clone(), addr_info: token.addr_info() });
    if let Some(backend) = of_token.or(looked_up) {
        req.context.set(SESSION_STICKY_BACKEND_KEY, ContextValue::Any(Box::new(backend)));
    }
    req.context.set(MATCHED, ContextValue::Any(Box::new(matched)));
}

impl AsyncRequestFilter for OnRequest {
    fn ready(&self, req: &mut Request) -> Option<Handled> {
        match self.read(req) {
            Ok(None) => {}
            Ok(Some((_, Some(_)))) if self.cache.is_remote() => return None,
            Ok(Some((matched, id))) => {
                let backend = id.and_then(|id| self.cache.get_local(&id));
                leave(req, matched, backend);
            }
            Err(need_body) => return Some(Err(need_body)),
        }
        Some(Ok(RequestOutcome::GO_ON))
    }

    fn call<'a>(&'a self, req: &'a mut Request) -> LocalBoxFuture<'a, Handled> {
        Box::pin(async {
            if let Some((matched, id)) = self.read(req)? {
                let backend = match id {
                    Some(id) => self.cache.get(&id).await,
                    None => None,
                };
                leave(req, matched, backend);
            }
            Ok(RequestOutcome::GO_ON)
        })
    }
}

/// The identifier that a client sent: of the first place where there is one that is not empty.
fn sent_id(rule: &StickyRule, places: &IdRule, req: &Request) -> Result<Option<Bytes>, NeedBody> {
    let some = |id: Option<&[u8]>| id.filter(|id| !id.is_empty()).map(Bytes::copy_from_slice);
    let of_cookie = some(req.cookies().get(&rule.cookie));
    let of_header = || {
        // A name in another form is the name of no field.
        let is_canonical = bfe_http::canonical(places.header.as_bytes()) == places.header.as_bytes();
        if is_canonical { some(req.http.header.get(&places.header)) } else { None }
    };
    let of_query = || some(req.query().get(places.uri_param.as_bytes()));
    let id = of_cookie
        .or_else(|| if places.header.is_empty() { None } else { of_header() })
        .or_else(|| if places.uri_param.is_empty() { None } else { of_query() });
    if id.is_some() || places.request_field.is_empty() {
        return Ok(id);
    }
    Ok(some(req.body_json(&places.request_field)?.as_deref()))
}

struct OnResponse(Arc<Cache>);

impl AsyncResponseFilter for OnResponse {
    fn ready(&self, req: &mut Request) -> Option<Result<HandlerResult, NeedBody>> {
        if req.context.is_empty() || req.backend.addr.is_empty() {
            return Some(Ok(HandlerResult::GoOn));
        }
        let Some(matched) = req.context.any::<Matched>(MATCHED).cloned() else {
            return Some(Ok(HandlerResult::GoOn));
        };
        match &matched.rule.kind {
            Kind::Cookie(cookie) => set_cookie(&matched, cookie, req),
            Kind::Id(places) => {
                let id = given_id(&matched.rule, req);
                match id {
                    Some(_) if self.0.is_remote() => return None,
                    Some(id) => self.0.set_local(&id, used_backend(req)),
                    None if places.response_field.is_empty() => {}
                    None => return None,
                }
            }
        }
        Some(Ok(HandlerResult::GoOn))
    }

    fn call<'a>(&'a self, req: &'a mut Request) -> LocalBoxFuture<'a, Result<HandlerResult, NeedBody>> {
        Box::pin(async {
            let rule = req.context.any::<Matched>(MATCHED).map(|matched| Arc::clone(&matched.rule));
            if let Some(rule) = &rule
                && let Kind::Id(places) = &rule.kind
            {
                let id = match given_id(rule, req) {
                    None if !places.response_field.is_empty() => {
                        id_in_body(&places.response_field, req).await
                    }
                    id => id,
                };
                if let Some(id) = id {
                    self.0.set(&id, used_backend(req)).await;
                }
            }
            Ok(HandlerResult::GoOn)
        })
    }
}

/// The backend that had the request, to be remembered.
fn used_backend(req: &Request) -> StickyBackend {
    StickyBackend {
        sub_cluster: req.backend.sub_cluster.to_string(),
        addr_info: req.backend.addr.to_string(),
    }
}

/// The identifier in a cookie that the answer sets.
fn given_id(rule: &StickyRule, req: &Request) -> Option<Bytes> {
    let cookies = SetCookie::read_all(&req.response.as_ref()?.header);
    cookies.into_iter().find(|cookie| cookie.name == rule.cookie).map(|c| c.value).filter(|v| !v.is_empty())
}

/// The identifier in the body of the answer, which is put back.
async fn id_in_body(field: &str, req: &mut Request) -> Option<Bytes> {
    let max = match req.session.accessible_body_size {
        0 => ACCESSIBLE_BODY_SIZE,
        max => max,
    };
    let body = &mut req.response.as_mut()?.body;
    match body.peek(max).await {
        Ok(start) => Some(Bytes::from(json::get_text(&start, field))).filter(|id| !id.is_empty()),
        Err(e) => {
            *body = failed(e);
            None
        }
    }
}

/// Sets the cookie where there is none, where it names another backend, and where it is to be made anew.
fn set_cookie(matched: &Matched, rule: &CookieRule, req: &mut Request) {
    let Some(mut actual) = actual_backend(req) else { return };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    if let Some(token) = &matched.token
        && token.is_same_backend(&actual)
        && token.renew_time.is_none_or(|time| now < time)
    {
        return;
    }
    if rule.renew_window > 0 && rule.max_age > 0 {
        let time = now.saturating_add(rule.max_age).saturating_sub(rule.renew_window);
        actual.renew_time = Some(time).filter(|time| *time > 0);
    }
    let cookie = SetCookie {
        name: matched.rule.cookie.clone(),
        value: actual.encode(&rule.mask).into(),
        path: rule.path.clone(),
        domain: rule.domain.clone(),
        max_age: rule.max_age,
        http_only: rule.http_only,
        secure: rule.secure,
        ..SetCookie::default()
    };
    if let Some(response) = &mut req.response {
        cookie.add_to(&mut response.header);
    }
}

/// The backend that had the request.
fn actual_backend(req: &Request) -> Option<Token> {
    let (ip, port) = req.backend.addr.rsplit_once(':')?;
    Some(Token {
        ip: ip.to_owned(),
        port: port.parse().ok()?,
        sub_cluster: req.backend.sub_cluster.to_string(),
        renew_time: None,
    })
}

#[cfg(test)]
mod tests;
