//! `bfe` with one more module: `mod_probe`, for tests of the callback framework.
//!
//! Flags are `-c FOLDER` for the configuration and `-l FOLDER`, which is not used: the log goes to standard
//! error. Everything else is as in the real binary.

mod probe;

use anyhow::Context;
use bfe_server::Server;
use bfe_server::config::BfeConfig;
use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    env_logger::Builder::new().filter_level(log::LevelFilter::Info).init();
    let mut conf_root = PathBuf::from("./conf");
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "-c" => conf_root = value.into(),
            "-l" => {}
            _ => anyhow::bail!("unknown flag {flag}"),
        }
    }
    let control = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (config, _warnings) = BfeConfig::load(&conf_root)?;
    let mut registry = bfe_modules::registry();
    registry.add(probe::ModuleProbe);
    let server = Server::load(&conf_root, config, &registry, control.handle().clone())?;
    server.run(&control)?;
    Ok(())
}
