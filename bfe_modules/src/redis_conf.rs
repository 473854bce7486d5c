//! The section `[Redis]` of the modules of the AI gateway (ai-gateway 9.1).

use bfe_basic::conf::ConfError;
use bfe_basic::conf::ini::{Ini, Section};
use bfe_module::redis_service::{Settings, parse_services};
use std::time::Duration;

/// Name of the section.
const SECTION: &str = "Redis";

/// The keys, as a file gives them.
#[derive(Debug, Default)]
pub(crate) struct RedisKeys {
    bns: String,
    password: String,
    connect: i64,
    read: i64,
    write: i64,
    max_idle: i64,
    max_active: i64,
}

impl RedisKeys {
    /// The section with all keys.
    pub(crate) fn section(&mut self) -> Section<'_> {
        Section::new(SECTION)
            .string("Bns", &mut self.bns)
            .int("ConnectTimeout", &mut self.connect)
            .int("ReadTimeout", &mut self.read)
            .int("WriteTimeout", &mut self.write)
            .int("MaxIdle", &mut self.max_idle)
            .int("MaxActive", &mut self.max_active)
            .string("Password", &mut self.password)
    }

    /// Checks the keys.
    pub(crate) fn check(self, ini: &Ini) -> Result<Settings, ConfError> {
        let services = parse_services(&self.bns)
            .map_err(|reason| ini.error(SECTION, "Bns", format!("Redis.Bns check err: {reason}")))?;
        let positive = |key: &str, names: &str, value: i64| match u64::try_from(value) {
            Ok(value) if value > 0 => Ok(Duration::from_millis(value)),
            _ => Err(ini.error(SECTION, key, format!("Redis.{names} must > 0, got {value}"))),
        };
        let connect = positive("ConnectTimeout", "ConnectTimeout", self.connect)?;
        let read = positive("ReadTimeout", "ReadTimeout/WriteTimeout", self.read)?;
        let write = positive("WriteTimeout", "ReadTimeout/WriteTimeout", self.write)?;
        Ok(Settings {
            services,
            password: self.password,
            connect,
            answer: read.saturating_add(write),
            dialled: |_| {},
            max_connections: usize::try_from(self.max_active).unwrap_or(0),
        })
    }
}
