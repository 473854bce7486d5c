//! The three tables together, and the checks that need more than one of them (config 12).

use crate::host_rule::{self, HostTable, ProductHit};
use crate::number::{ClusterNumber, ProductNumber};
use crate::route_rule::{self, RouteError, RouteTable, Target};
use crate::vip_rule::{self, VipTable};
use bfe_basic::conf::json::{self, Source};
use bfe_basic::conf::{ConfError, ConfErrors, Faults};
use bfe_basic::{NeedBody, Request, json_path, pace};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// Everything that routing looks up, from one load.
#[derive(Debug)]
pub struct ServerRoutes {
    hosts: HostTable,
    vips: VipTable,
    routes: RouteTable,
    warnings: Vec<ConfError>,
    /// For the places of errors, until the clusters have been checked.
    source: Option<Source>,
}

/// Labels of the loaded files (`/monitor/host_table_version`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions<'r> {
    /// `Version` of `host_rule.data`.
    pub host_tag: &'r str,
    /// `Version` of `vip_rule.data`.
    pub vip: &'r str,
    /// `Version` of `route_rule.data`.
    pub product_route: &'r str,
}

/// Sizes of the tables (`/monitor/host_table_status`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Different hosts of `host_rule.data`, as they are written.
    pub host_table_size: usize,
    /// Different tags that products own.
    pub host_tag_table_size: usize,
    /// Different addresses of `vip_rule.data`.
    pub vip_table_size: usize,
    /// Products with product rules.
    pub product_route_table_size: usize,
    /// Products with basic rules.
    pub product_basic_route_table_size: usize,
}

impl ServerRoutes {
    /// Loads the three files, and checks that each product with rules owns a tag. Whether the clusters exist
    /// is left to [`check_clusters`](Self::check_clusters).
    ///
    /// # Errors
    /// All that is wrong with the three files; what is wrong between them where each is good by itself.
    pub fn load(host: &Path, vip: &Path, route: &Path) -> Result<Self, ConfErrors> {
        let ((hosts, mut warnings), (vips, of_vips), (routes, source, of_routes)) =
            match (host_rule::load(host), vip_rule::load(vip), route_rule::load(route)) {
                (Ok(host), Ok(vip), Ok(route)) => (host, vip, route),
                (Err(mut all), vip, route) => {
                    [vip.err(), route.err()].into_iter().flatten().for_each(|errors| all.append(errors));
                    return Err(all);
                }
                (Ok(_), Err(mut all), route) => {
                    route.err().into_iter().for_each(|errors| all.append(errors));
                    return Err(all);
                }
                (Ok(_), Ok(_), Err(all)) => return Err(all),
            };
        warnings.extend(of_vips);
        warnings.extend(of_routes);
        let vips = VipTable::new(vips, &hosts);
        let mut routes = Self { hosts, vips, routes, warnings, source: Some(source) };
        routes.check_products()?;
        let hosts = &routes.hosts;
        routes.routes.number_products(hosts.products.len(), |name| hosts.number(name));
        Ok(routes)
    }

    /// Lets go of the tables, a little at a time: of a large tree that takes tens of milliseconds.
    pub fn discard(self) {
        self.hosts.discard();
        self.routes.discard();
    }

    /// Finds each cluster that a rule names, and gives them by number; `ADVANCED_MODE` in basic rules is no
    /// cluster.
    ///
    /// To be called once after a load; lets go of the text of the file when all is well.
    ///
    /// # Errors
    /// All rules with clusters that are not found.
    pub fn find_clusters<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, ConfErrors> {
        let names = &self.routes.clusters;
        let found: Vec<Option<T>> = names.iter().inspect(|_| pace::step()).map(|name| find(name)).collect();
        let mut faults = Faults::new();
        let mut check = |section: &str, kind: &str, product: &str, index: usize, cluster: ClusterNumber| {
            pace::step();
            if found.get(cluster.place()).is_none_or(Option::is_none) {
                faults.push_with(|| {
                    let path = json_path![section, product, index, "ClusterName"];
                    let cluster = self.cluster_name(cluster);
                    self.error(
                        &path,
                        format!("cluster[{cluster}] in {kind} route should exist in cluster_conf"),
                    )
                });
            }
        };
        for (product, routes) in self.routes.products() {
            for (index, cluster) in routes.advanced_clusters().into_iter().flatten().enumerate() {
                check("ProductRule", "advanced", product, index, cluster);
            }
        }
        for (product, routes) in self.routes.products() {
            for (index, target) in routes.basic_targets().into_iter().flatten().enumerate() {
                if let Target::Cluster(cluster) = *target {
                    check("BasicRule", "basic", product, index, cluster);
                }
            }
        }
        faults.into_result()?;
        self.source = None;
        Ok(found.into_iter().flatten().collect())
    }

    fn check_products(&self) -> Result<(), ConfErrors> {
        let mut faults = Faults::new();
        let mut check = |section: &str, product: &Arc<str>| {
            pace::step();
            if self.hosts.number(product).is_none() {
                faults.push_with(|| {
                    let reason = format!("product[{product}] in route should exist in host!");
                    self.error(&json_path![section, &**product], reason)
                });
            }
        };
        for (product, _) in self.routes.products().filter(|(_, routes)| routes.advanced_clusters().is_some())
        {
            check("ProductRule", product);
        }
        for (product, _) in self.routes.products().filter(|(_, routes)| routes.basic_targets().is_some()) {
            check("BasicRule", product);
        }
        faults.into_result()
    }

    /// An error about `route_rule.data`.
    fn error(&self, path: &json::Path, reason: String) -> ConfError {
        match &self.source {
            Some(source) => source.error(path, reason),
            None => {
                ConfError { file: "route_rule.data".to_owned(), place: None, key: path.to_string(), reason }
            }
        }
    }

    /// The product of a request, by its host as the client sent it; else by the address that the connection
    /// came to, which a PROXY header tells; else the default.
    #[must_use]
    pub fn find_product(&self, host: &[u8], vip: Option<IpAddr>) -> Option<ProductHit> {
        if let Some(hit) = self.hosts.find(host) {
            return Some(hit.clone());
        }
        vip.and_then(|vip| self.vips.find(vip)).or(self.hosts.default.as_ref()).cloned()
    }

    /// The product of a host alone, without vips and the default.
    #[must_use]
    pub fn product_of_host(&self, host: &[u8]) -> Option<Arc<str>> {
        self.hosts.find(host).map(|hit| Arc::clone(&hit.product))
    }

    /// The product of an address that connections come to; labels a connection for its TLS rule.
    #[must_use]
    pub fn product_of_vip(&self, vip: IpAddr) -> Option<Arc<str>> {
        self.vips.find(vip).map(|hit| Arc::clone(&hit.product))
    }

    /// The cluster of a request, by the rules of its product.
    ///
    /// # Errors
    /// [`NeedBody`] where a condition wants the request body and it has not been buffered yet; inside, why
    /// there is no cluster.
    pub fn find_cluster(
        &self,
        product: Option<ProductNumber>,
        req: &Request,
    ) -> Result<Result<ClusterNumber, RouteError>, NeedBody> {
        let routes = product.and_then(|product| self.routes.of(product));
        routes.map_or(Ok(Err(RouteError::NoProductRule)), |routes| routes.find(req))
    }

    /// The name of a cluster.
    #[must_use]
    pub fn cluster_name(&self, cluster: ClusterNumber) -> &str {
        self.routes.clusters.get(cluster.place()).map_or("", |name| name)
    }

    /// Products that own a tag, by number.
    #[must_use]
    pub fn products(&self) -> &[Arc<str>] {
        &self.hosts.products
    }

    /// The number of such a product.
    #[must_use]
    pub fn product_number(&self, product: &str) -> Option<ProductNumber> {
        self.hosts.number(product)
    }

    /// Things in the files that are probably mistakes but no errors.
    #[must_use]
    pub fn warnings(&self) -> &[ConfError] {
        &self.warnings
    }

    /// Labels of the loaded files.
    #[must_use]
    pub fn versions(&self) -> Versions<'_> {
        Versions {
            host_tag: &self.hosts.version,
            vip: &self.vips.version,
            product_route: &self.routes.version,
        }
    }

    /// Sizes of the tables.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            host_table_size: self.hosts.hosts,
            host_tag_table_size: self.hosts.tags,
            vip_table_size: self.vips.len(),
            product_route_table_size: self.routes.advanced_products,
            product_basic_route_table_size: self.routes.basic_products,
        }
    }
}

#[cfg(test)]
mod tests;
