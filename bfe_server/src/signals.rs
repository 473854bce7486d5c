//! Signals (lifecycle 23.1).

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals that are logged and otherwise ignored, with their numbers where tokio has no name for them.
/// SIGILL cannot be handled; it kills the process, which has lost its mind anyway.
const IGNORED: [(&str, i32); 3] = [("SIGHUP", 1), ("SIGTRAP", 5), ("SIGABRT", 6)];
/// Signals that do nothing.
const SILENT: [i32; 3] = [10, 12, 14];

/// Waits for SIGQUIT, which asks for a graceful shutdown. SIGTERM ends the process at once.
pub(crate) async fn wait_for_stop() -> io::Result<()> {
    let mut quit = signal(SignalKind::quit())?;
    let mut term = signal(SignalKind::terminate())?;
    let mut ignored = Vec::new();
    for (name, number) in IGNORED {
        ignored.push((name, signal(SignalKind::from_raw(number))?));
    }
    for number in SILENT {
        // Taking the signal is enough to keep it from ending the process.
        tokio::spawn(swallow(signal(SignalKind::from_raw(number))?));
    }
    for (name, signal) in ignored {
        tokio::spawn(report(name, signal));
    }
    tokio::select! {
        _ = quit.recv() => log::info!("get signal SIGQUIT: graceful shutdown"),
        _ = term.recv() => {
            log::info!("get signal SIGTERM: exit");
            log::logger().flush();
            std::process::exit(0);
        }
    }
    Ok(())
}

async fn report(name: &'static str, mut signal: Signal) {
    while signal.recv().await.is_some() {
        log::info!("get signal {name}: ignored");
    }
}

async fn swallow(mut signal: Signal) {
    while signal.recv().await.is_some() {}
}
