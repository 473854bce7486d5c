"""A client of HTTP/3, on a library of others (aioquic), that does what it is told.

Standard input: a JSON object.
    port, name              where to connect to on 127.0.0.1, and the server name to ask for
    migrate                 after the first batch, go on from another port
    alpn                    protocols to offer, ["h3"] by default
    deaf                    read no more than the first bytes of each response
    half_open               before all that, so many others begin handshakes and never answer
    certificate             a PEM file with the client's certificate and key
    connections             how often all that is done, each time on a new connection that resumes the session of the one
                            before; the output is that of the last one
    batches                 lists of requests: those of a batch go out at once, a batch after the one before

A request: method, path, authority, fields (pairs), body (text) or size (of a body of zeros), trailers (pairs), raw (hex:
the bytes of the stream, in place of all that), uni (hex: the bytes of a stream of its own that carries no request),
open (the stream is not ended), reset (the client gives it up after that many bytes of the response).

Standard output: a JSON object with `responses` (one for each request: status, fields, body as text where it is short,
length, sha1, trailers, interim (statuses), reset (code)), `closed` (the code that the server ended the connection with, or null),
`resumed` (whether a session was), `names` (of the server's certificate) and `error` (why there was no connection).
"""

import asyncio
import hashlib
import json
import socket
import ssl
import sys
import time

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, StopSendingReceived, StreamReset
from cryptography.x509 import DNSName, SubjectAlternativeName

LIMIT = 20.0
SHOWN = 4096


class Answer:
    def __init__(self, reset_after):
        self.status = None
        self.interim = []
        self.fields = []
        self.trailers = []
        self.body = hashlib.sha1()
        self.shown = b""
        self.length = 0
        self.reset = None
        self.stopped = None
        self.reset_after = reset_after
        self.done = asyncio.get_running_loop().create_future()

    def end(self):
        if not self.done.done():
            self.done.set_result(None)

    def headers(self, pairs):
        pairs = [[n.decode("latin-1"), v.decode("latin-1")] for n, v in pairs]
        if self.status is None:
            status = int(dict(pairs)[":status"])
            if status < 200:
                self.interim.append(status)
                return
            self.status = status
            self.fields = [p for p in pairs if p[0] != ":status"]
        else:
            self.trailers = pairs

    def data(self, data):
        self.length += len(data)
        self.body.update(data)
        if len(self.shown) < SHOWN:
            self.shown += data[: SHOWN - len(self.shown)]

    def show(self):
        return {
            "status": self.status,
            "interim": self.interim,
            "fields": self.fields,
            "body": self.shown.decode("latin-1"),
            "length": self.length,
            "sha1": self.body.hexdigest(),
            "trailers": self.trailers,
            "reset": self.reset,
            "stopped": self.stopped,
            "ended": self.done.done() and self.reset is None,
        }


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = None
        self.answers = {}
        self.closed = None

    def begin(self):
        self.http = H3Connection(self._quic)

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            self.closed = event.error_code
            for answer in self.answers.values():
                answer.end()
        elif isinstance(event, StreamReset) and event.stream_id in self.answers:
            self.answers[event.stream_id].reset = event.error_code
            self.answers[event.stream_id].end()
        elif isinstance(event, StopSendingReceived) and event.stream_id in self.answers:
            self.answers[event.stream_id].stopped = event.error_code
        if self.http is None:
            return
        for event in self.http.handle_event(event):
            answer = self.answers.get(getattr(event, "stream_id", None))
            if answer is None:
                continue
            if isinstance(event, HeadersReceived):
                answer.headers(event.headers)
            elif isinstance(event, DataReceived):
                answer.data(event.data)
                if answer.reset_after is not None and answer.length >= answer.reset_after:
                    self._quic.stop_stream(event.stream_id, 0x10C)
                    answer.end()
                    self.transmit()
            if getattr(event, "stream_ended", False):
                answer.end()

    def send(self, request):
        answer = Answer(request.get("reset"))
        end = not request.get("open")
        if "uni" in request:
            stream = self._quic.get_next_available_stream_id(is_unidirectional=True)
            self._quic.send_stream_data(stream, bytes.fromhex(request["uni"]), end)
            answer.end()
            self.transmit()
            return answer
        stream = self._quic.get_next_available_stream_id()
        self.answers[stream] = answer
        if "raw" in request:
            self._quic.send_stream_data(stream, bytes.fromhex(request["raw"]), end)
            self.transmit()
            return answer
        fields = [
            (":method", request.get("method", "GET")),
            (":scheme", request.get("scheme", "https")),
            (":authority", request.get("authority", "ok")),
            (":path", request.get("path", "/")),
        ] + request.get("fields", [])
        fields = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in fields if v is not None]
        body = request["body"].encode("latin-1") if "body" in request else bytes(request.get("size", 0))
        trailers = [(n.encode(), v.encode()) for n, v in request.get("trailers", [])]
        self.http.send_headers(stream, fields, end_stream=end and not body and not trailers)
        if body:
            self.http.send_data(stream, body, end_stream=end and not trailers)
        if trailers:
            self.http.send_headers(stream, trailers, end_stream=end)
        self.transmit()
        return answer


async def main():
    plan = json.load(sys.stdin)
    configuration = QuicConfiguration(
        is_client=True, alpn_protocols=plan.get("alpn", ["h3"]), server_name=plan.get("name", "ok")
    )
    configuration.verify_mode = ssl.CERT_NONE
    if plan.get("deaf"):
        configuration.max_stream_data = 2000
    if "certificate" in plan:
        configuration.load_cert_chain(plan["certificate"], plan["certificate"])
    others = [begin_only(plan["port"]) for _ in range(plan.get("half_open", 0))]
    for _ in range(plan.get("connections", 1)):
        tickets = []
        out = await connection(plan, configuration, tickets.append)
        configuration.session_ticket = tickets[-1] if tickets else None
    for other in others:
        other.close()
    json.dump(out, sys.stdout)


def begin_only(port):
    """Sends the first packets of a handshake; the socket has to stay open."""
    quic = QuicConnection(configuration=QuicConfiguration(is_client=True, alpn_protocols=["h3"], server_name="ok"))
    quic.connect(("127.0.0.1", port), now=time.monotonic())
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for data, to in quic.datagrams_to_send(now=time.monotonic()):
        other.sendto(data, to)
    return other


async def connection(plan, configuration, keep):
    out = {"responses": [], "closed": None, "error": None}
    try:
        async with connect(
            "127.0.0.1",
            plan["port"],
            configuration=configuration,
            create_protocol=Client,
            session_ticket_handler=keep,
        ) as client:
            client.begin()
            if plan.get("deaf"):
                client._quic._write_stream_limits = lambda *_, **__: None
            out["resumed"] = client._quic.tls.session_resumed
            out["names"] = names(client._quic.tls._peer_certificate)
            for number, batch in enumerate(plan["batches"]):
                if number == 1 and plan.get("migrate"):
                    await migrate(client)
                answers = [client.send(request) for request in batch]
                if answers:
                    waits = [answer.done for answer in answers]
                    await asyncio.wait(waits, timeout=plan.get("limit", LIMIT))
                out["responses"] += [answer.show() for answer in answers]
            if plan.get("linger"):
                await asyncio.sleep(plan["linger"])
            out["closed"] = client.closed
    except ConnectionError as error:
        out["error"] = str(error)
    return out


def names(certificate):
    if certificate is None:
        return []
    found = certificate.extensions.get_extension_for_class(SubjectAlternativeName)
    return found.value.get_values_for_type(DNSName)


async def migrate(client):
    """Goes on from another port, as a phone does that changes networks."""
    loop = asyncio.get_running_loop()
    old = client._transport
    transport, _ = await loop.create_datagram_endpoint(lambda: Forward(client), local_addr=("::", 0))
    client._transport = transport
    client._quic.change_connection_id()
    old.close()


class Forward(asyncio.DatagramProtocol):
    def __init__(self, client):
        self.client = client

    def datagram_received(self, data, addr):
        self.client.datagram_received(data, addr)


asyncio.run(main())
