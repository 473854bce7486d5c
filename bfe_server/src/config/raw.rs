//! `bfe.conf` as it is written: every key with its default.

use bfe_basic::conf::ConfErrors;
use bfe_basic::conf::ini::{self, Ini, Section};

/// Declares a section: a struct with one field per key, its defaults, and how to read it.
macro_rules! section {
    ($(#[$doc:meta])* $name:ident $section:literal {
        $($field:ident: $type:ty = $default:expr, $kind:ident $key:literal;)*
    }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $name {
            $(pub(super) $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $name {
            fn section(&mut self) -> Section<'_> {
                Section::new($section)$(.$kind($key, &mut self.$field))*
            }
        }
    };
}

/// Default of `HostRuleConf`; the files of an empty value and of a key that is not given are the same.
pub(super) const HOST_RULE_CONF: &str = "server_data_conf/host_rule.data";
/// Default of `VipRuleConf`.
pub(super) const VIP_RULE_CONF: &str = "server_data_conf/vip_rule.data";
/// Default of `RouteRuleConf`.
pub(super) const ROUTE_RULE_CONF: &str = "server_data_conf/route_rule.data";
/// Default of `ClusterConf`.
pub(super) const CLUSTER_CONF: &str = "server_data_conf/cluster_conf.data";
/// Default of `ClusterTableConf`.
pub(super) const CLUSTER_TABLE_CONF: &str = "cluster_conf/cluster_table.data";
/// Default of `GslbConf`.
pub(super) const GSLB_CONF: &str = "cluster_conf/gslb.data";
/// Default of `ServerCertConf`.
pub(super) const SERVER_CERT_CONF: &str = "tls_conf/server_cert_conf.data";
/// Default of `TlsRuleConf`.
pub(super) const TLS_RULE_CONF: &str = "tls_conf/tls_rule_conf.data";
/// Default of `ClientCABaseDir`.
pub(super) const CLIENT_CA_BASE_DIR: &str = "tls_conf/client_ca";
/// Default of `ClientCRLBaseDir`.
pub(super) const CLIENT_CRL_BASE_DIR: &str = "tls_conf/client_crl";
/// Default of `AccessibleBodySize`, in bytes.
pub(super) const ACCESSIBLE_BODY_SIZE: i64 = 2 << 20;

section! {
    /// `[Server]` (config 3.1).
    RawServer "Server" {
        http_port: i64 = 8080, int "HttpPort";
        https_port: i64 = 8443, int "HttpsPort";
        monitor_port: i64 = 8421, int "MonitorPort";
        http_addr: String = String::new(), string "HttpAddr";
        https_addr: String = String::new(), string "HttpsAddr";
        monitor_addr: String = String::new(), string "MonitorAddr";
        monitor_enabled: bool = true, bool "MonitorEnabled";
        max_cpus: i64 = 0, int "MaxCpus";
        layer4_load_balancer: String = String::new(), string "Layer4LoadBalancer";
        accept_num: i64 = 0, int "AcceptNum";
        tls_handshake_timeout: i64 = 30, int "TlsHandshakeTimeout";
        client_read_timeout: i64 = 60, int "ClientReadTimeout";
        client_write_timeout: i64 = 60, int "ClientWriteTimeout";
        graceful_shutdown_timeout: i64 = 10, int "GracefulShutdownTimeout";
        monitor_interval: i64 = 20, int "MonitorInterval";
        max_header_uri_bytes: i64 = 8192, int "MaxHeaderUriBytes";
        max_header_bytes: i64 = 1 << 20, int "MaxHeaderBytes";
        accessible_body_size: i64 = ACCESSIBLE_BODY_SIZE, int "AccessibleBodySize";
        total_body_buffer_size: i64 = 0, int "TotalBodyBufferSize";
        max_proxy_header_bytes: i64 = 0, int "MaxProxyHeaderBytes";
        keep_alive_enabled: bool = true, bool "KeepAliveEnabled";
        enable_ai_gateway: bool = false, bool "EnableAiGateway";
        estimate_token: bool = false, bool "EstimateToken";
        modules: Vec<String> = Vec::new(), list "Modules";
        host_rule_conf: String = HOST_RULE_CONF.to_owned(), string "HostRuleConf";
        vip_rule_conf: String = VIP_RULE_CONF.to_owned(), string "VipRuleConf";
        route_rule_conf: String = ROUTE_RULE_CONF.to_owned(), string "RouteRuleConf";
        cluster_conf: String = CLUSTER_CONF.to_owned(), string "ClusterConf";
        cluster_table_conf: String = CLUSTER_TABLE_CONF.to_owned(), string "ClusterTableConf";
        gslb_conf: String = GSLB_CONF.to_owned(), string "GslbConf";
        name_conf: String = "server_data_conf/name_conf.data".to_owned(), string "NameConf";
        debug_serv_http: bool = false, bool "DebugServHttp";
        debug_bfe_route: bool = false, bool "DebugBfeRoute";
        debug_bal: bool = false, bool "DebugBal";
        debug_health_check: bool = false, bool "DebugHealthCheck";
    }
}

section! {
    /// `[HttpsBasic]` (config 3.2).
    RawHttpsBasic "HttpsBasic" {
        server_cert_conf: String = SERVER_CERT_CONF.to_owned(), string "ServerCertConf";
        tls_rule_conf: String = TLS_RULE_CONF.to_owned(), string "TlsRuleConf";
        client_ca_base_dir: String = CLIENT_CA_BASE_DIR.to_owned(), string "ClientCABaseDir";
        client_crl_base_dir: String = CLIENT_CRL_BASE_DIR.to_owned(), string "ClientCRLBaseDir";
        // The lists start empty, so that a file's lines replace the defaults instead of adding to them.
        cipher_suites: Vec<String> = Vec::new(), list "CipherSuites";
        curve_preferences: Vec<String> = Vec::new(), list "CurvePreferences";
        max_tls_version: String = String::new(), string "MaxTlsVersion";
        min_tls_version: String = String::new(), string "MinTlsVersion";
        enable_sslv2_client_hello: bool = true, bool "EnableSslv2ClientHello";
        // Not keys of the original.
        enable_http2_websocket: bool = false, bool "EnableHttp2Websocket";
        enable_http3: bool = false, bool "EnableHttp3";
        http3_max_streams: i64 = 128, int "Http3MaxStreams";
        http3_advertised_port: i64 = 0, int "Http3AdvertisedPort";
        http3_advertised_seconds: i64 = 86400, int "Http3AdvertisedSeconds";
    }
}

section! {
    /// `[SessionCache]` (config 3.3).
    RawSessionCache "SessionCache" {
        session_cache_disabled: bool = true, bool "SessionCacheDisabled";
        servers: String = String::new(), string "Servers";
        key_prefix: String = "bfe".to_owned(), string "KeyPrefix";
        connect_timeout: i64 = 50, int "ConnectTimeout";
        read_timeout: i64 = 0, int "ReadTimeout";
        write_timeout: i64 = 50, int "WriteTimeout";
        max_idle: i64 = 20, int "MaxIdle";
        session_expire: i64 = 3600, int "SessionExpire";
    }
}

section! {
    /// `[SessionTicket]` (config 3.4).
    RawSessionTicket "SessionTicket" {
        session_tickets_disabled: bool = true, bool "SessionTicketsDisabled";
        session_ticket_key_file: String = "tls_conf/session_ticket_key.data".to_owned(),
            string "SessionTicketKeyFile";
    }
}

/// The whole file.
#[derive(Debug, Default)]
pub(super) struct RawConfig {
    pub(super) server: RawServer,
    pub(super) https_basic: RawHttpsBasic,
    pub(super) session_cache: RawSessionCache,
    pub(super) session_ticket: RawSessionTicket,
}

impl RawConfig {
    /// Reads a file that is in memory.
    pub(super) fn read(name: &str, bytes: &[u8]) -> Result<(Self, Ini), ConfErrors> {
        let mut raw = Self::default();
        let mut sections = [
            raw.server.section(),
            raw.https_basic.section(),
            raw.session_cache.section(),
            raw.session_ticket.section(),
        ];
        let ini = ini::from_slice(name, bytes, &mut sections)?;
        Ok((raw, ini))
    }
}
