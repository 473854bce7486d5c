//! # mod_unified_waf: ask a web application firewall who may pass
//!
//! **What it does.** Sends requests to a firewall, and answers those that it blocks with a 200 whose body names the
//! event, `{"event_id": "..."}`; the connection ends then. Whatever goes wrong with the firewall, requests pass.
//!
//! **`mod_unified_waf/mod_unified_waf.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.WafProductName` | `None` | the vendor: `BFEMockWaf`; with `None` the files are checked, and no request is sent |
//! | `Basic.ConnPoolSize` | 8 | connections to an instance |
//! | `ConfigPath.ModWafDataPath` | – | parameters; required, as the other two. Paths are those of the **working directory** |
//! | `ConfigPath.ProductParamPath` | – | products whose requests are sent |
//! | `ConfigPath.WafInstancesPath` | – | instances of the firewall |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! **Parameters**, all but `Concurrency` required; times in milliseconds:
//!
//! ```json
//! {
//!   "Version": "2024-01-01",
//!   "Config": {
//!     "WafClient": {"ConnectTimeout": 30, "Concurrency": 2000, "MaxWaitCount": 400},
//!     "WafDetect": {"RetryMax": 2, "ReqTimeout": 40},
//!     "HealthChecker": {"UnavailableFailedThres": 20, "HealthCheckInterval": 10000}
//!   }
//! }
//! ```
//!
//! An instance looks at `Concurrency` requests at a time; more than `MaxWaitCount` that wait for that are not sent.
//! A request waits `ReqTimeout` in all, and is sent `RetryMax` times more where the answer is of no use. An instance
//! with more than `UnavailableFailedThres` failures in a row is not asked until a check, each `HealthCheckInterval`,
//! finds it well.
//!
//! **Products** and **instances**; without `WafCluster` there are none, and no request is sent:
//!
//! ```json
//! {"Version": "1", "Config": {"shop": {"SendBody": true, "SendBodySize": 1024}}}
//! {"Version": "1", "Config": {"WafCluster": [{"IpAddr": "10.0.0.1", "Port": 8899, "HealthCheckPort": 8900}]}}
//! ```
//!
//! Of POST, PUT and PATCH with a `Content-Length`, the first `SendBodySize` bytes of the body are sent, too.
//!
//! **`BFEMockWaf`** is asked over HTTP: `POST /detect`, with the client's request in the form of HTTP/1 as the body and
//! its log id in `Xinner-Logid`. The answer is a 200 with `{"event_id": "...", "result_flag": 0}`; 0 lets the request
//! pass, anything else blocks it. `GET /hccheck` on `HealthCheckPort` is answered in the same form. A question takes
//! ten seconds at most, an answer a megabyte.
//!
//! **Monitor.** `/monitor/mod_unified_waf`, `/monitor/mod_unified_waf.diff`: counters, also for each instance, and the
//! files in force. `.delay`, `.delay_peek_body`, `.delay_call_competition`: how long answers, bodies and turns took.
//!
//! **Reload.** `/reload/mod_unified_waf.waf_data`, `.product_parameter`, `.waf_instances`, each with `?path=FILE`. A wrong
//! file changes nothing.
//!
//! Realises modules-security 10.

mod client;
mod conf;
mod monitor;
mod params;
mod pool;
mod request;
mod vendor;

use arc_swap::ArcSwap;
use bfe_basic::condition::json;
use bfe_basic::conf::ConfErrors;
use bfe_basic::{ErrorCode, Request};
use bfe_http::Response;
use bfe_module::metrics::html_safe;
use bfe_module::{
    AsyncRequestFilter, Callbacks, Handled, InitError, LocalBoxFuture, Module, Point, RequestOutcome,
    WebHandlers,
};
use conf::Conf;
use monitor::{Monitor, NO_CHECK};
use params::{Instances, Params, Products};
use pool::Pool;
use request::Inspected;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "mod_unified_waf";
/// In access logs.
const FORBIDDEN: ErrorCode = ErrorCode::new("FORBIDDEN_BY_WAF");

/// The module.
pub struct ModuleUnifiedWaf;

impl Module for ModuleUnifiedWaf {
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
        let waf = Arc::new(Waf::load(&conf)?);
        waf.register_reloads(web_handlers, conf)?;
        waf.monitor.register(web_handlers)?;
        let watched = waf.pool.watch();
        watched.map_err(|error| InitError::Conf(format!("{NAME}: no thread for the instances: {error}")))?;
        if waf.has_vendor {
            callbacks.add_async_request_filter(Point::HandleAfterLocation, NAME, OnRequest(waf))?;
        }
        Ok(())
    }
}

/// What requests and reloads work with.
struct Waf {
    has_vendor: bool,
    pool: Arc<Pool>,
    products: ArcSwap<Products>,
    monitor: Arc<Monitor>,
}

impl Waf {
    fn load(conf: &Conf) -> Result<Self, ConfErrors> {
        let monitor = Arc::new(Monitor::new());
        monitor.states.set_text("WafProductName", &*conf.product);
        let pool = Pool::new(conf.product.clone(), conf.pool_size, Arc::clone(&monitor));
        let waf = Self {
            has_vendor: conf.has_vendor(),
            pool: Arc::new(pool),
            products: ArcSwap::default(),
            monitor,
        };
        waf.load_params(&conf.params)?;
        waf.load_instances(&conf.instances)?;
        waf.load_products(&conf.products)?;
        Ok(waf)
    }

    fn load_params(&self, path: &Path) -> Result<(), ConfErrors> {
        let loaded = params::load::<Params>(path)?;
        self.show("GlobalParam", &loaded.version, &loaded.config);
        self.pool.set_params(loaded.config);
        Ok(())
    }

    fn load_instances(&self, path: &Path) -> Result<(), ConfErrors> {
        let loaded = params::load::<Instances>(path)?;
        let cluster = &loaded.config.waf_cluster;
        self.show("WafInstances", &loaded.version, cluster);
        self.pool.set_instances(cluster.as_deref().unwrap_or_default());
        Ok(())
    }

    fn load_products(&self, path: &Path) -> Result<(), ConfErrors> {
        let loaded = params::load::<Products>(path)?;
        self.show("ProductParam", &loaded.version, &loaded.config);
        self.products.store(Arc::new(loaded.config));
        Ok(())
    }

    /// Shows what is in force on the monitor port.
    fn show(&self, name: &str, version: &str, config: &impl Serialize) {
        let text = serde_json::to_string(config).unwrap_or_default();
        self.monitor.states.set_text(name, html_safe(&text));
        self.monitor.states.set_text(&format!("{name}.Version"), version);
    }

    fn register_reloads(self: &Arc<Self>, web: &mut WebHandlers, conf: Conf) -> Result<(), InitError> {
        type Load = fn(&Waf, &Path) -> Result<(), ConfErrors>;
        let reloads: [(&str, _, Load); 3] = [
            ("mod_unified_waf.waf_data", conf.params, Self::load_params),
            ("mod_unified_waf.waf_instances", conf.instances, Self::load_instances),
            ("mod_unified_waf.product_parameter", conf.products, Self::load_products),
        ];
        for (name, path, load) in reloads {
            let waf = Arc::clone(self);
            web.add_reload(name, move |query| {
                let path = query.path().map_or(path.as_path(), Path::new);
                load(&waf, path).map(|()| None).map_err(|e| e.to_string())
            })?;
        }
        Ok(())
    }
}

struct OnRequest(Arc<Waf>);

impl OnRequest {
    /// Bytes of the body that are sent; `None` where the request is not looked at.
    fn body_bytes(&self, req: &Request) -> Option<u64> {
        Some(self.0.products.load().get(&*req.route.product)?.body_bytes())
    }

    async fn ask(&self, req: &mut Request) -> Option<RequestOutcome> {
        let bytes = self.body_bytes(req)?;
        let monitor = &self.0.monitor;
        let inspected = Inspected::of(req, bytes, &monitor.peek_body).await;
        let Some((inspected, client)) = inspected.zip(self.0.pool.pick()) else {
            monitor.states.add(NO_CHECK, 1);
            return None;
        };
        let event = client.detect(inspected, req.log_id.clone()).await?;
        req.set_error(FORBIDDEN, "");
        let mut body = br#"{"event_id":"#.to_vec();
        json::quote(event.as_bytes(), &mut body);
        body.push(b'}');
        Some(RequestOutcome::finish(Some(Response::with_content(200, "application/json", body))))
    }
}

impl AsyncRequestFilter for OnRequest {
    fn ready(&self, req: &mut Request) -> Option<Handled> {
        if self.body_bytes(req).is_some() {
            return None;
        }
        self.0.monitor.states.add(NO_CHECK, 1);
        Some(Ok(RequestOutcome::GO_ON))
    }

    fn call<'a>(&'a self, req: &'a mut Request) -> LocalBoxFuture<'a, Handled> {
        Box::pin(async { Ok(self.ask(req).await.unwrap_or(RequestOutcome::GO_ON)) })
    }
}
