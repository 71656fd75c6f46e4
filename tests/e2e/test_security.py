"""Holes that gateways of this kind have had, each by the name under which it became known."""

import http.client
import json
import os

import pytest

from client import ALL_SCOPES, CallError, Client
from ws import TEXT, Closed, Refused, WebSocket, frame

PAGE = {"id": "openclaw-control-ui", "version": "1", "platform": "web", "mode": "webchat"}


def first_answer(socket, **params):
    assert json.loads(socket.receive())["event"] == "connect.challenge"
    whole = {"minProtocol": 3, "maxProtocol": 3, "role": "operator", "scopes": ALL_SCOPES,
             "client": {"id": "cli", "version": "1", "platform": "linux", "mode": "cli"}, **params}
    socket.send(json.dumps({"type": "req", "id": "1", "method": "connect", "params": whole}))
    answer = json.loads(socket.receive())
    with pytest.raises(Closed) as closed:
        socket.receive()
    return answer["error"], closed.value


def ending(port, data):
    """How a connection ends that says `data` behind the challenge."""
    socket = WebSocket(port)
    socket.receive()
    socket.send_raw(data)
    with pytest.raises(Closed) as closed:
        while True:
            socket.receive()
    return closed.value.code, closed.value.reason


def http_status(gateway, path, headers=None, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    connection.request(method, path, headers=headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_cve_2026_25253_a_page_of_another_site_cannot_speak_even_with_the_token(gateway):
    for origin in ("https://evil.example", "null", f"http://evil.example:{gateway.port}", "file://"):
        socket = WebSocket(gateway.port, headers=[f"Origin: {origin}"])
        error, closed = first_answer(socket, client=PAGE, auth={"token": gateway.token})
        assert error["details"]["code"] == "CONTROL_UI_ORIGIN_NOT_ALLOWED", origin
        assert closed.code == 1008 and closed.reason.startswith("origin not allowed")


def test_cve_2026_25253_a_page_that_calls_itself_something_else_is_still_a_page(gateway):
    socket = WebSocket(gateway.port, headers=["Origin: https://evil.example"])
    error, closed = first_answer(socket, auth={"token": gateway.token})
    assert error["message"].startswith("origin not allowed") and closed.code == 1008


def test_cve_2026_25593_nothing_is_served_before_connect(gateway):
    for method in ("config.apply", "config.get", "health", "agent", "no.such.method"):
        socket = WebSocket(gateway.port)
        socket.receive()
        socket.send(json.dumps({"type": "req", "id": "1", "method": method, "params": {}}))
        error = json.loads(socket.receive())["error"]
        assert error["message"] == "invalid handshake: first request must be connect"
        with pytest.raises(Closed) as closed:
            socket.receive()
        assert closed.value.code == 1008


def test_cve_2026_25593_what_nobody_described_needs_the_administrator(gateway):
    with Client(gateway.port, gateway.token, scopes=["operator.read"]) as client:
        for method in ("config.apply", "exec.run", "plugin.secret"):
            with pytest.raises(CallError) as refused:
                client.call(method)
            assert refused.value.error["message"] == "missing scope: operator.admin"


def test_ghsa_943q_mwmv_hhvh_no_side_door_over_http(gateway):
    for path in ("/tools/invoke", "/api/tools/invoke", "/rpc", "/hooks/agent"):
        status, _ = http_status(gateway, path, {"Authorization": "Bearer wrong"}, "POST")
        assert status in (401, 404, 405), path


def test_oc_50636_the_host_header_makes_nobody_local(gateway):
    for host in ("localhost", "127.0.0.1", f"127.0.0.1:{gateway.port}", "[::1]"):
        headers = {"Host": host, "X-Forwarded-For": "203.0.113.5"}
        status, body = http_status(gateway, "/readyz", headers)
        assert status == 200 and "failing" not in json.loads(body), "details are for local askers"
        socket = WebSocket(gateway.port, headers=["X-Forwarded-For: 203.0.113.5", "X-Forwarded-Host: localhost"])
        error, _ = first_answer(socket, auth={"token": "wrong"})
        assert error["details"]["code"] in ("AUTH_TOKEN_MISMATCH", "AUTH_UNTRUSTED_PROXY"), error


def test_oc_9435_a_token_in_the_query_opens_nothing(gateway):
    for query in (f"?token={gateway.token}", f"?auth={gateway.token}&token={gateway.token}"):
        try:
            error, closed = first_answer(WebSocket(gateway.port, path="/" + query))
            assert error["details"]["code"] in ("DEVICE_IDENTITY_REQUIRED", "AUTH_TOKEN_MISSING")
            assert closed.code == 1008
        except Refused as refused:
            assert refused.status in (400, 401)
        assert http_status(gateway, "/v1/models" + query)[0] in (400, 401)


def test_oc_87376_a_hook_token_must_be_one_of_its_own(fresh_gateway):
    for auth in ({"mode": "token", "token": "one-secret-for-all"}, {"mode": "password", "password": "one-secret-for-all"}):
        made = fresh_gateway(config={"gateway": {"mode": "local", "auth": auth},
                                     "hooks": {"enabled": True, "token": "one-secret-for-all"}})
        made.spawn()
        assert made.process.wait(20) == 78
        assert "hooks.token" in made.text() and "one-secret-for-all" not in made.text()


def sockets_of(pid):
    held = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            held.add(target[8:-1])
    return held


def table_of(name):
    with open(f"/proc/net/{name}", encoding="ascii", errors="replace") as file:
        return [line.split() for line in file.read().splitlines()[1:]]


def test_oc_106668_there_is_one_door_and_no_other(gateway):
    """Whatever listens on the network is the gateway's port, and what listens on this machine is for its owner alone."""
    held = set().union(*(sockets_of(pid) for pid in gateway.here()))
    doors = {(table, int(row[1].rsplit(":", 1)[1], 16)) for table in ("tcp", "tcp6", "udp", "udp6")
             for row in table_of(table) if row[9] in held and (table.startswith("udp") or row[3] == "0A")}
    # Beside it only the one where the other machine joins, which the topology names and keys guard.
    joined = {gateway.elsewhere.port} if gateway.elsewhere else set()
    assert doors and {port for _, port in doors} == {gateway.port} | joined, doors
    run = os.path.join(gateway.state_dir, "run")
    assert os.stat(run).st_mode & 0o077 == 0
    for row in table_of("unix"):
        if row[6] in held and len(row) > 7 and int(row[3], 16) & 0x10000:  # it listens
            assert os.path.realpath(row[7]).startswith(os.path.realpath(run) + "/"), row[7]


def test_oc_146419_the_reason_arrives_though_the_client_goes_on_talking(gateway):
    socket = WebSocket(gateway.port)
    socket.receive()
    params = {"minProtocol": 3, "maxProtocol": 3, "auth": {"token": "wrong"},
              "client": {"id": "cli", "version": "1", "platform": "linux", "mode": "cli"}}
    socket.send(json.dumps({"type": "req", "id": "1", "method": "connect", "params": params}))
    for _ in range(64):
        socket.send("y" * 60000)
    assert json.loads(socket.receive())["error"]["details"]["code"]
    with pytest.raises(Closed) as closed:
        socket.receive()
    assert closed.value.code == 1008 and closed.value.reason


def test_oc_146419_whatever_ends_a_connection_says_so_in_its_close_frame(gateway, fresh_gateway):
    """Frames that are none, text that is none, too much, and nothing at all."""
    ask = json.dumps({"type": "req", "id": "1", "method": "health", "params": {}}).encode()
    for data, code, reason in (
            (frame(TEXT, b"z" * 65537), 1009, "preauth payload too large"),
            (frame(TEXT, b"\xc3\x28"), 1007, "invalid UTF-8"),
            (frame(TEXT, b"{}", masked=False), 1002, "protocol error: frames of a client must be masked"),
            (frame(3, b"{}"), 1002, "protocol error: unknown opcode"),
            (frame(TEXT, ask), 1008, "invalid handshake: first request must be connect"),
            (frame(TEXT, b"{}"), 1008, "invalid request frame"),
            (frame(TEXT, b"not json"), 1000, "invalid request frame: not JSON")):
        assert ending(gateway.port, data) == (code, reason)
    with Client(gateway.port, gateway.token) as client:
        client.socket.send_raw(bytes([0x81, 0xFF]) + (26214401).to_bytes(8, "big") + b"mask")  # the head is enough
        with pytest.raises(Closed) as closed:
            while True:
                client.socket.receive()
        assert (closed.value.code, closed.value.reason) == (1009, "payload too large")
    hasty = fresh_gateway(config={"gateway": {"mode": "local", "handshakeTimeoutMs": 300,
                                              "auth": {"mode": "token", "token": "hasty-token-0123"}}}).start()
    assert ending(hasty.port, b"") == (1000, "handshake timeout")
