//! Section `AIConf` (config 8.7), checked and otherwise kept as it stands in the file.

use bfe_basic::conf::Faults;
use bfe_basic::conf::json::{Path, Source};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Settings of a cluster behind the AI gateway.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AiConf {
    /// Not used.
    #[serde(rename = "Type")]
    pub kind: i64,
    /// Provider, recorded for statistics.
    pub provider: String,
    /// Model of a request to model of the backend.
    pub model_mapping: BTreeMap<String, String>,
    /// Prefix that is stripped from the model; ends in `/`.
    pub match_prefix: String,
    /// Whether to strip it.
    pub strip_prefix: bool,
    /// Keys of the service.
    pub keys: Vec<AiKey>,
    /// How keys are tried; see [`AiKeyPolicy::default`] for absence.
    pub key_policy: Option<AiKeyPolicy>,
    /// Prices.
    pub model_table: Option<ModelTable>,
}

/// A key of the service.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AiKey {
    /// Its name, for logs.
    pub name: String,
    /// The key; empty leaves the request's own.
    pub key: String,
    /// Share of the requests; 0 is never chosen.
    pub weight: i64,
}

impl std::fmt::Debug for AiKey {
    /// Without the key, which is secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AiKey")
            .field("name", &self.name)
            .field("weight", &self.weight)
            .finish_non_exhaustive()
    }
}

/// How keys are tried. Where the section is there, its absent fields are zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AiKeyPolicy {
    /// Not used.
    pub strategy: String,
    /// More tries; negative fails every request.
    pub max_retries: i64,
    /// First wait between tries, in milliseconds.
    pub retry_backoff_initial: i64,
    /// Longest wait, in milliseconds.
    pub retry_backoff_max: i64,
}

impl AiKeyPolicy {
    /// What counts where the section is absent.
    #[must_use]
    pub fn absent() -> Self {
        Self {
            strategy: "weighted_random".to_owned(),
            max_retries: 0,
            retry_backoff_initial: 500,
            retry_backoff_max: 5000,
        }
    }
}

/// Prices of models.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ModelTable {
    /// `RMB`
    pub currency: String,
    /// One entry for each model and mode.
    pub models: Vec<ModelPrice>,
}

/// Prices of a model in a mode.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ModelPrice {
    /// Provider.
    pub provider: String,
    /// Model.
    pub model: String,
    /// Model that it was made from.
    pub base_model: String,
    /// Mode, such as `chat`.
    pub mode: String,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Parameters that it takes.
    pub supported_parameters: Vec<String>,
    /// Limits, in no fixed form.
    pub limits: BTreeMap<String, serde_json::Value>,
    /// Prices by key, such as `input_cost_per_token`; the check adds those with `_int`.
    pub prices: Option<BTreeMap<String, f64>>,
    /// More, in no fixed form.
    pub metadata: BTreeMap<String, serde_json::Value>,
}

const INPUT: &str = "input_cost_per_token";
const OUTPUT: &str = "output_cost_per_token";
/// Where the check leaves the same in units.
const INPUT_UNITS: &str = "input_cost_per_token_int";
const OUTPUT_UNITS: &str = "output_cost_per_token_int";
/// Fixed-point prices are in units of this part of the currency.
const FIXED_POINT: f64 = 1e8;

impl AiConf {
    /// Finds what is wrong, and completes the prices.
    pub(super) fn check(&mut self, at: &Path, source: &Source, faults: &mut Faults) {
        if let Some(table) = &mut self.model_table {
            table.check(&at.then("ModelTable"), source, faults);
        }
        if self.strip_prefix {
            if self.match_prefix.is_empty() {
                faults.push(source.error(at, "MatchPrefix is required when StripPrefix is true"));
            } else if !self.match_prefix.ends_with('/') {
                let reason = format!("MatchPrefix must end with '/', but is {:?}", self.match_prefix);
                faults.push(source.error(&at.then("MatchPrefix"), reason));
            }
        }
    }
}

impl ModelTable {
    /// The prices of a model in a mode.
    #[must_use]
    pub fn get(&self, model: &str, mode: &str) -> Option<&ModelPrice> {
        self.models.iter().find(|price| price.model == model && price.mode == mode)
    }

    fn check(&mut self, at: &Path, source: &Source, faults: &mut Faults) {
        if self.currency != "RMB" {
            let reason = format!("currency must be RMB, but is {:?}", self.currency);
            faults.push(source.error(&at.then("Currency"), reason));
        }
        let mut seen = BTreeSet::new();
        for (index, price) in self.models.iter_mut().enumerate() {
            let reason = match price.check() {
                Err(reason) => reason,
                Ok(()) if !seen.insert((price.model.clone(), price.mode.clone())) => {
                    format!("duplicate model {} mode {}", price.model, price.mode)
                }
                Ok(()) => continue,
            };
            faults.push_with(|| source.error(&at.then("Models").then(index), reason));
        }
    }
}

impl ModelPrice {
    /// What a token of the question costs, and one of the answer, in units of 1e-8 of the currency (ai-gateway 7).
    #[must_use]
    pub fn units(&self) -> (i64, i64) {
        let of = |key: &str| {
            let price = self.prices.as_ref().and_then(|prices| prices.get(key));
            // Not negative, and cut to a whole number, by the check.
            price.copied().unwrap_or_default() as i64
        };
        (of(INPUT_UNITS), of(OUTPUT_UNITS))
    }

    fn check(&mut self) -> Result<(), String> {
        if self.model.is_empty() {
            return Err("model is empty".to_owned());
        }
        if self.mode.is_empty() {
            return Err("mode is empty".to_owned());
        }
        let Some(prices) = &mut self.prices else {
            return Err(format!("no Prices for model {}", self.model));
        };
        let of = |prices: &BTreeMap<String, f64>, key: &str| prices.get(key).copied().unwrap_or_default();
        let (input, output) = (of(prices, INPUT), of(prices, OUTPUT));
        if input < 0.0 || output < 0.0 {
            return Err(format!("negative price for model {}", self.model));
        }
        // What is less than a unit is cut off (ai-gateway 7).
        prices.insert(INPUT_UNITS.to_owned(), (input * FIXED_POINT).trunc());
        prices.insert(OUTPUT_UNITS.to_owned(), (output * FIXED_POINT).trunc());
        Ok(())
    }
}
