"""A picker of endpoints: Envoy's external processing over gRPC and TLS, as far as a proxy needs it to choose backends.

    endpoint_picker.py PORT CERT KEY LOG

The request header X-Epp says what to answer: "ADDR" names an endpoint in the answer to the head, "body=ADDR" in the
answer to the body, "only-body=ADDR" without an answer to the head, "none" names none, "fail" ends the call, "mute" says
nothing at all. What was heard goes to LOG, one JSON value a line.
"""

import json
import sys
import threading
from concurrent import futures

import grpc

REQUEST_HEAD, RESPONSE_HEAD, REQUEST_BODY, RESPONSE_BODY = 2, 3, 4, 5
ANSWERED_BY = {REQUEST_HEAD: 1, RESPONSE_HEAD: 2, REQUEST_BODY: 3, RESPONSE_BODY: 4}
NAMES = {2: "request head", 3: "response head", 4: "request body", 5: "response body"}
LOCK = threading.Lock()


def varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        value, at, shift = value | (byte & 127) << shift, at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """The fields of a message in their order: number, then an integer or bytes."""
    at, found = 0, []
    while at < len(data):
        tag, at = varint(data, at)
        value, at = varint(data, at)
        if tag & 7 == 2:
            value, at = data[at:at + value], at + value
        found.append((tag >> 3, value))
    return found


def number(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(tag, content):
    return number(tag << 3 | 2) + number(len(content)) + content


def naming(addr):
    """The metadata in which an answer names an endpoint."""
    entry = lambda key, value: field(1, field(1, key) + field(2, value))
    return field(8, entry(b"envoy.lb", field(5, entry(b"x-gateway-destination-endpoint", field(3, addr.encode())))))


def heard(kind, content):
    known = dict(fields(content))
    if kind in (REQUEST_BODY, RESPONSE_BODY):
        return {"what": NAMES[kind], "body": known.get(1, b"").decode("latin-1"), "end": bool(known.get(2))}
    pairs = [dict(fields(header)) for _, header in fields(known.get(1, b""))]
    values = {pair[1].decode(): pair.get(3, pair.get(2, b"")).decode("latin-1") for pair in pairs}
    return {"what": NAMES[kind], "fields": values, "raw": any(3 in pair for pair in pairs), "end": bool(known.get(3))}


def processor(log):
    def process(requests, context):
        how, addr = "none", ""
        for request in requests:
            (kind, content), = fields(request)
            said = heard(kind, content)
            with LOCK, open(log, "a") as file:
                file.write(json.dumps(said) + "\n")
            if kind == REQUEST_HEAD:
                how, _, addr = said["fields"].get("X-Epp", "none").rpartition("=")
            if addr == "fail":
                context.abort(grpc.StatusCode.INTERNAL, "no")
            if addr == "mute" or kind == RESPONSE_BODY and not said["end"] or kind == REQUEST_HEAD and how == "only-body":
                continue
            now = REQUEST_BODY if how else REQUEST_HEAD
            yield field(ANSWERED_BY[kind], b"") + (naming(addr) if kind == now and addr != "none" else b"")
    return process


def serve(port, cert, key, log):
    read = lambda path: open(path, "rb").read()
    server = grpc.server(futures.ThreadPoolExecutor(16))
    handlers = {"Process": grpc.stream_stream_rpc_method_handler(processor(log))}
    service = "envoy.service.ext_proc.v3.ExternalProcessor"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([(read(key), read(cert))]))
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    serve(int(sys.argv[1]), *sys.argv[2:])
