use super::*;
use std::num::NonZeroUsize;
use std::time::Duration;

fn load(text: &str) -> Result<(BfeConfig, Vec<String>), String> {
    BfeConfig::from_slice("bfe.conf", text.as_bytes(), Path::new("/srv/conf"))
        .map_err(|errors| errors.to_string())
}

fn accepted(text: &str) -> BfeConfig {
    load(text).unwrap_or_else(|error| panic!("{text:?}: {error}")).0
}

#[test]
fn cfg_36_defaults() {
    let (config, warnings) = load("").unwrap();
    let path = |file: &str| PathBuf::from(format!("/srv/conf/{file}"));
    let listen = |port| Listen { addr: String::new(), port };
    let secs = Duration::from_secs;
    let server = ServerConf {
        http: listen(8080),
        https: listen(8443),
        monitor: Some(listen(8421)),
        max_cpus: None,
        layer4_load_balancer: Layer4LoadBalancer::None,
        accept_num: NonZeroUsize::MIN,
        tls_handshake_timeout: secs(30),
        client_read_timeout: secs(60),
        client_write_timeout: secs(60),
        graceful_shutdown_timeout: secs(10),
        monitor_interval: secs(20),
        max_header_uri_bytes: 8192,
        max_header_bytes: 1_048_576,
        accessible_body_size: 2_097_152,
        total_body_buffer_size: None,
        max_proxy_header_bytes: 2048,
        keep_alive_enabled: true,
        enable_ai_gateway: false,
        estimate_token: false,
        modules: Vec::new(),
        host_rule_conf: path("server_data_conf/host_rule.data"),
        vip_rule_conf: path("server_data_conf/vip_rule.data"),
        route_rule_conf: path("server_data_conf/route_rule.data"),
        cluster_conf: path("server_data_conf/cluster_conf.data"),
        cluster_table_conf: path("cluster_conf/cluster_table.data"),
        gslb_conf: path("cluster_conf/gslb.data"),
        name_conf: Some(path("server_data_conf/name_conf.data")),
        debug_serv_http: false,
        debug_bfe_route: false,
        debug_bal: false,
        debug_health_check: false,
    };
    assert_eq!(config.server, server);
    let https = &config.https_basic;
    assert_eq!(https.server_cert_conf, path("tls_conf/server_cert_conf.data"));
    assert_eq!(https.tls_rule_conf, path("tls_conf/tls_rule_conf.data"));
    assert_eq!(https.client_ca_base_dir, path("tls_conf/client_ca"));
    assert_eq!(https.client_crl_base_dir, path("tls_conf/client_crl"));
    let ids: Vec<Vec<u16>> =
        https.cipher_suites.iter().map(|group| group.iter().map(|suite| suite.id).collect()).collect();
    assert_eq!(
        ids,
        [
            vec![0xc02f, 0xcca8],
            vec![0xc02b, 0xcca9],
            vec![0xc02f, 0xcca8],
            vec![0xc011],
            vec![0xc013],
            vec![0xc014],
            vec![0x0005],
            vec![0x002f],
            vec![0x0035],
        ]
    );
    assert_eq!(https.curve_preferences, [Curve::P256]);
    assert_eq!((https.min_tls_version, https.max_tls_version), (TlsVersion::Ssl30, TlsVersion::Tls13));
    assert!(https.enable_sslv2_client_hello);
    assert_eq!((&config.session_cache, &config.session_ticket), (&None, &None));
    assert_eq!(warnings.len(), 2, "lists of suites and curves are told: {warnings:?}");
}

#[test]
fn refused_values() {
    let server = |line: &str| format!("[Server]\n{line}");
    let https = |line: &str| format!("[HttpsBasic]\n{line}");
    let cache = |line: &str| format!("[SessionCache]\nSessionCacheDisabled=no\n{line}");
    for (id, text, want) in [
        (
            "CFG-37",
            server("HttpPort=0"),
            "bfe.conf:2:1: Server.HttpPort: HttpPort[0] should be in [1, 65535]",
        ),
        (
            "CFG-37",
            server("HttpsPort=65536"),
            "bfe.conf:2:1: Server.HttpsPort: HttpsPort[65536] should be in [1, 65535]",
        ),
        (
            "CFG-37",
            server("MonitorPort=-1"),
            "bfe.conf:2:1: Server.MonitorPort: MonitorPort[-1] should be in [1, 65535]",
        ),
        ("CFG-38", server("MaxCpus=-1"), "bfe.conf:2:1: Server.MaxCpus: MaxCpus[-1] is too small"),
        ("CFG-38", server("AcceptNum=-2"), "bfe.conf:2:1: Server.AcceptNum: AcceptNum[-2] is too small"),
        (
            "CFG-39",
            server("Layer4LoadBalancer=proxy"),
            "bfe.conf:2:1: Server.Layer4LoadBalancer: Layer4LoadBalancer[proxy] should be PROXY/NONE",
        ),
        (
            "CFG-40",
            server("TlsHandshakeTimeout=0"),
            "bfe.conf:2:1: Server.TlsHandshakeTimeout: TlsHandshakeTimeout[0] should > 0",
        ),
        (
            "CFG-40",
            server("TlsHandshakeTimeout=1201"),
            "bfe.conf:2:1: Server.TlsHandshakeTimeout: TlsHandshakeTimeout[1201] should <= 1200",
        ),
        (
            "CFG-40",
            server("ClientReadTimeout=0"),
            "bfe.conf:2:1: Server.ClientReadTimeout: ClientReadTimeout[0] should > 0",
        ),
        (
            "CFG-40",
            server("ClientWriteTimeout=-1"),
            "bfe.conf:2:1: Server.ClientWriteTimeout: ClientWriteTimeout[-1] should > 0",
        ),
        (
            "CFG-40",
            server("GracefulShutdownTimeout=301"),
            "bfe.conf:2:1: Server.GracefulShutdownTimeout: GracefulShutdownTimeout[301] should be (0, 300]",
        ),
        (
            "CFG-40",
            server("GracefulShutdownTimeout=0"),
            "bfe.conf:2:1: Server.GracefulShutdownTimeout: GracefulShutdownTimeout[0] should be (0, 300]",
        ),
        (
            "CFG-41",
            server("MonitorInterval=25"),
            "bfe.conf:2:1: Server.MonitorInterval: MonitorInterval[25] can not divide 60",
        ),
        (
            "CFG-41",
            server("MonitorInterval=15"),
            "bfe.conf:2:1: Server.MonitorInterval: MonitorInterval[15] is too small(<20)",
        ),
        (
            "§3.1",
            server("MaxHeaderUriBytes=0"),
            "bfe.conf:2:1: Server.MaxHeaderUriBytes: MaxHeaderUriBytes[0] should > 0",
        ),
        (
            "§3.1",
            server("MaxHeaderBytes=-1"),
            "bfe.conf:2:1: Server.MaxHeaderBytes: MaxHeaderHeaderBytes[-1] should > 0",
        ),
        (
            "CFG-42",
            server("AccessibleBodySize=8388609"),
            "bfe.conf:2:1: Server.AccessibleBodySize: AccessibleBodySize[8388609] should <= 8388608",
        ),
        (
            "CFG-42",
            server("TotalBodyBufferSize=-1"),
            "bfe.conf:2:1: Server.TotalBodyBufferSize: TotalBodyBufferSize[-1] should >= 0",
        ),
        (
            "CFG-46",
            https("CipherSuites=TLS_NOPE"),
            "bfe.conf:2:1: HttpsBasic.CipherSuites: cipher (TLS_NOPE) not support",
        ),
        (
            "CFG-46",
            https("CipherSuites=TLS_RSA_WITH_RC4_128_SH"),
            "bfe.conf:2:1: HttpsBasic.CipherSuites: cipher (TLS_RSA_WITH_RC4_128_SH) not support; did you mean TLS_RSA_WITH_RC4_128_SHA?",
        ),
        (
            "CFG-47",
            https("CipherSuites=TLS_RSA_WITH_RC4_128_SHA| "),
            "bfe.conf:2:1: HttpsBasic.CipherSuites: cipher () not support",
        ),
        ("Q7", https("CipherSuites="), "bfe.conf:2:1: HttpsBasic.CipherSuites: cipher () not support"),
        (
            "CFG-46",
            https("CurvePreferences=P256"),
            "bfe.conf:2:1: HttpsBasic.CurvePreferences: curve (P256) not support: expected CurveP256, CurveP384 or CurveP521",
        ),
        (
            "CFG-46",
            https("MaxTlsVersion=VersionTLS14"),
            "bfe.conf:2:1: HttpsBasic.MaxTlsVersion: Max TLS version(VersionTLS14) not support: expected one of VersionSSL30, VersionTLS10, VersionTLS11, VersionTLS12, VersionTLS13",
        ),
        (
            "CFG-46",
            https("MinTlsVersion=tls10"),
            "bfe.conf:2:1: HttpsBasic.MinTlsVersion: Min TLS version(tls10) not support: expected one of VersionSSL30, VersionTLS10, VersionTLS11, VersionTLS12, VersionTLS13",
        ),
        (
            "CFG-46",
            https("MaxTlsVersion=VersionTLS10\nMinTlsVersion=VersionTLS11"),
            "bfe.conf:2:1: HttpsBasic.MaxTlsVersion: Max TLS version should not less than Min TLS version",
        ),
        (
            "CFG-48",
            cache("ReadTimeout=1"),
            "bfe.conf: SessionCache.Servers: Servers[] invalid server names: expected a name of name_conf.data",
        ),
        ("CFG-48", cache("Servers=x"), "bfe.conf: SessionCache.ReadTimeout: ReadTimeout[0] should > 0"),
        (
            "CFG-48",
            cache("Servers=x\nReadTimeout=1\nWriteTimeout=0"),
            "bfe.conf:5:1: SessionCache.WriteTimeout: WriteTimeout[0] should > 0",
        ),
        (
            "CFG-48",
            cache("Servers=x\nReadTimeout=1\nMaxIdle=0"),
            "bfe.conf:5:1: SessionCache.MaxIdle: MaxIdle[0] should > 0",
        ),
        (
            "CFG-48",
            cache("Servers=x\nReadTimeout=1\nSessionExpire=-1"),
            "bfe.conf:5:1: SessionCache.SessionExpire: SessionExpire[-1] should > 0",
        ),
        (
            "all at once, in the order of the checks",
            "[SessionCache]\nSessionCacheDisabled=0\nServers=x\n[Server]\nAcceptNum=-1\nHttpPort=0"
                .to_owned(),
            "bfe.conf:6:1: Server.HttpPort: HttpPort[0] should be in [1, 65535]\n\
             bfe.conf:5:1: Server.AcceptNum: AcceptNum[-1] is too small\n\
             bfe.conf: SessionCache.ReadTimeout: ReadTimeout[0] should > 0",
        ),
        (
            "CFG-35",
            server("HttpPort=0\nMaxCpus=x"),
            "bfe.conf:3:1: Server.MaxCpus: failed to parse \"x\" as int: expected a 64-bit decimal or 0x integer",
        ),
        (
            "CFG-26",
            server("NoSuchKey = 1"),
            "bfe.conf:2:1: Server.NoSuchKey: can't store data at section \"Server\", variable \"NoSuchKey\": unknown key",
        ),
        (
            "CFG-26",
            "[Nope]\nA = 1".to_owned(),
            "bfe.conf:1:1: Nope: can't store data at section \"Nope\": unknown section",
        ),
    ] {
        assert_eq!(load(&text).map(|_| ()), Err(want.to_owned()), "{id}: {text:?}");
    }
}

#[test]
fn accepted_values() {
    let server = |line: &str| accepted(&format!("[Server]\n{line}")).server;
    let secs = Duration::from_secs;
    assert_eq!(server("MonitorEnabled=false\nMonitorPort=0").monitor, None, "CFG-37");
    assert_eq!(server("MaxCpus=4").max_cpus, NonZeroUsize::new(4));
    assert_eq!(server("AcceptNum=0").accept_num.get(), 1, "CFG-38");
    assert_eq!(server("AcceptNum=3").accept_num.get(), 3);
    assert_eq!(server("Layer4LoadBalancer=NONE").layer4_load_balancer, Layer4LoadBalancer::None, "CFG-39");
    assert_eq!(server("Layer4LoadBalancer=PROXY").layer4_load_balancer, Layer4LoadBalancer::Proxy, "CFG-39");
    assert_eq!(server("TlsHandshakeTimeout=1200").tls_handshake_timeout, secs(1200), "CFG-40");
    assert_eq!(server("GracefulShutdownTimeout=300").graceful_shutdown_timeout, secs(300), "CFG-40");
    for (value, want) in [("20", 20), ("30", 30), ("60", 60), ("0", 20), ("-5", 20), ("61", 60)] {
        assert_eq!(server(&format!("MonitorInterval={value}")).monitor_interval, secs(want), "CFG-41");
    }
    assert_eq!(server("AccessibleBodySize=0").accessible_body_size, 2_097_152, "CFG-42");
    assert_eq!(server("AccessibleBodySize=8388608").accessible_body_size, 8_388_608, "CFG-42");
    assert_eq!(server("TotalBodyBufferSize=5").total_body_buffer_size, NonZeroUsize::new(5));
    assert_eq!(server("MaxProxyHeaderBytes=-1").max_proxy_header_bytes, 2048);
    assert_eq!(server("MaxProxyHeaderBytes=100").max_proxy_header_bytes, 100);
    assert_eq!(server("HttpPort=8443").http.port, 8443, "ports may be equal");
    assert_eq!(server("HttpAddr=\"[::1]\"").http.to_string(), "[::1]:8080", "CFG-51");
    assert_eq!(server("HttpAddr=::1").http.to_string(), "::1:8080", "CFG-51: refused by the bind");
    assert_eq!(server("ClientReadTimeout=9223372036854775807").client_read_timeout, secs(3_153_600_000));
    assert_eq!(
        server("Modules= mod_b \nModules=\nModules=mod_a\nModules=mod_b\nModules=a,b").modules,
        ["mod_b", "mod_a", "a,b"],
        "CFG-50"
    );
}

#[test]
fn cfg_43_cfg_44_paths() {
    let text = "[Server]\nHostRuleConf=/abs/../h\nVipRuleConf=../v\nRouteRuleConf=./a//b\nClusterConf=\n\
                ClusterTableConf=\nGslbConf=\nNameConf=\n[HttpsBasic]\nServerCertConf=\nTlsRuleConf=\n\
                ClientCABaseDir=\nClientCRLBaseDir=";
    let (config, warnings) = load(text).unwrap();
    let server = &config.server;
    for (path, want) in [
        (&server.host_rule_conf, "/abs/../h"),
        (&server.vip_rule_conf, "/srv/v"),
        (&server.route_rule_conf, "/srv/conf/a/b"),
        (&server.cluster_conf, "/srv/conf/server_data_conf/cluster_conf.data"),
        (&server.cluster_table_conf, "/srv/conf/cluster_conf/cluster_table.data"),
        (&server.gslb_conf, "/srv/conf/cluster_conf/gslb.data"),
        (&config.https_basic.server_cert_conf, "/srv/conf/tls_conf/server_cert_conf.data"),
        (&config.https_basic.tls_rule_conf, "/srv/conf/tls_conf/tls_rule_conf.data"),
        (&config.https_basic.client_ca_base_dir, "/srv/conf/tls_conf/client_ca"),
        (&config.https_basic.client_crl_base_dir, "/srv/conf/tls_conf/client_crl"),
    ] {
        assert_eq!(path, Path::new(want));
    }
    assert_eq!(server.name_conf, None);
    assert!(warnings.iter().any(|warning| warning == "NameConf not set, ignore optional name conf"));
    assert!(
        warnings
            .iter()
            .any(|warning| { warning == "GslbConf not set, use default value [cluster_conf/gslb.data]" })
    );
}

#[test]
fn cfg_47_cipher_groups() {
    let text = "[HttpsBasic]\nCipherSuites=TLS_RSA_WITH_AES_128_CBC_SHA|TLS_RSA_WITH_AES_256_CBC_SHA\n\
                CipherSuites=TLS_RSA_WITH_3DES_EDE_CBC_SHA\nCurvePreferences=CurveP521\nCurvePreferences=CurveP384";
    let https = accepted(text).https_basic;
    let names: Vec<Vec<&str>> =
        https.cipher_suites.iter().map(|group| group.iter().map(|suite| suite.name).collect()).collect();
    assert_eq!(
        names,
        [
            vec!["TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_256_CBC_SHA"],
            vec!["TLS_RSA_WITH_3DES_EDE_CBC_SHA"],
        ]
    );
    assert_eq!(https.curve_preferences, [Curve::P521, Curve::P384]);
}

#[test]
fn websocket_over_http2_is_off_unless_it_is_on() {
    for (line, on) in
        [("", false), ("EnableHttp2Websocket = true", true), ("enablehttp2websocket = off", false)]
    {
        let https = accepted(&format!("[HttpsBasic]\n{line}")).https_basic;
        assert_eq!(https.enable_http2_websocket, on, "{line}");
    }
    assert!(load("[HttpsBasic]\nEnableHttp2Websocket = perhaps").is_err());
}

#[cfg(feature = "http3")]
#[test]
fn http3_is_off_unless_it_is_on() {
    let of =
        |keys: &str| accepted(&format!("[Server]\nHttpsPort = 9443\n[HttpsBasic]\n{keys}")).https_basic.http3;
    assert_eq!(of("Http3MaxStreams = 0\nHttp3AdvertisedPort = -1"), None);
    let served = of("EnableHttp3 = true").unwrap();
    assert_eq!(served.max_streams, 128);
    assert_eq!(served.advertisement.as_deref(), Some("h3=\":9443\"; ma=86400"));
    let served =
        of("EnableHttp3 = yes\nHttp3MaxStreams = 7\nHttp3AdvertisedPort = 443\nHttp3AdvertisedSeconds = 60");
    let served = served.unwrap();
    assert_eq!(served.max_streams, 7);
    assert_eq!(served.advertisement.as_deref(), Some("h3=\":443\"; ma=60"));
    assert_eq!(of("EnableHttp3 = true\nHttp3AdvertisedSeconds = 0").unwrap().advertisement, None);
    for keys in [
        "Http3MaxStreams = 0",
        "Http3AdvertisedPort = 70000",
        "Http3AdvertisedSeconds = -1",
        "MaxTlsVersion = VersionTLS12",
    ] {
        let error = load(&format!("[HttpsBasic]\nEnableHttp3 = true\n{keys}")).unwrap_err();
        assert!(error.contains("HttpsBasic") && error.contains("Http3"), "{keys}: {error}");
    }
}

#[test]
fn tls_4_5_settings_without_effect_are_told() {
    for (line, says) in [
        ("", None),
        ("MinTlsVersion=VersionTLS12", None),
        ("MaxTlsVersion=VersionTLS13", None),
        ("MinTlsVersion=VersionSSL30", Some("MinTlsVersion: nothing before VersionTLS12")),
        ("MaxTlsVersion=VersionTLS11", Some("no client can use the HTTPS port")),
        ("EnableSslv2ClientHello=true", Some("EnableSslv2ClientHello: without effect")),
        ("EnableSslv2ClientHello=false", None),
        ("CipherSuites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", None),
        (
            "CipherSuites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256|TLS_RSA_WITH_RC4_128_SHA",
            Some("any more: TLS_RSA_WITH_RC4_128_SHA"),
        ),
        ("CipherSuites=TLS_RSA_WITH_RC4_128_SHA", Some("no client can use TLS 1.2")),
    ] {
        let text = format!("[HttpsBasic]\n{line}");
        let (_, warnings) =
            BfeConfig::from_slice("bfe.conf", text.as_bytes(), Path::new("/srv/conf")).unwrap();
        let told = warnings.iter().filter(|w| w.starts_with("HttpsBasic.")).collect::<Vec<_>>();
        match says {
            None => assert!(told.is_empty(), "{line}: {told:?}"),
            Some(says) => assert!(told.iter().any(|w| w.contains(says)), "{line}: {told:?}"),
        }
    }
}

#[test]
fn cfg_48_session_cache() {
    let text = "[SessionCache]\nSessionCacheDisabled=false\nServers=redis\nReadTimeout=7\nConnectTimeout=0";
    let cache = accepted(text).session_cache.unwrap();
    assert_eq!(cache.servers, "redis");
    assert_eq!(cache.key_prefix, "bfe");
    assert_eq!(cache.connect_timeout, None);
    assert_eq!(cache.read_timeout, Duration::from_millis(7));
    assert_eq!(cache.write_timeout, Duration::from_millis(50));
    assert_eq!(cache.max_idle.get(), 20);
    assert_eq!(cache.session_expire, Duration::from_secs(3600));
    assert_eq!(accepted("[SessionCache]\nReadTimeout=-1\nMaxIdle=0").session_cache, None);
}

#[test]
fn cfg_49_session_ticket() {
    for (line, want) in [
        ("", "/srv/conf/tls_conf/session_ticket_key.data"),
        ("SessionTicketKeyFile=", "/srv/conf/tls_conf/server_ticket_key.data"),
        ("SessionTicketKeyFile=/k", "/k"),
    ] {
        let text = format!("[SessionTicket]\nSessionTicketsDisabled=off\n{line}");
        assert_eq!(accepted(&text).session_ticket.unwrap().key_file, Path::new(want), "{line}");
    }
}

#[test]
fn the_file_is_named_with_its_cleaned_path() {
    assert_eq!(BfeConfig::file(Path::new("./conf")), Path::new("conf/bfe.conf"));
    assert_eq!(BfeConfig::file(Path::new("")), Path::new("bfe.conf"));
    let errors = BfeConfig::load(Path::new("/nonexistent/./conf/")).unwrap_err().to_string();
    assert_eq!(errors, "/nonexistent/conf/bfe.conf: cannot read file: no such file or directory");
}
