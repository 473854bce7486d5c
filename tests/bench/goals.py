"""What is to be reached: groups of measurements whose rounds are interleaved, and the goals that are read off them.

To add a goal, add an entry to GOALS; where nothing measures it yet, a group to GROUPS.
"""
import statistics
from dataclasses import dataclass

import configs
from steps import BesideHandshakes, Grown, Idle, Load, Paced, Scraped, Start
from trees import Size

PROXIES = ("nginx", "haproxy", "bfe")
CPU, P99 = "CPU us/request", "p99 ms"

SMALL = Size(hosts=10)
HOSTS = Size(hosts=100_000, products=10_000, clusters=1_000)
CLUSTERS = Size(hosts=10_000, products=10_000, clusters=10_000)
RULES = Size(hosts=1_000, products=1_000, clusters=100, rules=100)


@dataclass(frozen=True)
class Subject:
    """What is measured in a group: a proxy, by one step."""

    label: str
    proxy: str
    step: object


@dataclass(frozen=True)
class Group:
    """Subjects that are measured in turn, so that what disturbs one disturbs all."""

    name: str
    about: str
    subjects: tuple
    rounds: int = 0
    """0: as many as the command line says. Memory hardly varies, and takes fewer."""
    address: str = configs.HOST
    """Where the backend takes connections."""
    pinned: bool = True
    """Whether proxy, load and backend have CPUs of their own."""


@dataclass(frozen=True)
class Goal:
    """One line of the table."""

    group: str
    text: str
    value: object
    """From the group's medians, subject -> name -> number, to the number that counts."""
    most: float | None
    """What it may be at most; None where no goal is set."""
    unit: str


def each(step, proxies=PROXIES):
    """The same for several proxies."""
    return tuple(Subject(proxy, proxy, step) for proxy in proxies)


def own(**steps):
    """Several steps for bfe, by their labels; `_` stands for a blank."""
    return tuple(Subject(label.replace("_", " "), "bfe", step) for label, step in steps.items())


def beside(**steps):
    """The same steps for the other proxies, to see what such a tree costs them."""
    return tuple(Subject(f"{proxy}, {label}", proxy, step) for proxy in PROXIES[:2] for label, step in steps.items())


GROUPS = (
    Group("plain", "GET, 128 bytes", each(Load())),
    Group(
        "log",
        "access log; with the four modules, too",
        (*each(Load("log")), Subject("bfe with modules", "bfe", Load("modules"))),
    ),
    Group("https", "HTTPS, keep-alive", each(Load("https"), ("nginx", "bfe"))),
    Group("http2", "HTTP/2, 8 connections of 16 streams", each(Load("http2", connections=8))),
    Group("large", "bodies of 1 MB", each(Load("large"), ("nginx", "bfe"))),
    Group("rsa", "full handshakes, RSA of 2048 bits", each(Load("handshakes-rsa"), ("nginx", "bfe"))),
    Group("ec", "full handshakes, ECDSA on P-256", each(Load("handshakes-ec"), ("nginx", "bfe"))),
    Group("p99", "requests at 70 % of each proxy's own maximum", each(Paced())),
    Group("beside", "plain requests beside full RSA handshakes", each(BesideHandshakes(), ("nginx", "bfe"))),
    Group("idle", "memory of idle connections", each(Idle("plain", 2000, 3.5)), rounds=3),
    Group("idle-tls", "memory of idle TLS connections", each(Idle("https", 1000, 6)), rounds=3),
    Group(
        "trees",
        "large trees, and their reloads",
        (
            *own(
                small=Grown(SMALL),
                hosts=Grown(HOSTS, reloading=True),
                clusters=Grown(CLUSTERS, reloading=True),
                rules=Grown(RULES, reloading=True),
            ),
            *beside(small=Grown(SMALL), clusters=Grown(CLUSTERS)),
        ),
    ),
    Group("lists", "rules in each of three modules", own(one=Grown(Size(listed=1)), thousand=Grown(Size(listed=1000)))),
    # All backends have a connection before it counts.
    Group(
        "backends",
        "backends in one cluster",
        (
            *own(one=Grown(Size(backends=1), warm_up=1), thousand=Grown(Size(backends=1000), warm_up=1)),
            *beside(one=Grown(Size(backends=1), warm_up=1), thousand=Grown(Size(backends=1000), warm_up=1)),
        ),
        address="0.0.0.0",
    ),
    Group("start", "100,000 rules", own(rules=Start(RULES))),
    Group("scrape", "/metrics of 10,000 clusters", own(clusters=Scraped(CLUSTERS))),
    Group(
        "workers",
        "workers, nothing pinned",
        own(one=Load(), two=Load(workers=2)),
        pinned=False,
    ),
)


def ratio(group, text, most, other="nginx", subject="bfe", name=CPU):
    """Beside another proxy, or another tree."""
    value = lambda m: m[subject][name] / m[other][name]
    return Goal(group, f"{text} / {other}", value, most, "x")


def reloading(subject, text):
    """The p99 with reloads beside that without."""
    value = lambda m: m[subject]["p99 ms reloading"] / m[subject][P99]
    return Goal("trees", f"{text}: p99 with a reload each second / without", value, 1.5, "x")


def plain(group, text, most, subject, name, unit):
    """A number as it is."""
    return Goal(group, text, lambda m: m[subject][name], most, unit)


GOALS = (
    ratio("plain", "plain, CPU", 1.00),
    ratio("plain", "plain, CPU", 0.90, "haproxy"),
    ratio("log", "access log, CPU", 1.00),
    ratio("log", "access log, CPU", 0.80, "haproxy"),
    ratio("log", "log and four modules, CPU", 1.10, subject="bfe with modules"),
    ratio("https", "HTTPS keep-alive, CPU", 1.00),
    ratio("http2", "HTTP/2, CPU", 1.00, "haproxy"),
    ratio("http2", "HTTP/2, CPU", 1.00),
    ratio("large", "1 MB bodies, CPU", 0.75),
    ratio("rsa", "full handshakes RSA, CPU", 1.00),
    ratio("ec", "full handshakes ECDSA, CPU", 1.00),
    ratio("p99", "p99 at 70 % of the own maximum", 1.00, name=P99),
    plain("idle", "idle connection", 2048, "bfe", "bytes/connection", "bytes"),
    ratio("trees", "100,000 hosts, CPU", 1.10, "small", "hosts"),
    ratio("trees", "10,000 clusters, CPU", 1.10, "small", "clusters"),
    ratio("trees", "100 rules in each of 1,000 products, CPU", 1.10, "small", "rules"),
    reloading("hosts", "100,000 hosts"),
    reloading("clusters", "10,000 clusters"),
    reloading("rules", "100 rules in each of 1,000 products"),
    Goal(
        "lists",
        "1,000 rules in each of mod_header, mod_rewrite, mod_block: CPU more than with one",
        lambda m: m["thousand"][CPU] - m["one"][CPU],
        30,
        "us",
    ),
    ratio("backends", "1,000 backends in a cluster, CPU", 1.05, "one", "thousand"),
    plain("start", "start-up with 100,000 rules", 0.6, "rules", "start s", "s"),
    plain("start", "memory after ten reloads / after start", 1.3, "rules", "memory ratio", "x"),
    ratio("workers", "2 workers, CPU", 1.05, "one", "two"),
    ratio("beside", "p99 of plain requests beside RSA handshakes", None, name="p99 ms beside handshakes"),
    plain("beside", "the same, in itself", None, "bfe", "p99 ms beside handshakes", "ms"),
    plain("beside", "the same without handshakes", None, "bfe", "p99 ms alone", "ms"),
    plain("scrape", "p99 while 10,000 clusters are scraped each second", None, "clusters", "p99 ms scraped", "ms"),
    plain("scrape", "the same without scrapes", None, "clusters", P99, "ms"),
    ratio("trees", "10,000 clusters: nginx, CPU", None, "nginx, small", "nginx, clusters"),
    ratio("trees", "10,000 clusters: haproxy, CPU", None, "haproxy, small", "haproxy, clusters"),
    ratio("trees", "10,000 clusters, CPU", None, "nginx, clusters", "clusters"),
    ratio("trees", "10,000 clusters, CPU", None, "haproxy, clusters", "clusters"),
    ratio("backends", "1,000 backends: nginx, CPU", None, "nginx, one", "nginx, thousand"),
    ratio("backends", "1,000 backends: haproxy, CPU", None, "haproxy, one", "haproxy, thousand"),
    ratio("backends", "1,000 backends, CPU", None, "nginx, thousand", "thousand"),
    ratio("backends", "1,000 backends, CPU", None, "haproxy, thousand", "thousand"),
    ratio("idle-tls", "idle TLS connection, memory", None, name="bytes/connection"),
    ratio("idle-tls", "idle TLS connection, memory", None, "haproxy", name="bytes/connection"),
    plain("idle-tls", "idle TLS connection", None, "bfe", "bytes/connection", "bytes"),
)


def medians(found):
    """Subject -> name -> median of its rounds."""
    return {s: {name: statistics.median(numbers) for name, numbers in of.items()} for s, of in found.items()}
