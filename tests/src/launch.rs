//! Finding, building and starting the binary.

use crate::bfe::Bfe;
use crate::process;
use crate::tree::{Ports, Tree};
use crate::wait::LIMIT;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{env, thread};
use tempfile::TempDir;

/// Which binary to start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Program {
    /// `bfe`.
    #[default]
    Bfe,
    /// `bfe` with the module `mod_probe`, which does at each point what a request asks it to do.
    Probe,
}

/// How to start a process.
pub struct Launch<'t> {
    tree: &'t Tree,
    program: Program,
    max_fds: Option<u32>,
    environment: Vec<(String, String)>,
}

/// A process that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// `bfe.log`.
    pub log: String,
    /// Root of the configuration tree.
    pub conf: PathBuf,
}

impl<'t> Launch<'t> {
    /// The real binary, with that tree.
    #[must_use]
    pub fn new(tree: &'t Tree) -> Self {
        Self { tree, program: Program::Bfe, max_fds: None, environment: Vec::new() }
    }

    /// Another binary.
    #[must_use]
    pub fn program(mut self, program: Program) -> Self {
        self.program = program;
        self
    }

    /// One more variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Most descriptors that the process may have open.
    #[must_use]
    pub fn max_fds(mut self, n: u32) -> Self {
        self.max_fds = Some(n);
        self
    }

    /// Starts the process and waits until it listens. Ports are free when they are chosen; where somebody
    /// else was faster, others are tried.
    #[must_use]
    pub fn start(&self) -> Bfe {
        self.start_with(&[])
    }

    /// As [`Launch::start`], with more arguments.
    #[must_use]
    pub fn start_with(&self, arguments: &[&str]) -> Bfe {
        for _ in 0..5 {
            let ports = free_ports();
            let mut bfe = self.spawn(ports, arguments);
            if self.wait_listening(&mut bfe, ports) {
                return bfe;
            }
            let output = bfe.output();
            assert!(output.contains("in use"), "the proxy does not start: {output}");
        }
        panic!("no free ports");
    }

    /// Starts the process, which is to end by itself, and waits for that.
    #[must_use]
    pub fn finish(&self) -> Finished {
        self.finish_with(&[])
    }

    /// As [`Launch::finish`], with more arguments.
    #[must_use]
    pub fn finish_with(&self, arguments: &[&str]) -> Finished {
        let mut bfe = self.spawn(free_ports(), arguments);
        let code = bfe.wait_exit();
        bfe.finished(code)
    }

    fn spawn(&self, ports: Ports, arguments: &[&str]) -> Bfe {
        let dir = TempDir::new().expect("a temporary folder");
        let (conf, log) = (dir.path().join("conf"), dir.path().join("log"));
        self.tree.write(&conf, ports);
        let program = binary(self.program);
        let mut command = match self.max_fds {
            None => Command::new(program),
            Some(n) => {
                let mut limited = Command::new("sh");
                limited.args(["-c", &format!("ulimit -n {n} && exec \"$0\" \"$@\"")]).arg(program);
                limited
            }
        };
        command.arg("-c").arg(&conf).arg("-l").arg(&log).args(arguments);
        let output = |name: &str| File::create(dir.path().join(name)).expect("a file for the output");
        let child = command
            .current_dir(dir.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .expect("start the proxy");
        Bfe::new(child, dir, ports)
    }

    /// Waits until the ports are open; false where the process ended instead.
    fn wait_listening(&self, bfe: &mut Bfe, ports: Ports) -> bool {
        let end = Instant::now() + LIMIT;
        loop {
            let pid = bfe.pid();
            let monitor = !self.tree.has_monitor() || process::listens(pid, ports.monitor);
            if monitor && process::listens(pid, ports.http) {
                return true;
            }
            if bfe.has_ended() {
                return false;
            }
            assert!(Instant::now() < end, "the proxy does not listen: {}", bfe.output());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Runs the real binary with arguments in a folder, without a tree of its own.
#[must_use]
pub fn run(arguments: &[&str], dir: &Path) -> Finished {
    let output = Command::new(binary(Program::Bfe))
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .expect("start the proxy");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Finished {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
        log: String::new(),
        conf: dir.to_path_buf(),
    }
}

/// Three ports that are free now. All are held until all are chosen, so that they differ.
pub(crate) fn free_ports() -> Ports {
    let held: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    let port = |i: usize| held[i].local_addr().expect("an address").port();
    Ports { http: port(0), https: port(1), monitor: port(2) }
}

/// Waits until a process has ended, and gives its exit code; kills it after that time.
pub(crate) fn wait_exit(child: &mut Child, limit: Duration) -> Option<i32> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.code();
        }
        if Instant::now() >= end {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the proxy does not end");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The path of a binary of this build.
fn binary(program: Program) -> &'static Path {
    static BFE: OnceLock<PathBuf> = OnceLock::new();
    static PROBE: OnceLock<PathBuf> = OnceLock::new();
    match program {
        Program::Bfe => BFE.get_or_init(|| env::var_os("BFE_BIN").map_or_else(build, PathBuf::from)),
        // Cargo builds the binaries of this package before its tests.
        Program::Probe => PROBE.get_or_init(|| profile_dir().join("bfe_with_probe")),
    }
}

/// Builds `bfe` as this test was built. Costs a moment where nothing has changed.
fn build() -> PathBuf {
    let dir = profile_dir();
    let profile = dir.file_name().and_then(|name| name.to_str()).unwrap_or("debug");
    let profile = if profile == "debug" { "dev" } else { profile };
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--package", "bfe", "--profile", profile, "--target-dir"])
        .arg(dir.parent().expect("a target folder"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(status.is_ok_and(|s| s.success()), "cargo build --package bfe");
    dir.join("bfe")
}

/// The folder of the profile with which this test was built: `target/debug`, say.
fn profile_dir() -> PathBuf {
    let test = env::current_exe().expect("a path of this test");
    let deps = fs::canonicalize(test).expect("a path of this test");
    let dir = deps.ancestors().find(|dir| dir.join("deps").is_dir()).expect("a target folder");
    dir.to_path_buf()
}
