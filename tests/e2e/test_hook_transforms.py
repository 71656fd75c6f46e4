"""Hooks that go through a module of the user, by a program that stands in for Node.js: what it may say, and that neither
it nor anything it started can hold up, spoil or outlive the gateway. With the real one: tests/interop."""

import http.client
import json
import os
import re
import threading

import pytest
from beat_provider import BeatProvider
from client import Client
from gateway import Gateway, until
from test_hooks import HOOK, answered, config_of, metric, send

pytestmark = pytest.mark.skipif(os.environ.get("OPENCLAW_TEST_TOPOLOGY") == "ipc", reason="the same in any topology")

# What runs in place of node: it does as the module says, whose text is Python here.
NODE = """#!/usr/bin/python3
import json, os, subprocess, sys, time
asked = json.load(sys.stdin)
words = sys.argv[1:]
def tell(answer):
    os.write(3, json.dumps(answer).encode())
with open(asked["module"]) as file:
    exec(compile(file.read(), asked["module"], "exec"))
"""
MODULES = {
    "echo": """tell({"action": {"message": json.dumps(asked, sort_keys=True), "agentId": "ops", "deliver": False,
                               "sessionKey": "hook:echo", "sessionKeySource": "static"}})""",
    "loud": """print("to the output"); print('a "secret" of mine', file=sys.stderr); sys.stdout.flush()
tell({"action": {"message": "heard"}})""",
    "none": "tell({})",
    "woken": 'tell({"action": {"kind": "wake", "text": " woken ", "mode": "next-heartbeat"}})',
    "empty": 'tell({"action": {"message": "  "}})',
    "routed": 'tell({"action": {"agentId": "secret"}})',
    "channel": 'tell({"action": {"channel": "smoke"}})',
    "key": 'tell({"action": {"sessionKey": "elsewhere"}})',
    "skip": """open(os.path.join(asked["payload"]["dir"], "ran"), "a").write("x")
tell({"skip": True})""",
    "counted": """open(os.path.join(asked["payload"]["dir"], "ran"), "a").write("x")
tell({"action": {"kind": "wake", "text": "once", "mode": "next-heartbeat"}})""",
    "thrown": """print("at line 7", file=sys.stderr)
tell({"error": "no such repository"})""",
    "silent": "pass",
    "garbage": 'os.write(3, b"{\\"action\\":")',
    "deep": 'os.write(3, b\'{"action":\' + b"[" * 5000 + b"]" * 5000 + b"}")',
    "code": "sys.exit(3)",
    "signal": "os.kill(os.getpid(), 9)",
    "much": 'os.write(3, b"x" * (3 << 20))',
    "prints": 'sys.stdout.write("x" * (3 << 20))',
    "hangs": """child = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True)
open(os.path.join(asked["payload"]["dir"], "pids"), "w").write(f"{os.getpid()} {child.pid}")
time.sleep(1000)""",
    "stops": """child = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True)
os.kill(os.getppid(), 19)  # SIGSTOP, to the process that keeps it
open(os.path.join(asked["payload"]["dir"], "pids"), "w").write(f"{os.getpid()} {child.pid} {os.getppid()}")
time.sleep(1000)""",
    "gate": """open(os.path.join(asked["payload"]["dir"], "begun"), "a").write("x")
while not os.path.exists(os.path.join(asked["payload"]["dir"], "open")):
    time.sleep(0.02)
tell({"skip": True})""",
    "environment": 'tell({"action": {"message": json.dumps([sorted(os.environ), words[:2], os.getcwd()])}})',
}


def mapping(name, **more):
    return {"match": {"path": name}, "agentId": "ops", "deliver": False, "sessionKey": f"hook:{name}",
            "messageTemplate": "template", "transform": {"module": f"{name}.mjs"}, **more}


HOOKS = {
    "enabled": True, "token": HOOK, "allowRequestSessionKey": True, "allowedAgentIds": ["main", "ops"],
    "allowedSessionKeyPrefixes": ["hook:", "agent:ops:hook:"],
    "mappings": [mapping("echo", transform={"module": "./echo.mjs", "export": "other"}),
                 mapping("linked"), mapping("absent"), *(mapping(name) for name in MODULES if name != "echo")],
}


def fill(state_dir, folder="hooks/transforms"):
    transforms = os.path.join(state_dir, folder)
    os.makedirs(transforms, exist_ok=True)
    for name, text in MODULES.items():
        with open(os.path.join(transforms, f"{name}.mjs"), "w", encoding="utf-8") as file:
            file.write(text)
    outside = os.path.join(state_dir, "outside.mjs")
    with open(outside, "w", encoding="utf-8") as file:
        file.write('tell({"action": {"message": "must not run"}})')
    if not os.path.lexists(os.path.join(transforms, "linked.mjs")):
        os.symlink(outside, os.path.join(transforms, "linked.mjs"))
    programs = os.path.join(state_dir, "programs")
    os.makedirs(programs, exist_ok=True)
    with open(os.path.join(programs, "node"), "w", encoding="utf-8") as file:
        file.write(NODE)
    os.chmod(os.path.join(programs, "node"), 0o755)
    return programs


def made(provider, topology="inproc", hooks=HOOKS, folder="hooks/transforms", **environment):
    running = Gateway(topology, config=config_of(provider, hooks))
    running.extra = {"PATH": f"{fill(running.state_dir, folder)}:{os.environ['PATH']}", "PROVIDER_API_KEY": "a secret",
                     **environment}
    return running


@pytest.fixture(scope="module", name="shared_provider")
def provider_of_all():
    running = BeatProvider()
    yield running
    running.close()


@pytest.fixture(scope="module")
def gateway(topology, shared_provider):
    running = made(shared_provider, topology)
    try:
        yield running.start()
    finally:
        running.close()


def logged(gateway, event, *words):
    return until(lambda: [line for line in gateway.logs() if event in line and all(word in line for word in words)], 10,
                 f"{event} in the log")[0]


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def left_hanging(gateway, folder, name="hangs"):
    """A connection whose answer is not there yet."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request("POST", f"/hooks/{name}", json.dumps({"dir": str(folder)}), {"Authorization": f"Bearer {HOOK}"})
    return connection


def said_in(gateway, session):
    with Client(gateway.port, gateway.token) as client:
        return answered(client, session)[0][1]


# --- what it may say -----------------------------------------------------------------------------------------------------

def test_a_module_gets_the_request_and_says_what_is_asked_for(gateway):
    status, answer = send(gateway, "/echo?place=here", {"a": [1, {"b": "ü"}]}, headers={"X-Event": "opened"})
    assert (status, answer["ok"]) == (200, True)
    text = said_in(gateway, "agent:ops:hook:echo")
    asked = json.loads(re.search(r"\n---\n(\{.*\})\n", text)[1])
    assert asked["payload"] == {"a": [1, {"b": "ü"}]} and asked["query"] == {"place": "here"}
    assert (asked["path"], asked["base"], asked["export"]) == ("echo", "/hooks", "other")
    assert asked["headers"]["x-event"] == "opened" and "authorization" not in asked["headers"]
    assert HOOK not in json.dumps(asked)


def test_what_it_prints_spoils_nothing_and_is_logged(gateway):
    assert send(gateway, "/loud", {})[0] == 200
    assert "\nheard\n" in said_in(gateway, "agent:ops:hook:loud")
    line = logged(gateway, "hook_transform_printed", "loud.mjs")
    assert "to the output" in line and "of mine" in line


def test_who_says_nothing_leaves_the_mapping_as_it_is(gateway):
    assert send(gateway, "/none", {})[0] == 200
    assert "\ntemplate\n" in said_in(gateway, "agent:ops:hook:none")


def test_it_may_make_a_wake_of_it(gateway):
    assert send(gateway, "/woken", {}) == (200, {"ok": True, "mode": "next-heartbeat"})


@pytest.mark.parametrize("name, word", [
    ("empty", "requires message"), ("routed", "allowedAgentIds"), ("channel", "channel must be last"),
    ("key", "sessionKey must start with"),
])
def test_what_a_mapping_could_not_have_said_it_cannot_say_either(gateway, name, word):
    status, answer = send(gateway, f"/{name}", {})
    assert status == 400 and answer["ok"] is False and word in answer["error"]


def test_null_means_that_nothing_is_to_be_done(gateway, tmp_path):
    skipped = metric(gateway, "openclaw_hooks_total", "skipped")
    status, headers, body = gateway.request("POST", "/hooks/skip", {"dir": str(tmp_path)}, {"Authorization": f"Bearer {HOOK}"})
    assert (status, body) == (204, "") and "Content-Length" not in headers
    assert metric(gateway, "openclaw_hooks_total", "skipped") == skipped + 1


def test_a_repeat_is_answered_without_another_run(gateway, tmp_path):
    for _ in range(3):
        assert send(gateway, "/counted", {"dir": str(tmp_path)}, headers={"Idempotency-Key": str(tmp_path)}) == (
            200, {"ok": True, "mode": "next-heartbeat"})
    assert (tmp_path / "ran").read_text() == "x"


# --- what goes wrong -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, told, reason", [
    ("thrown", "threw an error", "no such repository"),
    ("silent", "no answer that can be read", "without an answer"),
    ("garbage", "no answer that can be read", "without an answer"),
    ("deep", "no answer that can be read", "nested too deeply"),
    ("code", "ended with code 3", "ended with code 3"),
    ("signal", "ended by signal 9", "ended by signal 9"),
    ("much", "wrote more than", "wrote more than"),
    ("prints", "wrote more than", "wrote more than"),
    ("absent", "no module that can be used", "No such file"),
    ("linked", "no module that can be used", "outside of"),
])
def test_a_module_that_fails_is_told_and_logged(gateway, name, told, reason):
    status, answer = send(gateway, f"/{name}", {})
    assert status == 500 and answer["ok"] is False
    assert answer["error"].startswith("hook mapping failed: ") and told in answer["error"]
    line = logged(gateway, "hook_transform_failed", f"path=\\\"{name}\\\"", reason)
    assert name != "thrown" or "at line 7" in line
    assert "no such repository" not in answer["error"], "what a module says may be no business of the sender"


def test_nothing_of_ours_is_in_its_environment(gateway):
    assert send(gateway, "/environment", {})[0] == 200
    names, words, directory = json.loads(re.search(r"\n---\n(\[.*\])\n", said_in(gateway, "agent:ops:hook:environment"))[1])
    assert "PATH" in names and "HOME" in names
    assert not [name for name in names if name.startswith(("OPENCLAW_", "PROVIDER_", "ASAN_"))]
    assert words == ["--input-type=module", "--eval"]
    assert directory == os.path.join(os.path.realpath(gateway.state_dir), "hooks/transforms")


def test_one_that_hangs_is_ended_with_all_it_started(gateway, tmp_path):
    got = []
    sender = threading.Thread(target=lambda: got.append(gateway.request(
        "POST", "/hooks/hangs", {"dir": str(tmp_path)}, {"Authorization": f"Bearer {HOOK}"}, timeout=60)))
    sender.start()
    until(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text(), 10, "its start")
    assert send(gateway, "/loud", {})[0] == 200, "others go on"
    sender.join(60)
    assert got[0][0] == 500 and "not done after 20000 ms" in got[0][2]
    for pid in (tmp_path / "pids").read_text().split():
        until(lambda pid=pid: is_gone(pid), 10, f"the end of {pid}")


@pytest.mark.parametrize("name", ["hangs", "stops"])
def test_one_whose_sender_goes_is_ended(gateway, tmp_path, name):
    connection = left_hanging(gateway, tmp_path, name)
    until(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text(), 10, "its start")
    connection.close()
    for pid in (tmp_path / "pids").read_text().split():
        until(lambda pid=pid: is_gone(pid), 5, f"the end of {pid}")


def test_few_run_at_once_some_wait_and_the_rest_is_refused(gateway, tmp_path):
    got = []
    senders = [threading.Thread(target=lambda: got.append(gateway.request(
        "POST", "/hooks/gate", {"dir": str(tmp_path)}, {"Authorization": f"Bearer {HOOK}"}, timeout=60))) for _ in range(4 + 64 + 3)]
    for sender in senders:
        sender.start()
    refused = until(lambda: len(got) == 3 and list(got), 20, "the refusals")
    assert [status for status, _, _ in refused] == [503] * 3
    assert all(int(headers["Retry-After"]) > 0 and "transform" in body for _, headers, body in refused)
    begun = tmp_path / "begun"
    until(lambda: begun.exists() and len(begun.read_text()) >= 4, 10, "the first four")
    assert begun.read_text() == "xxxx"
    (tmp_path / "open").write_text("")
    for sender in senders:
        sender.join(60)
    assert sorted(status for status, _, _ in got) == [204] * 68 + [503] * 3


def test_the_end_of_the_gateway_is_the_end_of_all(shared_provider, tmp_path):
    running = made(shared_provider)
    try:
        running.start()
        connection = left_hanging(running, tmp_path)
        until(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text(), 10, "its start")
        running.stop()
        for pid in (tmp_path / "pids").read_text().split():
            until(lambda pid=pid: is_gone(pid), 5, f"the end of {pid}")
        connection.close()
    finally:
        running.close()


# --- where it is, and what runs it --------------------------------------------------------------------------------------------

def test_without_node_they_are_answered_with_what_would_help(shared_provider):
    with made(shared_provider, OPENCLAW_NODE="/nowhere/node") as running:
        status, answer = send(running, "/none", {})
        assert status == 501 and "Node.js" in answer["error"] and "OPENCLAW_NODE" in answer["error"]
        logged(running, "hooks_transform_not_served", f"mappings={len(HOOKS['mappings'])}")


def test_the_program_may_be_named(shared_provider):
    running = made(shared_provider, PATH="/nowhere")
    running.extra["OPENCLAW_NODE"] = os.path.join(running.state_dir, "programs/node")
    with running:
        assert send(running, "/none", {})[0] == 200


@pytest.mark.parametrize("module", ["../x.mjs", "a/../../x.mjs", "/etc/x.mjs", "~/x.mjs", "file:x.mjs", "a\\..\\x.mjs", " "])
def test_a_module_that_is_named_from_outside_is_refused_at_the_start(fresh_gateway, module):
    running = fresh_gateway(config={"hooks": {**HOOKS, "mappings": [mapping("a", transform={"module": module})]}}).spawn()
    assert running.process.wait(20) == 78
    assert "hooks.mappings[0].transform.module" in running.text()


@pytest.mark.parametrize("said, works", [("mine", True), ("~/hooks/transforms/mine", True), ("../mine", False), ("/tmp", False)])
def test_a_directory_of_ones_own_is_below_the_one_for_them(shared_provider, said, works):
    with made(shared_provider, hooks={**HOOKS, "transformsDir": said}, folder="hooks/transforms/mine") as running:
        assert send(running, "/none", {})[0] == (200 if works else 500)
        told = running.cli("doctor").stdout
    assert ("hooks.transformsDir leads to" in told) is not works
    assert not works or "absent.mjs cannot be used: No such file" in told
