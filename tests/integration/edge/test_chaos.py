"""Clients that do everything wrong, sixty at once: the edge stays, answers, and leaks nothing (the rig ends under ASan)."""

import asyncio
import json
import os
import random
import socket
import struct
import time

from conftest import TOKEN, connect_params, connected

SECONDS = float(os.environ.get("EDGE_CHAOS_SECONDS", "6"))
UPGRADE = (b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
CHATS = ["events=3", "events=2 size=100000", "reply=70000", "hang", "refuse", "session", "reply=3"]
RUNS = ["whole", "deltas=5", "deltas=50 period=5", "deltas=3 fail", "code=71", "deltas=200 size=20000"]


def frame(dice, opcode, payload, is_final=True):
    key = dice.randbytes(4)
    head = bytes([(0x80 if is_final else 0) | opcode])
    head += bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(">H", len(payload))
    return head + key + bytes(byte ^ key[i & 3] for i, byte in enumerate(payload))


def request(dice, method, params):
    return json.dumps({"type": "req", "id": str(dice.random()), "method": method, "params": params}).encode()


def chat(dice, text):
    return request(dice, "chat.send", {"sessionKey": "main", "message": text, "idempotencyKey": "k"})


def in_pieces(dice):
    text = chat(dice, "x" * dice.randint(0, 5000))
    at = dice.randint(0, len(text))
    return frame(dice, 1, text[:at], False) + frame(dice, 0, text[at:])


def websocket_bytes(dice):
    moves = [lambda: frame(dice, 1, chat(dice, dice.choice(CHATS))), lambda: frame(dice, 1, chat(dice, dice.choice(CHATS))),
             lambda: frame(dice, 1, request(dice, "health", {})), lambda: frame(dice, 9, b"x" * dice.randint(0, 125)),
             lambda: in_pieces(dice), lambda: frame(dice, 8, b""), lambda: dice.randbytes(dice.randint(1, 50)),
             lambda: frame(dice, 1, b'{"type":"req"'), lambda: b"\x81\x01x",
             lambda: frame(dice, 1, request(dice, "agent", {"message": "x", "idempotencyKey": "j"})),
             lambda: frame(dice, 1, request(dice, "sessions.messages.subscribe", {"key": "main"})),
             lambda: frame(dice, 1, request(dice, dice.choice(["sessions.subscribe", "agents.list", "nope"]), {}))]
    hello = frame(dice, 1, request(dice, "connect", connect_params())) if dice.random() < 0.9 else b""
    return UPGRADE + hello + b"".join(dice.choice(moves)() for _ in range(dice.randint(0, 12)))


def completion_bytes(dice):
    body = json.dumps({"stream": dice.random() < 0.7, "messages": [{"role": "user", "content": dice.choice(RUNS)}]}).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + dice.choice([TOKEN, TOKEN, "bad"]).encode()
    if dice.random() < 0.3:
        return head + b"\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    return head + b"\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def http_bytes(dice):
    moves = [lambda: b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", lambda: completion_bytes(dice), lambda: completion_bytes(dice),
             lambda: b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n\r\n",
             lambda: dice.randbytes(30) + b"\r\n\r\n"]
    return b"".join(dice.choice(moves)() for _ in range(dice.randint(1, 5)))


async def misbehave(dice, reader, writer):
    sock = writer.get_extra_info("socket")
    data = websocket_bytes(dice) if dice.random() < 0.6 else http_bytes(dice)
    if dice.random() < 0.3:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    if dice.random() < 0.2:
        data = data[:dice.randint(0, len(data))]
    while data:
        size = dice.choice([1, 7, 100, 5000, 100000])
        writer.write(data[:size])
        data = data[size:]
        await asyncio.sleep(dice.choice([0, 0, 0.005]))
    if dice.random() < 0.2:
        writer.write_eof()
    deadline = time.monotonic() + dice.random() * dice.choice([0.02, 0.5])
    while time.monotonic() < deadline:
        try:
            if not await asyncio.wait_for(reader.read(dice.choice([10, 65536])), 0.05):
                break
        except asyncio.TimeoutError:
            pass
    if dice.random() < 0.4:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def client(rig, dice, until):
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        except OSError:
            continue
        try:
            await misbehave(dice, reader, writer)
        except OSError:
            pass  # the edge may well hang up on such a client
        if dice.random() < 0.3:
            writer.transport.abort()
        else:
            writer.close()


def test_nothing_that_clients_do_hurts_the_edge(own_rig, run):
    rig = own_rig(OPENCLAW_MAX_PREAUTH_CONNECTIONS_PER_IP="500", OPENCLAW_HANDSHAKE_TIMEOUT_MS="2000")
    seed = int(os.environ.get("EDGE_CHAOS_SEED", "1"))

    async def body():
        until = time.monotonic() + SECONDS
        await asyncio.gather(*[client(rig, random.Random(seed * 1000 + i), until) for i in range(60)])
        async with connected(rig) as good:
            assert (await good.call("health"))["ok"]
    run(body())
    errors = rig.stop()
    assert "fault" not in errors and "ERROR" not in errors, errors
