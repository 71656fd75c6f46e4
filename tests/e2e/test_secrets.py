"""References to secrets: resolved before they are used, swapped as a whole, failing for their owner alone, never shown."""

import itertools
import json
import os
import resource
import signal
import stat
import subprocess

import pytest

from client import CallError, Client, text_of
from gateway import BINARY, TOKEN, until

PLANTED = "pl4nted-s3cret-"
TURNS = itertools.count(1)


def put(gateway, name, text, mode=0o600):
    path = os.path.join(gateway.state_dir, name)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path + ".new", mode)
    os.replace(path + ".new", path)
    return path


def program(gateway, name, values=None, script=""):
    """A provider that runs `script`, then answers with the values, and counts how often it is asked."""
    answer = json.dumps({"protocolVersion": 1, "values": values or {}})
    return put(gateway, name, f"#!/bin/sh\necho x >> {name}.runs\n{script}\ncat <<'END'\n{answer}\nEND\n", 0o700)


def runs(gateway, name):
    path = os.path.join(gateway.state_dir, name + ".runs")
    if not os.path.exists(path):
        return 0
    with open(path, encoding="utf-8") as file:
        return len(file.readlines())


def exec_entry(path, **more):
    return {"source": "exec", "command": path, "passEnv": ["PATH"], **more}


def ref(source, provider, name):
    return {"source": source, "provider": provider, "id": name}


def model(provider, key, name="mock"):
    return {"models": {"providers": {name: {"api": "openai-completions", "baseUrl": f"http://127.0.0.1:{provider.port}/v1",
                                            "apiKey": key, "models": [{"id": "mock-1", "name": "mock-1"}]}}},
            "agents": {"defaults": {"model": {"primary": f"{name}/mock-1"}}}}


def config_of(gateway):
    with open(gateway.config_path, encoding="utf-8") as file:
        return json.load(file)


def save(made, **changes):
    put(made, "openclaw.json", json.dumps({**config_of(made), **changes}))


def logged(gateway, code):
    """Lines of the log file; the output has the same."""
    return [line for line in gateway.logs() if code in line and line.startswith("{")]


def gone(client):
    try:
        client.call("health", timeout=2)
        return False
    except Exception:  # however the connection ends
        return True


def run(client, agent="main", session="k"):
    """One turn; the answer's text, or the error that it ended with."""
    started = client.call("chat.send", {"sessionKey": f"agent:{agent}:{session}", "message": "hi",
                                        "idempotencyKey": f"turn-{next(TURNS)}"})
    end = client.wait_event("chat", lambda body: body["runId"] == started["runId"] and body["state"] in ("final", "error"))
    return text_of(end["message"]) if end["state"] == "final" else end["errorMessage"]


def last_key(provider):
    return provider.stats()["headers"][-1]["authorization"]


# --- each source --------------------------------------------------------------------------------------

@pytest.mark.parametrize("source", ["env", "short", "file", "single", "exec"])
def test_a_model_is_asked_with_the_key_of_each_source(fresh_gateway, provider, source):
    value = f"{PLANTED}{source}"
    gateway = fresh_gateway(environment={"THE_KEY": value})
    secrets = {"providers": {
        "default": {"source": "env", "allowlist": ["THE_KEY"]},
        "disk": {"source": "file", "path": put(gateway, "keys.json", json.dumps({"a": {"b/c": value}}))},
        "one": {"source": "file", "path": put(gateway, "key", value + "\n"), "mode": "singleValue"},
        "vault": exec_entry(program(gateway, "vault", {"models/mock": value}))}}
    key = {"env": ref("env", "default", "THE_KEY"), "short": "${THE_KEY}", "file": ref("file", "disk", "/a/b~1c"),
           "single": ref("file", "one", "value"), "exec": ref("exec", "vault", "models/mock")}[source]
    save(gateway, secrets=secrets, **model(provider, key))
    gateway.start()
    with Client(gateway.port, gateway.token) as client:
        run(client)
        assert last_key(provider) == f"Bearer {value}"
        shown = client.call("config.get")
        assert value not in json.dumps(shown) and shown["warnings"] == []


@pytest.mark.parametrize("source", ["file", "exec"])
def test_the_gateways_own_token_may_be_a_reference(only_once, fresh_gateway, source):
    gateway = fresh_gateway()
    value = f"{PLANTED}own-{source}"
    path = put(gateway, "t", value) if source == "file" else program(gateway, "t", {"value": value})
    entry = {"source": "file", "path": path, "mode": "singleValue"} if source == "file" else exec_entry(path)
    save(gateway, secrets={"providers": {"mine": entry}},
         gateway={"mode": "local", "auth": {"mode": "token", "token": ref(source, "mine", "value")}})
    gateway.start()
    Client(gateway.port, value).socket.close()
    with pytest.raises(CallError):
        Client(gateway.port, TOKEN)
    done = gateway.cli("secrets", "reload")  # and the command line finds it by the same reference
    assert done.returncode == 0 and value not in done.stdout + done.stderr, done.stderr
    os.rename(path, path + ".gone")
    done = gateway.cli("secrets", "reload")  # in by the owner's socket: what is refused now is the reload itself
    assert done.returncode == 1 and "everything stays as it was" in done.stderr
    Client(gateway.port, value).socket.close()
    gateway.stop()
    done = gateway.cli("secrets", "reload")
    assert done.returncode == 78 and "gateway.auth.token cannot be resolved here: secrets.providers.mine: " in done.stderr


# --- starts ---------------------------------------------------------------------------------------------

def start_fails(gateway, code):
    gateway.spawn()
    assert gateway.process.wait(20) == code, gateway.text()
    return gateway.text()


@pytest.mark.parametrize("script, limit_ms, why", [("exit 1", 5000, "ended with code 1"),
                                                   ("sleep 30", 500, "was not done after 500 ms")])
def test_oc_112435_a_start_without_its_own_token_fails_fast_and_names_the_path(only_once, fresh_gateway, script, limit_ms, why):
    gateway = fresh_gateway()
    path = program(gateway, "vault", {"t": PLANTED}, script)
    save(gateway, secrets={"providers": {"vault": exec_entry(path, timeoutMs=limit_ms)}},
         gateway={"mode": "local", "auth": {"mode": "token", "token": ref("exec", "vault", "t")}})
    said = start_fails(gateway, 75)
    assert f"gateway.auth.token cannot be resolved: secrets.providers.vault: the program" in said and why in said
    assert runs(gateway, "vault") == 3 and PLANTED not in said


def test_oc_127669_a_variable_that_is_not_set_is_no_token(only_once, fresh_gateway):
    gateway = fresh_gateway()
    save(gateway, gateway={"mode": "local", "auth": {"mode": "token", "token": ref("env", "default", "NOBODY_SET_THIS")}})
    assert "gateway.auth.token cannot be resolved: environment variable NOBODY_SET_THIS" in start_fails(gateway, 78)


def test_oc_75814_a_start_does_not_depend_on_secrets_of_others(only_once, fresh_gateway, provider):
    gateway = fresh_gateway()
    path = program(gateway, "vault", script="exit 1")
    secrets = {"providers": {"vault": exec_entry(path)}}
    good = model(provider, "sk-plain")
    bad = model(provider, ref("exec", "vault", "x"), "bad")["models"]["providers"]
    gone = model(provider, ref("exec", "renamed", "x"), "gone")["models"]["providers"]
    good["models"]["providers"].update({**bad, **gone})
    good["agents"]["list"] = [{"id": "main"}, {"id": "bad", "model": "bad/mock-1"}]
    save(gateway, secrets=secrets, **good)
    gateway.start()
    with Client(gateway.port, gateway.token) as client:
        run(client)
        assert last_key(provider) == "Bearer sk-plain"
        asked = len(provider.stats()["headers"])
        assert "models.providers.bad.apiKey refers to a secret that is not available" in run(client, "bad")
        assert len(provider.stats()["headers"]) == asked  # oc#127669: no other credential was tried
        assert {w["path"] for w in client.call("config.get")["warnings"]} == {"models.providers.bad.apiKey",
                                                                            "models.providers.gone.apiKey"}
    assert logged(gateway, "SECRETS_DEGRADED")
    assert not [x for x in logged(gateway, "SECRETS_RELOADER_DEGRADED") if "attempts" not in x]  # it never worked before


def test_what_a_program_started_ends_with_the_gateway(only_once, fresh_gateway, provider):
    gateway = fresh_gateway()
    stray = os.path.join(gateway.state_dir, "stray")
    path = program(gateway, "vault", script=f"setsid sh -c 'echo $$ > {stray}; exec sleep 1000' & sleep 1000")
    save(gateway, secrets={"providers": {"vault": exec_entry(path, timeoutMs=100000)}},
         **model(provider, ref("exec", "vault", "k")))
    gateway.start()
    until(lambda: os.path.exists(stray) and os.path.getsize(stray), 10, "the program")
    with open(stray, encoding="ascii") as file:
        pid = int(file.read())
    for each in gateway.processes():
        with open(f"/proc/{each}/comm", encoding="ascii") as file:
            if file.read() != "program-keeper\n":
                os.kill(each, signal.SIGKILL)
    until(lambda: not gateway.processes() and not os.path.exists(f"/proc/{pid}/cmdline"), 10, "the end of what it started in a session of its own")


def test_a_provider_that_hangs_holds_nobody_up_and_one_that_is_late_is_waited_for(fresh_gateway, provider):
    gateway = fresh_gateway()
    late = program(gateway, "late", {"k": PLANTED + "late"}, "sleep 0.5")
    hung = program(gateway, "hung", {"k": "x"}, "sleep 60")
    config = model(provider, ref("exec", "late", "k"))
    config["models"]["providers"].update(model(provider, ref("exec", "hung", "k"), "hung")["models"]["providers"])
    save(gateway, secrets={"providers": {"late": exec_entry(late), "hung": exec_entry(hung, timeoutMs=1000)}}, **config)
    gateway.start()
    with Client(gateway.port, gateway.token) as client:
        run(client)
        assert last_key(provider) == f"Bearer {PLANTED}late"


def test_oc_112435_what_failed_at_the_start_is_tried_again_until_it_works(only_once, fresh_gateway, provider):
    gateway = fresh_gateway()
    path = program(gateway, "vault", script="exit 1")
    save(gateway, secrets={"providers": {"vault": exec_entry(path)}}, **model(provider, ref("exec", "vault", "k")))
    gateway.start()
    with Client(gateway.port, gateway.token) as client:
        assert "not available" in run(client)
        program(gateway, "vault", {"k": PLANTED + "again"})
        until(lambda: logged(gateway, "SECRETS_RELOADER_RECOVERED"), 15, "recovery")
        until(lambda: "not available" not in run(client), 10, "the key")
        assert last_key(provider) == f"Bearer {PLANTED}again"


# --- reloads ----------------------------------------------------------------------------------------------

@pytest.fixture(name="rotating")
def rotating_gateway(request, fresh_gateway, provider):
    """One key from a file, one from a program, and the gateway's own token from the file."""
    gateway = fresh_gateway()
    gateway.token = PLANTED + "token-1"
    keys(gateway, 1)
    program(gateway, "vault", {"k": PLANTED + "exec-1"})
    config = model(provider, ref("file", "disk", "/key"))
    config["models"]["providers"].update(model(provider, ref("exec", "vault", "k"), "other")["models"]["providers"])
    save(gateway, **config,
         secrets={"providers": {"disk": {"source": "file", "path": "~/keys.json"},
                                "vault": exec_entry(os.path.join(gateway.state_dir, "vault"))}},
         gateway={"mode": "local", "auth": {"mode": "token", "token": ref("file", "disk", "/token")},
                  "reload": {"debounceMs": 50, "mode": getattr(request, "param", "hybrid")}})
    return gateway.start()


def accepts(gateway, token):
    try:
        Client(gateway.port, token).socket.close()
        return True
    except CallError:
        return False


def keys(gateway, number):
    put(gateway, "keys.json", json.dumps({"key": f"{PLANTED}file-{number}", "token": f"{PLANTED}token-{number}"}))


by_hand = pytest.mark.parametrize("rotating", ["off"], indirect=True)


@by_hand
def test_a_reload_reads_files_and_programs_anew_and_revokes_what_the_old_token_opened(rotating, provider):
    client = Client(rotating.port, rotating.token)
    run(client)
    assert last_key(provider) == f"Bearer {PLANTED}file-1"
    keys(rotating, 2)
    assert client.call("secrets.reload") == {"ok": True, "warningCount": 0}
    until(lambda: gone(client), 10, "the end of a connection whose token is void")
    with pytest.raises(CallError):
        Client(rotating.port, rotating.token)
    with Client(rotating.port, PLANTED + "token-2") as again:
        run(again)
        assert last_key(provider) == f"Bearer {PLANTED}file-2"
        assert again.call("secrets.reload") == {"ok": True, "warningCount": 0}  # and nothing changes, so it stays


@by_hand
def test_a_reload_that_fails_changes_nothing_and_is_repeated_until_it_works(rotating, provider):
    with Client(rotating.port, rotating.token) as client:
        keys(rotating, 2)
        program(rotating, "vault", script="exit 1")
        with pytest.raises(CallError) as failed:
            client.call("secrets.reload")
        why = "secrets.providers.vault: the program ended with code 1"
        error = failed.value.error
        assert error["code"] == "UNAVAILABLE" and error["retryable"]
        assert error["message"] == f"secrets.reload failed: models.providers.other.apiKey: {why}"
        assert error["details"] == {"failedCount": 1, "failed": [
            {"path": "models.providers.other.apiKey", "source": "exec", "provider": "vault", "id": "k", "reason": why,
             "state": "stale"}]}
        run(client)
        assert last_key(provider) == f"Bearer {PLANTED}file-1"  # all or nothing
        until(lambda: len(logged(rotating, "SECRETS_RELOADER_DEGRADED")) > 1, 10, "another attempt")
        run(client, session="main")
        assert "[SECRETS_RELOADER_DEGRADED] 1 secret is not available" in json.dumps(provider.stats()["bodies"][-1])
        shown = json.dumps(client.call("status")) + json.dumps(client.call("health"))
        assert len([x for x in logged(rotating, "SECRETS_RELOADER_DEGRADED") if "attempts" not in x]) == 1
        assert PLANTED not in shown
        client.call("config.get")
        program(rotating, "vault", {"k": PLANTED + "exec-2"})
        until(lambda: logged(rotating, "SECRETS_RELOADER_RECOVERED"), 15, "recovery")
        until(lambda: gone(client), 10, "the end of a connection whose token is void")
    with Client(rotating.port, PLANTED + "token-2") as client:
        run(client)
        assert last_key(provider) == f"Bearer {PLANTED}file-2"


def test_a_file_of_secrets_that_changes_alone_is_read(rotating, provider):
    def is_asked_with(client, number):  # auth and the agent each get their own secrets, one a moment after the other
        run(client)
        return last_key(provider) == f"Bearer {PLANTED}file-{number}"

    keys(rotating, 2)
    until(lambda: accepts(rotating, PLANTED + "token-2"), 10, "the new token")
    with Client(rotating.port, PLANTED + "token-2") as client:
        until(lambda: is_asked_with(client, 2), 10, "the new key")
    with pytest.raises(CallError):
        Client(rotating.port, PLANTED + "token-1")
    before = len(logged(rotating, "SECRETS_RELOADER_DEGRADED"))
    put(rotating, "keys.json", "{")  # all or nothing, and told until it is over
    until(lambda: len(logged(rotating, "SECRETS_RELOADER_DEGRADED")) > before, 10, "the failure")
    with Client(rotating.port, PLANTED + "token-2") as client:
        assert is_asked_with(client, 2)
    keys(rotating, 3)
    until(lambda: accepts(rotating, PLANTED + "token-3"), 10, "the token after that")
    until(lambda: logged(rotating, "SECRETS_RELOADER_RECOVERED"), 10, "the word of it")


@by_hand
def test_a_file_of_secrets_that_is_newer_is_told_of_where_nothing_reloads_by_itself(only_once, rotating):
    keys(rotating, 2)
    told = "a file of secrets is newer than the values in use"
    until(lambda: told in rotating.cli("bus", "actors", "--json").stdout, 10, "the word of it")
    with Client(rotating.port, rotating.token) as client:
        assert client.call("secrets.reload")["ok"] is True
    assert told not in rotating.cli("bus", "actors", "--json").stdout


def test_health_tells_of_secrets_that_fail(only_once, rotating):
    with Client(rotating.port, rotating.token) as client:
        program(rotating, "vault", script="exit 1")
        with pytest.raises(CallError):
            client.call("secrets.reload")
        seen = rotating.cli("health", "--token", rotating.token, "--json")
        told = seen.stdout + rotating.cli("bus", "actors", "--json").stdout
        assert "1 secret is not available: models.providers.other.apiKey (stale)" in told


def test_an_edit_whose_new_reference_fails_is_refused_and_taken_once_it_resolves(only_once, rotating, provider):
    with Client(rotating.port, rotating.token) as client:
        config = config_of(rotating)
        config["models"]["providers"]["mock"]["apiKey"] = ref("exec", "vault", "new")
        save(rotating, **config)
        until(lambda: logged(rotating, "config_refused"), 10, "the refusal")
        assert "models.providers.mock.apiKey cannot be resolved" in logged(rotating, "config_refused")[0]
        run(client)
        assert last_key(provider) == f"Bearer {PLANTED}file-1"
        program(rotating, "vault", {"k": PLANTED + "exec-1", "new": PLANTED + "new"})
        until(lambda: logged(rotating, "SECRETS_RELOADER_RECOVERED"), 15, "recovery")
        run(client)
        assert last_key(provider) == f"Bearer {PLANTED}new"


@pytest.fixture(name="lacking")
def lacking_gateway(only_once, fresh_gateway, provider):
    """One key was never there."""
    gateway = fresh_gateway()
    save(gateway, **model(provider, "${NOBODY_SET_THIS}", "three"))
    return gateway.start()


def config_cli(gateway, *words, code=0):
    done = gateway.cli("config", *words)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout + done.stderr


def test_a_secret_that_is_missing_since_the_start_refuses_no_other_change(lacking, provider):
    config_cli(lacking, "set", "agents.defaults.timeoutSeconds", "100")
    config = config_of(lacking)
    assert config["agents"]["defaults"]["timeoutSeconds"] == 100
    config["agents"]["defaults"]["timeoutSeconds"] = 101
    save(lacking, **config)
    with Client(lacking.port, lacking.token) as client:
        until(lambda: client.call("config.get")["config"]["agents"]["defaults"]["timeoutSeconds"] == 101, 10, "the edit")
        assert [w["path"] for w in client.call("config.get")["warnings"]] == ["models.providers.three.apiKey"]
        assert "not available" in run(client)
    assert not logged(lacking, "config_refused")
    said = config_cli(lacking, "set", "models.providers.three.apiKey", "${NOR_THIS}", code=1)
    assert "models.providers.three.apiKey: the secret that this refers to is not available" in said
    entry = json.dumps({**config["models"]["providers"]["three"], "headers": {"X-Key": ref("env", "default", "NOBODY_SET_THIS")}})
    assert "three.headers.X-Key" in config_cli(lacking, "set", "models.providers.three", entry, code=1)
    said = config_cli(lacking, "set", "secrets.providers.default", "{source: 'env', allowlist: ['A']}", code=1)
    assert "models.providers.three.apiKey" in said
    assert config_of(lacking)["models"] == config["models"] and "secrets" not in config_of(lacking)


@pytest.mark.parametrize("source", ["env", "exec"])
def test_an_edit_that_is_refused_for_its_secrets_can_be_mended_by_a_write(only_once, rotating, source):
    config = config_of(rotating)
    config["models"]["providers"]["mock"]["apiKey"] = ref(source, "vault" if source == "exec" else "default", "NONE")
    config["agents"]["defaults"]["timeoutSeconds"] = 100
    save(rotating, **config)
    until(lambda: logged(rotating, "config_refused"), 10, "the refusal")
    said = config_cli(rotating, "set", "logging.level", "debug", code=1)
    assert "models.providers.mock.apiKey" in said and "changed since" not in said
    assert config_of(rotating) == config
    with Client(rotating.port, rotating.token) as client:
        with pytest.raises(CallError) as refused:
            client.call("config.set", {"raw": "{}", "baseHash": "none"})
        assert "models.providers.mock.apiKey cannot be resolved" in refused.value.error["message"]
        assert config_of(rotating) == config
        until(lambda: rotating.cli("config", "unset", "models.providers.mock.apiKey").returncode == 0, 10, "the mended config")
        assert "apiKey" not in config_of(rotating)["models"]["providers"]["mock"]
        shown = client.call("config.get")
        assert shown["config"]["agents"]["defaults"]["timeoutSeconds"] == 100 and shown["warnings"] == [], shown
        assert "apiKey" not in shown["config"]["models"]["providers"]["mock"]


def test_an_edit_of_something_else_is_taken_while_a_provider_fails(only_once, rotating):
    with Client(rotating.port, rotating.token) as client:
        program(rotating, "vault", script="exit 1")
        save(rotating, logging={"level": "debug"})
        until(lambda: client.call("config.get")["config"].get("logging") == {"level": "debug"}, 10, "the edit")
        assert [w["path"] for w in client.call("config.get")["warnings"]] == ["models.providers.other.apiKey"]


def test_a_reference_of_an_agent_that_moves_in_its_list_is_no_new_one(only_once, rotating):
    mine = {"id": "main", "memorySearch": {"enabled": True, "remote": {"apiKey": ref("exec", "vault", "k")}}}
    with Client(rotating.port, rotating.token) as client:
        def agents(*entries):
            config = config_of(rotating)
            config["agents"]["list"] = list(entries)
            save(rotating, **config)
            until(lambda: len(client.call("config.get")["config"]["agents"].get("list", [])) == len(entries), 10, "the edit")

        agents(mine)
        program(rotating, "vault", script="exit 1")
        agents({"id": "other"}, {**mine, "default": True})
        paths = {w["path"] for w in client.call("config.get")["warnings"]}
        assert paths == {"agents.list.1.memorySearch.remote.apiKey", "models.providers.other.apiKey"}
        assert not logged(rotating, "config_refused"), "it keeps the value that it has"
        agents({"id": "other", "memorySearch": {"enabled": True, "remote": {"apiKey": ref("exec", "vault", "k")}}},
               {"id": "third"}, {**mine, "default": True})  # the same secret


def test_a_write_waits_for_its_secrets_and_others_do_not_wait_for_it(only_once, rotating):
    with Client(rotating.port, rotating.token) as client, Client(rotating.port, rotating.token) as other:
        slow = program(rotating, "slow", {"k": PLANTED + "slow"}, "sleep 0.5")
        got = client.call("config.get")
        patch = {"secrets": {"providers": {"slow": exec_entry(slow)}},
                 "models": {"providers": {"mock": {"apiKey": ref("exec", "slow", "k")}}}}
        waiting = client.send("config.patch", {"raw": json.dumps(patch), "baseHash": got["hash"]})
        until(lambda: runs(rotating, "slow"), 10, "the program")
        assert other.call("config.get")["hash"] == got["hash"]
        second = other.send("config.patch", {"raw": "{logging: {level: 'debug'}}", "baseHash": got["hash"]})
        assert client.answer(waiting)["ok"]
        with pytest.raises(CallError) as late:  # it had its turn, and is made from what was there before the first
            other.answer(second)
        assert "config changed since last load" in late.value.error["message"]
        assert config_of(rotating)["models"]["providers"]["mock"]["apiKey"] == ref("exec", "slow", "k")
        patch["models"]["providers"]["mock"]["apiKey"]["id"] = "none"
        got = client.call("config.get")
        waiting = client.send("config.patch", {"raw": json.dumps(patch), "baseHash": got["hash"]})
        until(lambda: runs(rotating, "slow"), 10, "the program")
        second = other.send("config.set", {"raw": json.dumps({**got["parsed"], "logging": {"level": "debug"}}),
                                           "baseHash": got["hash"]})
        with pytest.raises(CallError) as refused:
            client.answer(waiting)
        assert "models.providers.mock.apiKey" in refused.value.error["message"]
        assert other.answer(second)["ok"], "the first came to nothing, so the second is made"
        assert config_of(rotating)["models"]["providers"]["mock"]["apiKey"]["id"] == "k"
        assert config_of(rotating)["logging"]["level"] == "debug"


# --- secrets.resolve -----------------------------------------------------------------------------------------

def test_a_command_gets_what_it_needs_of_what_is_in_use(only_once, rotating):
    with Client(rotating.port, rotating.token) as client:
        said = client.call("secrets.resolve", {"commandName": "x", "targetIds": ["models.providers.*.apiKey"]})
        assert said == {"ok": True, "diagnostics": [], "inactiveRefPaths": [], "assignments": [
            {"path": f"models.providers.{name}.apiKey", "pathSegments": ["models", "providers", name, "apiKey"],
             "value": PLANTED + value} for name, value in (("mock", "file-1"), ("other", "exec-1"))]}
        only = client.call("secrets.resolve", {"commandName": "x", "targetIds": ["models.providers.*.apiKey"],
                                               "allowedPaths": ["models.providers.other.apiKey"]})
        assert [a["path"] for a in only["assignments"]] == ["models.providers.other.apiKey"]
        for params, why in (({"commandName": " ", "targetIds": []}, "commandName"),
                            ({"commandName": "x", "targetIds": ["hooks.token"]}, 'unknown target id "hooks.token"')):
            with pytest.raises(CallError, match=why):
                client.call("secrets.resolve", params)
    with Client(rotating.port, rotating.token, scopes=["operator.read", "operator.write"]) as client:
        for method, params in (("secrets.resolve", {"commandName": "x", "targetIds": []}), ("secrets.reload", {})):
            with pytest.raises(CallError, match="operator.admin"):
                client.call(method, params)


def test_what_is_not_in_use_is_told_and_fails_nobody(only_once, fresh_gateway):
    gateway = fresh_gateway()
    config = config_of(gateway)
    config["gateway"]["auth"]["password"] = ref("env", "default", "NOBODY_SET_THIS")
    config["channels"] = {"telegram": {"botToken": ref("env", "default", "NOBODY_SET_THIS")}}
    save(gateway, **config)
    gateway.start()
    with Client(gateway.port, gateway.token) as client:
        said = client.call("secrets.resolve", {"commandName": "x", "targetIds": ["gateway.auth.password"]})
        assert said["assignments"] == [] and said["inactiveRefPaths"] == ["gateway.auth.password"]
        assert client.call("secrets.reload") == {"ok": True, "warningCount": 2}
    told = logged(gateway, "SECRETS_REF_IGNORED_INACTIVE_SURFACE")
    assert len(told) == 2 and logged(gateway, "SECRETS_GATEWAY_AUTH_SURFACE")


def test_a_command_puts_places_to_use_that_nothing_else_uses(only_once, fresh_gateway):
    gateway = fresh_gateway()
    config = config_of(gateway)
    web = {name: {"config": {"webSearch": {"apiKey": ref("file", "disk", f"/{name}")}}} for name in ("xai", "brave")}
    put(gateway, "keys.json", json.dumps({"xai": PLANTED + "xai"}))
    save(gateway, plugins={"entries": web}, secrets={"providers": {"disk": {"source": "file", "path": "~/keys.json"}}})
    gateway.start()
    xai, brave = (f"plugins.entries.{name}.config.webSearch.apiKey" for name in ("xai", "brave"))

    def resolve(**more):
        said = client.call("secrets.resolve", {"commandName": "x", "targetIds": [xai, brave], **more})
        return {a["path"]: a["value"] for a in said["assignments"]}, said["inactiveRefPaths"]

    with Client(gateway.port, gateway.token, minProtocol=4, maxProtocol=4) as client:
        assert resolve() == ({}, [xai, brave])
        assert resolve(forcedActivePaths=[xai]) == ({xai: PLANTED + "xai"}, [brave])
        assert resolve(forcedActivePaths=[xai], allowedPaths=[brave]) == ({}, [brave])
        assert resolve(optionalActivePaths=[xai, brave]) == ({xai: PLANTED + "xai"}, [brave])
        assert resolve(providerOverrides={"webSearch": "grok"}) == ({xai: PLANTED + "xai"}, [brave])
        assert resolve(providerOverrides={"webFetch": "grok"}) == ({}, [xai, brave])
        with pytest.raises(CallError) as failed:
            resolve(providerOverrides={"webSearch": "brave"})
        assert failed.value.error["code"] == "UNAVAILABLE"
        assert f"{brave}: secrets.providers.disk: the file has nothing at that place" in failed.value.error["message"]
        with pytest.raises(CallError, match="providerOverrides"):
            resolve(providerOverrides={"webSerch": "brave"})


# --- they are nowhere else ------------------------------------------------------------------------------------------

def everything_in(folder, but=()):
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            if name not in but and stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb") as file:
                    yield path, file.read()


def test_oc_85049_planted_values_are_in_no_artefact(fresh_gateway, provider, monkeypatch):
    planted = {source: f"{PLANTED}{source}-{os.urandom(8).hex()}" for source in ("env", "file", "exec", "new", "plain")}
    gateway = fresh_gateway(environment={"PLANTED_KEY": planted["env"], "OPENCLAW_LOG_LEVEL": "debug"})
    gateway.token = planted["file"]
    put(gateway, "keys.json", json.dumps({"token": planted["file"]}))
    program(gateway, "vault", {"k": planted["exec"]}, f"echo {planted['exec']} >&2")
    config = model(provider, ref("env", "default", "PLANTED_KEY"))
    config["models"]["providers"]["mock"]["headers"] = {"X-Custom": ref("exec", "vault", "k")}
    config["models"]["providers"]["plain"] = {**config["models"]["providers"]["mock"], "apiKey": "x",
                                              "headers": {"X-Custom": planted["plain"]}}
    save(gateway, **config,
         secrets={"providers": {"disk": {"source": "file", "path": "~/keys.json"},
                                "vault": exec_entry(os.path.join(gateway.state_dir, "vault"))}},
         gateway={"mode": "local", "auth": {"mode": "token", "token": ref("file", "disk", "/token")}})
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
    monkeypatch.chdir(gateway.state_dir)  # where a core dump would be written
    gateway.start()
    tap = os.path.join(gateway.state_dir, "tap.jsonl")
    with open(tap, "wb") as heard:
        watch = subprocess.Popen(gateway.command("bus", "tap", "--bodies", "--json"), stdout=heard, stderr=heard,
                                 env={**gateway.environment, "OPENCLAW_GATEWAY_PORT": str(gateway.port)})
    said = []
    with Client(gateway.port, gateway.token) as client:
        until(lambda: client.call("health") and os.path.getsize(tap) > 0, 10, "something in the tap")
        run(client)
        assert provider.stats()["headers"][-1]["x-custom"] == planted["exec"]
        program(gateway, "vault", {"k": planted["new"]}, f"echo {planted['new']} >&2")
        said.append(client.call("secrets.reload"))
        until(lambda: run(client) and provider.stats()["headers"][-1]["x-custom"] == planted["new"], 10, "the new value")
        client.call("secrets.resolve", {"commandName": "x", "targetIds": ["models.providers.*.apiKey"]})
        for method in ("config.get", "config.schema", "status", "health", "models.list", "logs.tail", "sessions.list"):
            said.append(client.call(method))
        with pytest.raises(CallError) as refused:
            client.call("config.set", {"raw": "{}", "baseHash": client.call("config.get")["hash"]})
        said.append(refused.value.error)
        program(gateway, "vault", script=f"echo {planted['exec']}; exit 1")
        with pytest.raises(CallError) as refused:
            client.call("secrets.reload")
        said.append(refused.value.error)
    for words in (("status",), ("health",), ("config", "get", "models"), ("bus", "actors"), ("logs",), ("doctor",)):
        done = gateway.cli(*words, "--token", gateway.token) if words[0] in ("status", "health", "logs") else gateway.cli(*words)
        said.append(done.stdout + done.stderr)
    before = set(gateway.children())
    for pid in before:
        os.kill(pid, signal.SIGABRT)
    until(lambda: gateway.is_ready_or_gone() and not before & set(gateway.children()), 20, "a host again")
    watch.terminate()
    watch.wait(10)
    gateway.stop()
    with open(tap, "rb") as file:
        assert b"config_update" in file.read()
    for source, value in planted.items():
        for what in said:
            assert value not in json.dumps(what), f"{source} was said: {json.dumps(what)[:400]}"
        sources = {"keys.json", "vault", *(() if source != "plain" else ("openclaw.json", "openclaw.json.last-good"))}
        for path, content in everything_in(gateway.state_dir, sources):
            assert value.encode() not in content, f"{source} is in {path}"


def test_a_core_dump_has_no_memory_in_it(only_once, fresh_gateway):
    gateway = fresh_gateway()
    gateway.start()
    for pid in gateway.processes():
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if BINARY.encode() not in file.read():
                continue
        with open(f"/proc/{pid}/coredump_filter", encoding="ascii") as file:
            assert int(file.read(), 16) == 0
