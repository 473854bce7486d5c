//! The process: build, memory, reloads, versions of the configuration.

use super::family::Family;
use crate::server::Server;
use prometheus::proto::MetricFamily;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn families(server: &Server) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    let mut build =
        Family::gauge("bfe_build_info", "The program: always 1.", &["version", "revision", "rust_version"]);
    let revision = option_env!("BFE_GIT_COMMIT").unwrap_or_default();
    build.add(&[crate::VERSION, revision, env!("CARGO_PKG_RUST_VERSION")], 1.0);
    let mut modules = Family::gauge("bfe_module_info", "Modules that are enabled: always 1.", &["module"]);
    server.modules.iter().for_each(|module| modules.add(&[module], 1.0));
    let mut config = Family::gauge(
        "bfe_config_info",
        "Versions of the data files in use: always 1.",
        &["file", "version"],
    );
    for (file, version) in server.live.versions() {
        config.add(&[file, &version], 1.0);
    }
    families.extend([build, modules, config].map(Family::build));
    families.extend(reloads(server));
    families.extend(process());
    families
}

fn reloads(server: &Server) -> [MetricFamily; 2] {
    let mut outcomes =
        Family::counter("bfe_reloads_total", "Reloads by way of the monitor port.", &["name", "result"]);
    let mut last = Family::gauge(
        "bfe_reload_last_success_timestamp_seconds",
        "When the last reload that succeeded ended.",
        &["name"],
    );
    for (name, of_name) in server.reloads.outcomes() {
        outcomes.add(&[&name, "success"], of_name.succeeded as f64);
        outcomes.add(&[&name, "failure"], of_name.failed as f64);
        if let Some(at) = of_name.last_success {
            last.add(&[&name], seconds(at));
        }
    }
    [outcomes.build(), last.build()]
}

/// What the kernel tells about this process; what it does not tell is missing.
#[derive(Debug, Default, serde::Serialize)]
pub(in crate::monitor) struct Figures {
    resident_bytes: Option<f64>,
    virtual_bytes: Option<f64>,
    open_fds: Option<f64>,
    max_fds: Option<f64>,
    cpu_seconds: Option<f64>,
}

impl Figures {
    pub(in crate::monitor) fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let bytes = |name: &str| {
            let value = status.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
            value
                .and_then(|v| v.trim().strip_suffix("kB")?.trim().parse::<f64>().ok())
                .map(|kib| kib * 1024.0)
        };
        Self {
            resident_bytes: bytes("VmRSS"),
            virtual_bytes: bytes("VmSize"),
            open_fds: open_descriptors(),
            max_fds: rlimit::Resource::NOFILE.get_soft().ok().map(|limit| limit as f64),
            cpu_seconds: cpu_seconds(),
        }
    }
}

/// What any process has, under the names that are customary.
fn process() -> Vec<MetricFamily> {
    let now = Figures::now();
    let gauges = [
        ("process_resident_memory_bytes", "Resident memory.", now.resident_bytes),
        ("process_virtual_memory_bytes", "Address space.", now.virtual_bytes),
        ("process_open_fds", "Open descriptors.", now.open_fds),
        ("process_max_fds", "Most descriptors that may be open.", now.max_fds),
        ("process_start_time_seconds", "When the process started.", Some(seconds(crate::server::started()))),
    ];
    let gauges = gauges.map(|(name, help, value)| (Family::gauge(name, help, &[]), value));
    let cpu = Family::counter("process_cpu_seconds_total", "CPU time, in user and system mode.", &[]);
    let families = gauges.into_iter().chain([(cpu, now.cpu_seconds)]).map(|(mut family, value)| {
        value.into_iter().for_each(|value| family.add(&[], value));
        family.build()
    });
    families.collect()
}

fn open_descriptors() -> Option<f64> {
    let count = std::fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them is for looking.
    Some(count.saturating_sub(1) as f64)
}

/// CPU time, of the scheduler's ticks. Linux shows a hundred of them a second to programs.
fn cpu_seconds() -> Option<f64> {
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program comes in parentheses, and may have blanks.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

fn seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
