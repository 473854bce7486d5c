//! Start-up and shutdown (lifecycle 1, 23).

use crate::config::BfeConfig;
use crate::delays::Delays;
#[cfg(feature = "http3")]
use crate::http3;
use crate::live::Live;
use crate::reload_history::ReloadHistory;
use crate::worker::{self, Ports};
use crate::{descriptors, listener, monitor, signals};
use bfe_basic::conf::ConfErrors;
use bfe_http::counter;
use bfe_module::web::DuplicateHandler;
use bfe_module::{Callbacks, InitError, Registry, WebHandlers};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use std::{io, thread};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Why the process could not start. An error that has a cause does not repeat it; show the whole chain.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A data file is wrong.
    #[error(transparent)]
    Conf(#[from] ConfErrors),
    /// `Modules` names a module that there is not.
    #[error("{file}: Server.Modules: {reason}")]
    UnknownModule {
        /// Path of `bfe.conf`.
        file: String,
        /// Which, and which one may be meant.
        reason: String,
    },
    /// A module could not be initialised.
    #[error("{module}")]
    Module {
        /// The module.
        module: &'static str,
        /// Why.
        source: InitError,
    },
    /// Two pages of the monitor port have the same name.
    #[error(transparent)]
    Web(#[from] DuplicateHandler),
    /// A port could not be opened.
    #[error("listen on {on}")]
    Listen {
        /// Address and port.
        on: String,
        /// Why.
        source: io::Error,
    },
    /// The machine refused a thread or the like.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A loaded configuration, ready to serve.
pub struct Server {
    pub(crate) config: BfeConfig,
    pub(crate) callbacks: Callbacks,
    pub(crate) live: Arc<Live>,
    pub(crate) delays: Delays,
    pub(crate) reloads: ReloadHistory,
    pub(crate) web: WebHandlers,
    /// Names of the enabled modules, in the order in which they run.
    pub(crate) modules: Vec<&'static str>,
}

impl Server {
    /// Loads all data files and initialises the enabled modules: everything that `-t` tests.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn load(
        conf_root: &Path,
        config: BfeConfig,
        registry: &Registry,
        control: Handle,
    ) -> Result<Self, StartError> {
        started();
        counter::set_workers(workers(&config));
        let live = Arc::new(Live::load(&config, conf_root, control)?);
        let mut callbacks = Callbacks::default();
        let mut web = WebHandlers::default();
        let delays = Delays::new();
        monitor::core::register(&mut web, &live, &delays)?;
        #[cfg(feature = "http3")]
        if config.https_basic.http3.is_some() {
            http3::register(&mut web)?;
        }
        let enabled = registry.select(&config.server.modules).map_err(|reason| {
            let file = BfeConfig::file(conf_root).display().to_string();
            StartError::UnknownModule { file, reason }
        })?;
        for module in &enabled {
            module
                .init(&mut callbacks, &mut web, conf_root)
                .map_err(|source| StartError::Module { module: module.name(), source })?;
        }
        if callbacks.wants_tls_secrets() {
            live.tls.keep_secrets();
        }
        let available = registry.listed();
        let enabled: Vec<_> = enabled.iter().map(|m| m.name()).collect();
        monitor::core::register_modules(&mut web, &available, &enabled, &callbacks)?;
        let reloads = ReloadHistory::default();
        Ok(Self { config, callbacks, live, delays, reloads, web, modules: enabled })
    }

    /// Opens all ports and serves until a signal says stop; what is under way then ends in peace, within
    /// `GracefulShutdownTimeout`.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is served then.
    pub fn run(self, control: &tokio::runtime::Runtime) -> Result<(), StartError> {
        let server = Arc::new(self);
        let conf = &server.config.server;
        let count = workers(&server.config);
        let failed = |on: &crate::config::Listen| {
            let on = on.to_string();
            move |source| StartError::Listen { on, source }
        };
        let plain = listener::listen(&conf.http, count).map_err(failed(&conf.http))?;
        let secure = listener::listen(&conf.https, count).map_err(failed(&conf.https))?;
        if let Some(on) = &conf.monitor {
            let listener = listener::listen(on, 1).map_err(failed(on))?;
            for listener in listener {
                let _in_runtime = control.enter();
                let listener = tokio::net::TcpListener::from_std(listener)?;
                control.spawn(monitor::serve(Arc::clone(&server), listener));
            }
        }
        let max_connections = (descriptors::max_client_connections() / count).max(1);
        let (drain, draining) = watch::channel(false);
        #[cfg(feature = "http3")]
        let mut quic = http3::ports(&server, count)
            .map_err(|source| StartError::Listen { on: format!("UDP {}", conf.https), source })?;
        let threads = plain
            .into_iter()
            .zip(secure)
            .enumerate()
            .map(|(index, (plain, secure))| {
                let (server, draining) = (Arc::clone(&server), draining.clone());
                let ports = Ports {
                    plain,
                    secure,
                    #[cfg(feature = "http3")]
                    quic: quic.pop(),
                };
                thread::Builder::new()
                    .name(format!("worker-{index}"))
                    .spawn(move || worker::run(index, server, ports, max_connections, draining))
            })
            .collect::<Result<Vec<_>, _>>()?;
        log::info!(
            "bfe {} serves HTTP on {}, HTTPS on {}{}, monitor on {}, with {count} workers; modules: {}",
            crate::VERSION,
            conf.http,
            conf.https,
            if server.config.https_basic.http3.is_some() { " (HTTP/3 too)" } else { "" },
            conf.monitor.as_ref().map_or_else(|| "no port".to_owned(), ToString::to_string),
            server.modules.join(" ")
        );
        let versions =
            server.live.versions().into_iter().map(|(file, version)| format!("{file} {version:?}"));
        log::info!("configuration in use: {}", versions.collect::<Vec<_>>().join(", "));

        control.block_on(signals::wait_for_stop())?;
        // Whoever waits for the threads here gives them no longer than this.
        let _ = drain.send(true);
        let (done, all_done) = std::sync::mpsc::channel();
        thread::Builder::new().name("shutdown".into()).spawn(move || {
            for thread in threads {
                if let Ok(Err(e)) = thread.join() {
                    log::error!("worker: {e}");
                }
            }
            let _ = done.send(());
        })?;
        match all_done.recv_timeout(conf.graceful_shutdown_timeout) {
            Ok(()) => log::info!("graceful shutdown success."),
            Err(_) => log::info!("graceful shutdown timeout."),
        }
        Ok(())
    }
}

/// How many workers there are: `MaxCpus`, or one for each CPU that the process may use.
fn workers(config: &BfeConfig) -> usize {
    let cpus = || thread::available_parallelism().map_or(1, std::num::NonZero::get);
    config.server.max_cpus.map_or_else(cpus, std::num::NonZero::get)
}

/// When the process started, near enough: when this was first asked.
pub(crate) fn started() -> SystemTime {
    static STARTED: OnceLock<SystemTime> = OnceLock::new();
    *STARTED.get_or_init(SystemTime::now)
}

/// Time between two windows of differences, on the wall clock.
pub(crate) const WINDOW: Duration = Duration::from_secs(bfe_module::metrics::WINDOW_SECONDS);
