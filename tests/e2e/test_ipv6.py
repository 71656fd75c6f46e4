"""Clients with IPv6: who has one address has all of its /64, so these count as one.

The tests run in a network of their own, which is one machine that has public addresses: nothing leaves this one."""

import http.client
import os
import socket
import subprocess
import sys

import pytest

from gateway import TOKEN, Gateway, until

INSIDE = os.environ.get("OPENCLAW_TEST_NETWORK")
GATEWAY = "2001:db8::1"
ADDRESSES = [GATEWAY, *(f"2001:db8:1:1::{i}" for i in range(1, 5)), "2001:db8:1:2::1"]
inside = pytest.mark.skipif(not INSIDE, reason="runs in a network of its own, by the first test")


@pytest.mark.skipif(bool(INSIDE), reason="this is that network")
def test_in_a_network_of_its_own(only_once):
    new = ["unshare", "-r", "-n", "--"]
    if subprocess.run([*new, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network of its own is to be had here")
    script = "ip link set lo up && " + "".join(f"ip addr add {address}/128 dev lo nodad && " for address in ADDRESSES)
    environment = {**os.environ, "OPENCLAW_TEST_NETWORK": "1", "OPENCLAW_TEST_TOPOLOGY": "inproc"}
    done = subprocess.run([*new, "sh", "-c", script + 'exec "$@"', "sh", sys.executable, "-m", "pytest", "-q", "-p",
                           "no:cacheprovider", __file__], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr


@pytest.fixture(scope="module")
def gateway():
    running = Gateway(config={"gateway": {"mode": "local", "bind": "custom", "customBindHost": GATEWAY,
                                          "auth": {"mode": "token", "token": TOKEN, "rateLimit": {"maxAttempts": 4}}}})
    try:
        running.spawn()
        until(lambda: is_ready(running), 15, "readiness")
        yield running
    finally:
        running.close()


def is_ready(gateway):
    try:
        connection = http.client.HTTPConnection(GATEWAY, gateway.port, timeout=5)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False


def upgrade(gateway, source):
    """Opens a WebSocket and says no more; the socket and the status."""
    end = socket.create_connection((GATEWAY, gateway.port), 10, (source, 0))
    end.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
    return end, int(end.recv(4096).split()[1])


@inside
def test_sockets_of_strangers_are_counted_for_a_network(gateway):
    ends = []
    try:
        for i in range(32):
            end, status = upgrade(gateway, f"2001:db8:1:1::{i % 4 + 1}")
            ends.append(end)
            assert status == 101
        for source, expected in (("2001:db8:1:1::4", 503), ("2001:db8:1:2::1", 101)):
            end, status = upgrade(gateway, source)
            ends.append(end)
            assert status == expected
    finally:
        for end in ends:
            end.close()


def models(gateway, source, token):
    connection = http.client.HTTPConnection(GATEWAY, gateway.port, timeout=10, source_address=(source, 0))
    connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {token}"})
    status = connection.getresponse().status
    connection.close()
    return status


@inside
def test_wrong_guesses_are_counted_for_a_network(gateway):
    for i in range(4):
        assert models(gateway, f"2001:db8:1:1::{i + 1}", "wrong") == 401
    assert models(gateway, "2001:db8:1:1::1", gateway.token) == 429
    assert models(gateway, "2001:db8:1:2::1", gateway.token) == 200
