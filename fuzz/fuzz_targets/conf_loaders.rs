//! Every loader of the core's data files, from any bytes: an error that can be shown, or a table.

#![no_main]

use bfe_balance::conf::{cluster_conf::ClusterTable, name_conf::NameTable};
use bfe_route::ServerRoutes;
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::path::PathBuf;

thread_local! {
    static FOLDER: RefCell<PathBuf> = RefCell::new({
        let folder = std::env::temp_dir().join(format!("bfe-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("temporary folder");
        folder
    });
}

const GOOD_HOST: &str = r#"{"Version":"1","Hosts":{"t":["a.org"]},"HostTags":{"p":["t"]}}"#;
const GOOD_VIP: &str = r#"{"Version":"1","Vips":{}}"#;
const GOOD_ROUTE: &str = r#"{"Version":"1","ProductRule":{"p":[{"Cond":"default_t()","ClusterName":"c"}]}}"#;
const GOOD_GSLB: &str = r#"{"Clusters":{"c":{"s":1}},"Hostname":"","Ts":"0"}"#;
const GOOD_TABLE: &str = r#"{"Version":"1","Config":{"c":{"s":[{"Name":"b","Addr":"127.0.0.1","Port":1,"Weight":1}]}}}"#;

fuzz_target!(|input: (u8, &[u8])| {
    let (which, bytes) = input;
    let folder = FOLDER.with_borrow(Clone::clone);
    let write = |name: &str, text: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("write");
        path
    };
    let any = |name: &str| write(name, bytes);
    let shown = match which % 8 {
        0 => ServerRoutes::load(&any("h"), &write("v", GOOD_VIP.as_bytes()), &write("r", GOOD_ROUTE.as_bytes())).err(),
        1 => ServerRoutes::load(&write("h", GOOD_HOST.as_bytes()), &any("v"), &write("r", GOOD_ROUTE.as_bytes())).err(),
        2 => ServerRoutes::load(&write("h", GOOD_HOST.as_bytes()), &write("v", GOOD_VIP.as_bytes()), &any("r")).err(),
        3 => ClusterTable::load(&any("c")).err(),
        4 => NameTable::load(&any("n")).err(),
        5 | 6 => {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
            let (gslb, table) = if which % 8 == 5 {
                (any("g"), write("t", GOOD_TABLE.as_bytes()))
            } else {
                (write("g", GOOD_GSLB.as_bytes()), any("t"))
            };
            bfe_balance::BalTable::load(&gslb, &table, runtime.handle().clone()).err()
        }
        _ => bfe_server::config::BfeConfig::from_slice("bfe.conf", bytes, &folder).err(),
    };
    if let Some(errors) = shown {
        assert!(!errors.to_string().is_empty());
    }
});
