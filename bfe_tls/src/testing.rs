//! Certificates and trees for tests.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

use crate::protocol::Protocol;
use crate::settings::Settings;

/// A certificate and its key, in PEM.
pub(crate) struct Made {
    pub(crate) cert: String,
    pub(crate) key: String,
}

fn params(common_name: Option<&str>, names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(name) = common_name {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    params
}

/// A self-signed server certificate.
pub(crate) fn made(common_name: Option<&str>, names: &[&str]) -> Made {
    let key = KeyPair::generate().unwrap();
    let cert = params(common_name, names).self_signed(&key).unwrap();
    Made { cert: cert.pem(), key: key.serialize_pem() }
}

/// A self-signed server certificate without a common name.
pub(crate) fn self_signed(names: &[&str]) -> Made {
    made(None, names)
}

/// A CA.
pub(crate) fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = params(Some(name), &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate of that serial number, for those purposes.
pub(crate) fn signed(
    issuer: &CertifiedIssuer<'static, KeyPair>,
    serial: u64,
    purposes: &[ExtendedKeyUsagePurpose],
) -> Made {
    let key = KeyPair::generate().unwrap();
    let mut params = params(Some("client"), &[]);
    params.serial_number = Some(serial.into());
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = purposes.to_vec();
    let cert = params.signed_by(&key, issuer).unwrap();
    Made { cert: cert.pem(), key: key.serialize_pem() }
}

/// A revocation list with those serial numbers.
pub(crate) fn revocations(issuer: &CertifiedIssuer<'static, KeyPair>, serials: &[u64]) -> String {
    let revoked = |serial: &u64| rcgen::RevokedCertParams {
        serial_number: (*serial).into(),
        revocation_time: rcgen::date_time_ymd(2024, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let list = rcgen::CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2024, 1, 1),
        // Long over, and good all the same.
        next_update: rcgen::date_time_ymd(2024, 1, 2),
        crl_number: 1u64.into(),
        issuing_distribution_point: None,
        revoked_certs: serials.iter().map(revoked).collect(),
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    list.signed_by(issuer).unwrap().pem().unwrap()
}

/// A tree with certificates `a` (`a.org`, `*.a.org`, the default) and `b` (`b.org`), and rules as given.
pub(crate) struct Tree {
    pub(crate) dir: TempDir,
    pub(crate) a: Made,
    pub(crate) b: Made,
}

impl Tree {
    pub(crate) fn new(rules: &str) -> Self {
        let tree = Self {
            dir: tempfile::tempdir().unwrap(),
            a: self_signed(&["a.org", "*.a.org"]),
            b: self_signed(&["b.org"]),
        };
        for folder in ["client_ca", "client_crl/ca"] {
            fs::create_dir_all(tree.path().join(folder)).unwrap();
        }
        for (name, made) in [("a", &tree.a), ("b", &tree.b)] {
            tree.write(&format!("{name}.crt"), &made.cert);
            tree.write(&format!("{name}.key"), &made.key);
        }
        tree.write(
            "certs.data",
            r#"{"Version": "c1", "Config": {"Default": "a", "CertConf": {
                "a": {"ServerCertFile": "a.crt", "ServerKeyFile": "a.key"},
                "b": {"ServerCertFile": "b.crt", "ServerKeyFile": "b.key"}}}}"#,
        );
        tree.rules(rules);
        tree
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.path().join(file), text).unwrap();
    }

    /// Writes rules: the `Config` of the file, and what else is in it.
    pub(crate) fn rules(&self, rest: &str) {
        self.write("rules.data", &format!(r#"{{"Version": "r1", {rest}}}"#));
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            conf_root: self.path().to_owned(),
            server_cert_conf: self.path().join("certs.data"),
            tls_rule_conf: self.path().join("rules.data"),
            client_ca_base_dir: self.path().join("client_ca"),
            client_crl_base_dir: self.path().join("client_crl"),
            session_cache: None,
            session_ticket_key: None,
            cipher_suites: vec![vec![0xc02b, 0xcca9], vec![0xc02f, 0xcca8], vec![0xc013]],
            curves: vec![23],
            min_version: 0x0300,
            max_version: 0x0304,
            protocols: Protocol::ALL.to_vec(),
            mapped_addresses: true,
        }
    }
}
