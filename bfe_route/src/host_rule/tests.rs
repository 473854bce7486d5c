use super::*;
use proptest::prelude::*;

fn load_text(text: &str) -> Result<(HostTable, Vec<String>), String> {
    let rules = json::from_slice("host_rule.data", text.as_bytes()).and_then(check::check);
    let (rules, warnings) = rules.map_err(|errors| errors.to_string())?;
    Ok((HostTable::new(rules), warnings.iter().map(ToString::to_string).collect()))
}

/// A table where each host has itself as its tag.
fn table(hosts: &[&str]) -> HostTable {
    let map: serde_json::Map<String, serde_json::Value> =
        hosts.iter().map(|host| ((*host).to_owned(), serde_json::json!([host]))).collect();
    let text = serde_json::json!({"Version": "1", "Hosts": map, "HostTags": {"p": hosts}});
    load_text(&text.to_string()).unwrap().0
}

fn tag<'t>(table: &'t HostTable, host: &str) -> Option<&'t str> {
    table.find(host.as_bytes()).map(|hit| &*hit.host_tag)
}

#[test]
fn refused_files() {
    for (id, text, want) in [
        ("CFG-61", r#"{"Hosts":{},"HostTags":{}}"#, "host_rule.data:1:1: Version: no Version"),
        ("CFG-61", r#"{"Version":"1","HostTags":{}}"#, "host_rule.data:1:1: Hosts: no Hosts"),
        (
            "CFG-61",
            r#"{"Version":"1","Hosts":null}"#,
            "host_rule.data:1:24: Hosts: no Hosts\nhost_rule.data:1:1: HostTags: no HostTags",
        ),
        (
            "CFG-61",
            "null",
            "host_rule.data:1:1: Version: no Version\nhost_rule.data:1:1: Hosts: no Hosts\nhost_rule.data:1:1: HostTags: no HostTags",
        ),
        (
            "CFG-62",
            r#"{"Version":"1","Hosts":{"t":null},"HostTags":{"p":["t"]}}"#,
            "host_rule.data:1:29: Hosts.t: no HostnameList for t",
        ),
        (
            "CFG-62",
            r#"{"Version":"1","Hosts":{},"HostTags":{"p":null}}"#,
            "host_rule.data:1:43: HostTags.p: no HostTagList for p",
        ),
        (
            "CFG-63",
            r#"{"Version":"1","Hosts":{"t":[]},"HostTags":{"p":["T"]}}"#,
            "host_rule.data:1:29: Hosts.t: hostTag[t] in Hosts should also exist in HostTags!",
        ),
        (
            "CFG-64",
            r#"{"Version":"1","DefaultProduct":"q","Hosts":{},"HostTags":{"p":[]}}"#,
            "host_rule.data:1:33: DefaultProduct: defaultProruct[q], must exist in HostTags",
        ),
        (
            "Q31",
            r#"{"Version":"1","DefaultProduct":"","Hosts":{},"HostTags":{"p":[]}}"#,
            "host_rule.data:1:33: DefaultProduct: defaultProruct[], must exist in HostTags",
        ),
        (
            "CFG-65",
            r#"{"Version":"1","Hosts":{"t":["a.com","b.com","a.com"]},"HostTags":{"p":["t"]}}"#,
            "host_rule.data:1:46: Hosts.t[2]: host duplicate for a.com",
        ),
        (
            "CFG-65",
            r#"{"Version":"1","Hosts":{"t":["a.com"],"u":["a.com"]},"HostTags":{"p":["t","u"]}}"#,
            "host_rule.data:1:44: Hosts.u[0]: host duplicate for a.com",
        ),
        ("Q22", r#"{"Version":7}"#, "host_rule.data:1:12: Version: expected a string, found the number 7"),
        (
            "all at once",
            "{\"Version\":\"1\",\n\"Hosts\":{\"t\":[\"a\",\"a\"],\"x\":[]},\n\"HostTags\":{\"p\":[\"t\"],\"q\":null}}",
            "host_rule.data:3:27: HostTags.q: no HostTagList for q\n\
             host_rule.data:2:28: Hosts.x: hostTag[x] in Hosts should also exist in HostTags!\n\
             host_rule.data:2:19: Hosts.t[1]: host duplicate for a",
        ),
    ] {
        assert_eq!(load_text(text).map(|_| ()), Err(want.to_owned()), "{id}: {text}");
    }
}

#[test]
fn accepted_files() {
    for (id, text) in [
        ("CFG-61 empty version", r#"{"Version":"","Hosts":{},"HostTags":{}}"#),
        ("CFG-62 empty lists", r#"{"Version":"1","Hosts":{"t":[]},"HostTags":{"p":["t"],"q":[]}}"#),
        ("CFG-64 null", r#"{"Version":"1","DefaultProduct":null,"Hosts":{},"HostTags":{}}"#),
        ("CFG-65 case variants", r#"{"Version":"1","Hosts":{"t":["a.com","A.com"]},"HostTags":{"p":["t"]}}"#),
        ("CFG-66 unused tags", r#"{"Version":"1","Hosts":{},"HostTags":{"p":["t"]}}"#),
        ("Q19 any case", r#"{"version":"1","hosts":{"t":["a"]},"HOSTTAGS":{"p":["t"]}}"#),
        ("empty tag", r#"{"Version":"1","Hosts":{"":["a","a"]},"HostTags":{"p":[null]}}"#),
    ] {
        assert!(load_text(text).is_ok(), "{id}: {text}");
    }
}

#[test]
fn doubtful_entries_are_told() {
    let text = r#"{"Version":"1","Hosst":{},"Hosts":{"t":["a.*.net","port.org:80"]},"HostTags":{"p":["t"],"q":["t"]}}"#;
    let (table, warnings) = load_text(text).unwrap();
    assert_eq!(
        warnings,
        [
            "host_rule.data:1:94: HostTags.q[0]: tag t belongs to p too; q gets its hosts",
            "host_rule.data:1:41: Hosts.t[0]: host a.*.net can never match: \"*\" must be the first label, and the only one",
            "host_rule.data:1:51: Hosts.t[1]: host port.org:80 can never match: hosts are looked up without their port",
        ]
    );
    assert!(table.number("p").is_some() && table.number("q").is_some(), "CFG-114");
    let (_, warnings) = load_text(r#"{"Version":"1","Hosts":{},"HostTags":{},"DefaltProduct":"x"}"#).unwrap();
    assert_eq!(
        warnings,
        ["host_rule.data:1:41: unknown key \"DefaltProduct\" is ignored; did you mean \"DefaultProduct\"?",]
    );
}

#[test]
fn tags_and_products() {
    let text = r#"{"Version":"v","DefaultProduct":"q","Hosts":{"t":["a.com"],"u":["*.b.com"]},
                   "HostTags":{"p":["t","u"],"q":[]}}"#;
    let (table, _) = load_text(text).unwrap();
    let hit = table.find(b"x.b.com").unwrap();
    assert_eq!((&*hit.host_tag, &*hit.product), ("u", "p"));
    let default = table.default.as_ref().unwrap();
    assert_eq!((&*default.host_tag, &*default.product), ("", "q"), "CFG-127");
    assert_eq!((table.version.as_str(), table.hosts, table.tags), ("v", 2, 2));
    assert!(table.number("p").is_some() && table.number("q").is_none(), "Q30");
}

#[test]
fn look_ups() {
    for (id, hosts, host, want) in [
        ("CFG-121", &["*.example.org"][..], "x.example.org", Some("*.example.org")),
        ("CFG-121", &["*.example.org"], "a.b.example.org", Some("*.example.org")),
        ("CFG-121", &["*.example.org"], "example.org", None),
        ("CFG-121", &["*.example.org"], "xexample.org", None),
        ("CFG-121", &["*.example.org"], ".example.org", Some("*.example.org")),
        ("CFG-122", &["www.e.org", "*.e.org", "x.y.www.e.org"], "q.www.e.org", Some("*.e.org")),
        ("CFG-122", &["www.e.org", "*.e.org", "x.y.www.e.org"], "y.www.e.org", Some("*.e.org")),
        ("CFG-122", &["www.e.org", "*.e.org", "x.y.www.e.org"], "z.x.y.www.e.org", Some("*.e.org")),
        ("CFG-122", &["www.e.org", "*.e.org"], "www.e.org", Some("www.e.org")),
        ("CFG-122", &["*.e.org", "*.deep.e.org"], "y.x.deep.e.org", Some("*.deep.e.org")),
        ("CFG-122", &["*.e.org", "*.deep.e.org"], "deep.e.org", Some("*.e.org")),
        ("CFG-120", &["www.e.org"], "WWW.E.ORG:8080", Some("www.e.org")),
        ("CFG-120", &["WWW.E.org"], "www.e.org", Some("WWW.E.org")),
        ("CFG-120", &["www.e.org"], "www.e.org.", Some("www.e.org")),
        ("CFG-120", &["www.e.org"], "www.e.org..", None),
        ("CFG-120", &["dot.org."], "dot.org", Some("dot.org.")),
        ("CFG-120", &["*.É.org"], "X.é.org", Some("*.É.org")),
        ("CFG-124", &["port.org:8080"], "port.org:8080", None),
        ("CFG-124", &["a.*.net"], "a.b.net", None),
        ("CFG-124", &["a.*.net"], "a.*.net", None),
        ("CFG-124", &["*.*.info"], "a.b.info", None),
        ("CFG-124", &["foo*.org"], "foo*.org", Some("foo*.org")),
        ("CFG-124", &["foo*.org"], "foox.org", None),
        ("CFG-123", &["*"], "", Some("*")),
        ("CFG-123", &["*"], "[::1]:80", Some("*")),
        ("CFG-123", &["*."], "a.b", Some("*.")),
        ("CFG-123", &["a.org"], "[::1]:80", None),
        ("empty host", &[""], "", Some("")),
        ("empty host", &["", "*"], ":80", Some("")),
        ("empty labels", &["*.."], "x..", Some("*..")),
        ("empty labels", &["*.."], "x.", None),
    ] {
        assert_eq!(tag(&table(hosts), host), want, "{id}: {hosts:?} {host:?}");
    }
}

#[test]
fn long_hosts_are_looked_up() {
    let long = format!("{}.org", "a".repeat(1000));
    let table = table(&[&long, "*.e.org"]);
    assert_eq!(tag(&table, &long.to_uppercase()), Some(&*long));
    assert_eq!(tag(&table, &format!("{}E.org", "A.".repeat(5000))), Some("*.e.org"));
    assert_eq!(tag(&table, &".".repeat(100_000)), None);
}

#[test]
fn a_hundred_thousand_hosts_load() {
    let hosts: Vec<String> = (0..100_000).map(|n| format!("host-{n}.shop-{}.test", n % 100)).collect();
    let text = serde_json::json!({"Version": "1", "Hosts": {"t": hosts, "w": ["*.shop-7.test"]}, "HostTags": {"p": ["t", "w"]}});
    let (table, _) = load_text(&text.to_string()).unwrap();
    assert_eq!(table.hosts, 100_001);
    for host in &hosts {
        assert_eq!(tag(&table, host), Some("t"));
    }
    assert_eq!(tag(&table, "x.y.shop-7.test"), Some("w"));
    assert_eq!(tag(&table, "host-100000.shop-0.test"), None);
}

/// The contract read literally: labels from right to left, the deepest entry wins, exact before wildcard.
fn naive(hosts: &[String], host: &str) -> Option<usize> {
    let labels = |host: &str| {
        let host = host.strip_suffix('.').unwrap_or(host).to_owned();
        host.rsplit('.').map(str::to_owned).collect::<Vec<_>>()
    };
    let host = host.to_lowercase();
    let wanted = labels(host.split(':').next().unwrap());
    let rank = |entry: &str| {
        let entry = labels(&entry.to_lowercase());
        let (last, front) = entry.split_last().unwrap();
        if front.iter().any(|label| label == "*") {
            None
        } else if last == "*" {
            (wanted.len() > front.len() && wanted.starts_with(front)).then_some((0, front.len()))
        } else {
            (wanted == entry).then_some((1, entry.len()))
        }
    };
    (0..hosts.len()).filter_map(|at| Some((rank(&hosts[at])?, at))).max().map(|(_, at)| at)
}

proptest! {
    #[test]
    fn agrees_with_a_naive_matcher(
        hosts in proptest::collection::vec("(\\*\\.|a\\.|B\\.|\\.){0,3}(a|b|\\*|)(\\.|:1)?", 0..12),
        wanted in proptest::collection::vec("([aAb]\\.|\\.){0,4}(a|B|)(\\.{0,2})(:80)?", 1..30),
    ) {
        // Entries that differ in text only stand for the same host; which of them wins is not laid down.
        let mut seen = std::collections::HashSet::new();
        let fold = |host: &str| host.to_lowercase().strip_suffix('.').map_or(host.to_lowercase(), str::to_owned);
        let hosts: Vec<String> = hosts.into_iter().filter(|host| seen.insert(fold(host))).collect();
        let names: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let table = table(&names);
        for host in wanted {
            prop_assert_eq!(tag(&table, &host), naive(&hosts, &host).map(|at| names[at]), "{:?} {:?}", names, host);
        }
    }
}
