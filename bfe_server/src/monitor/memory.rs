//! `/monitor/proxy_mem_stat` (family R, monitor 2.4).
//!
//! The fields are those of Go's runtime. There is no such runtime here: what means the same for any process
//! comes from the kernel, everything else is 0.

use std::fmt::Write;

/// Entries of the lists of pauses.
const PAUSES: usize = 256;
/// Size classes.
const CLASSES: usize = 61;

/// Figures of the kernel, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Memory {
    /// Resident in all.
    resident: u64,
    /// Of that, memory that belongs to no file.
    anonymous: u64,
    /// Address space of data.
    data: u64,
    /// Address space of the first stack.
    stack: u64,
}

/// The page.
///
/// # Errors
/// The text for an unknown format.
pub(super) fn page(format: Option<&str>) -> Result<String, String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    render(format, Memory::parse(&status))
}

impl Memory {
    /// Of the lines of `/proc/PID/status`; what is missing is 0.
    fn parse(status: &str) -> Self {
        let bytes = |name: &str| {
            let value = status.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
            let kib = value.and_then(|v| v.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
            kib.unwrap_or(0).saturating_mul(1024)
        };
        Self {
            resident: bytes("VmRSS"),
            anonymous: bytes("RssAnon"),
            data: bytes("VmData"),
            stack: bytes("VmStk"),
        }
    }

    /// The numbers in the order of Go's structure, up to those of garbage collection.
    fn numbers(self) -> [(&'static str, u64); 24] {
        [
            ("Alloc", self.anonymous),
            ("TotalAlloc", 0),
            ("Sys", self.resident),
            ("Lookups", 0),
            ("Mallocs", 0),
            ("Frees", 0),
            ("HeapAlloc", self.anonymous),
            ("HeapSys", self.data),
            ("HeapIdle", self.data.saturating_sub(self.anonymous)),
            ("HeapInuse", self.anonymous),
            ("HeapReleased", 0),
            ("HeapObjects", 0),
            ("StackInuse", self.stack),
            ("StackSys", self.stack),
            ("MSpanInuse", 0),
            ("MSpanSys", 0),
            ("MCacheInuse", 0),
            ("MCacheSys", 0),
            ("BuckHashSys", 0),
            ("GCSys", 0),
            ("OtherSys", 0),
            ("NextGC", 0),
            ("LastGC", 0),
            ("PauseTotalNs", 0),
        ]
    }
}

/// Numbers behind the lists of pauses; all of them are 0.
const COLLECTION: [&str; 3] = ["NumGC", "NumForcedGC", "GCCPUFraction"];

fn render(format: Option<&str>, memory: Memory) -> Result<String, String> {
    let mut out = String::new();
    // Writing to memory cannot fail.
    match format.unwrap_or("json") {
        "json" => {
            out.push('{');
            for (name, value) in memory.numbers() {
                let _ = write!(out, "\"{name}\":{value},");
            }
            let zeros = ["0"; PAUSES].join(",");
            let _ = write!(out, "\"PauseNs\":[{zeros}],\"PauseEnd\":[{zeros}],");
            for name in COLLECTION {
                let _ = write!(out, "\"{name}\":0,");
            }
            let classes = [r#"{"Size":0,"Mallocs":0,"Frees":0}"#; CLASSES].join(",");
            let _ = write!(out, "\"EnableGC\":true,\"DebugGC\":false,\"BySize\":[{classes}]}}");
        }
        "kv" | "noah" => {
            let numbers = memory.numbers().map(|(name, value)| (name, value.to_string()));
            let rest = COLLECTION.map(|name| (name, "0".to_owned()));
            let flags = [("EnableGC", "true"), ("DebugGC", "false"), ("LastPauseNs", "0")];
            let flags = flags.map(|(name, value)| (name, value.to_owned()));
            for (name, value) in numbers.into_iter().chain(rest).chain(flags) {
                let _ = writeln!(out, "proxy_mem_stat_{name}:{value}");
            }
        }
        other => return Err(format!("invalid format:{other}")),
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mon_39_formats_and_fields() {
        let memory = Memory::parse("Name:\tbfe\nVmRSS:\t  2048 kB\nRssAnon:\t1024 kB\nVmData:\t4096 kB\n");
        assert_eq!(
            memory,
            Memory { resident: 2 << 20, anonymous: 1 << 20, data: 4 << 20, ..Memory::default() }
        );
        let page: serde_json::Value = serde_json::from_str(&render(None, memory).unwrap()).unwrap();
        assert_eq!(page["Sys"], 2 << 20);
        assert_eq!(page["HeapIdle"], 3 << 20);
        assert_eq!(page["PauseNs"].as_array().unwrap().len(), PAUSES);
        assert_eq!(page["EnableGC"], true);
        let lines = render(Some("kv"), memory).unwrap();
        assert_eq!(render(Some("noah"), memory).unwrap(), lines);
        assert_eq!(lines.lines().count(), 30);
        assert!(lines.contains("proxy_mem_stat_Alloc:1048576\n"));
        for bad in ["", "prometheus", "hier_json"] {
            assert_eq!(render(Some(bad), memory).unwrap_err(), format!("invalid format:{bad}"));
        }
    }

    #[test]
    fn the_kernel_tells_about_this_process() {
        let page: serde_json::Value = serde_json::from_str(&page(None).unwrap()).unwrap();
        assert!(page["Alloc"].as_u64().unwrap() > 0, "{page}");
    }
}
