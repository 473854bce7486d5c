//! Other people's servers, started for a test and ended with it.

use bfe_tests::{Backend, wait_until};
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A process that ends with the test.
pub(crate) struct Running(Child);

impl Running {
    /// Starts it, without input and output, and waits until it listens on a port of this machine.
    pub(crate) fn start(command: &mut Command, port: u16) -> Self {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let running = Self(quiet.spawn().unwrap());
        wait_until("the server listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// nginx with one server block.
pub(crate) struct Nginx {
    dir: TempDir,
    backend: Backend,
    _running: Running,
}

impl Nginx {
    /// Starts it. In the directives `PORT` is its port and `HERE` its folder.
    pub(crate) fn start(program: &Path, http: &str, server: &str) -> Self {
        Self::start_with(program, http, server, &[])
    }

    /// The same with files in its folder.
    pub(crate) fn start_with(program: &Path, http: &str, server: &str, files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let here = dir.path().display().to_string();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let mut backend = Backend::refusing();
        let port = backend.port();
        let conf = format!(
            "daemon off; master_process off; pid {here}/pid; error_log {here}/error.log;\n\
             events {{}}\n\
             http {{ access_log off; client_body_temp_path {here}/b; proxy_temp_path {here}/p;\n\
             fastcgi_temp_path {here}/f; uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;\n\
             {http}\n server {{ {server} }} }}\n"
        );
        let conf = conf.replace("PORT", &port.to_string()).replace("HERE", &here);
        let file = dir.path().join("nginx.conf");
        fs::write(&file, conf).unwrap();
        backend.free_port();
        let mut command = Command::new(program);
        command.arg("-c").arg(&file).arg("-e").arg(dir.path().join("error.log"));
        let running = Running::start(&mut command, port);
        Self { dir, backend, _running: running }
    }

    /// Its folder.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Stands for it in a tree.
    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }
}
