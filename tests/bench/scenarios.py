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
    wrk: tuple = ()
    """More arguments for wrk, such as `("-H", "Cookie: a=b")`."""
    @property
    def loader(self):
        """The program that asks."""
        return "h2load" if self.http2 else "wrk"

    nginx: str = ""
    """Lines for nginx's `location`."""
    haproxy: str = ""
    """Lines for HAProxy's `frontend`."""
    bfe_modules: tuple = ()
    """Modules that bfe.conf enables."""
    bfe_files: dict = field(default_factory=dict)
    """Files laid over bfe's configuration tree: path below its root -> text."""


SMALL, LARGE = 128, 1024 * 1024

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
            bfe_files={
                "tls_conf/tls_rule_conf.data": '{"Version": "bench", "DefaultNextProtos": ["h2", "http/1.1"], "Config": {}}',
                "tls_conf/server_cert_conf.data": """{"Version": "bench", "Config": {"Default": "bench", "CertConf": {"bench":
                    {"ServerCertFile": "tls_conf/bench.crt", "ServerKeyFile": "tls_conf/bench.key"}}}}""",
            },
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
