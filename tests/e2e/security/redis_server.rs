//! A real Redis, as a process.

use bfe_tests::{peer, wait_for};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

/// A server on a port of its own, until it is dropped.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    /// Its working folder.
    _dir: tempfile::TempDir,
}

impl Redis {
    /// Starts a server that wants that password; `None` where the machine has no Redis.
    pub(crate) fn start(password: &str) -> Option<Self> {
        let program = peer("redis-server")?;
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let child = Command::new(program)
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--requirepass",
                password,
            ])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let redis = Self { child, port, _dir: dir };
        wait_for("redis-server", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
        Some(redis)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The answer to a command whose words have no blanks: a line, or a text.
    pub(crate) fn ask(&self, password: &str, command: &str) -> String {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        let mut stream = BufReader::new(stream);
        let mut answer = String::new();
        for command in [&format!("AUTH {password}"), command] {
            stream.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
            answer.clear();
            stream.read_line(&mut answer).unwrap();
            let length = answer.strip_prefix('$').and_then(|length| length.trim_end().parse::<usize>().ok());
            if let Some(length) = length {
                let mut text = vec![0; length + 2];
                stream.read_exact(&mut text).unwrap();
                answer = String::from_utf8(text).unwrap();
            }
        }
        answer.trim_end().to_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
