//! `trust_client_ip.data`: ranges of addresses under labels.

use crate::rule_file::{RawRule, RuleFault, RuleTable, required};
use bfe_basic::conf::{ConfError, ConfErrors};
use bfe_basic::ip_dict::{IpDict, IpDictBuilder};
use bfe_basic::json_path;
use serde::Deserialize;
use std::net::IpAddr;
use std::path::Path;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawRange {
    begin: Option<String>,
    end: Option<String>,
}

impl RawRule for RawRange {
    type Rule = (IpAddr, IpAddr);

    fn check(self) -> Result<Self::Rule, RuleFault> {
        let address = |text: Option<String>, field: &str| {
            let text = required(text, field)?;
            let ip = text.parse::<IpAddr>().map(|ip| ip.to_canonical());
            ip.map_err(|_| RuleFault::new(json_path![field], format!("illegal address: {text}")))
        };
        let (begin, end) = (address(self.begin, "Begin")?, address(self.end, "End")?);
        if begin.is_ipv4() != end.is_ipv4() {
            let reason = format!("{begin} and {end} are of different families");
            return Err(RuleFault::new(json_path!["End"], reason));
        }
        if begin > end {
            return Err(RuleFault::new(json_path!["End"], format!("{end} comes before Begin, {begin}")));
        }
        Ok((begin, end))
    }

    fn no_rules(is_null: bool) -> Option<&'static str> {
        is_null.then_some("conf")
    }
}

/// Loads the file.
pub(super) fn load(path: &Path) -> Result<IpDict, ConfErrors> {
    let table = RuleTable::read::<RawRange>(path)?;
    let mut dict = IpDictBuilder::new(0);
    for (begin, end) in table.products().flat_map(|(_, ranges)| ranges) {
        dict.insert_range(*begin, *end)
            .map_err(|e| ConfError::of_file(&path.display().to_string(), e.to_string()))?;
    }
    Ok(dict.build(table.version()))
}

/// A dictionary of these ranges.
#[cfg(test)]
pub(super) fn of(ranges: &[(&str, &str)]) -> IpDict {
    let mut dict = IpDictBuilder::new(0);
    for (begin, end) in ranges {
        dict.insert_range(begin.parse().unwrap(), end.parse().unwrap()).unwrap();
    }
    dict.build("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn trust_1_and_4_what_loads() {
        for (rules, want) in [
            (r#"[{"Begin":"1.1.1.1","End":"1.1.1.1"}]"#, ""),
            (r#"[{"begin":"::1","end":"::2"}]"#, ""),
            ("[]", ""),
            ("null", "no conf for product: p"),
            (r#"[{"End":"1.1.1.1"}]"#, "no Begin"),
            (r#"[{"Begin":"1.1.1.1"}]"#, "no End"),
            (r#"[{"Begin":"1.1.1","End":"1.1.1.1"}]"#, "illegal address: 1.1.1"),
            (r#"[{"Begin":"1.1.1.2","End":"1.1.1.1"}]"#, "1.1.1.1 comes before Begin, 1.1.1.2"),
            (r#"[{"Begin":"1.1.1.2","End":"::1"}]"#, "different families"),
        ] {
            let error = testing::check::<RawRange>(rules).err().unwrap_or_default();
            assert!(error.contains(want) && error.is_empty() == want.is_empty(), "{rules}: {error}");
        }
        assert!(testing::load::<RawRange>(r#"{"Version":"","Config":{}}"#).is_ok());
        assert!(testing::load::<RawRange>(r#"{"Config":{}}"#).is_err());
    }
}
