//! # mod_geo: where a client is
//!
//! **What it does.** Looks the client's address up in a MaxMind database, and leaves what it finds with the
//! request, for variables of mod_header and for conditions.
//!
//! **`mod_geo/mod_geo.conf`**
//!
//! | key | default | meaning |
//! |---|---|---|
//! | `Basic.GeoDBPath` | `mod_geo/geo.db` | the database; it has to be there |
//! | `Log.OpenDebug` | `false` | read, without effect |
//!
//! Databases of the types City, Country and Enterprise of GeoIP2, GeoLite2 and DB-IP serve. Those of other
//! products of MaxMind (ASN, ISP, ...) load too, and every lookup in them is an error.
//!
//! | in the request's context | variable of mod_header | value |
//! |---|---|---|
//! | `mod_geo.country_iso_code` | `%bfe_client_geo_country_iso_code` | such as `CN` |
//! | `mod_geo.subdivision_iso_code` | `%bfe_client_geo_subdivision_iso_code` | of the first subdivision |
//! | `mod_geo.city_name` | `%bfe_client_geo_city_name` | in English |
//! | `mod_geo.latitude`, `mod_geo.longitude` | `%bfe_client_geo_latitude`, `%bfe_client_geo_longitude` | such as `34.0522` |
//!
//! What the database does not know is empty, and `0` for latitude and longitude. The address is the one that
//! mod_trust_clientip has found, where it is enabled.
//!
//! **Monitor.** `/monitor/mod_geo`: `ERR_GET_GEO_INFO` (an IPv6 address and a database that has none, for
//! example), `ERR_RELOAD_GEO_DATABASE`.
//!
//! **Reload.** `/reload/mod_geo`, with `?path=FILE`: opens the database again. A wrong file changes nothing.
//!
//! Realises modules-security 7.

mod database;

use crate::module_conf;
use arc_swap::ArcSwap;
use bfe_basic::Request;
use bfe_module::metrics::Metrics;
use bfe_module::{Callbacks, InitError, Module, Point, RequestOutcome, WebHandlers};
use database::{Database, Place};
use mod_geo_state as state;
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "mod_geo";

bfe_http::counter_group! {
    /// `/monitor/mod_geo`.
    pub mod_geo_state "mod_geo" {
        /// Reloads that failed.
        ERR_RELOAD_GEO_DATABASE,
        /// Lookups that failed.
        ERR_GET_GEO_INFO,
    }
}

/// The module.
pub struct ModuleGeo;

impl Module for ModuleGeo {
    fn name(&self) -> &'static str {
        NAME
    }

    fn init(
        &self,
        callbacks: &mut Callbacks,
        web_handlers: &mut WebHandlers,
        conf_root: &Path,
    ) -> Result<(), InitError> {
        let path = module_conf::data_path(conf_root, NAME, "GeoDBPath", "mod_geo/geo.db")?;
        let database = Arc::new(ArcSwap::from_pointee(Database::open(&path)?));
        // There is no page of differences.
        let metrics = Arc::new(Metrics::new(state::group()));
        web_handlers.metrics.push(Arc::clone(&metrics));
        web_handlers.add_monitor(NAME, move |query| metrics.total(query.get("format")))?;
        let of_reload = Arc::clone(&database);
        web_handlers.add_reload(NAME, move |query| {
            let other = query.path();
            match Database::open(other.map_or(path.as_path(), Path::new)) {
                Ok(database) => {
                    of_reload.store(Arc::new(database));
                    Ok(None)
                }
                Err(error) => {
                    state::group().inc(state::ERR_RELOAD_GEO_DATABASE);
                    Err(error.to_string())
                }
            }
        })?;
        callbacks.add_request_filter(Point::HandleBeforeLocation, NAME, move |req| {
            locate(&database.load(), req);
            Ok(RequestOutcome::GO_ON)
        })?;
        Ok(())
    }
}

fn locate(database: &Database, req: &mut Request) {
    let Some(client) = req.client_addr else { return };
    match database.find(client.ip().to_canonical()) {
        Ok(place) => leave(place, req),
        Err(error) => {
            log::debug!("{NAME}: {client}: {error}");
            state::group().inc(state::ERR_GET_GEO_INFO);
        }
    }
}

fn leave(place: Place, req: &mut Request) {
    for (key, value) in [
        ("mod_geo.country_iso_code", place.country),
        ("mod_geo.subdivision_iso_code", place.subdivision),
        ("mod_geo.city_name", place.city),
        ("mod_geo.latitude", place.latitude.to_string()),
        ("mod_geo.longitude", place.longitude.to_string()),
    ] {
        req.context.set_text(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn database(name: &str) -> Database {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/mod_geo/testdata");
        Database::open(&folder.join(name)).unwrap()
    }

    /// What is left for a client, the five values one after the other; `None` where nothing is.
    fn found(database: &Database, client: &str) -> Option<String> {
        let mut req = testing::request("GET", "/");
        req.client_addr = Some(std::net::SocketAddr::new(client.parse().unwrap(), 1));
        locate(database, &mut req);
        let keys = ["country_iso_code", "subdivision_iso_code", "city_name", "latitude", "longitude"];
        let values = keys.map(|key| req.context.text(&format!("mod_geo.{key}")).map(String::from_utf8_lossy));
        let values: Option<Vec<_>> = values.into_iter().collect();
        values.map(|values| values.join(","))
    }

    #[test]
    fn geo_1_2_and_4_values() {
        let city = database("city.mmdb");
        for (client, want) in [
            ("127.0.0.1", "US,CA,Town,34.0522,-118.2437"),
            ("::ffff:127.0.0.1", "US,CA,Town,34.0522,-118.2437"),
            ("127.0.0.2", "CN,,,0,0"),
            ("127.0.0.3", ",,,0.0000001,100"),
            ("127.0.0.4", ",,,0,0"),
            ("2001:db8::1", "CN,,,0,0"),
            ("2001:db9::1", ",,,0,0"),
        ] {
            assert_eq!(found(&city, client).as_deref(), Some(want), "{client}");
        }
        assert_eq!(found(&database("country.mmdb"), "127.0.0.1").as_deref(), Some("CN,,,0,0"));
        let mut unknown = testing::request("GET", "/");
        unknown.client_addr = None;
        locate(&city, &mut unknown);
        assert!(unknown.context.is_empty());
    }

    #[test]
    fn geo_3_and_5_failed_lookups() {
        let before = state::group().get(state::ERR_GET_GEO_INFO);
        assert_eq!(found(&database("city_v4.mmdb"), "2001:db8::1"), None);
        assert_eq!(found(&database("asn.mmdb"), "127.0.0.1"), None);
        assert_eq!(found(&database("city.mmdb"), "127.0.0.5"), None, "a value of a wrong type");
        assert_eq!(state::group().get(state::ERR_GET_GEO_INFO), before + 3);
        assert_eq!(found(&database("city_v4.mmdb"), "127.0.0.2").as_deref(), Some("CN,,,0,0"));
    }

    #[test]
    fn geo_5_what_does_not_load() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/mod_geo/testdata");
        let error = |name: &str| Database::open(&folder.join(name)).err().unwrap().to_string();
        assert!(error("unknown.mmdb").ends_with("unknown.mmdb: unknown database type \"Own-Type\""));
        assert!(error("make.py").contains("make.py: "));
        assert!(error("none.mmdb").contains("no such file"));
        // A file that was cut off, wherever that is, is an error or has errors, and nothing else.
        let whole = std::fs::read(folder.join("city.mmdb")).unwrap();
        for length in (0..whole.len()).step_by(11) {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &whole[whole.len() - length..]).unwrap();
            if let Ok(database) = Database::open(file.path()) {
                let _ = database.find("127.0.0.1".parse().unwrap());
            }
        }
    }
}
