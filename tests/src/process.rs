//! What the kernel tells about a process.

use std::fs;
use std::process::Command;

/// Resident memory, in bytes.
pub(crate) fn rss(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// What the open descriptors lead to.
pub(crate) fn fds(pid: u32) -> Vec<String> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .collect()
}

/// Whether a descriptor leads to a pipe.
pub(crate) fn is_pipe(target: &str) -> bool {
    target.starts_with("pipe:")
}

/// Whether the process itself, and nobody else, listens on a TCP port of IPv4.
pub(crate) fn listens(pid: u32, port: u16) -> bool {
    let owned = fds(pid);
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    let local = format!(":{port:04X}");
    table.lines().skip(1).any(|line| {
        let columns: Vec<_> = line.split_whitespace().collect();
        matches!(columns.as_slice(), [_, at, _, "0A", _, _, _, _, _, inode, ..]
            if at.ends_with(&local) && owned.contains(&format!("socket:[{inode}]")))
    })
}

/// Whether the process has a handler for a signal.
pub(crate) fn handles(pid: u32, name: &str) -> bool {
    let number = match name {
        "HUP" => 1,
        "QUIT" => 3,
        "TERM" => 15,
        _ => panic!("add the number of SIG{name}"),
    };
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or_default();
    u64::from_str_radix(caught.trim(), 16).is_ok_and(|mask| mask & (1 << (number - 1)) != 0)
}

/// Lets this test have so many descriptors open; the usual limit is too low for thousands of clients.
pub fn allow_fds(n: u32) {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_default();
    if line.split_whitespace().next().and_then(|soft| soft.parse().ok()).is_some_and(|soft: u32| soft >= n) {
        return;
    }
    limit_fds(std::process::id(), n as usize);
}

/// Sets the limit of a process that runs; its hard limit stays.
pub(crate) fn limit_fds(pid: u32, n: usize) {
    let set = Command::new("prlimit").args(["--pid", &pid.to_string(), &format!("--nofile={n}:")]).status();
    assert!(set.is_ok_and(|s| s.success()), "prlimit --nofile={n}:");
}

/// Sends a signal by its name, such as `QUIT`.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    assert!(sent.is_ok_and(|s| s.success()), "kill -s {name} {pid}");
}
