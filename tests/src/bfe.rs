//! A running proxy.

use crate::Client;
use crate::launch::{Finished, Launch, Program, wait_exit};
use crate::process;
use crate::response::Response;
use crate::tree::{Ports, Tree};
use crate::wait::{LIMIT, wait_until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A proxy that runs until it is dropped.
pub struct Bfe {
    child: Child,
    dir: TempDir,
    ports: Ports,
}

impl Bfe {
    /// Starts the real binary, and waits until it listens.
    #[must_use]
    pub fn start(tree: &Tree) -> Self {
        Launch::new(tree).start()
    }

    /// Starts the binary with the module `mod_probe`, which is enabled.
    #[must_use]
    pub fn start_probe(tree: &Tree) -> Self {
        Launch::new(&tree.clone().module("mod_probe")).program(Program::Probe).start()
    }

    pub(crate) fn new(child: Child, dir: TempDir, ports: Ports) -> Self {
        Self { child, dir, ports }
    }

    /// Address of the HTTP port.
    #[must_use]
    pub fn http_addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.http))
    }

    /// Address of the HTTPS port.
    #[must_use]
    pub fn https_addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.https))
    }

    /// Address of the monitor port.
    #[must_use]
    pub fn monitor_addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.monitor))
    }

    /// A connection to the HTTP port.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::connect(self.http_addr())
    }

    /// Sends a request on a connection of its own, and reads the response.
    #[track_caller]
    pub fn ask(&self, request: impl AsRef<[u8]>) -> Response {
        self.client().ask(request)
    }

    /// Fetches a page of the monitor port.
    #[track_caller]
    pub fn monitor(&self, path: &str) -> String {
        let mut client = Client::connect(self.monitor_addr());
        let answer = client.ask(format!("GET {path} HTTP/1.1\r\nHost: monitor\r\nConnection: close\r\n\r\n"));
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        String::from_utf8(answer.body).expect("text of the monitor port")
    }

    /// Fetches a page of the monitor port that is JSON.
    #[track_caller]
    pub fn monitor_json(&self, path: &str) -> Value {
        let text = self.monitor(path);
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}: {text}"))
    }

    /// All counters and gauges of a page.
    #[must_use]
    pub fn counters(&self, page: &str) -> BTreeMap<String, i64> {
        let json = self.monitor_json(&format!("/monitor/{page}"));
        let groups = ["CounterData", "GaugeData"].into_iter().filter_map(|group| json[group].as_object());
        groups.flatten().map(|(name, value)| (name.clone(), value.as_i64().unwrap_or(0))).collect()
    }

    /// A counter or gauge of the core.
    #[track_caller]
    pub fn counter(&self, name: &str) -> i64 {
        *self.counters("proxy_state").get(name).unwrap_or_else(|| panic!("no counter {name}"))
    }

    /// Waits until a counter or gauge of the core has that value.
    #[track_caller]
    pub fn wait_counter(&self, name: &str, value: i64) {
        let end = Instant::now() + LIMIT;
        loop {
            let now = self.counter(name);
            if now == value {
                return;
            }
            assert!(Instant::now() < end, "waited in vain: {name} is {now}, not {value}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until no request and no connection of a client is left.
    #[track_caller]
    pub fn wait_idle(&self) {
        self.wait_counter("CLIENT_REQ_ACTIVE", 0);
        self.wait_counter("CLIENT_CONN_ACTIVE", 0);
    }

    /// `/reload/NAME`: what the answer says under `error`, `None` for success.
    #[track_caller]
    pub fn reload(&self, name: &str) -> Option<String> {
        match &self.monitor_json(&format!("/reload/{name}"))["error"] {
            Value::Null => None,
            error => Some(error.to_string()),
        }
    }

    /// Lays another tree over the one on the disk; nothing of it holds before a reload.
    pub fn rewrite(&self, tree: &Tree) {
        tree.write(&self.conf(), self.ports);
    }

    /// Sets how many descriptors the process may have open from now on.
    pub fn limit_fds(&self, n: usize) {
        process::limit_fds(self.pid(), n);
    }

    /// Sends a signal by its name, such as `QUIT`.
    pub fn signal(&self, name: &str) {
        process::signal(self.pid(), name);
    }

    /// Waits until the process has a handler for that signal; before, it would just be killed.
    pub fn wait_signals_handled(&self, name: &str) {
        wait_until("signal handlers", || process::handles(self.pid(), name));
    }

    /// Waits until the process has ended; `None` where a signal killed it.
    pub fn wait_exit(&mut self) -> Option<i32> {
        wait_exit(&mut self.child, LIMIT)
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory, in bytes.
    #[must_use]
    pub fn rss(&self) -> u64 {
        process::rss(self.pid())
    }

    /// Number of open descriptors, without those of pipes.
    #[must_use]
    pub fn fds(&self) -> usize {
        process::fds(self.pid()).iter().filter(|fd| !process::is_pipe(fd)).count()
    }

    /// Number of pipes, through which large bodies pass: workers keep some of them.
    #[must_use]
    pub fn pipes(&self) -> usize {
        process::fds(self.pid()).iter().filter(|fd| process::is_pipe(fd)).count() / 2
    }

    /// Number of open descriptors when nobody is connected, and all workers have been at work. Connections
    /// to backends are no part of it only where the configuration pools none.
    #[must_use]
    pub fn resting_fds(&self) -> usize {
        let served = self.counter("CLIENT_CONN_SERVED");
        let clients: Vec<_> = (0..12).map(|_| self.client()).collect();
        self.wait_counter("CLIENT_CONN_SERVED", served + 12);
        drop(clients);
        self.wait_idle();
        // Some may be the monitor's, which has not noticed yet that a page has been read: on a busy machine that
        // can take a moment.
        let look = |_| {
            thread::sleep(Duration::from_millis(10));
            self.fds()
        };
        (0..30).map(look).min().unwrap_or(0)
    }

    /// Root of the configuration tree.
    #[must_use]
    pub fn conf(&self) -> PathBuf {
        self.dir.path().join("conf")
    }

    /// `bfe.log`.
    #[must_use]
    pub fn log(&self) -> String {
        self.read("log/bfe.log")
    }

    /// `bfe.wf.log`.
    #[must_use]
    pub fn warnings(&self) -> String {
        self.read("log/bfe.wf.log")
    }

    /// Standard output.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.read("stdout")
    }

    /// All that it wrote: log, standard output, standard error.
    #[must_use]
    pub fn output(&self) -> String {
        ["log/bfe.log", "stdout", "stderr"].map(|file| self.read(file)).join("\n")
    }

    fn read(&self, file: impl AsRef<Path>) -> String {
        let bytes = fs::read(self.dir.path().join(file)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(crate) fn finished(&self, code: Option<i32>) -> Finished {
        Finished {
            code,
            stdout: self.read("stdout"),
            stderr: self.read("stderr"),
            log: self.log(),
            conf: self.conf(),
        }
    }
}

impl Drop for Bfe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let output = self.output();
        if thread::panicking() {
            eprintln!("--- the proxy wrote:\n{output}---");
        } else {
            // A panic of a worker is never right, whatever the test was about.
            assert!(!output.contains("panicked at"), "the proxy panicked: {output}");
        }
    }
}
