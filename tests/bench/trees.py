"""Large configurations for bfe: as many hosts, products, clusters, rules and backends as one likes; how to ask for
those hosts, and how to reload it all."""
import json
import threading
import time
import urllib.request
from dataclasses import dataclass, replace
from functools import lru_cache

import configs
from programs import BenchError
from scenarios import SCENARIOS

ASKED = 1000
"""Hosts that wrk asks for at most, spread over the table."""
LISTS = ("mod_header", "mod_rewrite", "mod_block")
"""Modules that a long list of rules is made for."""


@dataclass(frozen=True)
class Size:
    """How large a tree is."""

    hosts: int = 1
    products: int = 1
    """The hosts are dealt out to them."""
    clusters: int = 1
    """Products use them in turn."""
    rules: int = 2
    """Routing rules of each product; the last one is for all that the others don't match."""
    backends: int = 1
    """Of each cluster; all are the one backend, at addresses of its own."""
    listed: int = 0
    """Rules of each module in LISTS, for the first product. None matches."""

    def host(self, i):
        return f"host-{i}.example-{i % 97}.org"

    @property
    def asked(self):
        """Hosts to ask for."""
        return [self.host(i) for i in range(0, self.hosts, max(1, self.hosts // ASKED))]

    def scenario(self, backend, **more):
        """Plain requests to such a tree."""
        modules = LISTS if self.listed else ()
        plain = SCENARIOS["plain"]
        made = files(self, backend.port)
        if self.clusters > 1:
            # As `files` has it.
            more["hosts"] = tuple((self.host(i), i % self.products % self.clusters) for i in range(self.hosts))
        counts = {"backends": self.backends, "clusters": self.clusters}
        return replace(plain, name=str(self), bfe_files=made, bfe_modules=modules, **counts, **more)


def of_hosts(hosts):
    """The size that has that many hosts: a tenth as many products, a hundredth as many clusters."""
    return Size(hosts, max(1, hosts // 10), max(1, hosts // 100))


@lru_cache(maxsize=8)
def files(size, port):
    """The data files: path -> text. The backend has that port."""
    names = lambda kind, count: [f"{kind}_{i}" for i in range(count)]
    products, clusters = names("product", size.products), names("cluster", size.clusters)
    cluster = lambda i: clusters[i % size.clusters]
    path = lambda i, j: f'req_path_prefix_in("/only-{i}-{j}/", false) && req_method_in("PUT|POST")'
    rules = {
        p: [{"Cond": path(i, j), "ClusterName": cluster(i + j + 1)} for j in range(size.rules - 1)]
        + [{"Cond": "default_t()", "ClusterName": cluster(i)}]
        for i, p in enumerate(products)
    }
    tags = {f"tag_{i}": [size.host(j) for j in range(i, size.hosts, size.products)] for i in range(size.products)}
    conf = {
        "BackendConf": {"MaxIdleConnsPerHost": configs.POOL},
        "ClusterBasic": {"TimeoutReadClientAgain": configs.IDLE_SECONDS * 1000},
    }
    instances = [
        {"Name": f"b{i}", "Addr": address, "Port": port, "Weight": 1}
        for i, address in enumerate(configs.addresses(size.backends))
    ]
    data = {
        "server_data_conf/host_rule.data": {
            "Version": "scale",
            "DefaultProduct": products[0],
            "Hosts": tags,
            "HostTags": {p: [f"tag_{i}"] for i, p in enumerate(products)},
        },
        "server_data_conf/route_rule.data": {"Version": "scale", "ProductRule": rules},
        "server_data_conf/cluster_conf.data": {"Version": "scale", "Config": dict.fromkeys(clusters, conf)},
        "cluster_conf/gslb.data": {"Hostname": "", "Ts": "0", "Clusters": {c: {"all": 100} for c in clusters}},
        "cluster_conf/cluster_table.data": {"Version": "scale", "Config": {c: {"all": instances} for c in clusters}},
    }
    return {path: json.dumps(value) for path, value in (data | _lists(size.listed, products[0])).items()}


def _lists(count, product):
    """Rules of modules. Their conditions differ in kind as those of a real list do."""
    if not count:
        return {}
    kinds = (
        'req_path_prefix_in("/listed-{}/", false)',
        'req_path_in("/exactly-{}", false)',
        'req_host_in("listed-{}.example.org")',
        'req_header_value_in("X-Listed", "value-{}", false)',
        'req_query_value_in("listed", "value-{}", false)',
    )
    conditions = [kinds[i % len(kinds)].format(i) for i in range(count)]
    act = lambda command, *params: {"Cmd": command, "Params": list(params)}
    last = lambda action: [{"Cond": c, "Actions": [action], "Last": True} for c in conditions]
    block = [{"Name": f"rule {i}", "Cond": c, "Action": act("CLOSE")} for i, c in enumerate(conditions)]
    config = lambda rules: {"Version": "scale", "Config": {product: rules}}
    return {
        "mod_header/header_rule.data": config(last(act("REQ_HEADER_SET", "X-Bench", "one"))),
        "mod_rewrite/rewrite.data": config(last(act("PATH_SET", "/other"))),
        "mod_block/block_rules.data": config(block),
    }


def script(bench, size):
    """A wrk script that asks for the hosts of such a tree in turn."""
    names = ",".join(f'"{host}"' for host in size.asked)
    path = bench.folder / "hosts.lua"
    path.write_text(
        f"local hosts = {{{names}}}\nlocal made, i = {{}}, 0\n"
        "init = function()\n  for n, host in ipairs(hosts) do\n"
        '    made[n] = wrk.format("GET", nil, {["Host"] = host})\n  end\nend\n'
        "request = function()\n  i = i % #made + 1\n  return made[i]\nend\n"
    )
    return path


def reload(monitor):
    """Reloads all tables; says how many seconds that took."""
    begin = time.monotonic()
    for what in ("server_data_conf", "gslb_data_conf"):
        with urllib.request.urlopen(f"http://{configs.HOST}:{monitor}/reload/{what}", timeout=60) as answer:
            if (said := answer.read()) != b'{"error":null}':
                raise BenchError(f"reload of {what}: {said.decode()}")
    return time.monotonic() - begin


def scrape(monitor):
    """Reads the page of all metrics."""
    with urllib.request.urlopen(f"http://{configs.HOST}:{monitor}/metrics", timeout=60) as answer:
        answer.read()


class EachSecond(threading.Thread):
    """Does something at once, and again each second, as long as the context lasts."""

    def __init__(self, what):
        super().__init__(daemon=True)
        self.what, self.over, self.failed, self.took = what, threading.Event(), None, []

    def run(self):
        due = time.monotonic()
        try:
            while not self.over.wait(max(0, due - time.monotonic())):
                begin = time.monotonic()
                self.what()
                self.took.append(time.monotonic() - begin)
                due += 1
        except (OSError, BenchError) as e:
            self.failed = e

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        self.join(60)
        if self.failed and kind is None:
            raise BenchError(f"meanwhile: {self.failed!r}")
