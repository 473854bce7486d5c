//! Checks of `[HttpsBasic]` (config 3.2).

use super::{Checker, http3};
use crate::config::raw::{self, RawHttpsBasic};
use crate::config::table::{CipherSuite, Curve, HttpsBasicConf, TlsVersion};
use bfe_basic::conf::did_you_mean;

/// The cipher suites that may be named.
const CIPHER_SUITES: [(&str, u16); 15] = [
    ("TLS_RSA_WITH_RC4_128_SHA", 0x0005),
    ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", 0x000a),
    ("TLS_RSA_WITH_AES_128_CBC_SHA", 0x002f),
    ("TLS_RSA_WITH_AES_256_CBC_SHA", 0x0035),
    ("TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", 0xc007),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", 0xc009),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", 0xc00a),
    ("TLS_ECDHE_RSA_WITH_RC4_128_SHA", 0xc011),
    ("TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", 0xc012),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", 0xc013),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 0xc014),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xc02f),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xc02b),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca8),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca9),
];

/// The lines that are taken where there are none. The third repeats the first.
const DEFAULT_CIPHER_SUITES: [&str; 9] = [
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256|TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256|TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256|TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
];

const CURVES: [(&str, Curve); 3] =
    [("CurveP256", Curve::P256), ("CurveP384", Curve::P384), ("CurveP521", Curve::P521)];

const VERSIONS: [(&str, TlsVersion); 5] = [
    ("VersionSSL30", TlsVersion::Ssl30),
    ("VersionTLS10", TlsVersion::Tls10),
    ("VersionTLS11", TlsVersion::Tls11),
    ("VersionTLS12", TlsVersion::Tls12),
    ("VersionTLS13", TlsVersion::Tls13),
];

pub(super) fn check(raw: &RawHttpsBasic, https_port: i64, c: &mut Checker<'_>) -> HttpsBasicConf {
    // The fields stand in the order of the checks.
    let (max_tls_version, min_tls_version);
    let conf = HttpsBasicConf {
        server_cert_conf: c.path("ServerCertConf", &raw.server_cert_conf, raw::SERVER_CERT_CONF),
        tls_rule_conf: c.path("TlsRuleConf", &raw.tls_rule_conf, raw::TLS_RULE_CONF),
        client_ca_base_dir: c.path("ClientCABaseDir", &raw.client_ca_base_dir, raw::CLIENT_CA_BASE_DIR),
        cipher_suites: cipher_suites(&raw.cipher_suites, c),
        curve_preferences: curve_preferences(&raw.curve_preferences, c),
        max_tls_version: {
            (max_tls_version, min_tls_version) = versions(raw, c);
            max_tls_version
        },
        min_tls_version,
        client_crl_base_dir: c.path("ClientCRLBaseDir", &raw.client_crl_base_dir, raw::CLIENT_CRL_BASE_DIR),
        enable_sslv2_client_hello: raw.enable_sslv2_client_hello,
        enable_http2_websocket: raw.enable_http2_websocket,
        http3: http3::check(raw, max_tls_version, https_port, c),
    };
    without_effect(&conf, c);
    conf
}

/// Tells which settings that were given cannot be had: what they ask for is not safe any more, and the TLS
/// library does not do it.
fn without_effect(conf: &HttpsBasicConf, c: &mut Checker<'_>) {
    let mut warn = |key: &str, what: String| {
        if c.ini.has("HttpsBasic", key) {
            c.warnings.push(format!("HttpsBasic.{key}: {what}"));
        }
    };
    let suites = conf.cipher_suites.iter().flatten();
    let (usable, ignored): (Vec<&CipherSuite>, Vec<&CipherSuite>) =
        suites.partition(|s| bfe_tls::supports_cipher_suite(s.id));
    if !ignored.is_empty() {
        let names: Vec<_> = ignored.iter().map(|s| s.name).collect();
        warn("CipherSuites", format!("without effect, not supported any more: {}", names.join(", ")));
    }
    if usable.is_empty() {
        warn("CipherSuites", "none of the cipher suites is supported: no client can use TLS 1.2".to_owned());
    }
    if conf.min_tls_version < TlsVersion::Tls12 {
        warn(
            "MinTlsVersion",
            "nothing before VersionTLS12 is supported any more: VersionTLS12 is the oldest".to_owned(),
        );
    }
    if conf.max_tls_version < TlsVersion::Tls12 {
        let what = "nothing before VersionTLS12 is supported any more: no client can use the HTTPS port";
        warn("MaxTlsVersion", what.to_owned());
    }
    if conf.enable_sslv2_client_hello {
        warn("EnableSslv2ClientHello", "without effect, not supported any more".to_owned());
    }
}

fn cipher_suites(lines: &[String], c: &mut Checker<'_>) -> Vec<Vec<CipherSuite>> {
    if lines.is_empty() {
        c.warn(format!("CipherSuites not set, use default value {DEFAULT_CIPHER_SUITES:?}"));
        return DEFAULT_CIPHER_SUITES.iter().map(|line| cipher_group(line, c)).collect();
    }
    lines.iter().map(|line| cipher_group(line, c)).collect()
}

/// One line: names joined by `|`, not trimmed.
fn cipher_group(line: &str, c: &mut Checker<'_>) -> Vec<CipherSuite> {
    let suite = |name| {
        let found = CIPHER_SUITES.iter().find(|(known, _)| *known == name);
        if found.is_none() {
            let hint = hint(name, CIPHER_SUITES.iter().map(|(known, _)| *known));
            c.fault("CipherSuites", format!("cipher ({name}) not support{hint}"));
        }
        found.map(|&(name, id)| CipherSuite { name, id })
    };
    line.split('|').filter_map(suite).collect()
}

fn curve_preferences(names: &[String], c: &mut Checker<'_>) -> Vec<Curve> {
    if names.is_empty() {
        c.warn("CurvePreferences not set, use default value [\"CurveP256\"]".to_owned());
        return vec![Curve::P256];
    }
    let curve = |name: &String| {
        let found = CURVES.iter().find(|(known, _)| known == name);
        if found.is_none() {
            c.fault(
                "CurvePreferences",
                format!("curve ({name}) not support: expected CurveP256, CurveP384 or CurveP521"),
            );
        }
        found.map(|(_, curve)| *curve)
    };
    names.iter().filter_map(curve).collect()
}

/// Newest and oldest version.
fn versions(raw: &RawHttpsBasic, c: &mut Checker<'_>) -> (TlsVersion, TlsVersion) {
    let mut version = |key: &str, label: &str, name: &str, default| {
        if name.is_empty() {
            return Some(default);
        }
        let found = VERSIONS.iter().find(|(known, _)| *known == name);
        if found.is_none() {
            let known: Vec<&str> = VERSIONS.iter().map(|(known, _)| *known).collect();
            let reason =
                format!("{label} TLS version({name}) not support: expected one of {}", known.join(", "));
            c.fault(key, reason);
        }
        found.map(|(_, version)| *version)
    };
    let max = version("MaxTlsVersion", "Max", &raw.max_tls_version, TlsVersion::Tls13);
    let min = version("MinTlsVersion", "Min", &raw.min_tls_version, TlsVersion::Ssl30);
    if let (Some(max), Some(min)) = (max, min)
        && max < min
    {
        c.fault("MaxTlsVersion", "Max TLS version should not less than Min TLS version");
    }
    (max.unwrap_or(TlsVersion::Tls13), min.unwrap_or(TlsVersion::Ssl30))
}

fn hint<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    did_you_mean(given, known).map(|meant| format!("; did you mean {meant}?")).unwrap_or_default()
}
