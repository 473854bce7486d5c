//! From up to down and back.

use super::*;

const QUICK: &str = r#"{"CheckConf":{"FailNum":2,"SuccNum":3,"CheckInterval":0,"StatusCode":200}}"#;

/// Waits for the check task to end.
async fn idle(backend: &Backend) {
    let wait = async {
        while backend.is_checked() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("the task goes on");
}

#[tokio::test]
async fn bal_65_66_67_down_and_up_again() {
    let (listener, port) = listen().await;
    let (backend, shared) = backend("127.0.0.1", port);
    shared.set_conf(table(QUICK));
    backend.on_fail();
    assert!(backend.avail());
    backend.on_fail();
    assert!(!backend.avail());
    // More failures start no second task: each connection below is the next check of the one task.
    backend.on_fail();
    for (n, (code, good)) in
        [(200, 1), (200, 2), (500, 0), (200, 1), (200, 2), (200, 0)].into_iter().enumerate()
    {
        answer(&listener, &format!("HTTP/1.1 {code} X\r\n\r\n")).await;
        if n < 5 {
            assert!(!backend.avail(), "after check {n}");
        }
        // The count is seen to move before the next check can.
        let counted = async {
            while backend.succ_num() != good {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), counted).await.expect("not counted");
    }
    idle(&backend).await;
    assert!(backend.avail() && backend.fail_num() == 0 && backend.take_restarted());
}

#[tokio::test]
async fn bal_69_removed_backend_is_not_checked_any_more() {
    let (listener, port) = listen().await;
    let (backend, shared) = backend("127.0.0.1", port);
    shared.set_conf(table(r#"{"CheckConf":{"FailNum":1}}"#));
    backend.on_fail();
    let mut check = accept(&listener).await;
    read_head(&mut check).await;
    backend.close();
    assert_eq!(check.read(&mut [0; 1]).await.unwrap(), 0, "the check under way is dropped");
    idle(&backend).await;
    // And none starts on what is gone.
    let (gone, shared) = super::backend("127.0.0.1", port);
    shared.set_conf(table(r#"{"CheckConf":{"FailNum":1}}"#));
    gone.close();
    gone.on_fail();
    assert!(!gone.is_checked());
}

#[tokio::test]
async fn bal_68_conf_of_a_reload_counts_at_the_next_check() {
    let (listener, port) = listen().await;
    let (backend, shared) = backend("127.0.0.1", port);
    shared.set_conf(table(r#"{"CheckConf":{"FailNum":1,"CheckInterval":0,"StatusCode":200}}"#));
    backend.on_fail();
    answer(&listener, "HTTP/1.1 404 No\r\n\r\n").await;
    shared.set_conf(table(r#"{"CheckConf":{"FailNum":1,"CheckInterval":0,"StatusCode":404}}"#));
    // One check may still have been under way with the old settings.
    for _ in 0..2 {
        if backend.is_checked() {
            let up = idle(&backend);
            let more = answer(&listener, "HTTP/1.1 404 No\r\n\r\n");
            tokio::select! { () = up => {} _ = more => {} }
        }
    }
    idle(&backend).await;
    assert!(backend.avail());
}

#[tokio::test(start_paused = true)]
async fn no_conf_is_no_busy_loop() {
    let (backend, shared) = backend("127.0.0.1", closed_port().await);
    shared.set_conf(table(r#"{"CheckConf":{"FailNum":1}}"#));
    backend.on_fail();
    shared.set_conf(Arc::new(ClusterTable::default()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(backend.is_checked() && !backend.avail());
    backend.close();
    idle(&backend).await;
}

#[test]
fn pauses_are_spread_and_never_none() {
    for ms in [0, 1000] {
        for _ in 0..1000 {
            let pause = crate::health::pause(Duration::from_millis(ms)).as_millis();
            assert!((u128::from(ms) * 95 / 100..=u128::from(ms) * 105 / 100 + 10).contains(&pause));
            assert!(pause >= 10);
        }
    }
}
