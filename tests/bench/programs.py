"""The programs of a measurement: how each is found, started, watched and stopped."""
import contextlib
import http.client
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import configs
from scenarios import LARGE, SMALL

START_SECONDS = 15
STOP_SECONDS = 5
REPOSITORY = Path(__file__).resolve().parents[2]


class BenchError(Exception):
    """The measurement can't be made, or would not be true."""


def free_ports(count):
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind((configs.HOST, 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def raise_file_limit():
    """Takes all the descriptors the system grants; says how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return 1_048_576 if hard == resource.RLIM_INFINITY else hard


class Pins:
    """Which CPUs the proxy, and the load with the backend, run on; none where there is only one CPU."""

    def __init__(self):
        cpus = sorted(os.sched_getaffinity(0))
        self.proxy = self.load = self.backend = None
        if len(cpus) > 1:
            self.proxy, self.load = {cpus[0]}, {cpus[1]}
            self.backend = {cpus[2]} if len(cpus) > 2 else self.load

    @contextlib.contextmanager
    def lifted(self, really=True):
        """Nothing that is started meanwhile is pinned."""
        saved = self.proxy, self.load, self.backend
        if really:
            self.proxy = self.load = self.backend = None
        try:
            yield
        finally:
            self.proxy, self.load, self.backend = saved

    def __str__(self):
        if self.proxy is None:
            return "not pinned"
        one = lambda cpus: ",".join(map(str, cpus))
        return f"proxy on CPU {one(self.proxy)}, wrk on CPU {one(self.load)}, backend on CPU {one(self.backend)}"


class Program:
    """A running server: a process, its children, its ports, its log.

    `port` is the one that a scenario is about; `plain` is for plain HTTP, whatever the scenario; `monitor` is bfe's."""

    def __init__(self, name, command, port, folder, cpus, plain=None, monitor=None):
        self.name, self.port, self.log = name, port, folder / "output.log"
        self.plain, self.monitor = plain or port, monitor
        # When it was started, and when it first took a connection.
        self.begun, self.up = time.monotonic(), None
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
                preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None,
            )

    def __enter__(self):
        try:
            self.wait_until_up()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def wait_until_up(self):
        """Waits until the port takes connections."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise BenchError(f"{self.name} ended at once, status {self.process.returncode}\n{self.tail()}")
            try:
                socket.create_connection((configs.HOST, self.port), 1).close()
                self.up = time.monotonic()
                return
            except OSError:
                time.sleep(0.005)
        raise BenchError(f"{self.name} doesn't listen on port {self.port} after {START_SECONDS} s\n{self.tail()}")

    def check(self, scenario):
        """Asks once, and looks at the answer. A proxy that speaks HTTP/2 speaks HTTP/1 on the same port, too."""
        is_backend = self.name == "backend"
        path = scenario.backend_path if is_backend and scenario.backend_path else scenario.path
        if scenario.tls and not is_backend:
            trusting = ssl._create_unverified_context()
            connection = http.client.HTTPSConnection(configs.HOST, self.port, timeout=10, context=trusting)
        else:
            connection = http.client.HTTPConnection(configs.HOST, self.port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as e:
            raise BenchError(f"{self.name} doesn't answer GET {path}: {e!r}\n{self.tail()}") from e
        finally:
            connection.close()
        if response.status != 200 or len(body) != scenario.body:
            wanted = f"wanted 200 and {scenario.body} bytes"
            raise BenchError(f"{self.name} answers {response.status} and {len(body)} bytes; {wanted}\n{self.tail()}")

    def pids(self):
        """The process and all that it started."""
        found, new = [], [self.process.pid]
        while new:
            pid = new.pop()
            found.append(pid)
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    new += map(int, children.read_text().split())
                except OSError:
                    pass  # that thread has just ended
        return sorted(found)

    def tail(self):
        """The end of what it wrote, for error messages."""
        logs = [self.log, *sorted(self.log.parent.glob("log/*.log"))]
        parts = [f"--- {path.name}\n{text[-2000:]}" for path in logs if (text := path.read_text(errors="replace"))]
        return "\n".join(parts) or f"(no output from {self.name})"

    def stop(self):
        """Ends the process and its children."""
        for sig in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sig)
            except ProcessLookupError:
                pass
            try:
                self.process.wait(STOP_SECONDS)
                return
            except subprocess.TimeoutExpired:
                continue


class Bench:
    """Finds the programs, writes their configurations into one temporary folder, starts them."""

    def __init__(self, folder, bins):
        """`bins`: name of the program -> path, as `find` returned it."""
        self.folder, self.bins = Path(folder), bins
        self.files, self.pins = raise_file_limit(), Pins()
        self.as_root = os.geteuid() == 0
        # Where HAProxy logs to. Nobody reads it: what does not fit is dropped.
        self.syslog = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.syslog.bind((configs.HOST, 0))

    def backend(self, address=configs.HOST):
        """Starts the backend; it takes connections to that address."""
        folder, (port,) = self._place("backend"), free_ports(1)
        (folder / "large").write_bytes(b"x" * LARGE)
        text = configs.nginx_backend(folder, address, port, self.files, self.as_root, SMALL)
        return self._nginx("backend", folder, port, text, self.pins.backend)

    def proxy(self, name, backend, scenario):
        """Starts a proxy in front of the backend."""
        folder = self._place(name)
        if name == "nginx":
            port, plain = free_ports(2)
            certificate = self._certificate(scenario.key)
            text = configs.nginx_proxy(folder, port, plain, backend.port, self.files, self.as_root, scenario, certificate)
            return self._nginx(name, folder, port, text, self.pins.proxy, plain)
        if name == "haproxy":
            port, plain = free_ports(2)
            hosts, syslog = folder / "hosts.map", self.syslog.getsockname()[1]
            hosts.write_text("".join(f"{host} cluster_{cluster}\n" for host, cluster in scenario.hosts))
            certificate = self._certificate(scenario.key)
            (folder / "haproxy.cfg").write_text(
                configs.haproxy(port, plain, backend.port, scenario, certificate, syslog, hosts))
            command = [self.bins[name], "-db", "-q", "-f", folder / "haproxy.cfg"]
            return Program(name, command, port, folder, self.pins.proxy, plain)
        ports, conf = free_ports(3), folder / "conf"
        # The files of the repository's own tree that this bench has no opinion on, certificates for one.
        if (REPOSITORY / "conf").is_dir():
            shutil.copytree(REPOSITORY / "conf", conf)
        for path, text in configs.bfe(ports, backend.port, scenario).items():
            (conf / path).parent.mkdir(parents=True, exist_ok=True)
            (conf / path).write_text(text)
        if scenario.tls:
            for kind in ("crt", "key"):
                shutil.copy(self._certificate(scenario.key), conf / "tls_conf" / f"bench.{kind}")
        command = [self.bins[name], "-c", conf, "-l", folder / "log"]
        plain, _, monitor = ports
        return Program(name, command, ports[1 if scenario.tls else 0], folder, self.pins.proxy, plain, monitor)

    def _certificate(self, key):
        """A certificate with its key in one file, made when it is first asked for."""
        path = self.folder / f"certificate-{key}.pem"
        if not path.exists():
            parts = [self.folder / "key.pem", self.folder / "cert.pem"]
            kind = ["rsa:2048"] if key == "rsa" else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            command = ["openssl", "req", "-x509", "-nodes", "-newkey", *kind]
            subprocess.run(
                [*command, "-subj", "/CN=bench.test", "-days", "30", "-keyout", parts[0], "-out", parts[1]],
                check=True, capture_output=True, stdin=subprocess.DEVNULL,
            )
            path.write_text("".join(part.read_text() for part in parts))
        return path

    def _place(self, name):
        folder = self.folder / name
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        return folder

    def _nginx(self, name, folder, port, text, cpus, plain=None):
        (folder / "nginx.conf").write_text(text)
        command = [self.bins["nginx"], "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"]
        return Program(name, command, port, folder, cpus, plain)


def find(names, bfe, go_bfe):
    """Paths of the programs; all that are absent are named in one error."""
    bins, absent = {}, []
    for name in names:
        given = {"bfe": bfe, "go-bfe": go_bfe}.get(name)
        if name == "bfe" and not given:
            target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
            given = target / "release" / "bfe"
        path = shutil.which(given or name)
        if path:
            # Programs run in folders of their own: a relative path would be lost there.
            bins[name] = os.path.abspath(path)
        elif name == "bfe":
            absent.append(f"bfe is not at {given}: build it with `cargo build --release -p bfe`, or give --bin")
        elif name == "go-bfe":
            absent.append(f"--go-bfe {given}: not a program")
        else:
            absent.append(f"{name} is not installed (Debian: apt-get install {name})")
    if absent:
        raise BenchError("\n".join(absent))
    return bins


def version(name, path):
    """The version a program tells about itself."""
    flag = "--version" if name == "h2load" else "-v"
    out = subprocess.run([path, flag], capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)
    text = out.stdout + out.stderr
    number = re.search(r"\d+\.\d+[.\d]*", text)
    return f"{name} {number[0]}" if number else name
