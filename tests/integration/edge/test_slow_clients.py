"""Clients that do not read: what they may cost, what they miss, and how they learn why they were ended."""

import asyncio
import contextlib
import json
import re
import socket

import pytest
import websockets

from conftest import RIG, Crowd, connected, masked, read_until, request, stalled_client

MIB = 1 << 20


def test_a_stalled_reader_delays_nobody_and_is_cut_with_the_reason(rig, run):
    async def body():
        with stalled_client(rig) as sock:
            async with connected(rig) as client:
                for i in range(70):  # 70 MB of events that may not be dropped
                    assert (await client.chat("events=1 size=1000000"))["ok"]
                    assert (await client.event("chat"))["seq"] == i + 1
                tail = b""
                while True:
                    piece = sock.recv(1 << 20)
                    if not piece:
                        break
                    tail = (tail + piece)[-64:]
                assert b"\x03\xf0slow consumer" in tail
    run(body())


def test_answers_that_nobody_reads_are_bounded_too(rig, run):
    async def others_are_served():
        async with connected(rig) as client:  # the router answers in order: ours come after all of the large ones
            assert (await client.call("agents.list"))["ok"]

    with stalled_client(rig) as sock:
        ask = json.dumps(request("chat.send", {"sessionKey": "m", "message": "reply=5000000", "idempotencyKey": "k"}))
        sock.sendall(masked(1, ask.encode()) * 15)  # 75 MB of answers
        run(others_are_served())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        tail = b""
        while piece := sock.recv(1 << 20):
            tail = (tail + piece)[-64:]
        assert b"\x03\xf0slow consumer" in tail


def test_droppable_events_leave_a_gap_in_the_sequence(rig, run):
    async def body():
        with stalled_client(rig) as sock:
            async with connected(rig) as client:
                for _ in range(30):
                    assert (await client.chat("events=1 size=1000000 delta"))["ok"]
                await asyncio.gather(asyncio.to_thread(drain_until_quiet, sock))
                assert (await client.chat("events=1 size=10"))["ok"]
                tail = await asyncio.to_thread(read_until, sock, b'"state":"final"')
                assert int(re.findall(rb'"seq":(\d+)}', tail)[-1]) >= 31  # those that were left out are counted
    run(body())


def drain_until_quiet(sock):
    sock.settimeout(0.5)
    total = 0
    try:
        while True:
            total += len(sock.recv(1 << 20))
    except socket.timeout:
        sock.settimeout(10)
        assert 0 < total < 12000000, "deltas were not dropped"


def last_words(sock, patience=10):
    """What the gateway still had to say to a client that begins to read now."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sock.settimeout(patience)
    tail = b""
    with contextlib.suppress(socket.timeout, ConnectionResetError):
        while piece := sock.recv(1 << 20):
            tail = (tail + piece)[-64:]
    return tail


def is_measurable():
    """ThreadSanitizer keeps several times as much beside what the program has."""
    with open(RIG, "rb") as file:
        return b"__tsan_init" not in file.read()


measured = pytest.mark.skipif(not is_measurable(), reason="the memory is that of the sanitizer")


def memory(rig):
    with open(f"/proc/{rig.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))


def roomy_rig(own_rig):
    return own_rig(OPENCLAW_MAX_PREAUTH_CONNECTIONS_PER_IP="2000", ASAN_OPTIONS="quarantine_size_mb=1")


def test_one_stalled_reader_among_a_thousand_holds_nobody_up(own_rig, run):
    rig = roomy_rig(own_rig)

    async def ask(client):
        assert (await client.chat("events=1 size=200000"))["ok"]

    async def body(crowd, sock):
        async with connected(rig) as client:
            for i in range(20):  # more for each than a socket holds
                _, _ = await asyncio.gather(ask(client), asyncio.to_thread(crowd.read_until_all_have, i + 1))
                assert (await client.event("chat"))["seq"] == i + 1
            assert await asyncio.to_thread(read_until, sock, b'"state":"final"', 20)  # nor did it miss anything

    with Crowd(rig, 998) as crowd, stalled_client(rig) as sock:
        run(body(crowd, sock))


@measured
def test_four_hundred_stalled_readers_stay_within_the_budget(own_rig, run):
    rig = roomy_rig(own_rig)

    async def body():
        async with contextlib.AsyncExitStack() as stack:
            socks = [stack.enter_context(stalled_client(rig)) for _ in range(400)]
            async with connected(rig) as client:
                assert (await client.chat("events=1 size=1000000"))["ok"]
                before, most = memory(rig), 0
                for i in range(100):  # 40 GB, were every one to have a copy of its own
                    assert (await client.chat("events=1 size=1000000"))["ok"]
                    assert (await client.event("chat"))["seq"] == i + 1
                    most = max(most, memory(rig))
                assert most - before < 128 * MIB, (most - before) / MIB
            assert b"\x03\xf0slow consumer" in await asyncio.to_thread(last_words, socks[0])
    run(body())


@measured
def test_answers_for_one_principal_are_bounded_over_all_its_connections(own_rig, run):
    rig = roomy_rig(own_rig)
    ask = json.dumps(request("chat.send", {"sessionKey": "m", "message": "reply=4000000", "idempotencyKey": "k"}))

    async def body():
        async with contextlib.AsyncExitStack() as stack:
            socks = [stack.enter_context(stalled_client(rig)) for _ in range(200)]
            before, most = memory(rig), 0
            for sock in socks:
                sock.sendall(masked(1, ask.encode()) * 2)
                async with connected(rig) as client:  # the router answers in order
                    assert (await client.call("agents.list"))["ok"]
                most = max(most, memory(rig))
            assert most - before < 128 * MIB, (most - before) / MIB
            ends = await asyncio.to_thread(lambda: [last_words(sock, 0.3) for sock in socks])
            # Of the others the frame in hand was too large to be kept until they read again.
            assert sum(b"\x03\xf0slow consumer" in end for end in ends) >= 20
    run(body())


def test_the_newest_delta_is_what_a_client_that_was_behind_gets(rig, run):
    async def body():
        with stalled_client(rig) as sock:
            async with connected(rig) as client:
                assert (await client.chat("events=1 size=3000000"))["ok"]  # more than the socket takes
                assert (await client.chat("events=500 size=50 delta"))["ok"]
                assert (await client.chat("events=1 size=10"))["ok"]
                seen = await asyncio.to_thread(read_until, sock, b'"state":"final"', 2)
                assert seen.count(b'"state":"delta"') == 1
                numbers = [int(number) for number in re.findall(rb'"seq":(\d+)}', seen)]
                assert numbers[-1] - numbers[0] >= 501, "those that were replaced are counted"
    run(body())


def test_what_was_too_large_is_told_without_a_word_of_it(own_rig, run):
    rig = own_rig()

    async def body():
        for size in (70000, 70000):
            async with websockets.connect(rig.url) as ws:
                await ws.recv()
                await ws.send("x" * size)
                await ws.wait_closed()
                assert ws.close_code == 1009
        async with connected(rig) as client:
            await client.ws.send("x" * 26214401)
            await client.ws.wait_closed()
        with stalled_client(rig):
            async with connected(rig) as client:
                for _ in range(8):
                    assert (await client.chat("events=1 size=1000000 delta"))["ok"]
                told = ""
                while not all(word in told for word in ("preauth_frame_limit", "ws_frame_limit=1", "ws_send_buffer_drop")):
                    told = (await client.call("health"))["payload"]["large"]
                assert "xxx" not in told
    run(body())
