"""A gRPC server, and a client that goes through a proxy to it; messages are bare bytes.

    grpc_peer.py server PORT
    grpc_peer.py client PORT CA_FILE      the proxy's HTTPS port; the name of its certificate is "ok"
"""

import sys
import time
from concurrent import futures

import grpc

LARGE = 3 * 1024 * 1024
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def unary(request, context):
    context.set_trailing_metadata((("x-trailer", "after"), ("x-seen", dict(context.invocation_metadata()).get("x-mark", "-"))))
    return request.upper()


def countdown(request, context):
    for number in range(int(request), 0, -1):
        yield str(number).encode()
        time.sleep(0.1)


def collect(requests, context):
    return str(sum(len(request) for request in requests)).encode()


def chat(requests, context):
    for request in requests:
        yield b"re: " + request


def fail(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: " + request.decode())


def slow(request, context):
    time.sleep(3)
    return b"late"


def serve(port):
    handlers = grpc.method_handlers_generic_handler("t.T", {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Countdown": grpc.unary_stream_rpc_method_handler(countdown),
        "Collect": grpc.stream_unary_rpc_method_handler(collect),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
        "Slow": grpc.unary_unary_rpc_method_handler(slow),
    })
    server = grpc.server(futures.ThreadPoolExecutor(16), options=OPTIONS)
    server.add_generic_rpc_handlers((handlers,))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def refused(call, code):
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, error
        return error
    raise AssertionError(f"no {code}")


def ask(port, ca_file):
    with open(ca_file, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    options = OPTIONS + [("grpc.ssl_target_name_override", "ok"), ("grpc.default_authority", "ok")]
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options=options) as channel:
        answer, call = channel.unary_unary("/t.T/Unary").with_call(b"hello", metadata=(("x-mark", "m"),), timeout=10)
        assert answer == b"HELLO", answer
        trailers = dict(call.trailing_metadata())
        assert trailers["x-trailer"] == "after" and trailers["x-seen"] == "m", trailers

        large = b"x" * LARGE
        assert channel.unary_unary("/t.T/Unary")(large, timeout=20) == large.upper()

        begin, times = time.monotonic(), []
        for number in channel.unary_stream("/t.T/Countdown")(b"5", timeout=10):
            times.append(time.monotonic() - begin)
        assert len(times) == 5 and times[0] < times[-1] - 0.25, f"messages came together: {times}"

        assert channel.stream_unary("/t.T/Collect")(iter([b"ab"] * 1000), timeout=10) == b"2000"

        # Each message is answered before the next is sent.
        said = []

        def talk():
            for number in range(5):
                while len(said) < number:
                    time.sleep(0.01)
                yield str(number).encode()

        for answer in channel.stream_stream("/t.T/Chat")(talk(), timeout=10):
            said.append(answer)
        assert said == [b"re: %d" % number for number in range(5)], said

        error = refused(lambda: channel.unary_unary("/t.T/Fail")(b"x", timeout=10), grpc.StatusCode.NOT_FOUND)
        assert error.details() == "no such thing: x", error
        refused(lambda: channel.unary_unary("/t.T/Missing")(b"x", timeout=10), grpc.StatusCode.UNIMPLEMENTED)
        begin = time.monotonic()
        refused(lambda: channel.unary_unary("/t.T/Slow")(b"x", timeout=0.5), grpc.StatusCode.DEADLINE_EXCEEDED)
        assert time.monotonic() - begin < 2

        calls = [channel.unary_unary("/t.T/Unary").future(b"%d" % number, timeout=20) for number in range(200)]
        assert [call.result() for call in calls] == [b"%d" % number for number in range(200)]
    print("all calls answered")


if __name__ == "__main__":
    if sys.argv[1] == "server":
        serve(int(sys.argv[2]))
    else:
        ask(int(sys.argv[2]), sys.argv[3])
