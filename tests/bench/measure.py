"""Measurements: processor time and memory from /proc, load from wrk."""
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import configs
from programs import BenchError

TICKS = os.sysconf("SC_CLK_TCK")

# wrk's own table is for people; this writes what it knows as one line.
_REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '@{"requests":%d,"micros":%d,"bytes":%d,"p50":%d,"p99":%d,"status":%d,"socket":%d}\\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
"""


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


def load(bench, program, scenario, connections, seconds, requests=None):
    """Lets wrk work; an answer that is no success, or that is short, is an error.

    `requests` is a Lua script that says what to ask for, where that is not always the same."""
    if scenario.http2:
        return _h2load(bench, program, scenario, connections, seconds)
    script = bench.folder / "report.lua"
    script.write_text((requests.read_text() if requests else "") + _REPORT)
    url = f"http{'s' if scenario.tls else ''}://{configs.HOST}:{program.port}{scenario.path}"
    command = [bench.bins["wrk"], "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script]
    pins = bench.pins.load
    done = subprocess.run(
        [*command, *scenario.wrk, url],
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        stdin=subprocess.DEVNULL,
        preexec_fn=(lambda: os.sched_setaffinity(0, pins)) if pins else None,
    )
    lines = [line[1:] for line in done.stdout.splitlines() if line.startswith("@")]
    if done.returncode or not lines:
        raise BenchError(f"wrk failed, status {done.returncode}\n{done.stdout}{done.stderr}")
    got = json.loads(lines[0])
    if not got["requests"]:
        raise BenchError(f"{program.name} answered nothing\n{program.tail()}")
    if got["status"] or got["socket"]:
        errors = f"{got['status']} answers of 400 and above, {got['socket']} socket errors"
        raise BenchError(f"{program.name}: {errors}, of {got['requests']}\n{program.tail()}")
    if got["bytes"] < got["requests"] * scenario.body:
        raise BenchError(f"{program.name}: answers shorter than {scenario.body} bytes\n{program.tail()}")
    return got


STREAMS = 16
"""Streams at once on a connection of h2load."""


def _h2load(bench, program, scenario, connections, seconds):
    """The same, with h2load."""
    log = bench.folder / "requests.tsv"
    log.unlink(missing_ok=True)
    url = f"https://{configs.HOST}:{program.port}{scenario.path}"
    command = [bench.bins["h2load"], "-t1", f"-c{connections}", f"-m{STREAMS}", f"-D{seconds}", f"--log-file={log}", url]
    pins = bench.pins.load
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        stdin=subprocess.DEVNULL,
        preexec_fn=(lambda: os.sched_setaffinity(0, pins)) if pins else None,
    )
    # Start, status, microseconds; requests that the end cut off are not in it.
    rows = [line.split("\t") for line in log.read_text().splitlines()] if log.exists() else []
    if done.returncode or not rows:
        raise BenchError(f"h2load failed, status {done.returncode}\n{done.stdout}{done.stderr}\n{program.tail()}")
    bad = sum(row[1] != "200" for row in rows)
    if bad or "Application protocol: h2" not in done.stdout:
        raise BenchError(f"{program.name}: {bad} answers of {len(rows)} are no 200, or no HTTP/2\n{done.stdout}{program.tail()}")
    times = sorted(int(row[2]) for row in rows)
    return {
        "requests": len(rows),
        "micros": seconds * 1_000_000,
        "p50": times[len(times) // 2],
        "p99": times[len(times) * 99 // 100],
    }


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
