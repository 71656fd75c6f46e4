"""Which agent serves a session, and what concerns several agents."""

import json

import pytest

from actor_rig import Failed
from rig import AGENT_UNKNOWN, CANCELLED, INVALID_REQUEST, UNAVAILABLE


def refused(rig, method, params, **more):
    with pytest.raises(Failed) as failure:
        rig.call(method, params, **more)
    return failure.value


def send(key, session, **more):
    return {"sessionKey": session, "message": "hello", "idempotencyKey": key, **more}


def test_a_session_belongs_to_the_agent_of_its_key(two):
    two.chat("hello", "k1", "agent:work:desk")
    assert two.item(two.send("chat.history", {"sessionKey": "agent:work:desk"}))["from"] == "agent/work"
    rows = two.call("sessions.list")["sessions"]
    assert [row["key"] for row in rows] == ["agent:work:desk"]


def test_short_keys_and_aliases_lead_to_the_default_agent(two):
    assert two.chat("hello", "k1", "main")["sessionKey"] == "agent:main:main"
    assert two.chat("hello", "k2", " Chat7 ")["sessionKey"] == "agent:main:chat7"
    assert len(two.call("chat.history", {"sessionKey": "AGENT:MAIN:MAIN"})["messages"]) == 2


@pytest.mark.parametrize("session", ["agent:nosuch:main", "agent:main!:x", "agent:", "agent:main", "agent::x", "a\nb",
                                     " ", "agent:../main:x", "x" * 512])
def test_a_key_without_an_agent_is_refused_and_never_answered_by_the_default_one(two, session):
    for method, params in (("chat.send", send("k", session)), ("chat.history", {"sessionKey": session}),
                           ("chat.abort", {"sessionKey": session}), ("sessions.describe", {"key": session})):
        assert refused(two, method, params).code == (AGENT_UNKNOWN if "nosuch" in session else INVALID_REQUEST)
    assert two.call("sessions.list")["sessions"] == []


def test_an_unknown_agent_id_is_refused_in_every_method(two):
    asked = {"message": "x", "idempotencyKey": "k"}
    for method, params in (("agent", {**asked, "agentId": "nosuch"}), ("agent", {**asked, "agentId": "main!"}),
                           ("agent", {**asked, "agentId": "work", "sessionKey": "agent:main:x"}),
                           ("agent_run", {"agent_id": "nosuch", "messages": [{"role": "user", "content": "x"}]}),
                           ("agent_run", {"session_key": "agent:nosuch:x", "messages": [{"role": "user", "content": "x"}]}),
                           ("sessions.list", {"agentId": "nosuch"}), ("agent.identity.get", {"agentId": "nosuch"}),
                           ("router_resolve", {"session_key": "main", "agent_id": "nosuch"})):
        failure = refused(two, method, params)
        assert failure.code in (AGENT_UNKNOWN, INVALID_REQUEST) and not failure.retryable
        assert failure.code == AGENT_UNKNOWN or "nosuch" not in json.dumps(params)
    assert refused(two, "agent", {**asked, "agentId": "nosuch"}).message == 'unknown agent "nosuch": agents.list has main, work'


@pytest.mark.parametrize("params, key", [
    ({"sessionKey": "agent:work:a"}, "agent:work:a"),
    ({"agentId": "work"}, "agent:work:main"),
    ({"agentId": "work", "sessionKey": "b"}, "agent:work:b"),
    ({"to": "+15550100"}, "agent:main:main"),
    ({"sessionId": "S-1"}, "agent:main:explicit:s-1"),
    ({"agentId": "work", "sessionId": "S-1"}, "agent:work:explicit:s-1"),
    ({}, "agent:main:main")])
def test_the_agent_method_finds_its_session(two, params, key):
    number = two.send("agent", {"message": "hi", "idempotencyKey": "k", **params}, window=65536)
    assert two.answer(number)["status"] == "ok"
    assert two.answers[number][0]["chunk"] == "agent_accepted" and two.answers[number][0]["body"]["runId"] == "k"
    assert [row["key"] for row in two.call("sessions.list")["sessions"]] == [key]


def test_a_turn_of_the_http_surface_has_a_session_of_its_own_unless_it_names_a_user(two):
    messages = [{"role": "user", "content": "hi"}]
    keys = [two.call("agent_run", {"messages": messages, "agent_id": "work"})["session_key"] for _ in range(2)]
    assert keys[0] != keys[1] and all(key.startswith("agent:work:openai:") for key in keys)
    keys = {two.call("agent_run", {"messages": messages, "user": "Ann"})["session_key"] for _ in range(2)}
    assert keys == {"agent:main:openai-user:ann"}
    assert two.call("agent_run", {"messages": messages, "session_key": "desk"})["session_key"] == "agent:main:desk"


def test_lists_of_all_agents_are_merged_newest_first(two):
    for number, session in enumerate(["agent:main:a", "agent:work:b", "agent:main:c", "agent:work:d"]):
        two.chat("hello", f"k{number}", session)
    listed = two.call("sessions.list", {"limit": 3})
    stamps = [row["updatedAt"] for row in listed["sessions"]]
    assert stamps == sorted(stamps, reverse=True) and len(stamps) == 3
    assert (listed["count"], listed["totalCount"], listed["limitApplied"], listed["hasMore"]) == (3, 4, 3, True)
    assert "unavailable" not in listed
    only = two.call("sessions.list", {"agentId": "WORK"})
    assert {row["key"] for row in only["sessions"]} == {"agent:work:b", "agent:work:d"}


def test_previews_keep_the_order_and_the_names_that_were_asked_for(two):
    two.chat("one", "k1", "agent:main:main")
    two.chat("two", "k2", "agent:work:b")
    asked = ["agent:work:b", "main", "agent:main:none", "agent:nosuch:x", "agent:"]
    previews = two.call("sessions.preview", {"keys": asked})["previews"]
    assert [preview["key"] for preview in previews] == asked
    assert [preview["status"] for preview in previews] == ["ok", "ok", "missing", "missing", "missing"]
    assert previews[0]["items"][0]["text"] == "two" and previews[1]["items"][0]["text"] == "one"
    assert two.call("sessions.preview", {"keys": ["agent:"]})["previews"][0]["status"] == "missing"


def test_a_dead_agent_does_not_fail_the_list_and_its_absence_shows(make):
    rig = make({"agents": {"list": [{"id": "main"}, {"id": "bad1"}]}})
    rig.until(lambda: rig.lives.get("agent/main") == "ready", "the agent")
    rig.chat("hello", "k1", "main")
    listed = rig.call("sessions.list")
    assert [row["key"] for row in listed["sessions"]] == ["agent:main:main"]
    assert [gone["agentId"] for gone in listed["unavailable"]] == ["bad1"]
    previews = rig.call("sessions.preview", {"keys": ["main", "agent:bad1:x"]})["previews"]
    assert [preview["status"] for preview in previews] == ["ok", "error"]
    assert refused(rig, "sessions.list", {"agentId": "bad1"}).code == UNAVAILABLE
    failure = refused(rig, "chat.send", send("k2", "agent:bad1:x"))
    assert failure.code == UNAVAILABLE and failure.retryable


def test_a_run_is_found_without_its_session(two):
    two.chat("hello", "k1", "agent:work:b")
    assert two.call("agent.wait", {"runId": "k1", "timeoutMs": 5000})["status"] == "ok"
    two.restart("router")  # which forgets where the run is, and asks
    assert two.call("agent.wait", {"runId": "k1", "timeoutMs": 5000})["status"] == "ok"
    assert two.call("agent.wait", {"runId": "never", "timeoutMs": 50})["status"] == "timeout"


def test_a_wait_that_nobody_needs_any_more_is_given_up(two):
    number = two.send("agent.wait", {"runId": "never", "timeoutMs": 60000})
    two.call("agents.list")
    two.write({"id": number, "cancel": True})
    assert two.item(number)["code"] == CANCELLED
    assert two.call("agents.list")["defaultId"] == "main"


def test_a_restart_loses_no_session_and_no_agent(two):
    two.chat("hello", "k1", "agent:work:b")
    two.restart("router")
    assert two.call("chat.send", send("k1", "agent:work:b"))["runId"] == "k1"  # the agent remembers
    assert [row["key"] for row in two.call("sessions.list")["sessions"]] == ["agent:work:b"]
    assert two.lives["agent/work"] == "ready"
    assert ("agent/work", "stopped") not in two.life_log


def test_agents_come_and_go_with_the_config(two):
    two.reconfigure({"agents": {"list": [{"id": "main"}, {"id": "New One", "default": True}]}})
    two.until(lambda: two.lives.get("agent/new-one") == "ready", "the new agent")
    two.until(lambda: two.lives.get("agent/work") in ("stopped", "absent"), "the end of the old one")
    listed = two.call("agents.list")
    assert listed["defaultId"] == "new-one" and [agent["id"] for agent in listed["agents"]] == ["main", "new-one"]
    assert two.chat("hello", "k1", "main")["sessionKey"] == "agent:new-one:main"
    assert refused(two, "chat.send", send("k2", "agent:work:x")).code == AGENT_UNKNOWN


def test_an_agent_that_left_the_config_while_the_router_was_down_is_stopped(two):
    two.write_config({"agents": {"list": [{"id": "main"}]}})
    two.restart("config")
    two.restart("router")
    two.until(lambda: two.lives.get("agent/work") in ("stopped", "absent"), "the end of the agent")
    assert [agent["id"] for agent in two.call("agents.list")["agents"]] == ["main"]


def test_the_main_key_and_the_scope_of_the_config_are_in_force(make):
    rig = make({"session": {"mainKey": "Home"}, "agents": {"list": [{"id": "ops"}]}})
    assert rig.call("router_resolve", {"session_key": "main"}) == {
        "session_key": "agent:ops:home", "agent_id": "ops", "address": "agent/ops"}
    agents = rig.call("router_agents")
    assert (agents["default_id"], agents["main_key"], agents["main_session_key"]) == ("ops", "home", "agent:ops:home")
    rig.reconfigure({"session": {"scope": "global"}})
    rig.ask_until(lambda a: a["scope"] == "global" and a["main_session_key"] == "global", "router_agents")
    assert rig.call("router_resolve", {"session_key": "agent:main:main"})["session_key"] == "global"


def test_an_identity_is_answered_from_the_config(make):
    rig = make({"agents": {"list": [{"id": "main", "identity": {"name": "Ada", "emoji": "x"}}]}})
    assert rig.call("agent.identity.get") == {"agentId": "main", "name": "Ada", "emoji": "x", "avatarStatus": "none"}
    assert rig.call("agent.identity.get", {"sessionKey": "agent:main:x"})["agentId"] == "main"
