"""One snapshot of everyone, and who is connected."""

import statistics
import time

import pytest

from actor_rig import Failed


def actor(health, address):
    return next((row for row in health["actors"] if row["address"] == address), None)


def test_a_gateway_whose_parts_are_ready_is_ok(one):
    one.until(lambda: one.lives.get("agent/main") == "ready", "the agent")
    health = one.ask_until(lambda h: h["ok"] and h["agents"][0].get("provider") and h["channels"].get("webchat", {}).get("connected"),
                           "health", to="health")
    assert health["defaultAgentId"] == "main" and health["agents"][0]["isDefault"]
    assert health["agents"][0]["provider"] == "builtin" and health["agents"][0]["state"] == "ready"
    assert "degraded" not in health and health["version"] and health["process"]["rssBytes"] > 0
    assert health["channels"]["webchat"]["connected"] and health["channelOrder"] == ["webchat"]
    for key in ("ts", "durationMs", "eventLoop", "plugins", "channelLabels", "heartbeatSeconds", "sessions"):
        assert key in health
    snapshot = one.health("health_snapshot")
    assert snapshot["ok"] and snapshot["why"] == "" and snapshot["health"]["ok"]
    assert snapshot["sessionDefaults"] == {"defaultAgentId": "main", "mainKey": "main",
                                           "mainSessionKey": "agent:main:main", "scope": "per-sender"}


def test_a_default_agent_that_cannot_start_is_not_ok(make):
    rig = make({"agents": {"list": [{"id": "bad1"}]}})
    health = rig.ask_until(lambda h: not h["ok"] and (actor(h, "agent/bad1") or {}).get("restarts", 0) >= 2, "health",
                           to="health")
    assert "agent/bad1" in health["degraded"]
    snapshot = rig.health("health_snapshot")
    assert not snapshot["ok"] and "agent/bad1" in snapshot["why"]


def test_another_agent_that_cannot_start_degrades_only(make):
    rig = make({"agents": {"list": [{"id": "main"}, {"id": "bad1"}]}})
    rig.until(lambda: rig.lives.get("agent/main") == "ready", "the agent")
    health = rig.ask_until(lambda h: h["ok"] and "agent/bad1" in h.get("degraded", ""), "health", to="health")
    assert actor(health, "agent/main")["state"] == "ready"


def test_sessions_are_counted_per_agent(two):
    two.chat("hello", "k1", "agent:work:b")
    two.chat("hello", "k2", "agent:main:a")
    def counted(health):
        return {a["agentId"]: a["sessions"]["count"] for a in health["agents"]} == {"main": 1, "work": 1}
    health = two.ask_until(counted, "health", to="health")
    assert health["sessions"]["recent"][0]["key"] == "agent:main:a"
    assert health["agents"][1]["name"] == "Worker"
    status = two.ask_until(lambda s: s["sessions"]["count"] == 2, "status", to="health")
    assert status["sessions"]["recent"] == [] and status["sessions"]["byAgent"][0]["path"] == "[redacted]"


def test_administrators_see_more_of_the_status(one):
    one.chat("hello", "k1", "main")
    client = {"connId": "c", "role": "operator", "scopes": ["operator.admin"], "principal": "p", "isLocal": True}
    status = one.ask_until(lambda s: any(row["remainingTokens"] for row in s["sessions"]["recent"]), "status",
                           {"_client": client}, to="health")
    row = status["sessions"]["recent"][0]
    assert row["key"] == "agent:main:main" and row["remainingTokens"] > 0 and row["flags"][0].startswith("id:")
    assert status["sessions"]["byAgent"][0]["path"].endswith("agent-main.sqlite")


def test_who_joins_is_listed_first_after_the_gateway_and_who_left_stays_a_while(one):
    one.join("c1", display_name="Ann", device_id="D1", ip="192.0.2.9")
    one.join("c2", display_name="Bob", instance_id="I2", is_local=True, ip="127.0.0.1")
    listed = one.health("system-presence")
    assert [entry["host"] for entry in listed][1:] == ["Bob", "Ann"]
    assert listed[0]["mode"] == "gateway" and listed[0]["reason"] == "self"
    assert listed[2]["deviceId"] == listed[2]["instanceId"] == "D1" and listed[2]["ip"] == "192.0.2.9"
    assert "ip" not in listed[1] and listed[1]["scopes"] == ["operator.read"]
    one.leave("c2")
    listed = one.health("system-presence")
    assert [(entry["host"], entry["reason"]) for entry in listed[1:]] == [("Bob", "disconnect"), ("Ann", "connect")]


def test_the_command_line_is_counted_but_not_listed(one):
    one.join("c1", mode="cli")
    assert len(one.health("system-presence")) == 1
    assert one.health("clients_read") == {"connections": 1, "readers": 1}


def test_watchers_hear_of_changes_with_a_version_that_grows(one):
    one.join("c1", display_name="Ann", device_id="d1")
    first = one.event("presence")
    one.join("c2", display_name="Bob", device_id="d2")
    second = one.event("presence", lambda b: any(e.get("host") == "Bob" for e in b["presence"]))
    assert second["_stateVersion"]["presence"] > first["_stateVersion"]["presence"]
    assert one.event("clients_changed") == {"connections": 1, "readers": 1}


def test_health_is_published_when_an_actor_dies(two):
    two.join("c1")
    before = two.ask_until(lambda s: s["ok"], "health_snapshot", to="health")["stateVersion"]["health"]
    two.write({"restart": "agent/work"})
    event = two.event("health", lambda b: b["_stateVersion"]["health"] > before)
    assert event["agents"] and "actors" in event


def test_an_edge_that_dies_takes_its_connections_along(one):
    one.join("c1", display_name="Ann", device_id="d1")
    assert one.health("clients_read")["connections"] == 1
    one.restart("health")  # and a new life begins empty, until the edge joins again
    assert one.health("clients_read")["connections"] == 0
    one.join("c1", display_name="Ann", device_id="d1")
    assert one.health("system-presence")[1]["host"] == "Ann"


def test_joining_twice_is_joining_once_and_a_stranger_leaving_is_nothing(one):
    one.join("c1")
    one.join("c1")
    one.leave("nobody")
    assert one.health("clients_read") == {"connections": 1, "readers": 1}
    one.leave("c1")
    assert one.health("clients_read") == {"connections": 0, "readers": 0}


def test_channels_are_shown_in_the_shape_clients_know(one):
    status = one.ask_until(lambda s: s["channels"].get("webchat", {}).get("connected"), "channels.status",
                           {"probe": True, "timeoutMs": 1000}, to="health")
    account = status["channelAccounts"]["webchat"][0]
    assert account["accountId"] == "default" and account["running"] and account["connected"] and account["configured"]
    assert status["channelOrder"] == ["webchat"] and status["channelLabels"]["webchat"] == "WebChat"
    assert status["channelMeta"] == [{"id": "webchat", "label": "WebChat", "detailLabel": "WebChat"}]
    assert status["channelDefaultAccountId"] == {"webchat": "default"}


def test_without_a_scheduler_nobody_has_heartbeats(one):
    health = one.ask_until(lambda h: h.get("agents"), "health", to="health")
    assert health["agents"][0]["heartbeat"] == {"enabled": False, "every": "disabled", "everyMs": None, "target": "none"}
    assert health["heartbeatSeconds"] == 0


def test_a_probe_asks_everyone_anew(one):
    one.until(lambda: one.lives.get("agent/main") == "ready", "the agent")
    assert one.health("health", {"probe": True})["agents"][0]["agentId"] == "main"


def test_a_message_that_health_does_not_know_is_refused(one):
    with pytest.raises(Failed):
        one.health("chat.send", {"sessionKey": "main", "message": "x", "idempotencyKey": "k"})


def test_an_agent_that_hangs_holds_nobody_up(make):
    rig = make({"agents": {"list": [{"id": "main"}, {"id": "deaf"}]}})
    rig.until(lambda: rig.lives.get("agent/main") == "ready", "the agent")
    rig.ask_until(lambda h: h["ok"] and "agent/deaf did not answer" in h.get("degraded", ""), "health", to="health")
    times, deadline = [], time.monotonic() + 3
    while time.monotonic() < deadline:
        before = time.monotonic()
        assert rig.health("health")["agents"][0]["agentId"] == "main"
        times.append(time.monotonic() - before)
    listed = rig.call("sessions.list")
    rig.kill()  # a thread that hangs cannot stop
    assert [gone["agentId"] for gone in listed["unavailable"]] == ["deaf"]
    assert statistics.quantiles(times, n=20)[-1] < 0.3  # though a question is given up after a second only
