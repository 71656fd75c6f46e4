"""HTTP as nobody should speak it: every answer arrives, nothing is taken for two requests, and the others go on."""

import re
import socket
import struct
import subprocess
import threading
import time

import pytest

from gateway import TOKEN, Gateway, until

COMPLETIONS = "/v1/chat/completions"
LIMIT = 20 << 20
HEAD = f"POST {COMPLETIONS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module", autouse=True)
def once(topology):
    if topology == "ipc":
        pytest.skip("HTTP ends at the edge, which is where it is in both")


@pytest.fixture(scope="module")
def hasty(topology):
    """A gateway that waits for nobody for long."""
    with Gateway(topology, environment={"OPENCLAW_HANDSHAKE_TIMEOUT_MS": "1500",
                                        "OPENCLAW_HTTP_BODY_TIMEOUT_MS": "1500"}) as running:
        yield running


def connect(gateway):
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=20)


def read_all(sock):
    data = b""
    while True:
        try:
            got = sock.recv(1 << 16)
        except ConnectionResetError:
            return data
        if not got:
            return data
        data += got


def statuses(data):
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


def exchange(gateway, data):
    """What comes back until the gateway ends the connection; more than one answer can be among it."""
    with connect(gateway) as sock:
        sock.sendall(data)
        sock.settimeout(20)
        return read_all(sock)


# --- two readers that could disagree where a request ends -----------------------------------------


@pytest.mark.parametrize("lines, status", [
    ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", 400),
    ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", 400),
    ("Content-Length: 4\r\nContent-Length: 5\r\n", 400),
    ("Content-Length: 4\r\nContent-Length: 4\r\n", 400),
    ("Content-Length: 4, 5\r\n", 400),
    ("Content-Length: +4\r\n", 400),
    ("Content-Length: -1\r\n", 400),
    ("Content-Length: 0x4\r\n", 400),
    ("Content-Length: 4 \x0b\r\n", 400),
    ("Content-Length: 99999999999999999999999\r\n", 400),
    ("Content-Length : 4\r\n", 400),
    (" Content-Length: 4\r\n", 400),
    ("Content-Length: 4\nX: y\r\n", 400),
    ("Content-Length:\r\n", 400),
    ("Transfer-Encoding: chunked, chunked\r\n", 501),
    ("Transfer-Encoding: identity\r\n", 501),
    ("Transfer-Encoding: xchunked\r\n", 501),
    ("Transfer-Encoding: gzip, chunked\r\n", 501),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
    ("Transfer_Encoding: chunked\r\nX\x00: y\r\n", 400),
    ("X: a\r\n b\r\n", 400),
    ("X: a\rb\r\n", 400),
    (": nameless\r\n", 400),
    ("no colon\r\n", 400),
])
def test_a_doubtful_length_is_refused_and_what_follows_is_no_request(gateway, lines, status):
    data = exchange(gateway, (HEAD + lines + "\r\n").encode("latin-1") + b"0\r\n\r\n" + GET)
    assert statuses(data) in ([status], [400]), data[:200]
    assert b"Connection: close" in data


@pytest.mark.parametrize("line", [
    b"GET /healthz HTTP/1.1\n\n", b"GET /healthz\r\n\r\n", b"GET  /healthz HTTP/1.1\r\n\r\n", b"GET /healthz HTTP/1.1 \r\n\r\n",
    b"GET /heal thz HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nMS\r\n\r\n", b"G\xc3\x89T / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00" * 64,
])
def test_a_line_that_is_no_request_line_ends_the_connection(hasty, line):
    got = statuses(exchange(hasty, line + GET))
    assert got in ([400], [505], [408]), got


@pytest.mark.parametrize("body", [
    b"5\r\n{\"a\":\r\n", b"-1\r\n", b"0x5\r\nhello\r\n", b"ffffffffffffffff\r\n", b"5\nhello\n0\n\n", b"5 \r\nhello\r\n",
    b"2\r\n{}x0\r\n\r\n", b"\r\n", b"5;ext=\"\r\n", b"g\r\n", b"2\r\n{}\r\n0\r\nno colon\r\n\r\n",
])
def test_a_body_that_breaks_its_coding_is_answered_once(hasty, body):
    data = exchange(hasty, (HEAD + "Transfer-Encoding: chunked\r\n\r\n").encode() + body + GET)
    got = statuses(data)
    assert len(got) == 1 and got[0] in (400, 408), (body, data[:300])


# --- limits that arrive ---------------------------------------------------------------------------


def test_413_arrives_while_the_body_is_still_being_sent(gateway):
    with connect(gateway) as sock:
        sock.sendall((HEAD + f"Content-Length: {LIMIT + (4 << 20)}\r\n\r\n").encode())
        for _ in range(96):
            sock.sendall(b"x" * (256 << 10))
        assert statuses(read_all(sock)) == [413]


def test_413_arrives_for_a_body_that_never_said_how_long_it_is(gateway):
    with connect(gateway) as sock:
        sock.sendall((HEAD + "Transfer-Encoding: chunked\r\n\r\n").encode())
        piece = b"%x\r\n" % (256 << 10) + b"x" * (256 << 10) + b"\r\n"
        for _ in range(84):
            sock.sendall(piece)
        assert statuses(read_all(sock)) == [413]


def test_who_sends_without_end_after_413_is_cut_off(gateway):
    sent = 0
    with connect(gateway) as sock, pytest.raises((BrokenPipeError, ConnectionResetError)):
        sock.sendall((HEAD + f"Content-Length: {1 << 40}\r\n\r\n").encode())
        while sent < 1 << 30:
            sock.sendall(b"x" * (1 << 20))
            sent += 1 << 20
    assert sent < 256 << 20


@pytest.mark.parametrize("head", [
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 20000 + b"\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 70 + b"\r\n",
    b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * (1 << 20),
], ids=["one long header", "many headers", "a long target", "a header without end"])
def test_431_arrives(gateway, head):
    assert statuses(exchange(gateway, head)) == [431]


def test_408_arrives_for_a_head_and_for_a_body_that_do_not_come(hasty):
    for start in (b"GET /healthz HTTP/1.1\r\nHost:", (HEAD + "Content-Length: 100\r\n\r\n{").encode(),
                  (HEAD + "Transfer-Encoding: chunked\r\n\r\n5\r\n{").encode()):
        began = time.monotonic()
        assert statuses(exchange(hasty, start)) == [408]
        assert 1 < time.monotonic() - began < 6


def test_a_head_that_comes_byte_by_byte_has_no_more_time_than_another(hasty):
    began = time.monotonic()
    with connect(hasty) as sock:
        sock.settimeout(0.2)
        data = b""
        while not data and time.monotonic() - began < 10:
            sock.send(b"X")
            try:
                data = sock.recv(4096)
            except TimeoutError:
                pass
        assert statuses(data) == [408]
    assert time.monotonic() - began < 6


def test_who_says_nothing_is_let_go_without_a_word(hasty):
    began = time.monotonic()
    with connect(hasty) as sock:
        assert read_all(sock) == b""
    assert 1 < time.monotonic() - began < 6


# --- clients that leave, or do not read -------------------------------------------------------------


def test_an_early_close_at_every_byte_hurts_nobody(gateway):
    whole = (HEAD + "Content-Length: 83\r\n\r\n").encode() + \
        b'{"model":"openclaw","messages":[{"role":"user","content":"who leaves early"}]}     '
    for at in range(1, len(whole), 3):
        sock = connect(gateway)
        sock.sendall(whole[:at])
        if at % 2:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    assert gateway.get("/healthz")[0] == 200
    assert statuses(exchange(gateway, whole.replace(b"Host", b"Connection: close\r\nHost")))[0] == 200


def test_pipelined_requests_behind_a_close_are_not_served(gateway):
    data = exchange(gateway, GET + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + GET * 5)
    assert statuses(data) == [200, 200]


def test_a_connection_of_rubbish_costs_the_next_one_nothing(gateway):
    for _ in range(200):
        with connect(gateway) as sock:
            sock.sendall(b"\r\n" * 50 + b"\xff" * 100)
    assert gateway.get("/healthz")[0] == 200


# --- slowhttptest ----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["-H", "-i", "1"], ["-B", "-i", "1", "-s", "8192"], ["-X", "-w", "1", "-y", "2", "-z", "1"]],
                         ids=["slow heads", "slow bodies", "slow readers"])
def test_slowhttptest_takes_the_service_from_nobody(hasty, words):
    path = COMPLETIONS if "-B" in words else "/healthz"
    process = subprocess.Popen(
        ["slowhttptest", "-c", "300", "-r", "300", "-l", "4", "-p", "2", "-u", f"http://127.0.0.1:{hasty.port}{path}",
         *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    told = []
    reader = threading.Thread(target=lambda: told.append(process.stdout.read()))
    reader.start()
    try:
        worst, asked = 0, 0
        while process.poll() is None:
            began = time.monotonic()
            assert hasty.get("/healthz")[0] == 200
            worst, asked = max(worst, time.monotonic() - began), asked + 1
            time.sleep(0.02)
        assert asked > 20 and worst < 2
    finally:
        process.terminate()
        process.wait(10)
        reader.join(10)
    assert b"service available" in told[0] or b"NO" not in re.findall(rb"service available:\s+(\w+)", told[0])
    until(lambda: hasty.get("/healthz")[0] == 200, 5, "an answer after it")
