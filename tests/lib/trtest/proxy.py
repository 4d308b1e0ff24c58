# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that makes a good line bad: latency, a limit of bandwidth, resets inside of a request, silence (half-open)."""
import asyncio
import socket
import struct
import threading

PIECE = 16384  # what is passed on at a time: the grain of bandwidth and of resets


class Proxy:
    """Listens on `port` and passes on to `target`, both ways. The attributes may be changed at any time, for open connections too.

    latency_s       each piece is passed on so much later
    rate            bytes a second and direction, 0 for no limit
    reset_after     a connection is reset (RST) after it has carried so many bytes from the client: 0 never
    silent          nothing is passed on and nothing is closed, as when the cable is pulled; connections are still taken
    """

    def __init__(self, port, target):
        self.port, self.target = port, target
        self.latency_s, self.rate, self.reset_after, self.silent = 0.0, 0, 0, False
        self.connections = self.resets = 0
        self.open = set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self.take, "127.0.0.1", port), self.loop).result(10)

    def close(self):
        self.loop.call_soon_threadsafe(self.end)
        self.thread.join(10)
        self.loop.close()

    def end(self):
        self.server.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.call_soon(self.loop.stop)

    def reset_all(self):
        """Every connection at once, as a firewall that was restarted."""
        self.loop.call_soon_threadsafe(lambda: [self.reset(w) for w in list(self.open)])

    def reset(self, writer):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def take(self, reader, writer):
        self.connections += 1
        while self.silent:
            await asyncio.sleep(0.05)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        self.open |= {writer, far_writer}
        out, back = asyncio.Queue(64), asyncio.Queue(64)
        tasks = [asyncio.ensure_future(c) for c in (self.read(reader, out, writer), self.write(out, far_writer),
                                                    self.read(far_reader, back), self.write(back, writer))]
        try:
            # The first that fails, or the last.
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.open -= {writer, far_writer}
            writer.transport.abort()
            far_writer.transport.abort()

    async def read(self, reader, late, client=None):
        """`client` is given in its direction only: the one that reset_after counts."""
        carried = 0
        while True:
            data = await reader.read(PIECE)
            carried += len(data)
            if client and self.reset_after and carried >= self.reset_after:
                # Half of the piece goes on: the broker has the beginning of a request.
                await late.put((0, data[: len(data) // 2]))
                await asyncio.sleep(0.01)
                self.resets += 1
                self.reset(client)
                raise ConnectionResetError
            await late.put((self.loop.time() + self.latency_s, data))
            if not data:
                return
            if self.rate:
                await asyncio.sleep(len(data) / self.rate)

    async def write(self, late, writer):
        while True:
            due, data = await late.get()
            await asyncio.sleep(max(0, due - self.loop.time()))
            while self.silent:
                await asyncio.sleep(0.05)
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
