"""Ways to measure: each starts a proxy, measures it once, and says what it found as name -> number.

`seconds` of a step is about how long one round of it takes; the plan of the whole is made of them.
"""
import statistics
import time
from dataclasses import dataclass, replace

import trees
from load import Wrk, load, paced
from measure import measure, resident
from memory import growth
from scenarios import SCENARIOS

AROUND = 0.5
"""Seconds to start and stop a proxy, and to look at its answers."""
RELOADS = 10
REST_SECONDS = 3
"""Before memory is looked at: what is let go of after a load has a moment for it."""
SHARE = 0.7
"""Of a proxy's own maximum, in requests at a fixed rate."""


@dataclass
class Env:
    """What all steps need."""

    bench: object
    backend: object
    seconds: float
    warm_up: float
    connections: int


@dataclass(frozen=True)
class Load:
    """As many requests as the connections can take."""

    scenario: str = "plain"
    connections: int = 0
    """0: as many as the command line says."""
    workers: int = 1

    def seconds(self, env):
        return AROUND + env.warm_up + env.seconds

    def __call__(self, env, proxy):
        scenario = replace(SCENARIOS[self.scenario], workers=self.workers)
        with env.bench.proxy(proxy, env.backend, scenario) as program:
            r = measure(env.bench, program, scenario, self.connections or env.connections, env.warm_up, env.seconds)
        return _of(r)


@dataclass(frozen=True)
class Paced:
    """Requests at a fixed rate: a share of the maximum that the same process had just before."""

    def seconds(self, env):
        return AROUND + env.warm_up + 2 * env.seconds

    def __call__(self, env, proxy):
        scenario = SCENARIOS["plain"]
        with env.bench.proxy(proxy, env.backend, scenario) as program:
            most = measure(env.bench, program, scenario, env.connections, env.warm_up, env.seconds).rate
            got = paced(env.bench, program, scenario, env.connections, SHARE * most, env.seconds)
        return {"requests/s": SHARE * most, "p50 ms": got["p50"] / 1000, "p99 ms": got["p99"] / 1000}


@dataclass(frozen=True)
class Idle:
    """Memory of idle connections."""

    scenario: str
    connections: int
    seconds_each: float

    def seconds(self, _):
        return self.seconds_each

    def __call__(self, env, proxy):
        scenario = SCENARIOS[self.scenario]
        with env.bench.proxy(proxy, env.backend, scenario) as program:
            return {"bytes/connection": growth(program, scenario, self.connections)}


@dataclass(frozen=True)
class Grown:
    """A large tree: requests for hosts all over it; where asked for, again while all of it is reloaded each second."""

    size: trees.Size
    reloading: bool = False
    warm_up: float = 0

    def seconds(self, env):
        return 2 * AROUND + (self.warm_up or env.warm_up) + env.seconds * (2 if self.reloading else 1)

    def __call__(self, env, proxy):
        scenario, lua = self.size.scenario(env.backend), trees.script(env.bench, self.size)
        with env.bench.proxy(proxy, env.backend, scenario) as program:
            warm_up = self.warm_up or env.warm_up
            found = _of(measure(env.bench, program, scenario, env.connections, warm_up, env.seconds, lua))
            if self.reloading:
                with trees.EachSecond(lambda: trees.reload(program.monitor)) as reloads:
                    got = load(env.bench, program, scenario, env.connections, env.seconds, lua)
                found["p99 ms reloading"] = got["p99"] / 1000
                found["reload ms"] = 1000 * statistics.median(reloads.took)
        return found


@dataclass(frozen=True)
class Start:
    """Start-up with a large tree, and memory after many reloads."""

    size: trees.Size

    def seconds(self, _):
        return 2 * AROUND + RELOADS * 0.3 + 2 * REST_SECONDS

    @staticmethod
    def rested(program):
        time.sleep(REST_SECONDS)
        return resident(program.pids())

    def __call__(self, env, proxy):
        scenario = self.size.scenario(env.backend)
        with env.bench.proxy(proxy, env.backend, scenario) as program:
            started = program.up - program.begun
            program.check(scenario)
            fresh = self.rested(program)
            took = [trees.reload(program.monitor) for _ in range(RELOADS)]
            after = self.rested(program)
        return {
            "start s": started,
            "MB": fresh / 2**20,
            "MB after reloads": after / 2**20,
            "memory ratio": after / fresh,
            "reload ms": 1000 * statistics.median(took),
        }


@dataclass(frozen=True)
class BesideHandshakes:
    """Plain requests on few connections, alone and while full handshakes keep the same worker busy."""

    connections: int = 8
    shaking: int = 32

    def seconds(self, env):
        return AROUND + env.warm_up + 2 * env.seconds + 0.5

    def __call__(self, env, proxy):
        bench, plain, shaking = env.bench, SCENARIOS["plain"], SCENARIOS["handshakes-rsa"]
        with bench.proxy(proxy, env.backend, shaking) as program:
            program.check(shaking)
            ask = lambda seconds: load(bench, program, plain, self.connections, seconds, port=program.plain)
            ask(env.warm_up)
            alone = ask(env.seconds)
            with Wrk(bench, program, shaking, self.shaking) as wrk:
                time.sleep(0.3)
                beside = ask(env.seconds)
                handshakes = wrk.stop()
        return {
            "p99 ms alone": alone["p99"] / 1000,
            "p99 ms beside handshakes": beside["p99"] / 1000,
            "handshakes/s": handshakes["requests"] * 1e6 / handshakes["micros"],
        }


@dataclass(frozen=True)
class Scraped:
    """Requests while the page of all clusters is read once a second."""

    size: trees.Size

    def seconds(self, env):
        return 2 * AROUND + env.warm_up + 2 * env.seconds

    def __call__(self, env, proxy):
        scenario, lua = self.size.scenario(env.backend), trees.script(env.bench, replace(self.size, hosts=1))
        with env.bench.proxy(proxy, env.backend, scenario) as program:
            program.check(scenario)
            ask = lambda seconds: load(env.bench, program, scenario, env.connections, seconds, lua)
            ask(env.warm_up)
            quiet = ask(env.seconds)
            with trees.EachSecond(lambda: trees.scrape(program.monitor)) as scrapes:
                scraped = ask(env.seconds)
        return {
            "p99 ms": quiet["p99"] / 1000,
            "p99 ms scraped": scraped["p99"] / 1000,
            "scrape ms": 1000 * statistics.median(scrapes.took),
        }


def _of(r):
    return {"CPU us/request": r.cpu, "user": r.user, "requests/s": r.rate, "p50 ms": r.p50, "p99 ms": r.p99}
