//! The command line (CFG-1 to CFG-8, CFG-14 to CFG-19).

use bfe_tests::{Backend, Bfe, Launch, Tree, run, wait_until};
use std::fs;
use std::path::Path;

/// Text that is the same on all machines: the version of the package.
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn cfg_1_to_4_flags_that_only_print() {
    let dir = tempfile::tempdir().unwrap();
    for (arguments, code, stdout, stderr) in [
        (&["-v"][..], 0, &format!("bfe version: {VERSION}\n")[..], ""),
        (&["--v"], 0, "bfe version: ", ""),
        (&["-V"], 0, "git commit: ", ""),
        (&["-V", "-v"], 0, "bfe version: ", ""),
        (&["-h"], 0, "", "Usage of bfe:"),
        (&["-v", "-h"], 0, "", "Usage of bfe:"),
        (&["-help"], 0, "", "Usage of bfe:"),
        (&["-x"], 2, "", "flag provided but not defined: -x"),
        (&["-tc"], 2, "", "flag provided but not defined: -tc"),
        (&["-c"], 2, "", "flag needs an argument: -c"),
        (&["-t=maybe"], 2, "", "-t"),
    ] {
        let ended = run(arguments, dir.path());
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        assert!(ended.stdout.contains(stdout) && ended.stderr.contains(stderr), "{arguments:?}: {ended:?}");
        assert!(stdout.is_empty() == ended.stdout.is_empty(), "{arguments:?}: {ended:?}");
        if code == 2 {
            assert!(ended.stderr.contains("Usage of bfe:"), "CFG-4 {arguments:?}: {ended:?}");
        }
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing of this makes a log folder");
}

/// Lays a tree out as `conf` in a folder.
fn lay(tree: &Tree, dir: &Path) {
    let ended = Launch::new(tree).finish_with(&["-t"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // The tree of a process that has ended is gone with it, so it is laid out again.
    tree.lay_out(&dir.join("conf"));
}

#[test]
fn cfg_5_to_7_the_tests_verdict_and_default_roots() {
    let backend = Backend::ok("x");
    let dir = tempfile::tempdir().unwrap();
    lay(&Tree::proxy(&backend), dir.path());
    for arguments in [&["-t"][..], &["-t", "false"], &["--t=1"], &["-c", "conf/", "-l", "log", "-t"]] {
        let ended = run(arguments, dir.path());
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        let verdict = "bfe: configuration file conf/bfe.conf test is successful\n";
        assert!(ended.stdout.ends_with(verdict), "{arguments:?}: {ended:?}");
    }
    assert!(dir.path().join("log/bfe.log").exists(), "CFG-6, CFG-15");
    assert!(dir.path().join("log/bfe.wf.log").exists(), "CFG-15");
    fs::write(dir.path().join("conf/bfe.conf"), "[Server]\nHttpPort = 0\n").unwrap();
    let ended = run(&["-t"], dir.path());
    assert_eq!(ended.code, Some(1), "CFG-8: {ended:?}");
    assert!(ended.stdout.ends_with("bfe: configuration file conf/bfe.conf test failed\n"), "{ended:?}");
}

#[test]
fn cfg_14_a_log_folder_that_cannot_be_made() {
    let backend = Backend::ok("x");
    let ended = Launch::new(&Tree::proxy(&backend)).finish_with(&["-l", "/dev/null/log"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.starts_with("bfe: err in log.Init():"), "{ended:?}");
}

#[test]
fn cfg_15_16_19_the_log() {
    let backend = Backend::ok("x");
    let bfe = Launch::new(&Tree::proxy(&backend)).start_with(&["-s"]);
    wait_until("the line that says what is served", || bfe.log().contains("serves HTTP"));
    let log = bfe.log();
    let line = log.lines().find(|line| line.contains("serves HTTP")).unwrap();
    let (head, _) = line.split_once("bfe 1").unwrap();
    // [YYYY/MM/DD hh:mm:ss ZONE] [LEVL] [pid] (source:line) message
    let parts: Vec<_> = head.split("] ").collect();
    let [time, level, pid, source] = parts.as_slice() else { panic!("{line}") };
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert!(shape.starts_with("[9999/99/99 99:99:99 "), "{line}");
    assert_eq!((*level, *pid), ("[INFO", &format!("[{}", bfe.pid())[..]));
    assert!(source.starts_with("(bfe_server::server:") && source.ends_with(") "), "{line}");
    // The warning about the missing name table is in both files, the information in one.
    wait_until("warnings in their own file", || bfe.warnings().contains("[WARN]"));
    assert!(!bfe.warnings().contains("[INFO]"));
    assert!(log.contains("[WARN]"));
    wait_until("CFG-19: the short form on standard output", || {
        bfe.output().lines().any(|line| line.contains("] [INFO] bfe 1"))
    });
}

#[test]
fn mon_48_50_levels_and_what_is_told_at_the_start() {
    let backend = Backend::ok("x");
    let tree = Tree::proxy(&backend).version("v-7").module("mod_logid");
    for (arguments, wants_debug) in [(&[][..], false), (&["-d"], true)] {
        let bfe = Launch::new(&tree).start_with(arguments);
        wait_until("the versions in use", || bfe.log().contains("configuration in use: host_rule \"v-7\""));
        let log = bfe.log();
        for told in [
            format!("bfe {VERSION} starts, pid {}", bfe.pid()),
            format!("serves HTTP on {}", bfe.http_addr()),
            format!("HTTPS on {}", bfe.https_addr()),
            format!("monitor on {}", bfe.monitor_addr()),
            "modules: mod_logid".into(),
        ] {
            assert!(log.contains(&told), "{told} is not in {log}");
        }
        // A connection to the monitor port that sends nonsense is worth a line for who debugs.
        let mut client = bfe_tests::Client::connect(bfe.monitor_addr());
        client.send("nonsense\r\n\r\n");
        client.read_to_end();
        let _ = bfe.monitor("/reload/nothing");
        assert_eq!(bfe.reload("server_data_conf"), None);
        wait_until("a reload in the log", || bfe.log().contains("Reload through web"));
        assert_eq!(bfe.log().contains("] [DEBG] ["), wants_debug, "{}", bfe.log());
    }
}

#[test]
fn rust_log_filters_standard_output_and_not_the_files() {
    let backend = Backend::ok("x");
    let bfe = Launch::new(&Tree::proxy(&backend)).env("RUST_LOG", "warn").start_with(&["-s"]);
    wait_until("the versions in use", || bfe.log().contains("configuration in use"));
    wait_until("a warning", || bfe.stdout().contains("] [WARN] "));
    assert!(!bfe.stdout().contains("[INFO]"), "{}", bfe.stdout());
    assert!(bfe.log().contains("] [INFO] ["));
}

#[test]
fn cfg_52_no_monitor_port() {
    let backend = Backend::ok("x");
    let bfe = Bfe::start(&Tree::proxy(&backend).set("MonitorEnabled", "false"));
    assert_eq!(bfe.ask("GET / HTTP/1.1\r\nHost: ok\r\n\r\n").status, 200);
    assert!(std::net::TcpStream::connect(bfe.monitor_addr()).is_err());
}
