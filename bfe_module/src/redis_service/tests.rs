//! Against servers that misbehave; the real one is at work in the end-to-end tests.

use super::*;
use bfe_basic::names;
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

fn service(name: &str, milliseconds: u64) -> RedisService {
    RedisService::new(&Settings {
        services: vec![(name.to_owned(), 1)],
        password: String::new(),
        connect: Duration::from_millis(milliseconds),
        answer: Duration::from_millis(milliseconds),
        dialled: |_| {},
        max_connections: 1,
    })
}

/// What a server says to the commands of a connection, one after the other; then it closes.
async fn serve(listener: TcpListener, scripts: &[&[&str]]) -> usize {
    let mut served = 0;
    for script in scripts {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1024];
        for answer in *script {
            if stream.read(&mut buffer).await.unwrap() == 0 {
                break;
            }
            served += 1;
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }
    served
}

#[tokio::test]
async fn faults_of_servers() {
    // One test: the table of names is one for the process.
    let answering = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let address = |listener: &TcpListener| vec![listener.local_addr().unwrap().to_string()];
    names::publish([
        ("answering".to_owned(), address(&answering)),
        ("silent".to_owned(), address(&silent)),
        ("refusing".to_owned(), vec![refusing.to_string()]),
        ("empty".to_owned(), vec![]),
    ]);

    // A connection that ended after its last answer is replaced, and the command sent again.
    let served = tokio::spawn(async move {
        serve(answering, &[&["$1\r\na\r\n", "-ERR no\r\n"], &["$-1\r\n", "+OK\r\n"]]).await
    });
    let redis = service("answering", 5000);
    assert_eq!(redis.get(b"k").await.unwrap().as_deref(), Some(&b"a"[..]));
    assert!(matches!(redis.get(b"k").await, Err(Fault::Redis(e)) if e.to_string().contains("no")));
    assert_eq!(redis.get(b"k").await.unwrap(), None);
    redis.set_for(b"k", b"v", 5).await.unwrap();
    assert_eq!(served.await.unwrap(), 4);

    // A script is sent by its hash, then as it is; it is not done twice where the connection ends.
    let scripted = TcpListener::bind("127.0.0.1:0").await.unwrap();
    names::publish([("scripted".to_owned(), address(&scripted)), ("empty".to_owned(), vec![])]);
    let served = tokio::spawn(async move {
        serve(
            scripted,
            &[
                &["-NOSCRIPT No matching script.\r\n", ":7\r\n", ":8\r\n", ""],
                &["-WRONGTYPE Operation\r\n"],
                &[":9\r\n"],
            ],
        )
        .await
    });
    let redis = service("scripted", 5000);
    let script = Script::new("return 1");
    assert_eq!(script.sha, "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    for want in [7, 8] {
        assert_eq!(redis.script::<i64>(&script, b"k", &[1]).await.unwrap(), want);
    }
    assert!(matches!(redis.script::<i64>(&script, b"k", &[1]).await, Err(Fault::Closed)));
    let fault = redis.script::<i64>(&script, b"k", &[1]).await.unwrap_err();
    assert_eq!(fault.to_string(), "WRONGTYPE Operation");
    // That the server has closed an idle connection is seen before anything is sent on it.
    while redis.clusters[0].slots[0].is_connected().await {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(redis.script::<i64>(&script, b"k", &[1]).await.unwrap(), 9);
    assert_eq!(served.await.unwrap(), 6);
    names::publish([
        ("silent".to_owned(), address(&silent)),
        ("refusing".to_owned(), vec![refusing.to_string()]),
        ("empty".to_owned(), vec![]),
    ]);

    for (name, want) in [("empty", "empty: no instance"), ("unknown", "unknown: no instance")] {
        assert!(service(name, 5000).get(b"k").await.unwrap_err().to_string().starts_with(want));
    }
    let fault = service("refusing", 5000).get(b"k").await.unwrap_err();
    assert_eq!(fault.to_string(), format!("dial tcp {refusing}: connect: connection refused"));

    // Many wait for a server that says nothing, and none longer than its own time.
    let redis = service("silent", 200);
    let begin = Instant::now();
    let all = (0..20).map(|_| redis.get(b"k"));
    for answer in futures(all).await {
        assert!(answer.is_err());
    }
    assert!(begin.elapsed() < Duration::from_millis(1000), "{:?}", begin.elapsed());
}

/// Waits for all of them at the same time.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<_> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in all.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(output) = future.as_mut().poll(cx) {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
