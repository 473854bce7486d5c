//! What compiles and runs plugins, one for the module: the engine, the functions that plugins can call, and the
//! clock by which their calls end.

use super::host::{self, Host};
use super::http_call::Caller;
use super::shared::Shared;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use wasmtime::{Config, Engine, InstancePre, Linker, Module};

/// How often the clock ticks by which the calls of plugins end.
const TICK: Duration = Duration::from_millis(50);
/// Ticks that a call for a request may take: it ends after 200 to 250 ms. Its worker stands still meanwhile, so this
/// is for loops that do not end, not for work.
pub(super) const CALL_TICKS: u64 = 5;
/// Ticks that a call may take while a plugin is loaded: 10 s.
pub(super) const START_TICKS: u64 = 200;

/// Runs plugins.
pub(super) struct Runtime {
    engine: Engine,
    linker: Linker<Host>,
    last_id: AtomicI32,
    pub(super) shared: Arc<Shared>,
    pub(super) caller: Caller,
}

impl Runtime {
    pub(super) fn new() -> Result<Self, String> {
        let mut config = Config::new();
        // Why a call ended is one line in the log; where in the plugin is known to who has its source.
        config.epoch_interruption(true).wasm_backtrace(false);
        let engine = Engine::new(&config).map_err(|e| format!("fail to get wasm engine: {e:#}"))?;
        let mut linker = Linker::new(&engine);
        host::link(&mut linker).map_err(|e| format!("fail to get wasm engine: {e:#}"))?;
        start_clock(&engine).map_err(|e| format!("fail to get wasm engine: no thread for its clock: {e}"))?;
        let caller = Caller::new();
        Ok(Self { engine, linker, last_id: AtomicI32::new(0), shared: Arc::default(), caller })
    }

    /// Compiles a plugin, and finds what it imports.
    pub(super) fn compile(&self, wasm: &[u8]) -> Result<InstancePre<Host>, String> {
        // Text is no plugin, whatever the engine takes.
        let module = Module::from_binary(&self.engine, wasm)
            .map_err(|e| format!("fail to create wasm module: {e:#}"))?;
        let is_abi = |name: &str| name.starts_with("proxy_abi");
        if !module.exports().any(|export| is_abi(export.name()) && export.ty().func().is_some()) {
            return Err(
                "fail to create wasm instance: no function is exported whose name begins with proxy_abi"
                    .into(),
            );
        }
        self.linker.instantiate_pre(&module).map_err(|e| format!("fail to create wasm instance: {e:#}"))
    }

    /// An id for a context, other than `root`.
    pub(super) fn next_id(&self, root: i32) -> i32 {
        loop {
            let id = self.last_id.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            if id != root {
                return id;
            }
        }
    }
}

/// Ticks for as long as the engine is there.
fn start_clock(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new().name("wasm-clock".into()).spawn(tick).map(drop)
}
