mod plain;
mod states;
mod tls;

use super::{CheckEnv, CheckShared};
use crate::backend::Backend;
use crate::conf::cluster_conf::{ClusterConf, ClusterTable};
use crate::conf::cluster_table_conf::BackendDef;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

/// A cluster_conf with the one cluster `c`.
fn table(cluster: &str) -> Arc<ClusterTable> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!(r#"{{"Version":"1","Config":{{"c":{cluster}}}}}"#)).unwrap();
    Arc::new(ClusterTable::load(file.path()).unwrap())
}

fn conf(cluster: &str) -> Arc<ClusterConf> {
    Arc::clone(table(cluster).get("c").unwrap())
}

/// A backend at that address, checked by this test's runtime.
fn backend(addr: &str, port: u16) -> (Arc<Backend>, Arc<CheckShared>) {
    let shared = Arc::new(CheckShared::new(Handle::current()));
    let env = Arc::new(CheckEnv::new("c", Arc::clone(&shared)));
    let def = BackendDef::new("b", addr, port.into(), 1);
    (Arc::new(Backend::new(&def, "s".into(), false, Arc::default(), env)), shared)
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A port that nobody listens at.
async fn closed_port() -> u16 {
    listen().await.1
}

/// Reads the head of a request.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.unwrap() > 0 {}
    String::from_utf8(head).unwrap()
}

/// Answers one connection; gives the head of the request.
async fn answer(listener: &TcpListener, text: &str) -> String {
    let mut stream = accept(listener).await;
    let head = read_head(&mut stream).await;
    stream.write_all(text.as_bytes()).await.unwrap();
    head
}

async fn accept(listener: &TcpListener) -> TcpStream {
    let patience = Duration::from_secs(10);
    tokio::time::timeout(patience, listener.accept()).await.expect("nobody connects").unwrap().0
}
