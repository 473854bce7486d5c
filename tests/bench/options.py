"""Command-line options that all benchmarks have."""


def add(ap, rounds=3, markdown=True):
    """Adds them."""
    ap.add_argument("--rounds", type=int, default=rounds, help=f"rounds of each proxy (default {rounds})")
    ap.add_argument("--bin", metavar="PATH", help="the bfe to measure (default: the release build)")
    ap.add_argument("--go-bfe", metavar="PATH", help="a build of Go BFE, to be measured too")
    ap.add_argument("--only", metavar="NAMES", help="only these proxies, such as nginx,bfe")
    if markdown:
        ap.add_argument("--markdown", action="store_true", help="print the result as Markdown")


def parse(ap, counts):
    """Parses the command line. `counts` names the options that have to be 1 or more."""
    a = ap.parse_args()
    for name in counts:
        if getattr(a, name) < 1:
            ap.error(f"--{name.replace('_', '-')} has to be 1 or more")
    a.proxies = ["nginx", "haproxy", "bfe"] + (["go-bfe"] if a.go_bfe else [])
    if a.only:
        only = a.only.split(",")
        for name in only:
            if name not in a.proxies:
                ap.error(f"--only: {name!r} is none of {', '.join(a.proxies)}")
        a.proxies = [name for name in a.proxies if name in only]
    return a
