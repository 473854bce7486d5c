use super::*;
use crate::conf::cluster_conf::table::ClusterTable;
use std::sync::Arc;
use std::time::Duration;

fn load_text(text: &str) -> Result<ClusterTable, Vec<(String, String)>> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    ClusterTable::load(file.path())
        .map_err(|errors| errors.iter().map(|e| (e.key.clone(), e.reason.clone())).collect())
}

fn load(cluster: &str) -> Result<Arc<ClusterConf>, Vec<(String, String)>> {
    let table = load_text(&format!(r#"{{"Version":"7","Config":{{"c":{cluster}}}}}"#))?;
    Ok(Arc::clone(table.get("c").unwrap()))
}

/// The only fault of a cluster: its place under the cluster, and the reason.
fn fault(cluster: &str) -> (String, String) {
    let faults = load(cluster).unwrap_err();
    assert_eq!(faults.len(), 1, "{cluster}: {faults:?}");
    let (key, reason) = faults.into_iter().next().unwrap();
    (key.strip_prefix("Config.c.").unwrap_or(&key).to_owned(), reason)
}

#[test]
fn bal_6_cfg_78_79_defaults() {
    for text in ["{}", "null", r#"{"BackendConf":null,"CheckConf":{},"GslbBasic":{"HashConf":null}}"#] {
        let conf = load(text).unwrap();
        let plain = ClusterConf::new("c");
        assert_eq!(conf.backend, plain.backend);
        assert_eq!(conf.check, plain.check);
        assert_eq!(conf.gslb, plain.gslb);
        assert_eq!(conf.basic, plain.basic);
        assert!(conf.https.is_none() && conf.check_tls.is_none() && conf.ai.is_none());
    }
    let conf = ClusterConf::new("c");
    assert_eq!(conf.backend.connect_timeout, Some(Duration::from_secs(2)));
    assert_eq!(conf.backend.response_header_timeout, Some(Duration::from_secs(60)));
    assert_eq!((conf.backend.max_idle_conns_per_host, conf.backend.max_conns_per_host), (2, 0));
    assert_eq!((conf.check.fail_num, conf.check.succ_num, conf.check.timeout_ms), (5, 1, None));
    assert_eq!((&*conf.check.uri, conf.check.interval), ("/health_check", Duration::from_secs(1)));
    assert_eq!((conf.gslb.cross_retry, conf.gslb.retry_max), (0, 2));
    assert_eq!(conf.gslb.hash.strategy, HashStrategy::ClientIpOnly);
    assert_eq!(conf.basic.read_client, Some(Duration::from_secs(30)));
    assert_eq!(conf.basic.write_client, Some(Duration::from_secs(60)));
    assert_eq!((conf.basic.req_write_buffer_size, conf.basic.res_flush), (512, FlushMode::EachWrite));
}

#[test]
fn cfg_78_top_fields() {
    for (text, want) in [
        (r#"{"Config":{}}"#, "no Version"),
        (r#"{"Version":"","Config":null}"#, "no Config"),
        ("null", "no Version"),
    ] {
        assert_eq!(load_text(text).unwrap_err()[0].1, want, "{text}");
    }
    assert_eq!(load_text(r#"{"version":"","CONFIG":{}}"#).unwrap().version(), "");
}

#[test]
fn cfg_80_to_92_values_of_backend_conf() {
    let conf = load(
        r#"{"BackendConf":{"Protocol":"HTTPS","TimeoutConnSrv":-1,"TimeoutResponseHeader":0,
            "MaxIdleConnsPerHost":-1,"MaxConnsPerHost":-3,"RetryLevel":9,"SlowStartTime":-1,
            "FCGIConf":{"Root":"/r","EnvVars":{"A":"b"}}}}"#,
    )
    .unwrap();
    let backend = &conf.backend;
    assert_eq!(backend.protocol, Protocol::Https);
    assert_eq!((backend.connect_timeout, backend.response_header_timeout), (Some(Duration::ZERO), None));
    assert_eq!((backend.max_idle_conns_per_host, backend.max_conns_per_host), (0, 0));
    assert_eq!((backend.retry_level, backend.slow_start), (RetryLevel::Connect, Duration::ZERO));
    assert_eq!((&*backend.fcgi.root, &*backend.fcgi.env_vars["A"]), ("/r", "b"));
    let conf = load(r#"{"BackendConf":{"TimeoutConnSrv":0,"RetryLevel":1,"SlowStartTime":9}}"#).unwrap();
    assert_eq!(conf.backend.connect_timeout, None);
    assert_eq!(
        (conf.backend.retry_level, conf.backend.slow_start),
        (RetryLevel::Get, Duration::from_secs(9))
    );
}

#[test]
fn values_of_cluster_basic() {
    let conf = load(
        r#"{"ClusterBasic":{"TimeoutReadClient":0,"TimeoutWriteClient":-1,"ReqWriteBufferSize":0,
            "ReqFlushInterval":20,"ResFlushInterval":0,"DisableHealthCheck":true}}"#,
    )
    .unwrap();
    assert_eq!((conf.basic.read_client, conf.basic.write_client), (Some(Duration::ZERO), None));
    assert_eq!(conf.basic.req_write_buffer_size, 4096);
    assert_eq!(conf.basic.req_flush_interval, Some(Duration::from_millis(20)));
    assert_eq!(conf.basic.res_flush, FlushMode::Buffered);
    assert!(conf.basic.disable_health_check && !conf.basic.disable_host_header);
    let conf = load(r#"{"ClusterBasic":{"ResFlushInterval":5,"ReqFlushInterval":-5}}"#).unwrap();
    assert_eq!(conf.basic.res_flush, FlushMode::Every(Duration::from_millis(5)));
    assert_eq!(conf.basic.req_flush_interval, None);
}

#[test]
fn bal_7_to_11_cfg_80_to_89_102_faults() {
    for (cluster, key, reason) in [
        (r#"{"BackendConf":{"Protocol":"ftp"}}"#, "BackendConf.Protocol", "protocol only support"),
        (r#"{"BackendConf":{"Protocol":""}}"#, "BackendConf.Protocol", "protocol only support"),
        (r#"{"CheckConf":{"Schem":"HTTP"}}"#, "CheckConf.Schem", "Schem for BackendCheck should be"),
        (r#"{"CheckConf":{"Schem":"udp"}}"#, "CheckConf.Schem", "Schem for BackendCheck should be"),
        (r#"{"CheckConf":{"Uri":"x"}}"#, "CheckConf.Uri", "Uri should be start with '/'"),
        (r#"{"CheckConf":{"Uri":""}}"#, "CheckConf.Uri", "Uri should be start with '/'"),
        (r#"{"CheckConf":{"StatusCode":1000}}"#, "CheckConf.StatusCode", "status code should be 100~599"),
        (r#"{"CheckConf":{"StatusCode":32}}"#, "CheckConf.StatusCode", "status code should be 100~599"),
        (
            r#"{"CheckConf":{"StatusCodeRange":"4000"}}"#,
            "CheckConf.StatusCodeRange",
            "StatusCodeRange format",
        ),
        (r#"{"CheckConf":{"StatusCodeRange":"[200-300]"}}"#, "CheckConf.StatusCodeRange", "StatusCodeRange"),
        (
            r#"{"CheckConf":{"StatusCodeRange":"|400"}}"#,
            "CheckConf.StatusCodeRange",
            "StatusCodeRange format",
        ),
        (
            r#"{"CheckConf":{"Schem":"tcp","SuccNum":0}}"#,
            "CheckConf.SuccNum",
            "SuccNum should be bigger than 0",
        ),
        (
            r#"{"GslbBasic":{"BalanceMode":"RR"}}"#,
            "GslbBasic.BalanceMode",
            "unsupported bal mode RR: expected WRR, WLC or EPP",
        ),
        (
            r#"{"GslbBasic":{"BalanceMode":""}}"#,
            "GslbBasic.BalanceMode",
            "unsupported bal mode : expected WRR, WLC or EPP",
        ),
        (r#"{"GslbBasic":{"BalanceMode":"EPP"}}"#, "GslbBasic.EPPAddr", "EPPAddr is nil or empty"),
        (
            r#"{"GslbBasic":{"HashConf":{"HashStrategy":4}}}"#,
            "GslbBasic.HashConf.HashStrategy",
            "HashStrategy[4] must be [0], [1], [2] or [3]",
        ),
        (
            r#"{"GslbBasic":{"HashConf":{"HashStrategy":0}}}"#,
            "GslbBasic.HashConf.HashHeader",
            "no HashHeader",
        ),
        (
            r#"{"GslbBasic":{"HashConf":{"HashStrategy":2,"HashHeader":""}}}"#,
            "GslbBasic.HashConf.HashHeader",
            "no HashHeader",
        ),
        (
            r#"{"GslbBasic":{"HashConf":{"HashStrategy":2,"HashHeader":"Cookie: "}}}"#,
            "GslbBasic.HashConf.HashHeader",
            "invalid HashHeader",
        ),
    ] {
        let (got_key, got_reason) = fault(cluster);
        assert_eq!(got_key, key, "{cluster}");
        assert!(got_reason.starts_with(reason), "{cluster}: {got_reason}");
    }
}

#[test]
fn bal_7_8_10_good_values() {
    for cluster in [
        r#"{"CheckConf":{"StatusCode":31,"FailNum":-4,"CheckInterval":-1}}"#,
        // What http and https alone look at is not checked for the others.
        r#"{"CheckConf":{"Schem":"tls","Uri":"x","StatusCode":1000,"StatusCodeRange":"zzz"}}"#,
        r#"{"GslbBasic":{"BalanceMode":"wlc","RetryMax":-5,"CrossRetry":-1}}"#,
        r#"{"GslbBasic":{"BalanceMode":"epp","EPPAddr":["h:1"]}}"#,
        r#"{"GslbBasic":{"HashConf":{"HashStrategy":1,"HashHeader":"Cookie:"}}}"#,
        r#"{"BackendConf":{"Protocol":"tcp"},"CheckConf":{"StatusCodeRange":" 2xx | 404 "}}"#,
    ] {
        assert!(load(cluster).is_ok(), "{cluster}");
    }
    let conf = load(r#"{"GslbBasic":{"HashConf":{"HashStrategy":2,"HashHeader":"X:y: z "}}}"#).unwrap();
    let header = conf.gslb.hash.header.as_ref().unwrap();
    assert_eq!(header.cookie.as_deref(), Some("y: z"));
}

#[test]
fn all_faults_are_told_at_once() {
    let faults =
        load(r#"{"BackendConf":{"Protocol":"x"},"CheckConf":{"SuccNum":0},"GslbBasic":{"BalanceMode":"x"}}"#)
            .unwrap_err();
    assert_eq!(faults.len(), 3);
}

#[test]
fn cfg_99_100_101_ai_conf() {
    let model =
        |text: &str| format!(r#"{{"AIConf":{{"ModelTable":{{"Currency":"RMB","Models":[{text}]}}}}}}"#);
    for (cluster, reason) in [
        (r#"{"AIConf":{"StripPrefix":true}}"#.to_owned(), "MatchPrefix is required"),
        (r#"{"AIConf":{"StripPrefix":true,"MatchPrefix":"a"}}"#.to_owned(), "MatchPrefix must end with '/'"),
        (r#"{"AIConf":{"ModelTable":{"Currency":"USD"}}}"#.to_owned(), "currency must be RMB"),
        (model(r#"{"Mode":"chat","Prices":{}}"#), "model is empty"),
        (model(r#"{"Model":"m","Prices":{}}"#), "mode is empty"),
        (model(r#"{"Model":"m","Mode":"k"}"#), "no Prices for model m"),
        (
            model(r#"{"Model":"m","Mode":"k","Prices":{"input_cost_per_token":-1}}"#),
            "negative price for model m",
        ),
        (
            model(r#"{"Model":"m","Mode":"k","Prices":{}},{"Model":"m","Mode":"k","Prices":{}}"#),
            "duplicate model m mode k",
        ),
    ] {
        let (key, got) = fault(&cluster);
        assert!(key.starts_with("AIConf") && got.starts_with(reason), "{cluster}: {key}: {got}");
    }
    let text = model(
        r#"{"Model":"m","Mode":"k","Limits":{"a":[1,{"b":null}]},
            "Prices":{"input_cost_per_token":0.000000005,"output_cost_per_token_int":7}}"#,
    );
    let conf = load(&text).unwrap();
    let ai = conf.ai.as_ref().unwrap();
    let price = ai.model_table.as_ref().unwrap().get("m", "k").unwrap();
    assert_eq!(price.prices.as_ref().unwrap()["input_cost_per_token_int"], 0.0);
    assert_eq!(price.prices.as_ref().unwrap()["output_cost_per_token_int"], 0.0);
    let conf = load(r#"{"AIConf":{"Keys":[{"Weight":-5}],"Type":7,"KeyPolicy":{"MaxRetries":2}}}"#).unwrap();
    let policy = conf.ai.as_ref().unwrap().key_policy.as_ref().unwrap();
    assert_eq!((policy.max_retries, policy.retry_backoff_initial), (2, 0));
}

#[test]
fn aic_3_prices_in_units_of_1e_8() {
    for (price, want) in
        [("1e-6", 100.0), ("2e-6", 200.0), ("2.9e-7", 28.0), ("3e-8", 2.0), ("6e-8", 5.0), ("0", 0.0)]
    {
        let text = format!(
            r#"{{"AIConf":{{"ModelTable":{{"Currency":"RMB","Models":[
                {{"Model":"m","Mode":"chat","Prices":{{"input_cost_per_token":{price}}}}}]}}}}}}"#
        );
        let conf = load(&text).unwrap();
        let table = conf.ai.as_ref().unwrap().model_table.as_ref().unwrap();
        let prices = table.get("m", "chat").unwrap().prices.as_ref().unwrap();
        assert_eq!(prices["input_cost_per_token_int"], want, "{price}");
    }
}

/// A file with that content, in a directory that lives as long as the result.
fn files(contents: &[(&str, &str)]) -> (tempfile::TempDir, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let paths = contents.iter().map(|(name, text)| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    });
    let paths = paths.collect();
    (dir, paths)
}

fn https(protocol: &str, conf: &str) -> String {
    format!(r#"{{"BackendConf":{{"Protocol":"{protocol}"}},"HTTPSConf":{conf}}}"#)
}

#[test]
fn cfg_93_95_96_98_https_files() {
    let ours = rcgen::generate_simple_self_signed(["h".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["h".to_owned()]).unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let (_dir, paths) = files(&[
        ("cert", &ours.cert.pem()),
        ("key", &ours.signing_key.serialize_pem()),
        ("other_key", &other.signing_key.serialize_pem()),
        ("broken", broken),
        ("empty", "no certificates here"),
    ]);
    let [cert, key, other_key, broken, empty] = &paths[..] else { panic!("five files") };
    for (conf, bad_at) in [
        (r#"{"RSCAList":["/no/such/file"]}"#.to_owned(), Some("HTTPSConf.RSCAList[0]")),
        (r#"{"RSInsecureSkipVerify":true,"RSCAList":["/no/such/file"]}"#.to_owned(), None),
        (format!(r#"{{"RSCAList":["{cert}","{broken}"]}}"#), Some("HTTPSConf.RSCAList[1]")),
        (format!(r#"{{"RSCAList":["{cert}","{empty}"]}}"#), None),
        (format!(r#"{{"BFECertFile":"{cert}"}}"#), None),
        (r#"{"BFECertFile":"/no/such/file"}"#.to_owned(), Some("HTTPSConf.BFECertFile")),
        (format!(r#"{{"BFECertFile":"{cert}","BFEKeyFile":"{key}"}}"#), None),
        (format!(r#"{{"BFECertFile":"{cert}","BFEKeyFile":"{other_key}"}}"#), Some("HTTPSConf")),
        (format!(r#"{{"BFECertFile":"{cert}","BFEKeyFile":"{empty}"}}"#), Some("HTTPSConf.BFEKeyFile")),
        (format!(r#"{{"BFECertFile":"{empty}","BFEKeyFile":"{key}"}}"#), Some("HTTPSConf.BFECertFile")),
    ] {
        let text = https("https", &conf);
        match bad_at {
            None => drop(load(&text).unwrap()),
            Some(at) => assert_eq!(fault(&text).0, at, "{conf}"),
        }
        // Another protocol does not open them.
        assert!(load(&https("http", &conf)).is_ok(), "{conf}");
    }
}

#[test]
fn https_confs_compare_by_their_texts() {
    let conf = |text: &str| load(&https("https", text)).unwrap().https.clone();
    assert_eq!(conf(r#"{"RSHost":"a"}"#), conf(r#"{"rshost":"a"}"#));
    assert_ne!(conf(r#"{"RSHost":"a"}"#), conf(r#"{"RSHost":"b"}"#));
    assert_ne!(conf("{}"), conf(r#"{"RSInsecureSkipVerify":true}"#));
    assert!(load(r#"{"BackendConf":{"Protocol":"https"}}"#).unwrap().https.is_none());
}
