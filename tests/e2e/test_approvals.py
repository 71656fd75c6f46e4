"""Approvals: waiting, deciding, expiry, and the file of what needs none."""

import json
import os
import stat
import time

import pytest
from client import CallError, Client
from device_client import Device
from node_client import NodeClient, approve


def refusal(call):
    with pytest.raises(CallError) as caught:
        call()
    return caught.value.error


@pytest.fixture
def person(gateway):
    """Somebody who can decide."""
    with Client(gateway.port, gateway.token) as connected:
        yield connected


def request(client, **more):
    return client.send("exec.approval.request", {"command": "echo hi", "cwd": "/tmp", "host": "gateway",
                                                 "timeoutMs": 8000, "twoPhase": True, **more})


def test_a_command_waits_in_two_phases_until_somebody_decides(client, person):
    asked = request(client)
    accepted = client.answer(asked)
    assert accepted["status"] == "accepted" and accepted["expiresAtMs"] - accepted["createdAtMs"] == 8000
    told = person.wait_event("exec.approval.requested", lambda p: p["id"] == accepted["id"])
    assert told["request"] == {
        "command": "echo hi", "systemRunBinding": None, "systemRunPlan": None, "cwd": "/tmp", "nodeId": None,
        "host": "gateway", "security": None, "ask": None, "warningText": None,
        "commandAnalysis": {"commandCount": 1, "nestedCommandCount": 0, "riskKinds": [], "warningLines": []},
        "allowedDecisions": ["allow-once", "allow-always", "deny"], "agentId": None, "resolvedPath": None,
        "sessionKey": None, "turnSourceChannel": None, "turnSourceTo": None, "turnSourceAccountId": None,
        "turnSourceThreadId": None}
    assert accepted["id"] in [row["id"] for row in person.call("exec.approval.list")]
    shown = person.call("exec.approval.get", {"id": accepted["id"][:8]})
    assert shown == {"id": accepted["id"], "commandText": "echo hi", "commandPreview": None,
                     "allowedDecisions": ["allow-once", "allow-always", "deny"], "host": "gateway", "nodeId": None,
                     "agentId": None, "expiresAtMs": accepted["expiresAtMs"]}
    waiting = client.send("exec.approval.waitDecision", {"id": accepted["id"]})
    assert refusal(lambda: person.call("exec.approval.resolve", {"id": accepted["id"], "decision": "maybe"}))[
        "message"] == "invalid decision"
    decision = {"id": accepted["id"], "decision": "allow-once"}
    assert person.call("exec.approval.resolve", decision) == {"ok": True}
    assert client.answer(asked)["decision"] == client.answer(waiting)["decision"] == "allow-once"
    resolved = client.wait_event("exec.approval.resolved")
    assert resolved["decision"] == "allow-once" and resolved["resolvedBy"] == "gateway-client"
    assert person.call("exec.approval.resolve", decision) == {"ok": True}
    error = refusal(lambda: person.call("exec.approval.resolve", {**decision, "decision": "deny"}))
    assert error["details"] == {"reason": "APPROVAL_ALREADY_RESOLVED"}
    error = refusal(lambda: person.call("exec.approval.resolve", {"id": "nosuch", "decision": "deny"}))
    assert error["code"] == "INVALID_REQUEST" and error["details"]["reason"] == "APPROVAL_NOT_FOUND"


def test_a_request_that_nobody_answers_ends_without_a_decision(client, person):
    asked = request(client, timeoutMs=300, twoPhase=False)
    answer = client.answer(asked)
    assert answer["decision"] is None and answer["expiresAtMs"] <= time.time() * 1000 + 50
    assert answer["id"] not in [row["id"] for row in person.call("exec.approval.list")]


def test_with_nobody_to_ask_there_is_nothing_to_wait_for(gateway, client):
    asked = time.monotonic()
    assert client.answer(request(client, timeoutMs=60000))["decision"] is None
    assert time.monotonic() - asked < 10


def test_always_is_not_offered_where_every_time_is_asked_for(client, person):
    accepted = client.answer(request(client, ask="always"))
    error = refusal(lambda: person.call("exec.approval.resolve", {"id": accepted["id"], "decision": "allow-always"}))
    assert error["details"] == {"reason": "APPROVAL_ALLOW_ALWAYS_UNAVAILABLE"}
    assert person.call("exec.approval.resolve", {"id": accepted["id"], "decision": "deny"}) == {"ok": True}


def test_a_command_cannot_hide_what_it_does(client, person):
    request(client, command="echo \u202ehi\x1b[2K; python3 -c 'x'")
    told = person.wait_event("exec.approval.requested")["request"]
    assert told["command"] == "echo \\u{202E}hi\\u{1B}[2K; python3 -c 'x'"
    assert told["commandAnalysis"]["commandCount"] == 2
    assert told["commandAnalysis"]["riskKinds"] == ["inline-eval"]


def test_what_people_see_is_what_the_node_runs(client, person):
    plan = {"argv": ["rm", "-rf", "/"], "cwd": "/tmp", "commandText": "ls -l", "agentId": None, "sessionKey": None}
    error = refusal(lambda: client.answer(request(client, host="node", nodeId="n", systemRunPlan=plan)))
    assert error["code"] == "INVALID_REQUEST" and "commandText" in error["message"]
    plan["argv"] = ["/bin/sh", "-lc", "ls -l"]
    assert client.answer(request(client, host="node", nodeId="n", systemRunPlan=plan))["status"] == "accepted"


def test_always_means_this_of_this_asker_until_it_is_revoked(gateway, person):
    device = Device(name="Robot")
    scopes = ["operator.approvals", "operator.read"]
    auth = {"token": gateway.token}
    ask = {"command": "make check", "agentId": "main", "env": {"A": "1"}}
    with device.connect(gateway, scopes, auth) as robot:
        asked = request(robot, **ask)
        first = robot.answer(asked)
        person.call("exec.approval.resolve", {"id": first["id"], "decision": "allow-always"})
        assert robot.answer(asked)["decision"] == "allow-always"
    grant = person.call("exec.approval.grants.list")["grants"][0]
    assert grant == {
        "grantId": grant["grantId"], "mintedByApprovalId": first["id"], "agentId": "main",
        "cronJobId": f"device/{device.id[:32]}", "cronJobName": "Robot", "command": "make check", "cwd": "/tmp",
        "createdAtMs": grant["createdAtMs"], "expiresAtMs": None, "revokedAtMs": None, "revokedBy": None,
        "lastUsedAtMs": None, "useCount": 0}
    with device.connect(gateway, scopes, auth) as robot:
        again = robot.answer(request(robot, **ask))
        assert again["decision"] == "allow-always" and again["id"] != first["id"]
        assert person.call("approval.get", {"id": again["id"]})["approval"]["status"] == "allowed"
        for changed in ({"command": "make  check"}, {"cwd": "/"}, {"env": {"A": "2"}}, {"agentId": "other"},
                        {"ask": "always"}, {"host": "sandbox"}):
            assert robot.answer(request(robot, **{**ask, **changed}))["status"] == "accepted", changed
        with Device(name="Robot").connect(gateway, scopes, auth) as other:
            assert other.answer(request(other, **ask))["status"] == "accepted"
        used = person.call("exec.approval.grants.list", {"limit": 1})["grants"][0]
        assert used["useCount"] == 1 and used["lastUsedAtMs"] >= used["createdAtMs"]
        revoke = {"grantId": grant["grantId"]}
        assert [person.call("exec.approval.grants.revoke", revoke)["outcome"] for _ in range(2)] == \
            ["revoked", "already-revoked"]
        assert person.call("exec.approval.grants.revoke", {"grantId": "none"})["outcome"] == "not-found"
        assert person.call("exec.approval.grants.list")["grants"][0]["revokedBy"] == "gateway-client"
        asked = request(robot, **ask)
        ident = robot.answer(asked)["id"]
        resolved = {"id": ident, "kind": "exec", "decision": "allow-always", "grantExpiresInDays": 30}
        assert person.call("approval.resolve", resolved)["applied"] is True
        assert robot.answer(asked)["decision"] == "allow-always"
    renewed, = [row for row in person.call("exec.approval.grants.list")["grants"] if row["command"] == "make check"]
    assert renewed["expiresAtMs"] - renewed["createdAtMs"] == 30 * 86400000


def test_who_has_nothing_but_the_secret_gets_no_grant(client, person):
    for _ in range(2):
        asked = request(client, command="echo again")
        ident = client.answer(asked)["id"]
        person.call("exec.approval.resolve", {"id": ident, "decision": "allow-always"})
        assert client.answer(asked)["decision"] == "allow-always"
    assert "echo again" not in [row["command"] for row in person.call("exec.approval.grants.list")["grants"]]


def test_there_is_no_system_agent_that_asks(person):
    assert person.call("openclaw.approval.list") == []


def test_plugins_ask_in_the_same_way(client, person):
    asked = client.send("plugin.approval.request", {"pluginId": "ref", "title": "Leave", "description": "to test",
                                                    "timeoutMs": 5000, "twoPhase": True})
    accepted = client.answer(asked)
    assert accepted["id"].startswith("plugin:")
    told = person.wait_event("plugin.approval.requested", lambda p: p["id"] == accepted["id"])["request"]
    assert (told["title"], told["description"], told["severity"]) == ("Leave", "to test", None)
    assert person.call("plugin.approval.list")[0]["id"] == accepted["id"]
    person.call("plugin.approval.resolve", {"id": accepted["id"], "decision": "deny"})
    assert client.answer(asked)["decision"] == "deny"
    assert client.wait_event("plugin.approval.resolved")["decision"] == "deny"


def decide(client, person, decision, **more):
    asked = request(client, **more)
    ident = client.answer(asked)["id"]
    done = person.call("approval.resolve", {"id": ident, "kind": "exec", "decision": decision})
    assert done["applied"] is True
    client.answer(asked)
    return ident, done["approval"]


def test_every_kind_of_question_has_one_shape(client, person):
    asked = client.answer(request(client, agentId="main", sessionKey="agent:main:x"))
    shown = person.call("approval.get", {"id": asked["id"]})["approval"]
    assert shown["status"] == "pending" and shown["sourceSessionKey"] == "agent:main:x"
    assert shown["urlPath"] == "/approve/" + asked["id"]
    assert shown["presentation"] == {
        "kind": "exec", "commandText": "echo hi", "commandPreview": None, "warningText": None, "host": "gateway",
        "nodeId": None, "agentId": "main", "allowedDecisions": ["allow-once", "allow-always", "deny"]}
    wrong = {"id": asked["id"], "kind": "plugin", "decision": "deny"}
    assert refusal(lambda: person.call("approval.resolve", wrong))["message"] == "the approval is of another kind"
    done = person.call("approval.resolve", {**wrong, "kind": "exec"})
    assert done["applied"] is True and done["approval"]["status"] == "denied"
    assert done["approval"]["reason"] == "user" and done["approval"]["source"] == {"agentId": "main",
                                                                                  "sessionKey": "agent:main:x"}
    assert done["approval"]["resolver"]["kind"] in ("runtime", "device")
    again = person.call("approval.resolve", {**wrong, "kind": "exec", "decision": "allow-once"})
    assert again == {"applied": False, "approval": done["approval"]}, "the first answer counts"
    assert refusal(lambda: person.call("approval.get", {"id": "nosuch"}))["details"] == {"reason": "APPROVAL_NOT_FOUND"}
    plugin = client.answer(client.send("plugin.approval.request", {
        "title": "Pay", "description": "Ten euros", "severity": "critical", "timeoutMs": 8000, "twoPhase": True}))
    shown = person.call("approval.get", {"id": plugin["id"]})["approval"]
    assert shown["urlPath"] == "/approve/" + plugin["id"].replace(":", "%3A")
    assert (shown["presentation"]["kind"], shown["presentation"]["severity"]) == ("plugin", "critical")
    allowed = person.call("approval.resolve", {"id": plugin["id"], "kind": "plugin", "decision": "allow-once"})
    assert allowed["approval"]["decision"] == "allow-once"


def test_what_was_decided_is_remembered_page_by_page(fresh_gateway):
    running = fresh_gateway().start()
    with Client(running.port, running.token) as client, Client(running.port, running.token) as person:
        made = [decide(client, person, ("allow-once", "deny")[i % 2], command=f"echo {i}")[0] for i in range(5)]
        late = client.answer(request(client, timeoutMs=1))["id"]
        client.wait_event("exec.approval.requested", lambda p: p["id"] == late)
        plugin = client.answer(client.send("plugin.approval.request", {
            "title": "Pay", "description": "x", "timeoutMs": 8000, "twoPhase": True}))["id"]
        person.call("plugin.approval.resolve", {"id": plugin, "decision": "deny"})
    running.stop()
    running.start()
    with Client(running.port, running.token) as person:
        whole = person.call("approval.history")
        assert [row["id"] for row in whole["items"]][-5:] == made[::-1] and "nextCursor" not in whole
        assert {row["id"]: (row["status"], row["reason"]) for row in whole["items"]}[late] == ("expired", "timeout")
        pages, cursor = [], {}
        while cursor is not None:
            page = person.call("approval.history", {"limit": 2, **cursor})
            assert len(page["items"]) <= 2
            pages += page["items"]
            cursor = {"cursor": page["nextCursor"]} if "nextCursor" in page else None
        assert pages == whole["items"]
        assert [row["id"] for row in person.call("approval.history", {"kind": "plugin"})["items"]] == [plugin]
        assert person.call("approval.history", {"kind": "system-agent"}) == {"items": []}
        for cursor in ("x", "1.2.3", " 1.2", "1.-2", "9" * 60 + ".1"):
            assert refusal(lambda c=cursor: person.call("approval.history", {"cursor": c}))["message"] == \
                "invalid approval.history cursor"


def test_requests_outlive_a_restart_within_their_time(fresh_gateway):
    running = fresh_gateway().start()
    with Client(running.port, running.token) as asker, Client(running.port, running.token):
        accepted = asker.answer(request(asker, timeoutMs=60000))
    running.stop()
    running.start()
    with Client(running.port, running.token) as asker, Client(running.port, running.token) as person:
        waiting = asker.send("exec.approval.waitDecision", {"id": accepted["id"]})
        person.call("exec.approval.resolve", {"id": accepted["id"], "decision": "allow-always"})
        assert asker.answer(waiting)["decision"] == "allow-always"


def test_the_file_is_changed_only_by_who_has_seen_it(gateway, client):
    path = os.path.join(gateway.state_dir, "exec-approvals.json")
    first = client.call("exec.approvals.get")
    assert first["path"] == path and first["exists"] is True and first["file"]["version"] == 1
    assert "token" not in json.dumps(first)
    new = {"version": 1, "defaults": {"security": "allowlist", "ask": "on-miss"},
           "agents": {"main": {"allowlist": [{"pattern": "/usr/bin/rg"}]}}}
    for wrong in ({}, {"baseHash": "bad"}):
        assert "re-run exec.approvals.get" in refusal(
            lambda wrong=wrong: client.call("exec.approvals.set", {"file": new, **wrong}))["message"]
    second = client.call("exec.approvals.set", {"file": new, "baseHash": first["hash"]})
    assert second["hash"] != first["hash"]
    entry = second["file"]["agents"]["main"]["allowlist"][0]
    assert entry["pattern"] == "/usr/bin/rg" and len(entry["id"]) == 36
    with open(path, encoding="utf-8") as file:
        on_disk = json.load(file)
    assert on_disk["defaults"] == {"security": "allowlist", "ask": "on-miss"} and on_disk["socket"]["token"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_a_broken_file_is_left_as_it_is(gateway, client):
    path = os.path.join(gateway.state_dir, "exec-approvals.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write("{ mine")
    try:
        error = refusal(lambda: client.call("exec.approvals.get"))
        assert error["code"] == "UNAVAILABLE" and "not JSON" in error["message"]
        with open(path, encoding="utf-8") as file:
            assert file.read() == "{ mine"
    finally:
        os.remove(path)


def test_a_node_is_only_told_of_leave_that_was_given(gateway, client, person):
    with NodeClient(gateway.port, gateway.token) as node:
        approve(client, node)
        plan = {"argv": ["ls", "-l"], "cwd": "/tmp", "commandText": "ls -l", "agentId": None, "sessionKey": None}
        accepted = client.answer(request(client, host="node", nodeId=node.node_id, systemRunPlan=plan))
        run = {"nodeId": node.node_id, "command": "system.run", "timeoutMs": 5000}
        params = {"command": ["ls", "-l"], "cwd": "/tmp", "runId": accepted["id"], "approved": True,
                  "approvalDecision": "allow-once"}
        error = refusal(lambda: client.call("node.invoke", {**run, "params": params, "idempotencyKey": "r1"}))
        assert error["details"]["code"] == "APPROVAL_REQUIRED"
        person.call("exec.approval.resolve", {"id": accepted["id"], "decision": "allow-once"})
        error = refusal(lambda: person.call("node.invoke", {**run, "params": params, "idempotencyKey": "r2"}))
        assert error["details"]["code"] == "APPROVAL_CLIENT_MISMATCH"
        asked = client.send("node.invoke", {**run, "params": {**params, "command": ["rm", "-rf", "/"]},
                                            "idempotencyKey": "r3"})
        sent = node.asked()
        assert json.loads(sent["paramsJSON"])["command"] == ["ls", "-l"]
        assert json.loads(sent["paramsJSON"])["approved"] is True
        node.succeed(sent, {"exitCode": 0})
        assert client.answer(asked)["payload"] == {"exitCode": 0}
        error = refusal(lambda: client.call("node.invoke", {**run, "params": params, "idempotencyKey": "r4"}))
        assert error["details"]["code"] == "APPROVAL_REQUIRED"
        plain = client.send("node.invoke", {**run, "params": {"command": ["true"], "smuggled": 1},
                                            "idempotencyKey": "r5"})
        sent = node.asked()
        assert json.loads(sent["paramsJSON"]) == {"command": ["true"]}
        node.succeed(sent, {})
        client.answer(plain)
        client.call("node.pair.remove", {"nodeId": node.node_id})


def test_the_file_of_a_node_is_asked_of_the_node(gateway, client):
    with NodeClient(gateway.port, gateway.token) as node:
        asked = client.send("exec.approvals.node.get", {"nodeId": node.node_id})
        sent = node.asked()
        assert sent["command"] == "system.execApprovals.get"
        node.succeed(sent, {"path": "/x", "exists": False, "hash": "h", "file": {"version": 1}})
        assert client.answer(asked)["hash"] == "h"
        error = refusal(lambda: client.call("node.invoke", {"nodeId": node.node_id, "idempotencyKey": "x",
                                                            "command": "system.execApprovals.get"}))
        assert "use exec.approvals.node.*" in error["message"]
