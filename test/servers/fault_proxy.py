"""fault_proxy: a TCP proxy that behaves like a bad network, switched while it runs.

Delays are those of distance, not of bandwidth: bytes that follow each other arrive so, all of them later.
"""
import asyncio
import socket
import struct
import threading
import time

from server import free_port


class FaultProxy:
    """Between a free port of ours and a server's. Use as a context; the attributes may be set at any time.

    delay       seconds that bytes take one way
    rate        bytes a second one way, of all connections together, 0: as fast as it goes
    mode        "pass"; "black_hole": nothing arrives, nothing is refused; "refuse": connections are reset at once
    tls         (given at the start) a server's context: the client speaks TLS, the server behind does not
    reset_after each connection is reset after that many bytes from the client, 0: never
    trip        (bytes, mode, seconds): once so many passed, the mode becomes that one, for so long (None: for good)
    busy        so many requests are answered with 503 and Retry-After: retry_after (HTTP only)
    watch       (data, from_client): called before data goes on, to do something right then
    """

    def __init__(self, target_port, tls=None):
        self.target, self.port, self.tls = target_port, free_port(), tls
        self.delay, self.rate, self.mode, self.reset_after = 0.0, 0, "pass", 0
        self.trip, self.busy, self.retry_after = None, 0, 0
        self.watch = None
        self.connections = self.bytes = 0
        self.free = {True: 0.0, False: 0.0}  # from when the line is free, by direction (from the client?)
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        assert self.ready.wait(60)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def serve(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(asyncio.start_server(self.connected, "127.0.0.1", self.port, ssl=self.tls))
        self.ready.set()
        self.loop.run_forever()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    @staticmethod
    def reset(writer):
        s = writer.get_extra_info("socket")
        if s is not None:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def connected(self, reader, writer):
        self.connections += 1
        if self.mode == "refuse":
            return self.reset(writer)
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            return self.reset(writer)
        ends = (writer, there)
        await asyncio.gather(self.pump(reader, there, ends, True), self.pump(there_reader, writer, ends, False))
        for end in ends:
            end.close()

    async def too_busy(self, reader, writer):
        writer.write(b"HTTP/1.1 503 Slow Down\r\nRetry-After: %d\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                     % self.retry_after)
        writer.write_eof()
        while await reader.read(65536):  # or the answer is lost with what was not read
            pass

    async def pump(self, reader, writer, ends, from_client):
        queue = asyncio.Queue(maxsize=1024)
        delivery = asyncio.create_task(self.deliver(queue, writer))
        seen = 0
        try:
            while True:
                data = await reader.read(65536)
                while self.mode == "black_hole":
                    await asyncio.sleep(0.05)
                seen += len(data)
                if self.watch:
                    self.watch(data, from_client)
                self.bytes += len(data)
                if self.trip and self.bytes > self.trip[0]:
                    _, self.mode, seconds = self.trip
                    self.trip = None
                    if seconds:
                        self.loop.call_later(seconds, setattr, self, "mode", "pass")
                if from_client and self.busy and data[:4] in (b"GET ", b"PUT ", b"HEAD", b"POST", b"DELE"):
                    self.busy -= 1
                    await self.too_busy(reader, ends[0])
                    delivery.cancel()
                    ends[1].transport.abort()
                    return
                if self.mode == "refuse" or (from_client and 0 < self.reset_after < seen):
                    delivery.cancel()
                    for end in ends:
                        self.reset(end)
                    return
                await queue.put((time.monotonic() + self.delay, data))
                if not data:
                    break
                if self.rate:
                    now = time.monotonic()
                    self.free[from_client] = max(now, self.free[from_client]) + len(data) / self.rate
                    await asyncio.sleep(self.free[from_client] - now)
            await delivery
        except (OSError, asyncio.CancelledError):
            delivery.cancel()
            writer.transport.abort()

    @staticmethod
    async def deliver(queue, writer):
        while True:
            when, data = await queue.get()
            wait = when - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            if not data:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
