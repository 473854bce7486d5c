//! The table that rules are looked up in (tls 4).

use super::check::Rules;
use super::next_proto::{Level, NextProto};
use crate::conf::Map;
use crate::conf::client_auth::{Authorities, Authority};
use crate::conf::server_cert_conf::{Cert, CertTable};
use crate::protocol::Protocol;
use std::net::IpAddr;
use std::sync::Arc;

/// What applies to a connection.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The certificate for its vips.
    pub(crate) cert: Option<Arc<Cert>>,
    /// Protocols in order of preference; empty for HTTP/1 alone.
    pub(crate) protos: Vec<NextProto>,
    /// Whether they were written in the rule itself. Only then do their parameters count.
    pub(crate) own_protos: bool,
    /// CA set and revocations, where clients must have a certificate.
    pub(crate) authority: Option<Arc<Authority>>,
    /// Whether ChaCha20 may be chosen in TLS 1.2.
    pub(crate) chacha20: bool,
    /// Whether the size of records follows the flow of data.
    pub(crate) dynamic_record: bool,
}

/// All rules of a load.
#[derive(Debug)]
pub(crate) struct RuleTable {
    pub(crate) version: String,
    vips: Map<IpAddr, Arc<Rule>>,
    server_names: Map<String, Arc<Rule>>,
    default: Arc<Rule>,
}

impl Rule {
    /// The protocol that is used whatever the client says.
    pub(crate) fn mandatory(&self) -> Option<Protocol> {
        match self.protos.as_slice() {
            [only] if only.level == Level::Mandatory => Some(only.protocol),
            _ => None,
        }
    }
}

impl RuleTable {
    pub(super) fn new(checked: Rules, certs: &CertTable, authorities: &Authorities) -> Self {
        let default = Rule {
            cert: None,
            protos: checked.default_protos.clone(),
            own_protos: false,
            authority: None,
            chacha20: checked.default_chacha20,
            dynamic_record: checked.default_dynamic_record,
        };
        let (mut vips, mut server_names) = (Map::default(), Map::default());
        for rule in checked.rules {
            let own_protos = !rule.protos.is_empty();
            let made = Arc::new(Rule {
                cert: certs.named(&rule.cert_name).cloned(),
                protos: if own_protos { rule.protos } else { checked.default_protos.clone() },
                own_protos,
                authority: rule.client_ca.and_then(|ca| authorities.get(&ca).cloned()),
                chacha20: rule.chacha20,
                dynamic_record: rule.dynamic_record,
            });
            vips.extend(rule.vips.into_iter().map(|vip| (vip, Arc::clone(&made))));
            server_names.extend(rule.server_names.into_iter().map(|name| (name, Arc::clone(&made))));
        }
        Self { version: checked.version, vips, server_names, default: Arc::new(default) }
    }

    /// The rule of a vip.
    pub(crate) fn of_vip(&self, vip: IpAddr) -> Option<&Arc<Rule>> {
        self.vips.get(&vip)
    }

    /// The rule of a connection: by vip, else by server name exactly as it was sent, else the default.
    pub(crate) fn find(&self, vip: Option<IpAddr>, server_name: &str) -> &Arc<Rule> {
        vip.and_then(|vip| self.vips.get(&vip))
            .or_else(|| self.server_names.get(server_name))
            .unwrap_or(&self.default)
    }
}
