"""The socket that the service listens at."""

import asyncio
import socket

from common.serve.service import listen


def test_small_answers_are_sent_at_once():
    """Else each answer on a kept connection waits 40 ms: asyncio (CPython 3.11) sets TCP_NODELAY by `socket.proto`."""

    async def accepted():
        with listen("127.0.0.1", 0) as listening:
            options = asyncio.get_running_loop().create_future()

            def connected(_reader, writer):
                made = writer.get_extra_info("socket")
                options.set_result(made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                writer.close()

            server = await asyncio.start_server(connected, sock=listening)
            async with server:
                _reader, writer = await asyncio.open_connection(*listening.getsockname()[:2])
                without_delay = await options
                writer.close()
                await writer.wait_closed()
                return without_delay

    assert asyncio.run(accepted())
