"""Heartbeats: turns that nobody asked for, what they leave behind, who hears of them, and what a crash makes of them."""

import json
import os
import signal

import pytest
from beat_provider import BeatProvider
from client import CallError, Client, text_of
from gateway import Gateway, until
from ws import Closed, Refused

HOURLY = {"every": "60m"}  # it runs when it is woken
PLAIN = ("alert", "woken", "together", "later", "failing", "busy", "behind", "named")


@pytest.fixture(scope="module")
def shared_provider():
    running = BeatProvider()
    yield running
    running.close()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "HEARTBEAT.md").write_text("# Nothing\n\n- [ ]\n")
    return folder


@pytest.fixture(scope="module")
def gateway(topology, shared_provider, workspace):
    """One gateway with an agent for each test, as too many heartbeats of one agent in a minute wait."""
    own = {"alone": {"isolatedSession": True, "model": "mock/small", "prompt": "Look around."},
           "file": {"every": "1s"}, "builtin": {"every": "1s"}}
    config = shared_provider.config(heartbeat=HOURLY)
    config["agents"]["list"] = [{"id": "main", "default": True, "heartbeat": {"every": "0m"}}] + [
        {"id": name, "systemPromptOverride": f"You are {name}.", "heartbeat": own.get(name, {}),
         **({"workspace": str(workspace)} if name == "file" else {}),
         **({"model": "builtin/echo"} if name == "builtin" else {})} for name in (*PLAIN, *own)]
    with Gateway(topology, config=config) as running:
        yield running


@pytest.fixture
def provider(shared_provider):
    shared_provider.asked.clear()
    shared_provider.models.clear()
    shared_provider.answer = "HEARTBEAT_OK"
    yield shared_provider
    shared_provider.status = 200
    shared_provider.hold.set()


def ended(client, agent="main"):
    """How the next heartbeat of an agent ended."""
    return client.wait_event("heartbeat", lambda e: e["agentId"] == agent and e.get("reason") != "requests-in-flight")


def wake(client, agent, text="what is up?", **more):
    assert client.call("wake", {"mode": "now", "text": text, "agentId": agent, **more}) == {"ok": True}
    return ended(client, agent)


def history(client, session):
    return [(m["role"], text_of(m)) for m in client.call("chat.history", {"sessionKey": session})["messages"]]


def session_row(client, key):
    return client.call("sessions.describe", {"key": key})["session"]


def test_an_alert_stands_in_the_session_and_its_question_does_not(client, provider):
    key = "agent:alert:main"
    client.chat("hello", session=key)
    before = session_row(client, key)
    event = wake(client, "alert")
    assert (event["status"], event["reason"], event["indicatorType"], event["silent"]) == ("ok-token", "wake", "ok", True)
    assert event["durationMs"] >= 0 and "preview" not in event and client.call("last-heartbeat")["status"]
    assert session_row(client, key)["updatedAt"] == before["updatedAt"]
    provider.answer = "HEARTBEAT_OK " + "The door is open. " * 30
    event = wake(client, "alert", "again")
    assert (event["status"], event["reason"]) == ("skipped", "target-none") and event["preview"].startswith("The door is")
    assert len(event["preview"].encode()) <= 200
    said = provider.answer.removeprefix("HEARTBEAT_OK ").strip()
    final = client.wait_event("chat", lambda p: text_of(p.get("message", {"content": ""})) == said)
    assert final["state"] == "final" and final["sessionKey"] == key
    assert history(client, key) == [("user", "hello"), ("assistant", "fine"), ("assistant", said)]
    assert session_row(client, key)["model"] == before["model"]
    client.chat("and now?", session=key)
    assert [m["content"] for m in provider.all("alert")[-1]][1:] == ["hello", "fine", "[heartbeat]", said, "and now?"]


def test_who_wakes_it_is_heard_in_that_very_turn(client, provider):
    wake(client, "woken", "the build is red")
    told = provider.beats("woken")[-1]
    assert told[-2]["content"].startswith("System: [") and told[-2]["content"].endswith("] the build is red\n")
    assert "HEARTBEAT_OK" in told[-1]["content"]
    wake(client, "woken", "other")
    assert "the build" not in json.dumps(provider.beats("woken")[-1])


def test_what_comes_together_is_one_turn(client, provider):
    for word in ("one", "two", "three"):
        client.call("wake", {"mode": "now", "text": word, "agentId": "together"})
    ended(client, "together")
    assert len(provider.beats("together")) == 1
    assert all(w in json.dumps(provider.beats("together")[0]) for w in ("one", "two", "three"))


def test_a_note_for_the_next_heartbeat_wakes_nobody(client, provider):
    assert client.call("wake", {"mode": "next-heartbeat", "text": "no hurry", "agentId": "later"}) == {"ok": True}
    wake(client, "later", "now")
    assert len(provider.beats("later")) == 1 and "no hurry" in json.dumps(provider.beats("later")[0])


def test_a_failed_turn_keeps_what_it_was_told_for_the_next(client, provider):
    provider.status = 500
    event = wake(client, "failing", "remember this")
    assert event["status"] == "failed" and "mock failure" in event["reason"] and event["indicatorType"] == "error"
    provider.status = 200
    wake(client, "failing", "again")
    assert "remember this" in json.dumps(provider.beats("failing")[-1]) and not history(client, "agent:failing:main")


def test_it_waits_while_its_session_is_busy(client, provider):
    provider.hold.clear()
    client.call("chat.send", {"sessionKey": "agent:busy:main", "message": "slow", "idempotencyKey": "k0"})
    until(lambda: provider.all("busy"), 10, "the question")
    client.call("wake", {"mode": "now", "text": "x", "agentId": "busy"})
    assert client.wait_event("heartbeat", lambda e: e["agentId"] == "busy")["reason"] == "requests-in-flight"
    assert not provider.beats("busy")
    provider.hold.set()
    assert ended(client, "busy")["status"] == "ok-token"


def test_people_go_on_behind_a_heartbeat(client, provider):
    key = "agent:behind:main"
    provider.hold.clear()
    client.call("wake", {"mode": "now", "text": "x", "agentId": "behind"})
    until(lambda: provider.beats("behind"), 10, "the heartbeat")
    client.call("chat.send", {"sessionKey": key, "message": "me too", "idempotencyKey": "k1"})
    client.call("wake", {"mode": "now", "text": "the second", "agentId": "behind"})
    provider.hold.set()
    final = client.wait_event("chat", lambda p: p["runId"] == "k1" and p["state"] == "final")
    assert text_of(final["message"]) == "fine"
    until(lambda: len(provider.beats("behind")) == 2, 10, "the second heartbeat")
    assert "the second" in json.dumps(provider.all("behind")[1:])  # whichever turn came first was told
    assert history(client, key) == [("user", "me too"), ("assistant", "fine")]


def test_the_file_of_the_workspace_decides(client, provider, workspace):
    assert ended(client, "file")["reason"] == "empty-heartbeat-file" and not provider.beats("file")
    (workspace / "HEARTBEAT.md").write_text(
        "tasks:\n- name: mail\n  interval: 1h\n  prompt: Look at the mail.\n\n# More\nBe brief.\n")
    client.wait_event("heartbeat", lambda e: e["agentId"] == "file" and e["status"] == "ok-token")
    asked = provider.beats("file")[0][-1]["content"]
    assert "- mail: Look at the mail." in asked and "Be brief." in asked
    wake(client, "file")  # somebody who wakes it is not asked what the file says
    assert "Heartbeat:" in provider.beats("file")[1][-1]["content"]
    assert "tasks:" in provider.beats("file")[1][1]["content"]


def test_a_session_of_its_own_knows_nothing_of_before(client, provider):
    client.chat("a secret", session="agent:alone:main")
    provider.answer = "The door is open"
    wake(client, "alone", "told")
    beat = provider.beats("alone")[-1]
    assert provider.models[-1] == "small" and [m["role"] for m in beat] == ["system", "system", "user", "user"]
    assert beat[-1]["content"] == "Look around." and "told" in beat[-2]["content"]
    assert history(client, "agent:alone:main:heartbeat") == [("assistant", "The door is open")]
    assert history(client, "agent:alone:main") == [("user", "a secret"), ("assistant", "fine")]


def test_a_named_session_is_woken_at_once(client, provider):
    provider.answer = "Ops: the door"
    client.call("wake", {"mode": "next-heartbeat", "text": "for ops", "sessionKey": "agent:named:ops"})
    ended(client, "named")
    assert history(client, "agent:named:ops") == [("assistant", "Ops: the door")]
    assert history(client, "agent:named:main") == []
    wake(client, "named", sessionKey="agent:busy:x")  # not a session of this agent: its main one
    assert history(client, "agent:named:main") == [("assistant", "Ops: the door")]


def test_the_built_in_model_is_not_asked(client):
    event = wake(client, "builtin")
    assert (event["status"], event["reason"]) == ("skipped", "no-provider")
    wake(client, "named")  # meanwhile its intervals pass, of which nobody is told
    assert not [e for e in client.events if e["event"] == "heartbeat" and e["payload"]["agentId"] == "builtin"]
    assert history(client, "agent:builtin:main") == []


def test_who_has_them_is_shown(client):
    rows = {a["agentId"]: a["heartbeat"] for a in client.call("health")["agents"]}
    assert (rows["main"]["enabled"], rows["main"]["every"], rows["main"]["everyMs"]) == (False, "disabled", None)
    assert (rows["file"]["every"], rows["file"]["everyMs"], rows["alone"]["model"]) == ("1s", 1000, "mock/small")
    assert client.call("health")["heartbeatSeconds"] == 0


@pytest.fixture
def start(fresh_gateway, provider):
    def make(heartbeat, **more):
        return fresh_gateway(config={**provider.config(heartbeat=heartbeat), **more}).start()

    return make


def test_it_comes_by_itself_and_leaves_nothing_when_all_is_well(start, provider):
    gateway = start(HOURLY)
    with Client(gateway.port, gateway.token) as client:
        with open(gateway.config_path, encoding="utf-8") as file:
            config = json.load(file)
        config["agents"]["defaults"]["heartbeat"] = {"every": "1s", "prompt": "Anything?"}
        with open(gateway.config_path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        event = ended(client)
        assert (event["status"], event["reason"]) == ("ok-token", "interval")
        assert provider.beats()[0][-1]["content"] == "Anything?"
        assert history(client, "main") == [] and session_row(client, "main") is None
        assert client.call("status")["heartbeat"] == {
            "defaultAgentId": "main", "agents": [{"agentId": "main", "enabled": True, "every": "1s", "everyMs": 1000}]}
        shown = client.call("health")
        assert shown["heartbeatSeconds"] == 1
        assert {k: shown["agents"][0]["heartbeat"][k] for k in ("enabled", "target", "ackMaxChars", "prompt")} == \
            {"enabled": True, "target": "none", "ackMaxChars": 300, "prompt": "Anything?"}
        assert not [e for e in client.events if e["event"] in ("chat", "agent", "session.message", "sessions.changed")]


def test_off_is_off_and_stays_off(start, provider):
    gateway = start(HOURLY, channels={"defaults": {"heartbeat": {"showOk": True}}})
    with Client(gateway.port, gateway.token) as client:
        assert client.call("set-heartbeats", {"enabled": False}) == {"ok": True, "enabled": False}
        event = wake(client, "main", "kept")
        assert (event["status"], event["reason"]) == ("skipped", "disabled") and not provider.beats()
        until(lambda: client.call("health")["agents"][0]["heartbeat"]["enabled"] is False, 10, "health")
    gateway.stop()
    gateway.start()
    with Client(gateway.port, gateway.token) as client:
        assert client.call("last-heartbeat") == event
        assert client.call("set-heartbeats", {"enabled": True}) == {"ok": True, "enabled": True}
        assert wake(client, "main")["status"] == "ok-token"
        shown = client.wait_event("chat", lambda p: p["state"] == "final")  # showOk
        assert text_of(shown["message"]) == "HEARTBEAT_OK" and history(client, "main") == []


@pytest.mark.parametrize("moment", ["while the model is asked", "when the answer is there"])
def test_a_crash_neither_loses_nor_repeats_it(start, provider, moment):
    gateway = start(HOURLY)
    with Client(gateway.port, gateway.token) as client:
        provider.answer = "The door is open"
        provider.hold.clear()
        client.call("wake", {"mode": "now", "text": "x"})
        until(provider.beats, 10, "the heartbeat")
        if moment == "when the answer is there":
            provider.hold.set()
            client.wait_event("chat", lambda p: p["state"] == "final")
        for pid in gateway.children():
            os.kill(pid, signal.SIGKILL)
        provider.hold.set()

    def told():
        try:
            with Client(gateway.port, gateway.token) as again:
                return (again.call("last-heartbeat") or {}).get("preview") == "The door is open" and history(again, "main")
        except (OSError, CallError, Closed, Refused):  # not yet: it is starting, or the agent is
            return None

    assert until(told, 40, "the heartbeat after the crash") == [("assistant", "The door is open")]
    assert len(provider.beats()) == (2 if moment == "while the model is asked" else 1)
