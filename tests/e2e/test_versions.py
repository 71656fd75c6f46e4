"""Hosts and a gateway of different releases: which version of the bus they agree on, and what they say when there is none."""

import json
import os

import pytest

from client import Client, text_of
from gateway import Gateway, until
from trunk_peer import REFUSED, WELCOME, Peer

pytestmark = pytest.mark.skipif(os.environ.get("OPENCLAW_TEST_TOPOLOGY") != "tcp", reason="about links between machines")


def made(gateway="", host="", config=None):
    """One whose gateway, and whose host, speak those versions alone; "": all they can."""
    gateway = Gateway("tcp", config=config, environment={"OPENCLAW_BUS_WIRE": gateway} if gateway else {})
    gateway.elsewhere.extra = {"OPENCLAW_BUS_WIRE": host}
    return gateway


def say(client, text):
    run = client.call("chat.send", {"sessionKey": "main", "message": text, "idempotencyKey": text}, timeout=20)["runId"]
    final = client.wait_event("chat", lambda p: p.get("runId") == run and p.get("state") == "final", 20)
    return text_of(final["message"])


def joined(gateway):
    hosts = json.loads(gateway.cli("bus", "actors", "--json").stdout)["hosts"]
    return [host for host in hosts if host["name"] == "agents"][0]


def release(gateway):
    return gateway.cli("--version").stdout.split()[1]


@pytest.mark.parametrize("gateway, host, wire", [("", "", 2), ("", "1", 1), ("1", "", 1), ("1", "1", 1), ("2", "1-2", 2)])
def test_the_newest_version_that_both_speak_is_spoken(gateway, host, wire):
    with made(gateway, host) as running, Client(running.port, running.token) as client:
        assert say(client, "hello") == "Echo: hello"
        assert joined(running)["wire"] == wire
        assert joined(running).get("release") == (release(running) if host != "1" else None)
        assert f"wire={wire}" in running.elsewhere.text()


def test_a_host_is_updated_while_the_gateway_serves(tmp_path):
    with made("", "1") as running, Client(running.port, running.token) as client:
        assert say(client, "before") == "Echo: before"
        assert joined(running)["wire"] == 1
        running.elsewhere.stop()
        running.elsewhere.extra = {}
        running.elsewhere.start()
        until(lambda: joined(running)["state"] == "ready", 20, "the host")
        until(lambda: running.get("/readyz")[0] == 200, 20, "its agents")
        assert joined(running)["wire"] == 2
        assert say(client, "after") == "Echo: after"
        said = [text_of(message) for message in client.call("chat.history", {"sessionKey": "main"})["messages"]]
        assert said == ["before", "Echo: before", "after", "Echo: after"]


def test_without_a_version_in_common_both_sides_say_which_they_have_and_what_to_do():
    gateway = made("2", "1")
    try:
        gateway.spawn()
        until(lambda: "trunk_waiting" in gateway.elsewhere.text() and "versions" in gateway.elsewhere.text(), 20, "the reason")
        says = "the host speaks versions 1 to 1 of the bus between machines, the gateway 2 to 2: update OpenClaw on the host's machine"
        assert says in gateway.elsewhere.text()
        until(lambda: any("trunk_refused" in line and says in line for line in gateway.logs()), 10, "the gateway's log")
        gateway.elsewhere.stop()
        gateway.elsewhere.extra = {}
        gateway.elsewhere.start()
        until(lambda: gateway.get("/readyz")[0] == 200, 20, "readiness")
        assert joined(gateway)["wire"] == 2
    finally:
        gateway.close()


@pytest.mark.parametrize("value", ["3", "0", "1-3", "new"])
def test_a_version_that_nobody_speaks_cannot_be_asked_for(value):
    gateway = made(value)
    try:
        gateway.elsewhere.extra = {"OPENCLAW_BUS_WIRE": value}
        for done in (gateway.cli("gateway", "run", "--port", str(gateway.port), *gateway.arguments),
                     gateway.cli("host", "agents", "--topology", gateway.elsewhere.topology_path,
                                 environment=gateway.elsewhere.environment)):
            assert done.returncode == 78 and f"OPENCLAW_BUS_WIRE={value}" in done.stderr and "1 to 2" in done.stderr
    finally:
        gateway.close()


@pytest.fixture
def alone():
    with Gateway("tcp") as running:
        running.elsewhere.stop()
        until(lambda: joined(running)["state"] == "stopped", 10, "the goodbye")
        yield running


def test_what_a_host_of_each_version_hears(alone):
    for least, most, wire in ((1, 1, 1), (1, 2, 2), (2, 3, 2)):
        with Peer(alone) as peer:
            peer.hello(least=least, most=most)
            kind, (welcome,) = peer.hear()
            assert kind == WELCOME and welcome["wire"] == wire
            assert welcome.get("release") == (release(alone) if wire == 2 else None)
            peer.send(7)
            until(lambda: joined(alone)["state"] == "stopped", 5, "the goodbye")
    with Peer(alone) as strange:
        strange.hello(least=3, most=4)
        kind, (refused,) = strange.hear()
    assert kind == REFUSED and (refused["code"], refused["least"], refused["most"], refused["final"]) == (1, 1, 2, False)
    assert "versions 3 to 4" in refused["reason"] and "the gateway 1 to 2" in refused["reason"]
    assert "update OpenClaw on the gateway's machine" in refused["reason"]
    until(lambda: any("trunk_refused" in line and "versions 3 to 4" in line for line in alone.logs()), 5, "the log")


def test_the_log_says_what_a_newer_host_runs(alone):
    with Peer(alone) as peer:
        peer.hello(least=2, most=3, release="2099.1.1", news=["later"])
        kind, body = peer.hear()
        assert kind == WELCOME, body
        assert joined(alone)["release"] == "2099.1.1"
    until(lambda: any("host_joined" in line and "wire=2 release=2099.1.1" in line for line in alone.logs()), 5, "the log")
