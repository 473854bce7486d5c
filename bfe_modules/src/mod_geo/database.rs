//! A MaxMind database, read whole: a file that is replaced while it is in use does no harm.

use bfe_basic::conf::{ConfError, ConfErrors, read_bytes};
use maxminddb::{MaxMindDbError, Reader};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

/// The types that have places.
const PLACES: [&str; 16] = [
    "DBIP-City-Lite",
    "DBIP-City",
    "DBIP-Country-Lite",
    "DBIP-Country",
    "GeoLite2-City",
    "GeoIP2-City",
    "GeoIP2-City-Africa",
    "GeoIP2-City-Asia-Pacific",
    "GeoIP2-City-Europe",
    "GeoIP2-City-North-America",
    "GeoIP2-City-South-America",
    "GeoIP2-Precision-City",
    "GeoLite2-Country",
    "GeoIP2-Country",
    "DBIP-Location-ISP (compat=Enterprise)",
    "GeoIP2-Enterprise",
];

/// The types that load, though they have none.
const OTHERS: [&str; 6] = [
    "GeoIP2-Anonymous-IP",
    "GeoLite2-ASN",
    "GeoIP2-Connection-Type",
    "GeoIP2-Domain",
    "GeoIP2-ISP",
    "GeoIP2-Precision-ISP",
];

/// A database.
pub(super) struct Database {
    reader: Reader<Vec<u8>>,
    has_places: bool,
}

/// Where an address is; empty and 0 where that is not known.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Place {
    pub(super) country: String,
    pub(super) subdivision: String,
    pub(super) city: String,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
}

/// Why an address could not be looked up.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookupError {
    /// The database is of a type without places.
    #[error("the database has no places")]
    NoPlaces,
    /// The database is damaged, or not for such an address.
    #[error(transparent)]
    Database(#[from] MaxMindDbError),
}

/// What is read of an entry.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    country: Coded,
    subdivisions: Vec<Coded>,
    city: Named,
    location: Location,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Coded {
    iso_code: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    names: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location {
    latitude: f64,
    longitude: f64,
}

impl Database {
    /// Reads a database.
    ///
    /// # Errors
    /// When the file cannot be read, is no database, or one of an unknown type.
    pub(super) fn open(path: &Path) -> Result<Self, ConfErrors> {
        let wrong =
            |reason: String| ConfErrors::from(ConfError::of_file(&path.display().to_string(), reason));
        let reader = Reader::from_source(read_bytes(path)?).map_err(|e| wrong(e.to_string()))?;
        let kind = reader.metadata().database_type.as_str();
        let has_places = PLACES.contains(&kind);
        if !has_places && !OTHERS.contains(&kind) {
            return Err(wrong(format!("unknown database type {kind:?}")));
        }
        Ok(Self { reader, has_places })
    }

    /// Looks an address up; one that is not there is at no place.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub(super) fn find(&self, address: IpAddr) -> Result<Place, LookupError> {
        if !self.has_places {
            return Err(LookupError::NoPlaces);
        }
        let entry: Entry = self.reader.lookup(address)?.decode()?.unwrap_or_default();
        let Entry { country, subdivisions, mut city, location } = entry;
        Ok(Place {
            country: country.iso_code,
            subdivision: subdivisions.into_iter().next().unwrap_or_default().iso_code,
            city: city.names.remove("en").unwrap_or_default(),
            latitude: location.latitude,
            longitude: location.longitude,
        })
    }
}
