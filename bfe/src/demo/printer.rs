//! Prints a line a request.

use bfe_module::{Callbacks, HandlerResult, InitError, Module, WebHandlers};
use std::io::Write;
use std::path::Path;

/// Name of the module.
pub(super) const NAME: &str = "mod_demo_printer";

/// The module; only the demo has it.
pub(super) struct Printer;

impl Module for Printer {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(&self, callbacks: &mut Callbacks, _: &mut WebHandlers, _: &Path) -> Result<(), InitError> {
        callbacks.add_request_finish_filter("mod_demo_printer.print", |req, response| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).escape_debug().to_string();
            let status = response.map_or_else(|| "closed".to_owned(), |r| r.status.to_string());
            let took = req.stat.read_req_end.map(|start| start.elapsed()).unwrap_or_default();
            let line = format!(
                "{:21} {:6} {}{} -> {status} {} {} {took:.1?} {}\n",
                req.remote_addr.map(|a| a.to_string()).unwrap_or_default(),
                text(&req.http.method),
                text(&req.http.host),
                text(&req.http.request_uri),
                if req.route.cluster.is_empty() { "-" } else { &req.route.cluster },
                if req.backend.name.is_empty() { "-" } else { &req.backend.name },
                req.error_code.map(|e| e.to_string()).unwrap_or_default(),
            );
            // Whoever closed standard output does not want the lines.
            let _ = std::io::stdout().write_all(line.as_bytes());
            HandlerResult::GoOn
        });
        Ok(())
    }
}
