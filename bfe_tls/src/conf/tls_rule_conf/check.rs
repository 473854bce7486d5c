//! Checks of `tls_rule_conf.data` (tls 3.2).

use super::next_proto::{self, NextProto};
use super::raw::{RawRule, RawTlsRuleConf};
use crate::conf::server_cert_conf::CertTable;
use crate::conf::{Map, covers};
use bfe_basic::conf::json::{Document, Path, Source};
use bfe_basic::conf::{ConfError, ConfErrors, Faults};
use bfe_basic::json_path;
use std::net::IpAddr;

const GRADES: [&str; 4] = ["A+", "A", "B", "C"];

/// A file that has been checked on its own.
pub(crate) struct Rules {
    pub(super) version: String,
    pub(super) default_protos: Vec<NextProto>,
    pub(super) default_chacha20: bool,
    pub(super) default_dynamic_record: bool,
    /// In the order of labels.
    pub(super) rules: Vec<CheckedRule>,
    pub(crate) source: Source,
}

/// A rule. Its grade has been checked and is gone: it tells apart what only versions before TLS 1.2 and RC4
/// had, and there are none of them.
pub(super) struct CheckedRule {
    pub(super) label: String,
    pub(super) cert_name: String,
    pub(super) vips: Vec<IpAddr>,
    pub(super) server_names: Vec<String>,
    pub(super) protos: Vec<NextProto>,
    /// Name of the CA set, where clients must have a certificate.
    pub(super) client_ca: Option<String>,
    pub(super) chacha20: bool,
    pub(super) dynamic_record: bool,
}

impl Rules {
    /// CA sets that are used: label of the first rule that does, and name of the set; each set once.
    pub(crate) fn client_cas(&self) -> Vec<(&str, &str)> {
        let mut found: Vec<(&str, &str)> = Vec::new();
        for rule in &self.rules {
            if let Some(ca) = &rule.client_ca
                && found.iter().all(|(_, known)| known != ca)
            {
                found.push((&rule.label, ca));
            }
        }
        found
    }
}

pub(super) fn check(document: Document<RawTlsRuleConf>) -> Result<(Rules, Vec<ConfError>), ConfErrors> {
    let (raw, source, warnings) = document.into_parts();
    let mut faults = Faults::new();
    if raw.version.is_empty() {
        faults.push(source.error(&json_path!["Version"], "no Version"));
    }
    let Some(config) = raw.config else {
        faults.push(source.error(&json_path!["Config"], "no Config"));
        faults.into_result()?;
        return Err(source.error(&json_path!["Config"], "no Config").into());
    };
    let mut rules = Vec::with_capacity(config.len());
    for (label, rule) in config {
        let at = json_path!["Config", &label];
        match rule {
            Some(rule) => rules.extend(check_rule(label, rule, &at, &source, &mut faults)),
            None => faults.push_with(|| source.error(&at, "rule is null")),
        }
    }
    each_once(&rules, &source, &mut faults);
    let default_protos =
        protos(&raw.default_next_protos, &json_path!["DefaultNextProtos"], &source, &mut faults);
    faults.into_result()?;
    let rules = Rules {
        version: raw.version,
        default_protos,
        default_chacha20: raw.default_chacha20,
        default_dynamic_record: raw.default_dynamic_record,
        rules,
        source,
    };
    Ok((rules, warnings))
}

fn check_rule(
    label: String,
    raw: RawRule,
    at: &Path,
    source: &Source,
    faults: &mut Faults,
) -> Option<CheckedRule> {
    let mut fault = |key: &str, reason: String| faults.push_with(|| source.error(&at.then(key), reason));
    if raw.cert_name.is_empty() {
        fault("CertName", "no CertName".to_owned());
    }
    let grade = raw.grade.to_uppercase();
    if !grade.is_empty() && !GRADES.contains(&grade.as_str()) {
        fault("Grade", format!("invalid tls grade: {grade}, currently only A+,A,B,C supported"));
    }
    if raw.client_auth && raw.client_ca_name.is_empty() {
        fault("ClientCAName", "ClientAuth enabled, but ClientCAName is empty".to_owned());
    }
    if raw.client_auth && raw.client_ca_name.contains('\0') {
        fault("ClientCAName", "ClientCAName is no name of a file".to_owned());
    }
    let mut vips = Vec::with_capacity(raw.vip_conf.len());
    for (index, vip) in raw.vip_conf.iter().enumerate() {
        match vip.parse::<IpAddr>() {
            // The same address has one form, however it is written.
            Ok(ip) => vips.push(ip.to_canonical()),
            Err(_) => faults.push_with(|| {
                source.error(&at.then("VipConf").then(index), format!("invalid vip ({index}) {vip}"))
            }),
        }
    }
    let protos = protos(&raw.next_protos, &at.then("NextProtos"), source, faults);
    Some(CheckedRule {
        label,
        cert_name: raw.cert_name,
        vips,
        server_names: raw.sni_conf,
        protos,
        client_ca: raw.client_auth.then_some(raw.client_ca_name),
        chacha20: raw.chacha20,
        dynamic_record: raw.dynamic_record,
    })
}

fn protos(items: &[String], at: &Path, source: &Source, faults: &mut Faults) -> Vec<NextProto> {
    next_proto::parse_list(items).unwrap_or_else(|(index, reason)| {
        faults.push_with(|| source.error(&at.then(index), reason));
        Vec::new()
    })
}

/// No vip and no server name stands in two places.
fn each_once(rules: &[CheckedRule], source: &Source, faults: &mut Faults) {
    let mut vips = Map::default();
    let mut names = Map::default();
    for rule in rules {
        for (index, vip) in rule.vips.iter().enumerate() {
            if let Some(other) = vips.insert(*vip, &rule.label) {
                let at = json_path!["Config", &rule.label, "VipConf", index];
                faults.push_with(|| source.error(&at, format!("duplicated vip {vip}, also in rule {other}")));
            }
        }
        for (index, name) in rule.server_names.iter().enumerate() {
            if let Some(other) = names.insert(name.as_str(), &rule.label) {
                let at = json_path!["Config", &rule.label, "SniConf", index];
                faults.push_with(|| {
                    source.error(&at, format!("duplicated SNI {name:?}, also in rule {other}"))
                });
            }
        }
    }
}

/// Certificates exist, and cover the server names of their rules (tls 3.2).
pub(super) fn against_certs(rules: &Rules, certs: &CertTable) -> Result<(), ConfErrors> {
    let mut faults = Faults::new();
    for rule in &rules.rules {
        let at = json_path!["Config", &rule.label];
        let Some(cert) = certs.named(&rule.cert_name) else {
            let reason = format!("certificate {:?} does not exist", rule.cert_name);
            faults.push_with(|| rules.source.error(&at.then("CertName"), reason));
            continue;
        };
        for (index, name) in rule.server_names.iter().enumerate() {
            if !cert.names.iter().any(|n| covers(n, name)) {
                let reason = format!("SNI {name:?} is none of the names of certificate {:?}", rule.cert_name);
                faults.push_with(|| rules.source.error(&at.then("SniConf").then(index), reason));
            }
        }
    }
    faults.into_result()
}
