"""What is measured: one entry of SCENARIOS is one kind of traffic.

To add one, add an entry. The text it adds to a proxy's configuration stands beside the traffic that needs it, so that
all proxies are seen to do the same work.
"""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scenario:
    """One kind of traffic, and what each proxy has to be told for it."""

    name: str
    about: str
    path: str
    """Request target. The backend serves `/small` and `/large`."""
    body: int
    """Bytes of the response body; checked before and after each measurement."""
    http2: bool = False
    """Asked for over HTTP/2 and TLS 1.3, by h2load instead of wrk."""
    https: bool = False
    """Asked for over HTTPS."""
    key: str = "rsa"
    """Kind of the certificate's key: 2048 bits of RSA, or P-256 (`ec`)."""
    workers: int = 1
    """Workers of bfe; the others have one."""
    closes: bool = False
    """A connection, and so a full handshake, for each request."""
    backend_path: str = ""
    """What the backend is asked for, where a rewrite makes that another path."""
    backends: int = 1
    """Addresses at which the proxy finds the one backend; it has to be asked at all of them in turn."""
    clusters: int = 1
    """Groups of such backends, each with connections of its own."""
    hosts: tuple = ()
    """Where there are several clusters: hosts, and the number of the cluster of each."""
    wrk: tuple = ()
    """More arguments for wrk, such as `("-H", "Cookie: a=b")`."""

    @property
    def tls(self):
        """Whether the client speaks TLS."""
        return self.https or self.http2

    @property
    def loader(self):
        """The program that asks."""
        return "h2load" if self.http2 else "wrk"

    nginx: str = ""
    """Lines for nginx's `location`; `{dir}` is its folder."""
    haproxy: str = ""
    """Lines for HAProxy's `frontend`; `{syslog}` is a port that takes what is sent there, and drops it."""
    bfe_modules: tuple = ()
    """Modules that bfe.conf enables."""
    bfe_files: dict = field(default_factory=dict)
    """Files laid over bfe's configuration tree: path below its root -> text."""


SMALL, LARGE = 128, 1024 * 1024

# The same facts in each: client, time, request line, status, bytes, referrer, agent, and who answered in what time.
ACCESS = {
    "nginx": "access_log {dir}/access.log combined;",
    "haproxy": "log 127.0.0.1:{syslog} local0\n    option httplog\n    no option dontlog-normal",
    "bfe_modules": ("mod_access",),
    "bfe_files": {
        "mod_access/mod_access.conf": """[Log]
LogPrefix = access
LogDir = ../log
RotateWhen = NEXTHOUR
BackupCount = 2
[Template]
RequestTemplate = COMBINED
SessionTemplate = "SESSION_LOG $time clientip: $ses_clientip keepalive_num: $ses_keepalive_num error: $ses_error"
"""
    },
}
MODULES = {
    **ACCESS,
    # What the modules do, as nginx would be told to do it.
    "nginx": ACCESS["nginx"]
    + """
            rewrite ^/small/(.*)$ /$1 break;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Request-Id $request_id;
            proxy_set_header X-Bench one;
            add_header X-Served-By bench;""",
    "haproxy": ACCESS["haproxy"]
    + """
    option forwardfor
    unique-id-format %[uuid()]
    unique-id-header X-Request-Id
    http-request replace-path /small/(.*) /\\1
    http-request set-header X-Bench one
    http-response set-header X-Served-By bench""",
    "bfe_modules": ("mod_trust_clientip", "mod_logid", "mod_rewrite", "mod_header", "mod_access"),
    "bfe_files": {
        **ACCESS["bfe_files"],
        "mod_rewrite/rewrite.data": """{"Version": "bench", "Config": {"bench_product": [
            {"Cond": "req_path_prefix_in(\\"/small/\\", false)", "Actions": [{"Cmd": "PATH_PREFIX_TRIM", "Params": ["/small"]}], "Last": true}]}}""",
        "mod_header/header_rule.data": """{"Version": "bench", "Config": {"bench_product": [
            {"Cond": "req_host_in(\\"127.0.0.1\\")", "Actions": [{"Cmd": "REQ_HEADER_SET", "Params": ["X-Bench", "one"]},
            {"Cmd": "RSP_HEADER_SET", "Params": ["X-Served-By", "bench"]}], "Last": true}]}}""",
    },
}

CERTIFICATE = {
    "tls_conf/tls_rule_conf.data": '{"Version": "bench", "DefaultNextProtos": ["h2", "http/1.1"], "Config": {}}',
    "tls_conf/server_cert_conf.data": """{"Version": "bench", "Config": {"Default": "bench", "CertConf": {"bench":
        {"ServerCertFile": "tls_conf/bench.crt", "ServerKeyFile": "tls_conf/bench.key"}}}}""",
}

SCENARIOS = {
    s.name: s
    for s in (
        Scenario("plain", f"GET, {SMALL} byte body, keep-alive on both sides, no modules", "/small", SMALL),
        Scenario(
            "http2",
            f"GET, {SMALL} byte body, HTTP/2 and TLS 1.3 from the client, 16 streams a connection, no modules",
            "/small",
            SMALL,
            http2=True,
            bfe_files=CERTIFICATE,
        ),
        Scenario("log", f"GET, {SMALL} byte body, an access log in the combined format", "/small", SMALL, **ACCESS),
        Scenario(
            "modules",
            f"GET, {SMALL} byte body, access log, client addresses, request identifiers, a rewritten path, fields"
            " added to request and response; two rules match",
            "/small/small",
            SMALL,
            backend_path="/small",
            **MODULES,
        ),
        Scenario(
            "https",
            f"GET, {SMALL} byte body, TLS 1.3 from the client, keep-alive on both sides, no modules",
            "/small",
            SMALL,
            https=True,
            bfe_files=CERTIFICATE,
        ),
        *(
            Scenario(
                f"handshakes-{key}",
                f"GET, {SMALL} byte body, TLS 1.3, a full handshake with {what} for each request",
                "/small",
                SMALL,
                https=True,
                key=key,
                closes=True,
                wrk=("-H", "Connection: close"),
                bfe_files=CERTIFICATE,
            )
            for key, what in (("rsa", "RSA of 2048 bits"), ("ec", "ECDSA on P-256"))
        ),
        Scenario(
            "large",
            "GET, 1 MB body, keep-alive on both sides, no modules",
            "/large",
            LARGE,
            # Nothing goes to a file while the client is slow, and buffers are as large as HAProxy's.
            nginx="proxy_max_temp_file_size 0; proxy_buffer_size 16k; proxy_buffers 8 16k;",
        ),
    )
}
