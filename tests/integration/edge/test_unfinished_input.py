"""Messages and bodies of which the end does not come: what they may cost all together, and who is told so."""

import contextlib
import json
import resource
import socket
import struct

import pytest

from conftest import TOKEN, connected, stalled_client
from test_slow_clients import MIB, last_words, measured, memory, roomy_rig

CLOSED_1013 = b"\x03\xf5too much unfinished input"


def frame_head(length, first=0x81):
    return bytes([first, 0x80 | 127]) + struct.pack(">Q", length) + b"\0\0\0\0"


def post_head(length):
    return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n").encode()


def sent(sock, data):
    """Sends as long as the other side reads."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        sock.sendall(data)


async def is_served(rig, size):
    """A whole message of that size is read, and answered."""
    async with connected(rig) as client:
        return "ok" in await client.chat("x" * size)


@measured
@pytest.mark.parametrize("first", [0x81, 0x01], ids=["one frame", "frames of a message"])
def test_unfinished_messages_stay_within_the_budget_and_the_largest_are_told(own_rig, run, first):
    rig = roomy_rig(own_rig)
    piece = frame_head(18 * MIB + (first == 0x81), first) + b"x" * (18 * MIB)
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(stalled_client(rig)) for _ in range(20)]
        before, most = memory(rig), 0
        for sock in socks:
            sent(sock, piece)
            most = max(most, memory(rig))
        assert run(is_served(rig, 8 * MIB)), "who sends less than those is served"
        assert most - before < 192 * MIB, (most - before) / MIB
        assert sum(CLOSED_1013 in last_words(sock, 0.5) for sock in socks) >= 12


@measured
def test_unfinished_bodies_stay_within_the_budget_and_the_largest_are_told(own_rig, run):
    rig = own_rig(ASAN_OPTIONS="quarantine_size_mb=1")
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(rig.http()) for _ in range(20)]
        before, most = memory(rig), 0
        for sock in socks:
            sent(sock, post_head(19 * MIB) + b"x" * (18 * MIB))
            most = max(most, memory(rig))
        assert run(is_served(rig, 8 * MIB)), "who sends less than those is served"
        assert most - before < 192 * MIB, (most - before) / MIB
        answers = []
        for sock in socks:
            sock.settimeout(0.5)
            with contextlib.suppress(socket.timeout, ConnectionResetError):
                answers.append(sock.recv(4096))
        refused = [answer for answer in answers if answer.startswith(b"HTTP/1.1 503 ")]
        assert len(refused) >= 12 and all(b"\r\nRetry-After: 1\r\n" in answer for answer in refused)
        assert json.loads(refused[0].partition(b"\r\n\r\n")[2])["error"]["type"] == "api_error"


def upgraded(rig):
    sock = rig.http()
    sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
    seen = b""
    while b"connect.challenge" not in seen:
        seen += sock.recv(4096)
    return sock


def test_strangers_have_a_small_budget_of_their_own(own_rig, run):
    rig = roomy_rig(own_rig)
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(upgraded(rig)) for _ in range(300)]
        for sock in socks:  # 18 MB
            sock.sendall(frame_head(65000) + b"x" * 60000)
        run(is_served(rig, 100))
        assert any(CLOSED_1013 in last_words(sock, 0.05) for sock in reversed(socks))


# --- connections of one address --------------------------------------------------------------------


def own_address():
    """Of this machine, and not loopback; None where there is no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return None
        return probe.getsockname()[0]


@pytest.mark.skipif(own_address() is None, reason="no address but loopback")
def test_one_address_has_no_more_than_its_connections_and_loopback_goes_on(own_rig, run):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 8192:
        pytest.skip("too few descriptors may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, hard))
    rig = own_rig(EDGE_RIG_ANY="1")
    with contextlib.ExitStack() as stack:
        for _ in range(2048):
            stack.enter_context(socket.create_connection((own_address(), rig.port), timeout=10))
        with socket.create_connection((own_address(), rig.port), timeout=10) as sock:
            answer = sock.recv(4096)
            assert answer.startswith(b"HTTP/1.1 503 ") and b"\r\nRetry-After: 1\r\n" in answer
            assert answer.endswith(b"Too many connections") and sock.recv(4096) == b""
        assert run(is_served(rig, 100)), "this machine has no limit of its own, as all who come by a proxy are it"
    with socket.create_connection((own_address(), rig.port), timeout=10) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 "), "those that left no longer count"
