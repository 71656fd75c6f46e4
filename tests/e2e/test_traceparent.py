"""A client's own trace (W3C Trace Context) is the trace of what the gateway does for it."""

import itertools
import json
import subprocess

import pytest

from client import Client
from gateway import until
from http2_client import Http2
from test_process import told

PARENT = "b7ad6b7169203331"
NUMBERS = itertools.count(1)


@pytest.fixture
def new_client(gateway):
    with Client(gateway.port, gateway.token, maxProtocol=4) as client:
        yield client


def way_of(gateway, trace, act):
    """What `openclaw bus trace` shows of that trace while `act` is done: (kind, from, to, method or topic)."""
    before = told(gateway, "tap_attached client=")
    tracer = subprocess.Popen(gateway.command("bus", "trace", trace, "--json", "--duration", "20"),
                              env=gateway.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: told(gateway, "tap_attached client=") > before, 10, "the tracer")
    act()
    said, wrong = tracer.communicate(timeout=30)
    assert tracer.returncode == 0, wrong
    shown = json.loads(said)
    assert shown["trace"] == trace
    return {(one["kind"], one["from"], one["to"], one.get("method") or one["topic"]) for one in shown["messages"]}


def fresh():
    """A trace of a client, and the text that names it."""
    trace = f"{next(NUMBERS):032x}".replace("0", "a")
    return trace, f"00-{trace}-{PARENT}-01"


def test_a_request_on_a_socket_is_found_by_the_trace_of_its_client(gateway, new_client):
    trace, text = fresh()
    way = way_of(gateway, trace, lambda: new_client.answer(new_client.send(
        "chat.send", {"sessionKey": "agent:main:w3c", "message": "hi", "idempotencyKey": trace}, traceparent=text)))
    assert ("call", "edge/0", "router", "chat.send") in way and ("reply", "agent/main", "edge/0", "chat.send") in way


def test_a_handshake_is_found_by_the_trace_of_its_upgrade(gateway):
    trace, text = fresh()
    way = way_of(gateway, trace, lambda: Client(gateway.port, gateway.token, headers=[f"traceparent: {text}"]))
    assert ("call", "edge/0", "auth", "auth_connect") in way and ("call", "edge/0", "health", "health_snapshot") in way


@pytest.mark.parametrize("path, body, method", [
    ("/v1/chat/completions", {"model": "openclaw", "messages": [{"role": "user", "content": "hi"}]}, "agent_run"),
    ("/tools/invoke", {"tool": "session_status", "args": {}}, "tools_call"),
    ("/v1/models", None, "router_agents"),
])
def test_a_request_over_http_is_found_by_its_header(gateway, path, body, method):
    trace, text = fresh()
    headers = {"Authorization": f"Bearer {gateway.token}", "Content-Type": "application/json", "Traceparent": text}
    way = way_of(gateway, trace, lambda: gateway.request("POST" if body else "GET", path,
                                                         json.dumps(body) if body else None, headers))
    assert ("call", "edge/0", "auth", "auth_http") in way
    assert method in {one for kind, _, _, one in way if kind == "call"}


def test_a_request_over_http_2_is_found_by_its_header(gateway):
    trace, text = fresh()

    def act():
        with Http2(gateway.port) as wire:
            answer = wire.request("GET", "/v1/models", None, {"Authorization": f"Bearer {gateway.token}", "Traceparent": text})
            assert json.loads(answer.text)["object"] == "list"

    assert ("call", "edge/0", "auth", "auth_http") in way_of(gateway, trace, act)


def test_what_names_no_trace_is_answered_like_anything_else(gateway, new_client):
    trace, text = fresh()
    for odd in ("", "nonsense", text.upper(), "ff" + text[2:], text + "-more", text[:-2] + "0A",
                f"00-{'0' * 32}-{PARENT}-01", f"00-{trace}-{'0' * 16}-01"):
        assert new_client.answer(new_client.send("health", traceparent=odd))
        status, _, _ = gateway.request("GET", "/v1/models", headers={"Authorization": f"Bearer {gateway.token}",
                                                                     "traceparent": odd})
        assert status == 200
