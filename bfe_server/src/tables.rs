//! The tables that requests look things up in: routes and clusters, swapped in whole (config 14).

use crate::stats::{ClusterStats, ProductStats};
use arc_swap::ArcSwapOption;
use bfe_balance::conf::cluster_conf::{ClusterConf, ClusterTable, Protocol};
use bfe_balance::{BalTable, Balancer};
use bfe_basic::conf::ConfErrors;
use bfe_basic::pace;
use bfe_http::transport::{Kind, Transport, TransportConf};
use bfe_route::{ClusterNumber, ProductNumber, ServerRoutes};
use rustc_hash::{FxHashMap, FxHashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The files of one load.
#[derive(Clone, Debug)]
pub(crate) struct ServerDataFiles {
    pub(crate) host: PathBuf,
    pub(crate) vip: PathBuf,
    pub(crate) route: PathBuf,
    pub(crate) cluster: PathBuf,
}

impl ServerDataFiles {
    /// Files of the same names in another directory (`?path=` of a reload).
    pub(crate) fn in_dir(&self, dir: &Path) -> Self {
        let moved = |file: &Path| dir.join(file.file_name().unwrap_or_default());
        Self {
            host: moved(&self.host),
            vip: moved(&self.vip),
            route: moved(&self.route),
            cluster: moved(&self.cluster),
        }
    }
}

/// Routes and clusters of one load. A request keeps the one that was current when it was read.
pub(crate) struct ServerData {
    /// Host, vip and route tables.
    pub(crate) routes: ServerRoutes,
    /// Cluster settings.
    pub(crate) cluster_table: Arc<ClusterTable>,
    /// By number; after them those that no rule names.
    clusters: Vec<Cluster>,
    /// Places of clusters by name, once somebody has looked for one.
    places: OnceLock<FxHashMap<Arc<str>, usize>>,
    /// By number. Kept over reloads for as long as the product owns a tag.
    products: Vec<Arc<ProductStats>>,
    /// Requests that found no product; they stay over reloads.
    no_product: Arc<ProductStats>,
}

/// A cluster, and how its backends are reached.
pub(crate) struct Cluster {
    pub(crate) conf: Arc<ClusterConf>,
    pub(crate) transport: ClusterTransport,
    /// Chooses among the backends; none where `gslb.data` does not have the cluster.
    pub(crate) balancer: ArcSwapOption<Balancer>,
    /// Kept over reloads for as long as the cluster is in the table.
    pub(crate) stats: Arc<ClusterStats>,
}

/// How the backends of a cluster are reached.
pub(crate) enum ClusterTransport {
    /// By this transport.
    Ready(Arc<Transport>),
    /// There is no transport for this protocol.
    Missing(&'static str),
}

impl ServerData {
    /// Loads all four files and checks them against each other. Transports of `before` that still fit are
    /// kept, with their connections.
    ///
    /// # Errors
    /// When any file is wrong, or they contradict each other; nothing has changed then.
    pub(crate) fn load(files: &ServerDataFiles, before: Option<&Self>) -> Result<Self, ConfErrors> {
        let mut routes = ServerRoutes::load(&files.host, &files.vip, &files.route)?;
        for warning in routes.warnings() {
            log::warn!("{warning}");
        }
        let cluster_table = ClusterTable::load(&files.cluster)?;
        let numbered = routes.find_clusters(|name| cluster_table.get(name))?;
        let clusters = clusters(&numbered, &cluster_table, before);
        let products = routes
            .products()
            .iter()
            .map(|name| {
                pace::step();
                before.and_then(|b| b.products.get(b.routes.product_number(name)?.place())).cloned()
            })
            .map(Option::unwrap_or_default)
            .collect();
        let no_product = before.map(|b| Arc::clone(&b.no_product)).unwrap_or_default();
        Ok(Self {
            routes,
            cluster_table: Arc::new(cluster_table),
            clusters,
            places: OnceLock::new(),
            products,
            no_product,
        })
    }

    /// Gives each cluster its balancer. To be called before the tables are used, and after each reload of the
    /// balancers.
    pub(crate) fn link(&self, balancers: &BalTable) {
        for cluster in &self.clusters {
            cluster.balancer.store(balancers.lookup(&cluster.conf.name));
            pace::step();
        }
    }

    /// Lets go of the tables, a little at a time.
    pub(crate) fn discard(self) {
        self.routes.discard();
        pace::discard(self.clusters);
        pace::discard(self.products);
    }

    /// All clusters, in no order.
    pub(crate) fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.iter()
    }

    /// Requests of a product, or of none.
    pub(crate) fn product_stats(&self, product: Option<ProductNumber>) -> &ProductStats {
        product.and_then(|product| self.products.get(product.place())).unwrap_or(&self.no_product)
    }

    /// Requests of all products, and of none.
    pub(crate) fn products(&self) -> (impl Iterator<Item = (&str, &ProductStats)>, &ProductStats) {
        let names = self.routes.products().iter().map(|name| &**name);
        (names.zip(self.products.iter().map(|stats| &**stats)), &self.no_product)
    }

    /// The cluster of that name.
    pub(crate) fn cluster_named(&self, name: &str) -> Option<&Cluster> {
        let places = self.places.get_or_init(|| {
            let names = self.clusters.iter().map(|cluster| Arc::clone(&cluster.conf.name));
            names.enumerate().map(|(place, name)| (name, place)).collect()
        });
        places.get(name).and_then(|place| self.clusters.get(*place))
    }

    /// The cluster of that number.
    pub(crate) fn cluster(&self, cluster: ClusterNumber) -> Option<&Cluster> {
        self.clusters.get(cluster.place())
    }
}

/// All clusters: those that rules name by their numbers, then the others. What has not changed since `before` is
/// taken over.
fn clusters(
    numbered: &[&Arc<ClusterConf>],
    table: &ClusterTable,
    before: Option<&ServerData>,
) -> Vec<Cluster> {
    let numbers: FxHashSet<&str> = numbered.iter().map(|conf| &*conf.name).collect();
    let others = table.iter().filter(|conf| !numbers.contains(&*conf.name));
    let before: FxHashMap<&str, &Cluster> = before
        .iter()
        .flat_map(|before| &before.clusters)
        .inspect(|_| pace::step())
        .map(|cluster| (&*cluster.conf.name, cluster))
        .collect();
    let cluster = |conf: &Arc<ClusterConf>| {
        pace::step();
        let known = before.get(&*conf.name).copied();
        Cluster {
            conf: Arc::clone(conf),
            transport: transport(conf, known),
            balancer: ArcSwapOption::empty(),
            stats: known.map(|k| Arc::clone(&k.stats)).unwrap_or_default(),
        }
    };
    numbered.iter().copied().chain(others).map(cluster).collect()
}

/// How to reach the backends of a cluster: as before, connections included, where nothing that matters has
/// changed.
fn transport(conf: &ClusterConf, known: Option<&Cluster>) -> ClusterTransport {
    let backend = &conf.backend;
    let kind = match (backend.protocol, &conf.https) {
        (Protocol::Https, Some(https)) => Kind::Https(https.backend()),
        // Without TLS settings the reference speaks plain HTTP as well (config Q48).
        (Protocol::Http | Protocol::Https, _) => Kind::Http,
        (Protocol::Fcgi, _) => Kind::Fcgi(backend.fcgi.clone()),
        (Protocol::H2c, _) => Kind::H2c,
        (other, _) => return ClusterTransport::Missing(other.as_str()),
    };
    let wanted = TransportConf {
        connect_timeout: backend.connect_timeout,
        response_header_timeout: backend.response_header_timeout,
        max_idle_per_host: backend.max_idle_conns_per_host,
        max_conns_per_host: backend.max_conns_per_host,
    };
    let same_kind = |before: &ClusterConf| {
        before.backend.protocol == backend.protocol
            && before.backend.fcgi == backend.fcgi
            && before.https == conf.https
    };
    match known.map(|k| (&k.transport, &k.conf)) {
        // A change of the connect timeout alone does not take effect by reload (CFG-149).
        Some((ClusterTransport::Ready(old), before))
            if same_kind(before)
                && *old.conf()
                    == (TransportConf { connect_timeout: old.conf().connect_timeout, ..wanted.clone() }) =>
        {
            ClusterTransport::Ready(Arc::clone(old))
        }
        _ => ClusterTransport::Ready(Arc::new(Transport::new(kind, wanted))),
    }
}
