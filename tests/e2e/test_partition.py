"""Three machines on one switch: the gateway, one with agent `main`, one with all others. Cables are pulled."""

import json
import os
import threading
import time
import uuid

import pytest

import netns
from client import CallError, Client, text_of
from gateway import Gateway, until

pytestmark = [pytest.mark.skipif(os.environ.get("OPENCLAW_TEST_TOPOLOGY") != "tcp", reason="about links between machines"),
              pytest.mark.skipif(bool(netns.why_not()), reason=f"needs namespaces: {netns.why_not()}")]
DETECTED_S, SLACK_S = 2.0, 0.5
AGENTS = {"agents": {"list": [{"id": "main", "default": True}, {"id": "ops"}],
                     "defaults": {"model": {"primary": "builtin/echo"}}}}


@pytest.fixture
def network():
    with netns.Switch() as switch:
        yield switch


@pytest.fixture
def running(network):
    made = Gateway("tcp", config=AGENTS, network=network)
    try:
        made.add_host("others", "agent/ops")
        yield made.start()
    finally:
        made.close()


def history(client, session):
    said = client.call("chat.history", {"sessionKey": session, "limit": 1000}, 20)["messages"]
    return [(message["role"], text_of(message)) for message in said]


class Sender(threading.Thread):
    """Sends one message after the other, each until it is acknowledged."""

    def __init__(self, gateway, agent):
        super().__init__(daemon=True)
        self.gateway, self.session, self.over = gateway, f"agent:{agent}:steady", threading.Event()
        self.acknowledged, self.refusals, self.slow, self.broken = [], [], [], None

    def run(self):
        try:
            with Client(self.gateway.port, self.gateway.token) as client:
                while not self.over.is_set():
                    self.send(client, uuid.uuid4().hex)
        except Exception as error:  # noqa: BLE001 - told by the test
            self.broken = error

    def send(self, client, key):
        while not self.over.is_set():
            asked = time.monotonic()
            try:
                client.call("chat.send", {"sessionKey": self.session, "message": key, "idempotencyKey": key}, 10)
                self.acknowledged.append(key)
                client.events.clear()
                self.over.wait(0.05)
                return
            except CallError as error:
                assert error.code == "UNAVAILABLE" and error.error["retryable"], error
                self.refusals.append(error)
            finally:
                self.slow.append(time.monotonic() - asked)
            self.over.wait(0.05)


def unresponsive(gateway, name):
    hosts = json.loads(gateway.cli("bus", "actors", "--json").stdout)["hosts"]
    return [host for host in hosts if host["name"] == name][0]["state"] == "unresponsive"


def test_a_cut_cable_loses_and_doubles_nothing_and_others_do_not_notice(running, network):
    cut, other = Sender(running, "main"), Sender(running, "ops")
    pids = sorted(running.processes())
    cut.start()
    other.start()
    try:
        for number in range(3):
            before = len(cut.acknowledged)
            until(lambda: len(cut.acknowledged) > before + 5, 20, "messages")
            refusals = len(cut.refusals)
            network.cut("agents")
            began = time.monotonic()
            until(lambda: len(cut.refusals) > refusals, 10, "the refusal")
            assert time.monotonic() - began < DETECTED_S + SLACK_S
            assert unresponsive(running, "agents") and not unresponsive(running, "others")
            spoken = len(other.acknowledged)
            until(lambda: len(other.acknowledged) > spoken + 5, 5, "messages of the other machine")
            network.mend("agents")
            acknowledged = len(cut.acknowledged)
            until(lambda: len(cut.acknowledged) > acknowledged, 10, f"work after cut {number}")
    finally:
        for sender in (cut, other):
            sender.over.set()
            sender.join(15)
    assert not cut.broken and not other.broken, (cut.broken, other.broken)
    assert max(cut.slow) < DETECTED_S + SLACK_S + 1 and max(other.slow) < 1 and not other.refusals
    assert sorted(running.processes()) == pids, "something was started again"
    assert all(error.error.get("retryAfterMs") for error in cut.refusals)
    for sender in (cut, other):
        with Client(running.port, running.token) as client:
            until(lambda: all(("assistant", f"Echo: {key}") in history(client, sender.session)
                              for key in sender.acknowledged[-5:]), 10, "the last answers")
            said = history(client, sender.session)
        users = [text for role, text in said if role == "user"]
        assert not [key for key in sender.acknowledged if users.count(key) != 1], "lost or doubled"
        assert [key for key in users if key in sender.acknowledged] == sender.acknowledged, "reordered"


def test_events_of_a_run_that_goes_on_behind_a_cut_arrive_when_it_is_mended(running, network):
    with Client(running.port, running.token) as client:
        run = client.call("chat.send", {"sessionKey": "agent:main:long", "message": "word " * 400, "idempotencyKey": "long"})["runId"]
        network.cut("agents")
        until(lambda: unresponsive(running, "agents"), 5, "silence")
        network.mend("agents")
        final = client.wait_event("chat", lambda p: p.get("runId") == run and p.get("state") == "final", 20)
        assert text_of(final["message"]).count("word") == 400
        states = [e["payload"]["state"] for e in client.events if e["event"] == "chat" and e["payload"].get("runId") == run]
        assert states.count("final") == 0  # the one that was taken
