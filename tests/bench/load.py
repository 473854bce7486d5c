"""Load: wrk for HTTP/1, h2load for HTTP/2, and our own `paced` for requests at a fixed rate.

An answer that is no success, or that is short, is an error with each of them: a proxy that fails fast would look good
otherwise.
"""
import json
import os
import signal
import subprocess

import configs
from programs import REPOSITORY, BenchError

STREAMS = 16
"""Streams at once on a connection of h2load."""
PATIENCE = 30
"""Seconds that a load generator may take longer than it was told."""

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


class Wrk:
    """A running wrk. It works until it is told to stop, so that any fraction of a second will do."""

    def __init__(self, bench, program, scenario, connections, requests=None, port=None):
        """`requests` is a Lua script that says what to ask for, where that is not always the same; `port` is another
        one than the program's own, for plain HTTP."""
        self.program, self.scenario = program, scenario
        scheme = "https" if scenario.tls and port is None else "http"
        script = bench.folder / f"report-{scheme}.lua"
        script.write_text((requests.read_text() if requests else "") + _REPORT)
        url = f"{scheme}://{configs.HOST}:{port or program.port}{scenario.path}"
        more = scenario.wrk if port is None else ()
        command = [bench.bins["wrk"], "-t1", f"-c{connections}", "-d600s", "--latency", "-s", script, *more, url]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=_pinned(bench.pins.load),
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def stop(self):
        """Ends it; requests, microseconds, latencies in microseconds."""
        self.process.send_signal(signal.SIGINT)
        try:
            said, _ = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise BenchError(f"wrk doesn't end; {self.program.name} may hang\n{self.program.tail()}") from None
        lines = [line[1:] for line in said.splitlines() if line.startswith("@")]
        if self.process.returncode or not lines:
            raise BenchError(f"wrk failed, status {self.process.returncode}\n{said}")
        got, who = json.loads(lines[0]), self.program.name
        if not got["requests"]:
            raise BenchError(f"{who} answered nothing\n{self.program.tail()}")
        if got["status"] or got["socket"]:
            errors = f"{got['status']} answers of 400 and above, {got['socket']} socket errors"
            raise BenchError(f"{who}: {errors}, of {got['requests']}\n{self.program.tail()}")
        if got["bytes"] < got["requests"] * self.scenario.body:
            raise BenchError(f"{who}: answers shorter than {self.scenario.body} bytes\n{self.program.tail()}")
        return got


def load(bench, program, scenario, connections, seconds, requests=None, port=None):
    """As many requests as the connections can take, for so many seconds; what came of it, times in microseconds."""
    if scenario.http2:
        return _h2load(bench, program, scenario, connections, seconds)
    with Wrk(bench, program, scenario, connections, requests, port) as wrk:
        try:
            wrk.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        return wrk.stop()


def _h2load(bench, program, scenario, connections, seconds):
    log = bench.folder / "requests.tsv"
    log.unlink(missing_ok=True)
    url = f"https://{configs.HOST}:{program.port}{scenario.path}"
    duration = f"-D{seconds * 1000:.0f}ms"
    command = [bench.bins["h2load"], "-t1", f"-c{connections}", f"-m{STREAMS}", duration, f"--log-file={log}", url]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=seconds + PATIENCE,
        stdin=subprocess.DEVNULL,
        preexec_fn=_pinned(bench.pins.load),
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


def paced(bench, program, scenario, connections, rate, seconds):
    """So many requests a second, whether the answers keep up or not; latencies count from when each request was due."""
    command = [_generator(bench), f"{configs.HOST}:{program.port}", scenario.path, scenario.body, connections, rate, seconds]
    done = subprocess.run(
        [str(c) for c in command],
        capture_output=True,
        text=True,
        timeout=seconds + PATIENCE,
        stdin=subprocess.DEVNULL,
        preexec_fn=_pinned(bench.pins.load),
    )
    if done.returncode:
        raise BenchError(f"{program.name} at {rate:.0f} requests a second: {done.stderr}\n{program.tail()}")
    return json.loads(done.stdout)


def _generator(bench):
    """The generator, built when it is first asked for."""
    program = bench.folder / "paced"
    if not program.exists():
        source = REPOSITORY / "tests/bench/paced.rs"
        command = [bench.bins["rustc"], "-O", "--edition", "2024", "-o", program, source]
        done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise BenchError(f"the load generator can't be built: {done.stderr}")
    return program


def _pinned(cpus):
    return (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
