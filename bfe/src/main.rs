//! The BFE load balancer: flags, start-up, wiring.

mod cli;
mod cond;
mod demo;
mod logger;

use bfe_server::config::BfeConfig;
use bfe_server::{Server, VERSION};
use cli::{Action, Options};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Arguments that are not UTF-8 must not end in a panic; as paths they are not found, and said so.
    let arguments: Vec<_> = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    if let Some((command, rest)) = arguments.split_first()
        && command == "cond"
    {
        return match cond::run(rest) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(e) => {
                eprintln!("{e:#}");
                ExitCode::from(2)
            }
        };
    }
    match cli::parse(&arguments) {
        Err(message) => {
            eprint!("{message}\n{}", cli::USAGE);
            ExitCode::from(2)
        }
        Ok(Action::Help) => {
            eprint!("{}", cli::USAGE);
            ExitCode::SUCCESS
        }
        Ok(Action::Version) => {
            println!("bfe version: {VERSION}");
            ExitCode::SUCCESS
        }
        Ok(Action::LongVersion) => {
            println!("bfe version: {VERSION}");
            println!("rust version: {}", env!("CARGO_PKG_RUST_VERSION"));
            println!("git commit: {}", option_env!("BFE_GIT_COMMIT").unwrap_or_default());
            ExitCode::SUCCESS
        }
        Ok(Action::Demo) => finish(demo::run()),
        Ok(Action::Run(options)) => {
            if let Err(e) = logger::init(&options) {
                println!("bfe: err in log.Init(): {e}");
                return ExitCode::FAILURE;
            }
            if options.test { test(&options) } else { finish(serve(&options)) }
        }
    }
}

/// Says why the process ends, where it is for a reason, and makes it the exit code.
fn finish(result: anyhow::Result<()>) -> ExitCode {
    let code = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            log::error!("main(): {e:#}");
            eprintln!("bfe: {e:#}");
            ExitCode::FAILURE
        }
    };
    log::logger().flush();
    code
}

/// `-t`: loads everything, serves nothing.
fn test(options: &Options) -> ExitCode {
    let file = BfeConfig::file(Path::new(&options.conf_root));
    let loaded = control_runtime().and_then(|control| load(options, &control));
    let (verdict, code) = match loaded {
        Ok(_) => ("is successful", ExitCode::SUCCESS),
        Err(e) => {
            log::error!("{e:#}");
            ("failed", ExitCode::FAILURE)
        }
    };
    log::logger().flush();
    println!("bfe: configuration file {} test {verdict}", file.display());
    code
}

fn serve(options: &Options) -> anyhow::Result<()> {
    let control = control_runtime()?;
    let server = load(options, &control)?;
    server.run(&control)?;
    Ok(())
}

fn load(options: &Options, control: &tokio::runtime::Runtime) -> anyhow::Result<Server> {
    let conf_root = Path::new(&options.conf_root);
    log::info!(
        "bfe {VERSION} starts, pid {}, configuration {}, log {}",
        std::process::id(),
        conf_root.display(),
        options.log_dir
    );
    let (config, warnings) = BfeConfig::load(conf_root)?;
    for warning in warnings {
        log::warn!("{warning}");
    }
    let registry = bfe_modules::registry();
    Ok(Server::load(conf_root, config, &registry, control.handle().clone())?)
}

/// How long a thread that has loaded something stays for the next load. The allocator gives freed room back to the
/// system when a thread ends, if it has been free for a second by then: so soon after a reload the replaced tables
/// take no memory any more.
const LOADERS_STAY: Duration = Duration::from_millis(1500);

/// The runtime of everything that is no request: monitor port, health checks, signals.
fn control_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).thread_name("control").thread_keep_alive(LOADERS_STAY);
    Ok(builder.enable_all().build()?)
}
