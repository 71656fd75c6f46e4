"""Tools that programs call: POST /tools/invoke and the method tools.invoke, one policy for both."""

import json

import pytest
from client import CallError, Client
from gateway import Gateway, until
from node_client import NodeClient, approve
from provider import Provider

CONFIG = {
    "agents": {"defaults": {"model": {"primary": "builtin/echo"}},
               "list": [{"id": "main", "default": True, "name": "Chief", "subagents": {"allowAgents": ["ops", "nosuch"]}},
                        {"id": "ops", "tools": {"profile": "minimal"}}, {"id": "quiet", "tools": {"deny": ["group:sessions"]}}]},
    "gateway": {"tools": {"allow": ["sessions_send", "gateway", "nodes"]}},
    "tools": {"sessions": {"visibility": "all"}, "agentToAgent": {"enabled": True, "allow": ["main", "ops"]}},
}


@pytest.fixture(scope="module")
def gateway(topology):
    config = {**CONFIG, "gateway": {"mode": "local", "auth": {"mode": "token", "token": "token-of-the-tests"},
                                    **CONFIG["gateway"]}}
    running = Gateway(topology, config=config)
    try:
        running.start()
        with Client(running.port, running.token) as client:
            client.chat("hello there", "agent:main:main")
            client.chat("a side matter", "agent:main:side")
            client.chat("of ops", "agent:ops:main")
            client.chat("of quiet", "agent:quiet:main")
        yield running
    finally:
        running.close()


def post(gateway, body, headers=None, token=None):
    status, got, text = gateway.request("POST", "/tools/invoke", body,
                                        {"Authorization": f"Bearer {token or gateway.token}", **(headers or {})})
    assert got["Content-Type"].startswith("application/json")
    return status, json.loads(text)


def invoke(gateway, tool, args=None, **more):
    """The details of a call that went well; what people read says the same."""
    status, answer = post(gateway, {"tool": tool, "args": args or {}, **more})
    assert status == 200 and answer["ok"] is True, answer
    (part,) = answer["result"]["content"]
    assert part["type"] == "text" and part["text"]
    return answer["result"]["details"]


def problem(gateway, tool, args=None, **more):
    status, answer = post(gateway, {"tool": tool, "args": args or {}, **more})
    assert status != 200 and answer["ok"] is False
    return status, answer["error"]["type"], answer["error"]["message"]


# --- the way in ------------------------------------------------------------------------------------------------------

def test_who_may_not_ask_is_told_so(gateway):
    assert gateway.request("POST", "/tools/invoke", {"tool": "agents_list"})[0] == 401
    assert post(gateway, {"tool": "agents_list"}, token="wrong")[0] == 401
    status, headers, _ = gateway.request("GET", "/tools/invoke", headers={"Authorization": f"Bearer {gateway.token}"})
    assert status == 405 and headers["Allow"] == "POST"
    assert gateway.request("POST", "/tools/other", {}, {"Authorization": f"Bearer {gateway.token}"})[0] == 404


def test_a_body_that_is_no_call_is_refused(gateway):
    assert problem(gateway, "")[0:2] == (400, "invalid_request")
    for body in ("{x", "", "[" * 60 + "]" * 60):
        status, _, text = gateway.request("POST", "/tools/invoke", body, {"Authorization": f"Bearer {gateway.token}"})
        assert status == 400 and json.loads(text)["error"]["type"] == "invalid_request_error"
    for body in ("[]", "null", '"x"', '{"tool": 5}', '{"args": {}}'):
        assert post(gateway, body) == (400, {"ok": False, "error": {
            "type": "invalid_request", "message": "tools.invoke requires name"}})
    assert problem(gateway, "agents_list", sessionKey="x" * 600)[0:2] == (400, "invalid_request")
    status, _, text = gateway.request("POST", "/tools/invoke", '{"tool": "' + "x" * 2200000 + '"}',
                                      {"Authorization": f"Bearer {gateway.token}"})
    assert status == 413 and "error" in json.loads(text)


@pytest.mark.parametrize("tool", ["exec", "bash", "sessions_spawn", "cron", "no_such_tool", "x" * 700, "agents_list\n.."])
def test_what_is_not_there_or_not_allowed_is_not_available(gateway, tool):
    status, kind, message = problem(gateway, tool)
    assert (status, kind) == (404, "not_found") and message.startswith("Tool not available: ")


def test_ghsa_943q_mwmv_hhvh_dangerous_tools_are_denied_unless_named(fresh_gateway):
    running = fresh_gateway(config={"gateway": {"mode": "local", "auth": {"mode": "token", "token": "token-of-the-tests"},
                                                "tools": {"deny": ["agents_list"]}}}).start()
    with Client(running.port, running.token) as client:
        for tool in ("sessions_send", "gateway", "nodes", "agents_list"):
            assert problem(running, tool)[0] == 404
            answer = client.call("tools.invoke", {"name": tool})
            assert answer["ok"] is False and answer["error"]["code"] == "not_found"
        assert invoke(running, "session_status")["ok"] is True
        base = client.call("config.get")["hash"]
        client.call("config.patch", {"raw": json.dumps({"tools": {"deny": ["session_status"]}, "gateway": {
            "tools": {"allow": ["gateway"]}}}), "baseHash": base})
        assert problem(running, "session_status")[0] == 404, "a change counts at once"
        assert invoke(running, "gateway", action="config.schema.lookup", args={"path": "tools.profile"})["ok"] is True
        with pytest.raises(CallError, match="profile"):
            base = client.call("config.get")["hash"]
            client.call("config.patch", {"raw": '{"tools": {"profile": "huge"}}', "baseHash": base})


def test_the_method_and_the_path_are_one(gateway):
    with Client(gateway.port, gateway.token) as client:
        answer = client.call("tools.invoke", {"name": "agents_list"})
        assert (answer["ok"], answer["toolName"], answer["source"]) == (True, "agents_list", "core")
        assert answer["output"]["details"] == invoke(gateway, "agents_list")
        answer = client.call("tools.invoke", {"name": "sessions_history"})
        assert answer["error"] == {"code": "internal_error", "message": "sessionKey required"}
        answer = client.call("tools.invoke", {"name": "agents_list", "sessionKey": "agent:main:main", "agentId": "ops"})
        assert answer["error"]["code"] == "validation_error"
    with Client(gateway.port, gateway.token, scopes=["operator.write"]) as writer:
        assert writer.call("tools.invoke", {"name": "session_status"})["ok"] is True
        for tool in ("gateway", "nodes"):
            assert writer.call("tools.invoke", {"name": tool})["error"]["code"] == "not_found", "for administrators"
    with Client(gateway.port, gateway.token, scopes=["operator.read"]) as reader, pytest.raises(CallError):
        reader.call("tools.invoke", {"name": "session_status"})


def test_policy_follows_the_agent_of_the_session(gateway):
    assert invoke(gateway, "session_status", sessionKey="agent:ops:main")["sessionKey"] == "agent:ops:main"
    assert problem(gateway, "sessions_list", sessionKey="agent:ops:main")[0] == 404
    assert problem(gateway, "session_status", agentId="quiet")[0] == 404
    status, kind, message = problem(gateway, "agents_list", sessionKey="agent:nosuch:main")
    assert (status, kind) == (400, "invalid_request") and "nosuch" in message


def test_the_catalogue_and_what_a_session_has(gateway):
    with Client(gateway.port, gateway.token) as client:
        catalog = client.call("tools.catalog", {})
        assert [p["id"] for p in catalog["profiles"]] == ["minimal", "coding", "messaging", "full"]
        tools = {tool["id"]: tool["defaultProfiles"] for group in catalog["groups"] for tool in group["tools"]}
        assert tools["session_status"] == ["minimal", "coding", "messaging"] and tools["gateway"] == []
        assert client.call("tools.catalog", {"agentId": "ops"})["agentId"] == "ops"
        with pytest.raises(CallError, match="nosuch"):
            client.call("tools.catalog", {"agentId": "nosuch"})

        def effective(key, who=client):
            got = who.call("tools.effective", {"sessionKey": key})
            return got["profile"], {tool["id"] for group in got["groups"] for tool in group["tools"]}
        assert effective("main") == ("full", set(tools))
        assert effective("agent:ops:main") == ("minimal", {"session_status"})
        assert "sessions_list" not in effective("agent:quiet:main")[1]
        with pytest.raises(CallError, match="unknown session key"):
            client.call("tools.effective", {"sessionKey": "agent:main:never"})
        with Client(gateway.port, gateway.token, scopes=["operator.read"]) as reader:
            assert effective("main", reader)[1] == set(tools) - {"gateway", "nodes"}


# --- the tools -------------------------------------------------------------------------------------------------------

def test_agents_list(gateway):
    assert invoke(gateway, "agents_list") == {"requester": "main", "allowAny": False, "agents": [
        {"id": "main", "name": "Chief", "configured": True, "model": "builtin/echo"},
        {"id": "ops", "configured": True, "model": "builtin/echo"}]}
    assert [a["id"] for a in invoke(gateway, "agents_list", sessionKey="agent:quiet:main")["agents"]] == ["quiet"]


def test_sessions_list(gateway):
    got = invoke(gateway, "sessions_list", {"messageLimit": 2, "includeDerivedTitles": True})
    rows = {row["key"]: row for row in got["sessions"]}
    assert got["count"] == len(rows) and {"agent:main:main", "agent:main:side", "agent:ops:main"} <= set(rows)
    assert "agent:quiet:main" not in rows, "it may not talk to main"
    side = rows["agent:main:side"]
    assert (side["agentId"], side["kind"], side["channel"]) == ("main", "other", "webchat")
    assert side["derivedTitle"] == "a side matter" and [m["role"] for m in side["messages"]] == ["user", "assistant"]
    assert [row["key"] for row in invoke(gateway, "sessions_list", {"kinds": ["main"], "agentId": "main"})["sessions"]] == [
        "agent:main:main"]
    assert invoke(gateway, "sessions_list", {"search": "no such words"}) == {"count": 0, "sessions": []}
    assert len(invoke(gateway, "sessions_list", {"limit": 1})["sessions"]) == 1
    assert problem(gateway, "sessions_list", {"label": "l" * 600})[0:2] == (400, "tool_error")


def test_sessions_history_and_what_is_out_of_sight(gateway):
    got = invoke(gateway, "sessions_history", {"sessionKey": "side", "limit": 5})
    assert got["sessionKey"] == "agent:main:side" and got["droppedMessages"] is False
    assert [m["role"] for m in got["messages"]] == ["user", "assistant"] and "usage" not in got["messages"][1]
    assert invoke(gateway, "sessions_history", {"sessionKey": "current"})["sessionKey"] == "agent:main:main"
    hidden = invoke(gateway, "sessions_history", {"sessionKey": "agent:quiet:main"})
    assert hidden["status"] == "forbidden" and "messages" not in hidden
    assert problem(gateway, "sessions_history", {"sessionKey": "agent:nosuch:main"})[0] == 400


def test_by_default_a_session_sees_itself_alone(fresh_gateway):
    running = fresh_gateway().start()
    with Client(running.port, running.token) as client:
        client.chat("one", "agent:main:main")
        client.chat("two", "agent:main:other")
    assert [row["key"] for row in invoke(running, "sessions_list")["sessions"]] == ["agent:main:main"]
    assert invoke(running, "sessions_history", {"sessionKey": "agent:main:other"})["status"] == "forbidden"


def test_session_status(gateway):
    got = invoke(gateway, "session_status", {"sessionKey": "side"})
    assert got["sessionKey"] == "agent:main:side" and "builtin/echo" in got["statusText"]
    assert invoke(gateway, "session_status", sessionKey="agent:main:new")["ok"] is True
    assert problem(gateway, "session_status", {"sessionKey": "agent:main:never"}) == (
        400, "tool_error", "Unknown sessionKey: agent:main:never")
    assert problem(gateway, "session_status", {"model": "x/y"})[0] == 400


def test_sessions_send(gateway):
    got = invoke(gateway, "sessions_send", {"sessionKey": "agent:ops:inbox", "message": "ping"}, idempotencyKey="one")
    assert (got["status"], got["reply"], got["sessionKey"]) == ("ok", "Echo: ping", "agent:ops:inbox")
    again = invoke(gateway, "sessions_send", {"sessionKey": "agent:ops:inbox", "message": "ping"}, idempotencyKey="one")
    assert again == got
    with Client(gateway.port, gateway.token) as client:
        assert len(client.call("chat.history", {"sessionKey": "agent:ops:inbox"})["messages"]) == 2
    assert invoke(gateway, "sessions_send", {"sessionKey": "agent:quiet:x", "message": "x"})["status"] == "forbidden"
    for args, words in (({"sessionKey": "x"}, "message required"), ({"message": "x"}, "sessionKey or label"),
                        ({"message": "x", "sessionKey": "a", "label": "b"}, "not both"),
                        ({"message": "x", "label": "nobody"}, "No session found with label: nobody")):
        status, kind, message = problem(gateway, "sessions_send", args)
        assert (status, kind) == (400, "tool_error") and words in message


def test_sessions_send_does_not_wait_longer_than_it_is_told(fresh_gateway):
    provider = Provider()
    try:
        config = provider.config()
        config["gateway"] = {"mode": "local", "auth": {"mode": "token", "token": "token-of-the-tests"},
                             "tools": {"allow": ["sessions_send"]}}
        running = fresh_gateway(config=config).start()
        for seconds in (0, 1):
            got = invoke(running, "sessions_send", {"sessionKey": "current", "message": "NOHEAD please",
                                                    "timeoutSeconds": seconds})
            assert got["status"] == "accepted" and got["runId"]
            with Client(running.port, running.token) as client:
                client.call("chat.abort", {"sessionKey": "agent:main:main"})
    finally:
        provider.close()


def test_gateway(gateway):
    got = invoke(gateway, "gateway", action="config.get")
    assert got["result"]["config"]["gateway"]["auth"]["token"] != gateway.token, "secrets are not shown"
    got = invoke(gateway, "gateway", {"action": "config.schema.lookup", "path": "tools.sessions.visibility"})
    assert got["ok"] is True and "visibility" in json.dumps(got)
    for args, words in (({}, "action required"), ({"action": "restart"}, "not served"),
                        ({"action": "config.schema.lookup"}, "path required")):
        assert words in problem(gateway, "gateway", args)[2]


def test_nodes(gateway):
    assert invoke(gateway, "nodes", action="status")["nodes"] == []
    with Client(gateway.port, gateway.token) as client, NodeClient(gateway.port, gateway.token) as node:
        until(lambda: invoke(gateway, "nodes", action="pending")["pending"] or None, 10, "the request to pair") \
            if not invoke(gateway, "nodes", action="status")["nodes"] else None
        approve(client, node)
        row = until(lambda: next((n for n in invoke(gateway, "nodes", action="status")["nodes"] if n.get("connected")), None))
        assert invoke(gateway, "nodes", {"node": row["nodeId"]}, action="describe")["nodeId"] == row["nodeId"]
    for args, words in (({}, "action required"), ({"action": "dance"}, "not served"), ({"action": "describe"}, "node required"),
                        ({"action": "describe", "node": "nobody"}, 'no node is called "nobody"'),
                        ({"action": "approve"}, "requestId required"), ({"action": "notify", "node": "x"}, "title or body"),
                        ({"action": "invoke", "node": "x", "invokeCommand": "system.run"}, "runs programs"),
                        ({"action": "invoke", "node": "x"}, "invokeCommand required")):
        assert words in problem(gateway, "nodes", args)[2], args
