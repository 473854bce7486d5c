"""A client that speaks WebSocket on two streams of an HTTP/2 connection, by the libraries h2 and websockets.

    websocket_over_h2.py PORT CA_FILE
"""

import os
import socket
import ssl
import sys

import h2.config
import h2.connection
import h2.events
from h2.settings import SettingCodes
from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.uri import parse_uri


class Client:
    def __init__(self, port, ca_file):
        context = ssl.create_default_context(cafile=ca_file)
        context.set_alpn_protocols(["h2"])
        raw = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.tls = context.wrap_socket(raw, server_hostname="ok")
        assert self.tls.selected_alpn_protocol() == "h2"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.websockets, self.frames, self.heads, self.ended = {}, {}, {}, set()
        while not self.h2.remote_settings.get(SettingCodes.ENABLE_CONNECT_PROTOCOL):
            self.turn()

    def turn(self):
        self.tls.sendall(self.h2.data_to_send())
        data = self.tls.recv(65536)
        assert data, "the connection ended"
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self.heads[event.stream_id] = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self.websockets[event.stream_id].receive_data(event.data)
                self.frames[event.stream_id] += self.websockets[event.stream_id].events_received()
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)
            elif isinstance(event, h2.events.StreamReset) and event.stream_id in self.ended:
                assert event.error_code == 0, event
            elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                raise AssertionError(event)

    def open(self):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [
            (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/"),
            (":authority", "ok"), ("sec-websocket-version", "13"),
        ])
        while stream not in self.heads:
            self.turn()
        head = self.heads[stream]
        assert head[":status"] == "200" and "content-length" not in head, head
        self.websockets[stream] = ClientProtocol(parse_uri("wss://ok/"), state=State.OPEN, max_size=None)
        self.frames[stream] = []
        return stream

    def flush(self, stream):
        for data in self.websockets[stream].data_to_send():
            while data:
                room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(data))
                if room:
                    self.h2.send_data(stream, data[:room])
                    data = data[room:]
                    self.tls.sendall(self.h2.data_to_send())
                else:
                    self.turn()

    def receive(self, stream):
        whole = b""
        while True:
            while self.frames[stream]:
                frame = self.frames[stream].pop(0)
                whole += frame.data
                if frame.fin:
                    return frame, whole
            self.turn()


def main(port, ca_file):
    client = Client(port, ca_file)
    streams = [client.open(), client.open()]
    large = os.urandom(3 * 1024 * 1024)
    for message in [b"hello", large, "ж".encode() * 70_000]:
        for stream in streams:
            client.websockets[stream].send_binary(message)
            client.flush(stream)
        for stream in streams:
            assert client.receive(stream)[1] == message, "another message came back"
    for stream in streams:
        websocket = client.websockets[stream]
        websocket.send_text(b"leave")
        client.flush(stream)
        assert client.receive(stream)[1] == b"leave"
        frame, reason = client.receive(stream)
        assert (frame.opcode, reason) == (Opcode.CLOSE, b"\x0f\xa1as you say"), frame
        # The libraries answer to it.
        client.flush(stream)
        while stream not in client.ended:
            client.turn()
    client.tls.close()
    print("all messages came back")


main(int(sys.argv[1]), sys.argv[2])
