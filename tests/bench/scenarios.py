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
    wrk: tuple = ()
    """More arguments for wrk, such as `("-H", "Cookie: a=b")`."""
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
            "large",
            "GET, 1 MB body, keep-alive on both sides, no modules",
            "/large",
            LARGE,
            # Nothing goes to a file while the client is slow, and buffers are as large as HAProxy's.
            nginx="proxy_max_temp_file_size 0; proxy_buffer_size 16k; proxy_buffers 8 16k;",
        ),
    )
}
