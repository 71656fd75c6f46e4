"""The rig: the real edge on the real bus, before owners that do what the text of a message tells them."""

import asyncio
import contextlib
import json
import os
import re
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest
import websockets

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
RIG = os.environ["EDGE_RIG"]
TOKEN = "token-of-the-rig"
SCOPES = ["operator.admin", "operator.read", "operator.write"]


class Rig:
    def __init__(self, **environment):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENCLAW_")}
        self.process = subprocess.Popen([RIG], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**kept, "OPENCLAW_STATE_DIR": "/tmp/state", **environment})
        line = self.process.stdout.readline()
        assert line.startswith("port "), line + self.process.stderr.read()
        self.port = int(line.split()[1])
        self.url = f"ws://127.0.0.1:{self.port}/"

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=20)
        assert self.process.returncode == 0, errors
        return errors

    def http(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


@pytest.fixture(scope="module")
def rig():
    running = Rig()
    yield running
    running.stop()


@pytest.fixture
def own_rig():
    """A rig for a test that breaks or stops it; `own_rig(ENV=value)` starts one."""
    with contextlib.ExitStack() as stack:
        def start(**environment):
            running = Rig(**environment)
            stack.callback(lambda: running.process.poll() is None and running.stop())
            return running
        yield start


def connect_params(**changes):
    return {"minProtocol": 3, "maxProtocol": 3, "role": "operator", "scopes": SCOPES, "auth": {"token": TOKEN},
            "client": {"id": "cli", "version": "1", "platform": "linux", "mode": "cli"}, **changes}


def request(method, params=None, ident="1"):
    return {"type": "req", "id": ident, "method": method, "params": params if params is not None else {}}


class Client:
    """A client behind hello-ok."""

    def __init__(self, ws, hello):
        self.ws, self.hello, self.last, self.events, self.ticks = ws, hello, 0, [], 0

    async def send(self, method, params=None, **frame):
        self.last += 1
        await self.ws.send(json.dumps({"type": "req", "id": str(self.last), "method": method,
                                       "params": params or {}, **frame}))
        return str(self.last)

    async def receive(self):
        """The next frame. Ticks come when they come; they are left out, also of the numbers that follow."""
        while True:
            frame = json.loads(await asyncio.wait_for(self.ws.recv(), 60))
            if frame.get("event") != "tick":
                if "seq" in frame:
                    frame["seq"] -= self.ticks
                return frame
            self.ticks += 1

    async def answer(self, ident):
        while True:
            frame = await self.receive()
            if frame["type"] == "res" and frame["id"] == ident:
                return frame
            self.events.append(frame)

    async def call(self, method, params=None):
        return await self.answer(await self.send(method, params))

    async def chat(self, text):
        return await self.call("chat.send", {"sessionKey": "main", "message": text, "idempotencyKey": "k"})

    async def event(self, name):
        while True:
            for frame in self.events:
                if frame.get("event") == name:
                    self.events.remove(frame)
                    return frame
            self.events.append(await self.receive())


@contextlib.asynccontextmanager
async def connected(rig, extra_headers=None, **changes):
    # The library's own time limits are left out: a busy machine is no finding. Waits have deadlines of their own.
    async with websockets.connect(rig.url, max_size=None, extra_headers=extra_headers, open_timeout=None,
                                  ping_interval=None) as ws:
        challenge = json.loads(await ws.recv())
        assert challenge["event"] == "connect.challenge" and "seq" not in challenge
        await ws.send(json.dumps({"type": "req", "id": "c", "method": "connect", "params": connect_params(**changes)}))
        hello = json.loads(await asyncio.wait_for(ws.recv(), 60))
        assert hello["ok"], hello
        yield Client(ws, hello["payload"])


@pytest.fixture
def run():
    return asyncio.run


def masked(opcode, payload):
    head = bytes([0x80 | opcode]) + (bytes([0x80 | len(payload)]) if len(payload) < 126
                                     else bytes([0x80 | 126]) + struct.pack(">H", len(payload)))
    return head + b"\0\0\0\0" + payload


def stalled_client(rig, receive_buffer=4096):
    """A client that stops reading after its hello."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.connect(("127.0.0.1", rig.port))
    sock.settimeout(60)
    sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
    seen = b""
    while b"connect.challenge" not in seen:
        seen += sock.recv(4096)
    sock.sendall(masked(1, json.dumps(request("connect", connect_params(), "c")).encode()))
    while b"hello-ok" not in seen:
        seen += sock.recv(4096)
    return sock


def read_until(sock, word, times=1):
    """All that comes up to the n-th `word` and the end of its frame's number."""
    seen = b""
    while seen.count(word) < times or not re.search(rb'"seq":\d+}', seen[seen.rindex(word):]):
        seen += sock.recv(1 << 16)
    return seen


class Crowd:
    """Many clients that read all they get, cheaply: bytes are looked through, not parsed."""

    def __init__(self, rig, count):
        self.readers = selectors.DefaultSelector()
        self.finals, self.numbers, self.tails = {}, {}, {}
        for _ in range(count):
            sock = stalled_client(rig, 1 << 20)
            sock.setblocking(False)
            self.readers.register(sock, selectors.EVENT_READ)
            self.finals[sock], self.numbers[sock], self.tails[sock] = 0, None, b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in self.finals:
            sock.close()
        self.readers.close()

    def take(self, sock):
        """What has come: counts final events, and sees that no number of the sequence is missing."""
        piece = sock.recv(1 << 20)
        assert piece, "a client that reads was cut off"
        if b"\x89" in piece:  # a ping, or a byte of a length; a pong that nobody asked for does no harm
            sock.send(masked(10, b""))
        text = self.tails[sock] + piece
        end = 0
        for found in re.finditer(rb'"state":"final"|"seq":(\d+)}', text):
            end = found.end()
            if found[1] is None:
                self.finals[sock] += 1
                continue
            number = int(found[1])
            assert self.numbers[sock] in (None, number - 1), (self.numbers[sock], number)
            self.numbers[sock] = number
        self.tails[sock] = text[max(end, len(text) - 64):]

    def read_until_all_have(self, count, timeout=120):
        deadline = time.monotonic() + timeout
        while any(finals < count for finals in self.finals.values()):
            assert time.monotonic() < deadline, f"{sum(n < count for n in self.finals.values())} still wait"
            for key, _ in self.readers.select(1):
                self.take(key.fileobj)
        assert all(finals == count for finals in self.finals.values())
