"""Measurements: processor time and memory from /proc, while requests come."""
import os
from dataclasses import dataclass
from pathlib import Path

from load import load
from programs import BenchError

TICKS = os.sysconf("SC_CLK_TCK")

@dataclass(frozen=True)
class Round:
    """One proxy under load, once."""

    user: float
    """Processor time of the proxy in user mode, microseconds per request."""
    system: float
    """The same in the kernel."""
    rate: float
    """Requests per second."""
    p50: float
    """Latency that half of the requests stay below, milliseconds."""
    p99: float
    """Latency that 99 % of the requests stay below, milliseconds."""

    @property
    def cpu(self):
        """All processor time, microseconds per request."""
        return self.user + self.system


def cpu_seconds(pids):
    """User and system time of processes and all their threads."""
    user = system = 0
    for pid in pids:
        # The name, in brackets, may hold blanks.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        user, system = user + int(fields[11]), system + int(fields[12])
    return user / TICKS, system / TICKS


def resident(pids):
    """Resident memory of processes, bytes."""
    pages = (int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


def measure(bench, program, scenario, connections, warm_up, seconds, requests=None):
    """One round: a look at the answer, a warm-up, then the load that counts."""
    program.check(scenario)
    load(bench, program, scenario, connections, warm_up, requests)
    pids = program.pids()
    before = cpu_seconds(pids)
    got = load(bench, program, scenario, connections, seconds, requests)
    after = cpu_seconds(pids)
    if program.pids() != pids:
        raise BenchError(f"{program.name}: its processes changed under load\n{program.tail()}")
    program.check(scenario)
    each = 1e6 / got["requests"]
    return Round(
        user=(after[0] - before[0]) * each,
        system=(after[1] - before[1]) * each,
        rate=got["requests"] * 1e6 / got["micros"],
        p50=got["p50"] / 1000,
        p99=got["p99"] / 1000,
    )
