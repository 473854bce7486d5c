"""A WebSocket server that echoes, and a client that goes through a proxy to it. For browsers there is a page that
opens a WebSocket and shows what comes back.

    websocket_peer.py server PORT
    websocket_peer.py client URI [CA_FILE]      wss:// where there is a certificate to trust
"""

import asyncio
import http
import os
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve


GONE = asyncio.Event()
"""Set once a client has left."""


async def echo(connection):
    try:
        async for message in connection:
            await connection.send(message)
            if message == "leave":
                await connection.close(4001, "as you say")
    finally:
        GONE.set()


# The page is not whole before its image is, and that comes when the WebSocket has been closed.
PAGE = """<!doctype html><title>page</title><body><p>nothing came</p><img src="/gone"><script>
const socket = new WebSocket(`wss://${location.host}/`);
const say = text => { document.querySelector("p").textContent = text; socket.close(); };
socket.onopen = () => socket.send("x".repeat(200000) + "end");
socket.onmessage = event => say(`${event.data.length} came, to the ${event.data.slice(-3)}`);
socket.onerror = () => say("an error");
</script>"""


async def page(connection, request):
    if request.path == "/gone":
        try:
            await asyncio.wait_for(GONE.wait(), 20)
        except TimeoutError:
            pass
        return connection.respond(http.HTTPStatus.NO_CONTENT, "")
    if request.path != "/page":
        return None
    response = connection.respond(http.HTTPStatus.OK, PAGE)
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "text/html"
    return response


async def run_server(port):
    async with serve(echo, "127.0.0.1", port, max_size=None, process_request=page) as server:
        await server.serve_forever()


async def ask(uri, ca_file):
    options = {"max_size": None, "proxy": None}
    if ca_file:
        options["ssl"] = ssl.create_default_context(cafile=ca_file)
        options["server_hostname"] = "ok"
    async with connect(uri, **options) as connection:
        large = os.urandom(3 * 1024 * 1024)
        for message in ["hello", b"\x00\x01", "", large, "ж" * 70_000]:
            await connection.send(message)
            assert await asyncio.wait_for(connection.recv(), 10) == message, "another message came back"
        # Many on the way at once.
        await asyncio.gather(*(connection.send(str(number)) for number in range(500)))
        got = [await asyncio.wait_for(connection.recv(), 10) for _ in range(500)]
        assert got == [str(number) for number in range(500)], got[:10]
        await asyncio.wait_for(await connection.ping(), 10)
        await connection.send("leave")
        await connection.recv()
        await asyncio.wait_for(connection.wait_closed(), 10)
        assert (connection.close_code, connection.close_reason) == (4001, "as you say"), connection.close_code
    print("all messages came back")


if __name__ == "__main__":
    if sys.argv[1] == "server":
        asyncio.run(run_server(int(sys.argv[2])))
    else:
        asyncio.run(ask(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None))
