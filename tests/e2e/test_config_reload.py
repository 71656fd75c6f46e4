"""Editing the config of a running gateway: the next valid text is in force, everything else stays as it was."""

import json
import os
import threading
import time

import pytest

from client import CallError, Client
from gateway import ROOT, Gateway, until


@pytest.fixture(name="running")
def running_gateway():
    made = Gateway(config={"gateway": {"mode": "local", "auth": {"mode": "token", "token": "first-token"},
                                       "reload": {"debounceMs": 50}}})
    made.token = "first-token"
    made.start()
    yield made
    made.close()


def text_of(gateway, **changes):
    with open(gateway.config_path, encoding="utf-8") as file:
        config = json.load(file)
    for path, value in changes.items():
        at = config
        *above, last = path.split("__")
        for key in above:
            at = at.setdefault(key, {})
        at[last] = value
    return json.dumps(config)


with open(os.path.join(ROOT, "schema/config/followers.json"), encoding="utf-8") as rows:
    FOLLOWERS = json.load(rows)["followers"]


def save(gateway, text, name="openclaw.json", how="rename"):
    path = os.path.join(gateway.state_dir, name)
    if how == "rename":
        with open(path + ".swp", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".swp", path)
    else:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def holds(client, path, value):
    def ask():
        at = client.call("config.get")["config"]
        for key in path.split("."):
            at = at.get(key, {})
        return at == value
    until(ask, 10, f"{path} = {value}")


def logged(gateway, *words):
    until(lambda: any(all(word in line for word in words) for line in gateway.logs()), 10, f"{words} in the log")


def is_open(client):
    return client.call("health")["ok"]


@pytest.mark.parametrize("how", ["rename", "in place"])
def test_oc_131094_an_edit_applies_and_connections_stay(running, how):
    with Client(running.port, running.token) as client:
        conn = client.hello["server"]["connId"]
        save(running, text_of(running, agents__defaults__workspace="/elsewhere", logging__level="debug"), how=how)
        holds(client, "agents.defaults.workspace", "/elsewhere")
        logged(running, "config_reload", "edge_restart=false")
        assert is_open(client) and client.hello["server"]["connId"] == conn


def test_oc_24523_a_token_applies_in_place_and_revokes_the_old_one(running):  # GHSA-68x5-xx89-w9mm too
    with Client(running.port, running.token) as client:
        save(running, text_of(running, gateway__auth__token="second-token"))
        until(lambda: gone(client), 10, "the end of a connection whose token is void")
    with pytest.raises(CallError):
        Client(running.port, "first-token")
    with Client(running.port, "second-token") as client:
        assert is_open(client)
    logged(running, "config_reload", "restart=1", "edge_restart=false")


def gone(client):
    try:
        client.call("health", timeout=2)
        return False
    except Exception:  # however the connection ends
        return True


def test_oc_33149_what_the_edge_reads_once_starts_the_edge_alone(running):
    with Client(running.port, running.token) as client:
        run = client.call("chat.send", {"sessionKey": "agent:main:slow", "message": "hello", "idempotencyKey": "k1"})
        host = running.children()
        save(running, text_of(running, gateway__webchat={"chatHistoryMaxChars": 5000}))
        assert client.wait_event("shutdown")["reason"] == "gateway restarting"
    logged(running, "config_reload", "edge_restart=true", "because_of=gateway.webchat")
    until(lambda: running.get("/readyz")[0] == 200, 10, "readiness")
    with Client(running.port, running.token) as client:
        assert client.call("agent.wait", {"runId": run["runId"], "timeoutMs": 5000})["status"] == "ok"
    assert running.children() == host, "no process was started again"


def test_oc_83017_the_mode_hot_starts_nothing(running):
    with Client(running.port, running.token) as client:
        save(running, text_of(running, gateway__reload={"mode": "hot", "debounceMs": 50}))
        holds(client, "gateway.reload.mode", "hot")
        save(running, text_of(running, gateway__webchat={"chatHistoryMaxChars": 5000}))
        logged(running, "config_restart_held", "gateway.webchat")
        assert is_open(client)


def test_the_mode_off_ignores_edits(running):
    with Client(running.port, running.token) as client:
        save(running, text_of(running, gateway__reload={"mode": "off", "debounceMs": 50}))
        holds(client, "gateway.reload.mode", "off")
        save(running, text_of(running, gateway__auth__token="ignored-token"))
        marker = client.call("config.get")
        time_to_notice = time.monotonic() + 1
        until(lambda: time.monotonic() > time_to_notice, 2, "a moment in which nothing happens")
        assert client.call("config.get")["hash"] == marker["hash"] and is_open(client)


def test_the_mode_restart_starts_the_edge_for_any_change(running):
    with Client(running.port, running.token) as client:
        save(running, text_of(running, gateway__reload={"mode": "restart", "debounceMs": 50}))
        client.wait_event("shutdown")
    until(lambda: running.get("/readyz")[0] == 200, 10, "readiness")


def test_an_included_file_is_followed(running):
    save(running, "{ level: 'info' }", "log.json5")
    save(running, text_of(running, logging={"$include": "log.json5"}))
    with Client(running.port, running.token) as client:
        holds(client, "logging.level", "info")
        save(running, "{ level: 'debug' }", "log.json5")
        holds(client, "logging.level", "debug")
        save(running, "{ level: 'nonsense' }", "log.json5")
        until(lambda: not client.call("config.get")["valid"], 10, "the refusal")
        assert client.call("config.get")["config"]["logging"]["level"] == "debug"
        save(running, "{ level: 'warn' }", "log.json5")
        holds(client, "logging.level", "warn")
        assert client.call("config.get")["valid"]


def test_an_invalid_edit_is_refused_and_the_file_is_not_touched(running):
    with Client(running.port, running.token) as client:
        good = client.call("config.get")["hash"]
        for bad, says in (("{", "expected"), ('{"gateway": {"mode": "bogus"}}', "gateway.mode"), ("", "expected")):
            save(running, bad)
            until(lambda: not client.call("config.get")["valid"], 10, "the refusal")
            until(lambda: any(says in issue["message"] + issue["path"]
                              for issue in client.call("config.get")["issues"]), 10, says)
            with open(running.config_path, encoding="utf-8") as file:
                assert file.read() == bad
        assert client.call("config.get")["hash"] == good and is_open(client)
        logged(running, "config_refused", "stays in force")
        os.unlink(running.config_path)
        until(lambda: any("gone" in issue["message"] for issue in client.call("config.get")["issues"]), 10, "the loss")
        assert is_open(client)


def test_an_edit_is_found_where_events_do_not_come():
    gateway = Gateway(environment={"OPENCLAW_WATCH_POLL": "1"}, config={"gateway": {
        "mode": "local", "auth": {"mode": "token", "token": "first-token"}, "reload": {"debounceMs": 50}}}).start()
    try:
        logged(gateway, "config_watch_slow")
        with Client(gateway.port, "first-token") as client:
            save(gateway, text_of(gateway, agents__defaults__workspace="/elsewhere"), how="in place")
            holds(client, "agents.defaults.workspace", "/elsewhere")
    finally:
        gateway.close()


def test_a_refused_edit_is_an_event_and_a_state_of_health(running):
    with Client(running.port, running.token) as client:
        assert client.call("health")["config"] == {"ok": True}
        save(running, '{"gateway": {"mode": "bogus"}}')
        told = client.wait_event("health", lambda health: not health["config"]["ok"])
        assert "openclaw.json:1:" in told["config"]["reason"] and "gateway.mode" in told["config"]["reason"]
        assert told["ok"], "the gateway serves by what is in force"
        until(lambda: not client.call("health")["config"]["ok"], 10, "health to show it")
        with pytest.raises(CallError):  # whoever writes looks at the file as well, and finds the same
            client.call("config.set", {"raw": "{}", "baseHash": client.call("config.get")["hash"]})
        assert sum("config_refused" in line and line.startswith("{") for line in running.logs()) == 1
        save(running, text_of_good(running))
        assert client.wait_event("health", lambda health: health["config"]["ok"])["config"] == {"ok": True}


def text_of_good(gateway):
    with open(gateway.config_path + ".last-good", encoding="utf-8") as file:
        return file.read()


def test_a_change_is_applied_by_those_it_concerns_alone(running):
    with Client(running.port, running.token) as client:
        save(running, text_of(running, logging__level="debug"))
        logged(running, "config_applied", "version=2", "actors=1 failed=0")
        save(running, text_of(running, agents__defaults__workspace="/elsewhere"))
        concerned = sum("agents" in row["paths"] for row in FOLLOWERS)  # the one agent is one of them
        logged(running, "config_applied", "version=3", f"actors={concerned} failed=0")
        save(running, text_of(running, env={"vars": {"UNUSED": "1"}}))
        logged(running, "config_applied", "version=4", "actors=0 failed=0")
        config = client.call("config.get")
        change = {"raw": json.dumps({"gateway": {"auth": {"token": "other-token"}}}), "baseHash": config["hash"]}
        try:
            client.call("config.patch", change)
        except Exception:  # the answer and the end of this connection, whose credential is void, race
            pass
        with Client(running.port, "other-token") as other:  # at once: whoever decides has the new one
            assert "notApplied" not in other.call("config.get")


def test_random_edits_under_load(running):
    """What is in force is always the last valid text; no connection is refused, no run lost."""
    failures, stop, runs = [], threading.Event(), []

    def load():
        with Client(running.port, running.token) as client:
            while not stop.is_set():
                try:
                    with Client(running.port, running.token) as other:
                        assert is_open(other)
                    runs.append(client.chat("hello", f"agent:main:load{len(runs) % 3}")[1][-1]["state"])
                except Exception as problem:  # reported below, with what was wrong
                    failures.append(repr(problem))
                    return

    thread = threading.Thread(target=load)
    thread.start()
    try:
        base = text_of(running)
        with Client(running.port, running.token) as client:
            for i in range(60):
                config = json.loads(base)
                config["agents"]["defaults"]["workspace"] = f"/w{i}"
                valid = json.dumps(config, indent=i % 3)
                kind = i % 6
                if kind in (1, 2):
                    save(running, valid[:len(valid) // (kind + 1)], how="in place")  # torn, then finished
                elif kind == 3:
                    save(running, valid.replace('"local"', '"nowhere"'))
                elif kind == 4:
                    os.rename(running.config_path, running.config_path + ".away")
                save(running, valid, how="rename" if kind % 2 else "in place")
                if i % 10 == 9:
                    holds(client, "agents.defaults.workspace", f"/w{i}")
            holds(client, "agents.defaults.workspace", "/w59")
            assert client.call("config.get")["valid"]
    finally:
        stop.set()
        thread.join(30)
    assert not failures and runs and set(runs) == {"final"}, (failures, runs[-3:])
