"""The configuration of the backend and of each proxy: plain text, made equal wherever they can be made equal.

One worker each; access logs off; client connections kept open for as long and as many requests as the client likes;
a pool of idle backend connections larger than the number of clients; the client's Host passed on.
"""
import json

HOST = "127.0.0.1"
POOL = 200
"""Idle backend connections a proxy may keep. More than wrk ever opens."""
IDLE_SECONDS = 600
"""How long an idle connection is kept: longer than any measurement."""
FOREVER = 1_000_000_000
"""Requests on one connection."""

_NGINX = """
worker_processes 1;
daemon off;
pid {dir}/nginx.pid;
error_log stderr error;
{user}
events {{ worker_connections 8192; }}
worker_rlimit_nofile {files};
http {{
    access_log off;
    client_body_temp_path {dir}/client_body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    keepalive_timeout {idle}s;
    keepalive_requests {forever};
    sendfile on;
    tcp_nodelay on;
{http}
}}
"""


def _nginx(folder, files, as_root, http):
    # A worker that gives up root could not read the temporary folder.
    user = "user root root;" if as_root else ""
    return _NGINX.format(dir=folder, user=user, files=files, idle=IDLE_SECONDS, forever=FOREVER, http=http)


def nginx_backend(folder, address, port, files, as_root, small):
    """The backend: a small body from memory, a large one from a file. It takes connections to that address."""
    http = f"""
    server {{
        listen {address}:{port} backlog=4096;
        root {folder};
        default_type text/plain;
        location = /small {{ return 200 "{"x" * small}"; }}
    }}"""
    return _nginx(folder, files, as_root, http)


def addresses(count):
    """Where that many backends are: all of them are the one, at addresses of its own."""
    return [f"127.1.{i // 250}.{i % 250 + 1}" for i in range(count)] if count > 1 else [HOST]


def nginx_proxy(folder, port, plain, backend, files, as_root, scenario, certificate):
    """nginx as the proxy: proxy_pass with a pool of backend connections. `plain` is a second port, without TLS."""
    tls = ""
    if scenario.tls:
        tls = f"ssl_certificate {certificate}; ssl_certificate_key {certificate}; ssl_protocols TLSv1.3; ssl_session_tickets off;"
    kind = " ssl http2" if scenario.http2 else " ssl" if scenario.tls else ""
    servers = "".join(f"server {address}:{backend}; " for address in addresses(scenario.backends))
    # Room for connections is taken at the start. Of many clusters each has one request at a time.
    pool = POOL * scenario.backends if scenario.clusters == 1 else POOL // 10
    upstreams = "".join(
        f"upstream cluster_{i} {{ {servers} keepalive {pool}; keepalive_requests {FOREVER};"
        f" keepalive_timeout {IDLE_SECONDS}s; }}\n"
        for i in range(scenario.clusters)
    )
    chosen = "".join(f"{host} cluster_{cluster};\n" for host, cluster in scenario.hosts)
    http = f"""
    {upstreams}
    map_hash_max_size 65536;
    map_hash_bucket_size 128;
    map $http_host $cluster {{ default cluster_0; {chosen} }}
    server {{
        listen {HOST}:{port}{kind} backlog=4096;
        listen {HOST}:{plain} backlog=4096;
        {tls}
        location / {{
            proxy_pass http://{"$cluster" if scenario.hosts else "cluster_0"};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            {scenario.nginx.replace("{dir}", str(folder))}
        }}
    }}"""
    return _nginx(folder, files, as_root, http)


def haproxy(port, plain, backend, scenario, certificate, syslog, hosts):
    """HAProxy: one thread, connections to the backend shared by all clients. `plain` is a second port, without TLS;
    `hosts` the file that says which cluster a host has."""
    alpn = "alpn h2" if scenario.http2 else ""
    servers = "".join(
        f"    server s{i} {address}:{backend} pool-max-conn {POOL} pool-purge-delay {IDLE_SECONDS}s\n"
        for i, address in enumerate(addresses(scenario.backends))
    )
    backends = "".join(f"backend cluster_{i}\n{servers}" for i in range(scenario.clusters))
    chosen = f"use_backend %[req.hdr(host),map({hosts})]" if scenario.hosts else ""
    tls = f"ssl crt {certificate} {alpn} ssl-min-ver TLSv1.3 no-tls-tickets" if scenario.tls else ""
    return f"""
global
    nbthread 1
    maxconn 8000
    tune.ssl.cachesize 0
defaults
    mode http
    option http-keep-alive
    option dontlog-normal
    http-reuse always
    timeout connect 2s
    timeout client {IDLE_SECONDS}s
    timeout server {IDLE_SECONDS}s
    timeout http-request {IDLE_SECONDS}s
    timeout http-keep-alive {IDLE_SECONDS}s
frontend clients
    bind {HOST}:{port} backlog 4096 {tls}
    bind {HOST}:{plain} backlog 4096
    {scenario.haproxy.replace("{syslog}", str(syslog))}
    {chosen}
    default_backend cluster_0
{backends}"""


def bfe(ports, backend, scenario):
    """bfe's configuration tree, path -> text: one product, one cluster, one backend."""
    http, https, monitor = ports
    modules = "".join(f"Modules = {name}\n" for name in scenario.bfe_modules)
    cluster, part, product = "bench_cluster", "bench.all", "bench_product"
    version = "bench"
    instance = {"Name": "one", "Addr": HOST, "Port": backend, "Weight": 1}
    data = {
        "server_data_conf/host_rule.data": {
            "Version": version,
            "DefaultProduct": product,
            "Hosts": {"benchTag": ["bench.test"]},
            "HostTags": {product: ["benchTag"]},
        },
        "server_data_conf/vip_rule.data": {"Version": version, "Vips": {}},
        "server_data_conf/route_rule.data": {
            "Version": version,
            "ProductRule": {product: [{"Cond": "default_t()", "ClusterName": cluster}]},
        },
        "server_data_conf/cluster_conf.data": {
            "Version": version,
            "Config": {
                cluster: {
                    "BackendConf": {"MaxIdleConnsPerHost": POOL},
                    "ClusterBasic": {"TimeoutReadClientAgain": IDLE_SECONDS * 1000},
                }
            },
        },
        "server_data_conf/name_conf.data": {"Version": version, "Config": {}},
        "cluster_conf/gslb.data": {"Clusters": {cluster: {part: 100}}, "Hostname": "", "Ts": "0"},
        "cluster_conf/cluster_table.data": {"Version": version, "Config": {cluster: {part: [instance]}}},
    }
    tree = {path: json.dumps(value, indent=4) for path, value in data.items()}
    tree["bfe.conf"] = f"""[Server]
HttpAddr = {HOST}
HttpPort = {http}
HttpsAddr = {HOST}
HttpsPort = {https}
MonitorAddr = {HOST}
MonitorPort = {monitor}
MaxCpus = {scenario.workers}
ClientReadTimeout = {IDLE_SECONDS}
{modules}"""
    return tree | scenario.bfe_files
