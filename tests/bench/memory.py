"""Memory of idle connections: opens many, sends a request on each, and looks at what the proxy has grown by."""
import contextlib
import http.client
import ssl
import time

import configs
from measure import resident
from programs import BenchError

WARM_UP = 500
"""Requests on one connection before the first look, so that code and first buffers are in memory."""
SETTLE_SECONDS = 10


def ask(connection, scenario):
    connection.request("GET", scenario.path)
    response = connection.getresponse()
    if response.status != 200 or len(response.read()) != scenario.body or response.will_close:
        raise BenchError(f"status {response.status}, a wrong body, or no keep-alive")


def settled(program):
    """Resident memory once it has stopped moving."""
    end, last = time.monotonic() + SETTLE_SECONDS, -1
    while (now := resident(program.pids())) != last and time.monotonic() < end:
        last = now
        time.sleep(0.5)
    return now


def growth(program, scenario, count):
    """Bytes of resident memory per open connection."""
    trusting = ssl._create_unverified_context()
    def connect():
        if scenario.tls:
            return http.client.HTTPSConnection(configs.HOST, program.port, timeout=10, context=trusting)
        return http.client.HTTPConnection(configs.HOST, program.port, timeout=10)
    with contextlib.ExitStack() as connections:
        try:
            first = connections.enter_context(contextlib.closing(connect()))
            for _ in range(WARM_UP):
                ask(first, scenario)
            before = settled(program)
            opened = []
            for _ in range(count):
                opened.append(connections.enter_context(contextlib.closing(connect())))
                ask(opened[-1], scenario)
            after = settled(program)
            # Had the proxy closed some, there would be little to weigh.
            for connection in opened:
                ask(connection, scenario)
        except (OSError, http.client.HTTPException, BenchError) as e:
            raise BenchError(f"{program.name} with {count} connections: {e!r}\n{program.tail()}") from e
    return (after - before) / count
