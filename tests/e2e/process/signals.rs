//! Signals that end the process at once, or do nothing (CFG-20, CFG-22, CFG-23).

use bfe_tests::{Backend, Bfe, Reply, Tree, wait_until};

#[test]
fn cfg_20_term_ends_at_once() {
    let backend = Backend::always(Reply::new().stall());
    let mut bfe = Bfe::start(&Tree::proxy(&backend));
    let mut client = bfe.client();
    client.send("GET / HTTP/1.1\r\nHost: ok\r\n\r\n");
    let _ = backend.wait_requests(1);
    bfe.signal("TERM");
    assert_eq!(bfe.wait_exit(), Some(0));
    client.expect_close();
    assert!(bfe.log().contains("SIGTERM"), "it is logged");
}

#[test]
fn cfg_22_23_signals_that_do_nothing() {
    let backend = Backend::ok("x");
    let mut bfe = Bfe::start(&Tree::proxy(&backend));
    // Handlers are in place once the process serves.
    assert_eq!(bfe.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n").status, 200);
    wait_until("start", || bfe.log().contains("serves HTTP"));
    bfe.wait_signals_handled("HUP");
    for name in ["HUP", "TRAP", "ABRT"] {
        bfe.signal(name);
        wait_until(&format!("SIG{name} is logged"), || bfe.log().contains(&format!("SIG{name}")));
    }
    for name in ["USR1", "USR2", "ALRM", "WINCH", "PIPE"] {
        bfe.signal(name);
        assert_eq!(bfe.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n").status, 200, "after SIG{name}");
        assert!(!bfe.has_ended(), "SIG{name}");
    }
    bfe.signal("INT");
    assert_eq!(bfe.wait_exit(), None, "SIGINT kills");
}
