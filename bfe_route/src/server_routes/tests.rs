use super::*;
use bfe_basic::Session;
use std::rc::Rc;

const HOSTS: &str = r#"{"Version":"h","DefaultProduct":"d",
    "Hosts":{"t":["a.com"],"w":["*.a.com"]},"HostTags":{"p":["t","w"],"d":[],"u":["unused"]}}"#;
const VIPS: &str = r#"{"Version":"v","Vips":{"nowhere":["1.2.3.4"]}}"#;
const ROUTES: &str = r#"{"Version":"r",
    "BasicRule":{"p":[{"Path":["/b"],"ClusterName":"cb"},{"Path":["/a"],"ClusterName":"ADVANCED_MODE"}]},
    "ProductRule":{"p":[{"Cond":"default_t()","ClusterName":"ca"}],"u":[]}}"#;

fn load(hosts: &str, vips: &str, routes: &str) -> Result<ServerRoutes, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (hosts, vips, routes) = (file("host", hosts), file("vip", vips), file("route", routes));
    ServerRoutes::load(&hosts, &vips, &routes)
        .map_err(|errors| errors.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

fn product(routes: &ServerRoutes, host: &str, vip: Option<[u8; 4]>) -> Option<(String, String)> {
    let hit = routes.find_product(host.as_bytes(), vip.map(Into::into))?;
    Some((hit.host_tag.to_string(), hit.product.to_string()))
}

#[test]
fn cfg_125_cfg_126_cfg_127_order_of_look_ups() {
    let hit = |tag: &str, product: &str| Some((tag.to_owned(), product.to_owned()));
    let routes = load(HOSTS, VIPS, ROUTES).unwrap();
    assert_eq!(product(&routes, "A.com:80", Some([1, 2, 3, 4])), hit("t", "p"));
    assert_eq!(product(&routes, "b.com", Some([1, 2, 3, 4])), hit("", "nowhere"), "CFG-117");
    assert_eq!(product(&routes, "b.com", Some([1, 2, 3, 5])), hit("", "d"));
    assert_eq!(product(&routes, "b.com", None), hit("", "d"));

    let without_default = HOSTS.replace(r#""DefaultProduct":"d","#, "");
    let routes = load(&without_default, VIPS, ROUTES).unwrap();
    assert_eq!(product(&routes, "b.com", None), None);
    assert_eq!(routes.product_of_host(b"x.a.com").as_deref(), Some("p"));
    assert_eq!(routes.product_of_host(b"b.com"), None);
    assert_eq!(routes.product_of_vip([1, 2, 3, 4].into()).as_deref(), Some("nowhere"));
    assert_eq!(routes.product_of_vip([1, 2, 3, 5].into()), None);
}

#[test]
fn however_a_product_is_found_its_rules_are() {
    let vips = r#"{"Version":"v","Vips":{"p":["1.2.3.4"],"nowhere":["1.2.3.5"]}}"#;
    for (default, vip, want) in [
        ("d", 4, Ok("ca")),
        ("d", 5, Err(RouteError::NoProductRule)),
        ("d", 6, Err(RouteError::NoProductRule)),
        ("p", 6, Ok("ca")),
        ("u", 6, Err(RouteError::NoMatchRule)),
    ] {
        let hosts = HOSTS.replace(r#""DefaultProduct":"d""#, &format!(r#""DefaultProduct":"{default}""#));
        let routes = load(&hosts, vips, ROUTES).unwrap();
        let hit = routes.find_product(b"b.com", Some([1, 2, 3, vip].into())).unwrap();
        let http = bfe_http::Request::new("GET", "/", "b.com").unwrap();
        let req = Request::new(Rc::new(Session::default()), http);
        let found = routes.find_cluster(hit.number, &req).unwrap();
        assert_eq!(found.map(|cluster| routes.cluster_name(cluster)), want, "{default} {vip}");
    }
}

#[test]
fn clusters_versions_and_sizes() {
    let routes = load(HOSTS, VIPS, ROUTES).unwrap();
    let cluster = |product: &str, path: &str| {
        let http = bfe_http::Request::new("GET", path, "a.com").unwrap();
        let req = Request::new(Rc::new(Session::default()), http);
        let found = routes.find_cluster(routes.product_number(product), &req).unwrap();
        found.map(|cluster| routes.cluster_name(cluster).to_owned())
    };
    assert_eq!(cluster("p", "/b").as_deref(), Ok("cb"));
    assert_eq!(cluster("p", "/a").as_deref(), Ok("ca"));
    assert_eq!(cluster("nowhere", "/"), Err(RouteError::NoProductRule), "Q38");
    assert_eq!(cluster("u", "/"), Err(RouteError::NoMatchRule));

    let versions = Versions { host_tag: "h", vip: "v", product_route: "r" };
    assert_eq!(routes.versions(), versions);
    let status = Status {
        host_table_size: 2,
        host_tag_table_size: 3,
        vip_table_size: 1,
        product_route_table_size: 2,
        product_basic_route_table_size: 1,
    };
    assert_eq!(routes.status(), status);
    assert_eq!(routes.products().iter().map(|name| &**name).collect::<Vec<_>>(), ["p", "u"]);
    for (number, product) in routes.products().iter().enumerate() {
        assert_eq!(routes.product_number(product).map(ProductNumber::place), Some(number));
    }
    assert_eq!(routes.product_number("d"), None, "it owns no tag");
}

#[test]
fn cfg_114_products_of_rules_own_a_tag() {
    let routes = r#"{"Version":"r","BasicRule":{"b":[],"p":[]},"ProductRule":{"a":[],"d":[],"u":[]}}"#;
    let want = "route:1:63: ProductRule.a: product[a] in route should exist in host!\n\
                route:1:70: ProductRule.d: product[d] in route should exist in host!\n\
                route:1:33: BasicRule.b: product[b] in route should exist in host!";
    assert_eq!(load(HOSTS, VIPS, routes).map(|_| ()), Err(want.to_owned()));
}

#[test]
fn cfg_115_clusters_of_rules_exist() {
    let mut routes = load(HOSTS, VIPS, ROUTES).unwrap();
    let errors = routes.find_clusters(|_| None::<()>).unwrap_err();
    let errors: Vec<String> = errors.iter().map(|error| format!("{}: {}", error.key, error.reason)).collect();
    assert_eq!(
        errors,
        [
            "ProductRule.p[0].ClusterName: cluster[ca] in advanced route should exist in cluster_conf",
            "BasicRule.p[0].ClusterName: cluster[cb] in basic route should exist in cluster_conf",
        ]
    );
    let known = |name: &str| ["ca", "cb"].contains(&name).then(|| name.to_owned());
    let found = routes.find_clusters(known).unwrap();
    for (number, name) in ["cb", "ca"].into_iter().enumerate() {
        assert_eq!(found[number], name);
        assert_eq!(routes.cluster_name(ClusterNumber::new(number)), name);
    }

    // The name has its meaning in basic rules only, and in this case only.
    for (rules, kind) in [
        (ROUTES.replace("\"ca\"", "\"ADVANCED_MODE\""), "cluster[ADVANCED_MODE] in advanced"),
        (ROUTES.replace("ADVANCED_MODE", "advanced_mode"), "cluster[advanced_mode] in basic"),
    ] {
        let mut routes = load(HOSTS, VIPS, &rules).unwrap();
        let errors = routes.find_clusters(known).unwrap_err();
        assert!(errors.to_string().contains(kind), "{errors}");
    }
}

#[test]
fn cfg_135_the_errors_of_all_files_are_told() {
    let want = "host:1:1: Version: no Version\nhost:1:1: Hosts: no Hosts\nhost:1:1: HostTags: no HostTags\n\
                vip:1:1: Version: no Version\nroute:1:1: EOF: the file is empty";
    assert_eq!(load("{}", "{}", "").map(|_| ()), Err(want.to_owned()));
    assert_eq!(load(HOSTS, "{}", ROUTES).map(|_| ()), Err("vip:1:1: Version: no Version".to_owned()));
    let two = "vip:1:1: Version: no Version\nroute:1:1: EOF: the file is empty";
    assert_eq!(load(HOSTS, "{}", "").map(|_| ()), Err(two.to_owned()));
}

#[test]
fn cfg_70_each_file_is_needed() {
    let error = ServerRoutes::load(
        Path::new("/nonexistent/h"),
        Path::new("/nonexistent/v"),
        Path::new("/nonexistent/r"),
    );
    let error = error.unwrap_err();
    let files: Vec<&str> = error.iter().map(|error| error.file.as_str()).collect();
    assert_eq!(files, ["/nonexistent/h", "/nonexistent/v", "/nonexistent/r"]);
}

#[test]
fn tables_are_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<ServerRoutes>();
}

/// Requests and the clusters that Go BFE 1.8.5 was seen to choose for them.
#[test]
fn routes_as_recorded() {
    let hosts = r#"{"Version": "1", "DefaultProduct": null, "Hosts": {"paTag": ["a.org", "*.w.org", "deep.x.w.org"], "pbTag": ["b.org", "*.x.w.org", "B-UPPER.org"], "pcTag": ["c.org"], "pdTag": ["d.org", "*.d.org"]}, 
        "HostTags": {"pa": ["paTag"], "pb": ["pbTag"], "pc": ["pcTag"], "pd": ["pdTag"]}}"#;
    let rules = r#"{"Version": "1", "BasicRule": {"pd": [{"Hostname": ["d.org"], "Path": ["/foo"], "ClusterName": "cc"},
        {"Hostname": ["d.org"], "Path": ["/foo/*"], "ClusterName": "cd"},
        {"Hostname": ["d.org"], "Path": ["/foo/bar/*"], "ClusterName": "ce"},
        {"Hostname": ["*.d.org"], "Path": ["/w/*"], "ClusterName": "cf"},
        {"Hostname": ["x.d.org"], "ClusterName": "cg"},
        {"Path": ["/nohost/*"], "ClusterName": "ch"},
        {"Hostname": ["d.org"], "Path": ["/adv/*"], "ClusterName": "ADVANCED_MODE"}]}, 
        "ProductRule": {"pa": [{"Cond": "default_t()", "ClusterName": "ca"}], "pb": [{"Cond": "default_t()", "ClusterName": "cb"}], "pc": [{"Cond": "req_path_in(\"/1\", false)", "ClusterName": "ca"},
        {"Cond": "req_path_prefix_in(\"/2\", false)", "ClusterName": "cb"},
        {"Cond": "req_method_in(\"POST\")", "ClusterName": "cd"}], "pd": [{"Cond": "req_path_prefix_in(\"/adv\", false)", "ClusterName": "ca"},
        {"Cond": "default_t()", "ClusterName": "cb"}]}}"#;
    let mut routes = load(hosts, VIPS, rules).unwrap();
    routes.find_clusters(|name| (name.len() == 2).then_some(())).unwrap();
    for (host, path, want) in [
        ("a.org", "/", Some("ca")),
        ("a.org.", "/", Some("ca")),
        ("q.w.org", "/", Some("ca")),
        ("q.q.w.org", "/", Some("ca")),
        ("y.x.w.org", "/", Some("cb")),
        ("x.w.org", "/", Some("ca")),
        ("", "/", None),
        ("127.0.0.1", "/", None),
        ("[::1]", "/", None),
        ("xa.org", "/", None),
        ("*.w.org", "/", Some("ca")),
        ("c.org", "/1", Some("ca")),
        ("c.org", "/2", Some("cb")),
        ("c.org", "/2x", Some("cb")),
        ("c.org", "/3", None),
        ("d.org", "/foo", Some("cc")),
        ("d.org", "/foo/bar", Some("ce")),
        ("d.org", "/foo/bar/", Some("ce")),
        ("d.org", "/foobar", Some("cb")),
        ("d.org", "/", Some("cb")),
        ("d.org", "/nohost/1", Some("cb")),
        ("d.org", "/nohost", Some("cb")),
        ("d.org", "/adv/x", Some("ca")),
        ("d.org", "/foo//x", Some("cd")),
        ("d.org", "/foo?x=1", Some("cc")),
        ("x.d.org", "/w/1", Some("cg")),
        ("x.d.org", "/", Some("cg")),
        ("x.d.org", "/nohost/1", Some("cg")),
        ("x.d.org", "/foo", Some("cg")),
        ("y.d.org", "/w", Some("cf")),
        ("y.d.org", "/", Some("cb")),
        ("y.d.org", "/nohost/2", Some("cb")),
        ("y.y.d.org", "/w/1", Some("cb")),
    ] {
        let cluster = routes.find_product(host.as_bytes(), None).and_then(|hit| {
            let http = bfe_http::Request::new("GET", path, host).unwrap();
            let req = Request::new(Rc::new(Session::default()), http);
            routes.find_cluster(hit.number, &req).unwrap().ok()
        });
        assert_eq!(cluster.map(|number| routes.cluster_name(number)), want, "{host:?} {path}");
    }
}
