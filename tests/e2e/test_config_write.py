"""Writing the config over the protocol: what was asked for is on the disk, everything else stays, nothing is lost."""

import hashlib
import json
import os
import signal
import stat
import time

import pytest

from client import CallError, Client
from gateway import Gateway, until
from ws import Closed

MARKER = "__OPENCLAW_REDACTED__"
TEXT = """// my gateway
{
  gateway: {
    mode: 'local', // for now
    auth: { mode: 'token', token: '%s' },
  },
  /* who answers */
  agents: { defaults: { model: { primary: 'builtin/echo' } } },
  session: { $include: './session.json5' },
  models: { providers: { mine: { baseUrl: 'http://127.0.0.1:9', apiKey: 'sk-mine', models: [
    { id: 'one', name: 'One' }, // the first
  ] } } },
  env: { vars: { NAME: 'value' } },
}
"""


@pytest.fixture(name="running", scope="module")
def running_gateway():
    made = Gateway()
    made.start()
    yield made
    made.close()


def put(gateway, name, text):
    with open(os.path.join(gateway.state_dir, name), "w", encoding="utf-8") as file:
        file.write(text)


def read(gateway, name="openclaw.json"):
    with open(os.path.join(gateway.state_dir, name), encoding="utf-8") as file:
        return file.read()


@pytest.fixture(name="client")
def connected(running):
    """The config is as written above, and the gateway knows it."""
    put(running, "session.json5", "{ mainKey: 'main' } // of its own\n")
    put(running, "openclaw.json", TEXT % running.token)
    with Client(running.port, running.token) as client:
        know(client)
        yield client


def know(client):
    """A write that is refused for its hash makes the gateway look at the file at once."""
    with pytest.raises(CallError):
        client.call("config.set", {"raw": "{}", "baseHash": "none"})


def change(client, method, raw, **more):
    """The change on top of what config.get says now."""
    return client.call(method, {"raw": raw if isinstance(raw, str) else json.dumps(raw),
                                "baseHash": client.call("config.get")["hash"], **more})


def refusal(client, method, raw, **more):
    with pytest.raises(CallError) as refused:
        change(client, method, raw, **more)
    assert refused.value.code == "INVALID_REQUEST", refused.value.error
    return refused.value.error


def test_a_patch_changes_one_value_and_keeps_every_other_byte(running, client):
    done = change(client, "config.set", {**parsed(client), "logging": {"level": "debug"}})
    assert done["ok"] and done["path"] == running.config_path and done["config"]["logging"]["level"] == "debug"
    text = read(running)
    assert text.startswith((TEXT % running.token).rstrip("}\n")), text
    assert stat.S_IMODE(os.stat(running.config_path).st_mode) == 0o600
    assert client.call("config.get")["parsed"]["logging"] == {"level": "debug"}
    assert read(running, "openclaw.json.bak") == TEXT % running.token


def parsed(client):
    """What clients see: includes in place, secrets redacted."""
    return client.call("config.get")["parsed"]


def test_an_included_file_is_changed_where_it_is(running, client):
    change(client, "config.set", {**parsed(client), "session": {"mainKey": "other"}})
    assert read(running) == TEXT % running.token
    assert read(running, "session.json5") == '{ mainKey: "other" } // of its own\n'


def test_the_text_of_an_included_file_is_replaced_for_who_has_seen_it(running, client):
    path = os.path.join(os.path.realpath(running.state_dir), "session.json5")
    old = read(running, "session.json5")
    mode = stat.S_IMODE(os.stat(path).st_mode)
    seen = hashlib.sha256(old.encode()).hexdigest()
    text = "{ mainKey: 'other' } // repaired\n"
    for params, says in (({"file": path, "baseHash": "deadbeef"}, "config changed since last load"),
                         ({"file": path}, "config changed since last load"),
                         ({"file": running.config_path, "baseHash": seen}, "includes no file of that path"),
                         ({"file": "/etc/passwd", "baseHash": seen}, "includes no file of that path"),
                         ({"file": path, "baseHash": seen, "raw": "{ mainKey: 7 }"}, "invalid config: session.mainKey"),
                         ({"file": path, "baseHash": seen, "raw": "{"}, "expected")):
        with pytest.raises(CallError, match=says):
            client.call("config.repair", {"raw": text, **params})
        assert read(running, "session.json5") == old
    answer = client.call("config.repair", {"raw": text, "file": path, "baseHash": seen})
    assert answer["config"]["session"]["mainKey"] == "other" and read(running, "session.json5") == text
    assert read(running, "session.json5.bak") == old and stat.S_IMODE(os.stat(path).st_mode) == mode
    put(running, "session.json5", old)


def test_a_merge_patch_sets_adds_and_removes(running):
    made = Gateway().start()
    try:
        with Client(made.port, made.token) as client:
            done = change(client, "config.patch", "{ ui: { seamColor: '#112233' }, agents: { defaults: { workspace: '/w' } } }",
                          note="because")
            assert done["sentinel"]["payload"]["kind"] == "config-patch" and done["sentinel"]["payload"]["message"] == "because"
            assert done["config"]["agents"]["defaults"]["workspace"] == "/w"
            done = change(client, "config.patch", {"ui": None})
            assert "ui" not in done["config"] and "ui" not in json.loads(read(made))
            assert json.loads(read(made))["meta"]["lastTouchedVersion"]
            before = read(made)
            assert change(client, "config.patch", {"agents": {"defaults": {"workspace": "/w"}}})["ok"]
            assert read(made) == before, "what changes nothing writes nothing"
            with pytest.raises(CallError) as limited:
                change(client, "config.patch", {"ui": {}})
            error = limited.value.error
            assert error["code"] == "UNAVAILABLE" and error["details"] == {"method": "config.patch", "limit": "3 per 60s"}
            assert 0 < error["retryAfterMs"] <= 60000
        until(lambda: os.path.exists(os.path.join(made.state_dir, "logs/config-audit.jsonl")), 5, "the audit log")
        lines = [json.loads(line) for line in read(made, "logs/config-audit.jsonl").splitlines()]
        assert [line["result"] for line in lines] == ["rename", "rename"]
        assert lines[0]["nextHash"] == lines[1]["previousHash"]
    finally:
        made.close()


def test_a_patch_may_replace_what_it_would_merge(running, client):
    patch = "{ models: { providers: { mine: { baseUrl: 'http://127.0.0.1:8', models: [] } } } }"
    for paths, says in ((["models.providers.yours"], "the patch has nothing there"),):
        with pytest.raises(CallError, match=says):
            client.call("config.patch", {"raw": patch, "baseHash": client.call("config.get")["hash"], "replacePaths": paths})
    client.call("config.patch", {"raw": patch, "baseHash": client.call("config.get")["hash"],
                                 "replacePaths": ["models.providers.mine"]})
    assert client.call("config.get")["config"]["models"]["providers"]["mine"] == {
        "baseUrl": "http://127.0.0.1:8", "models": []}
    assert "// for now" in read(running) and "sk-mine" not in read(running)


def test_a_text_with_comments_is_kept_as_it_was_written(running, client):
    own = (TEXT % MARKER).replace("'sk-mine'", f"'{MARKER}'").replace("'value'", f"'{MARKER}'") \
        .replace("// for now", "// for ever")
    change(client, "config.set", own)
    text = read(running)
    assert "// for ever" in text and "// my gateway" in text and MARKER not in text
    assert running.token in text and "sk-mine" in text and "$include" in text


def test_a_base_hash_is_needed_and_must_be_the_newest(running, client):
    before = read(running)
    for params, says in (({"raw": "{}"}, "config base hash required; re-run config.get and retry"),
                         ({"raw": "{}", "baseHash": "deadbeef"},
                          "config changed since last load; re-run config.get and retry")):
        for method in ("config.set", ):
            with pytest.raises(CallError) as refused:
                client.call(method, params)
            assert refused.value.error["message"] == says
            assert refused.value.error.get("details") == ({"code": "CONFIG_CHANGED"} if "changed" in says else None)
    assert read(running) == before


def test_an_edit_on_disk_is_never_overwritten(running, client):
    known = client.call("config.get")["hash"]
    put(running, "openclaw.json", read(running).replace("for now", "edited by hand"))
    with pytest.raises(CallError) as refused:
        client.call("config.set", {"raw": "{\"gateway\": {\"mode\": \"local\"}}", "baseHash": known})
    assert "changed since last load" in refused.value.error["message"]
    assert "edited by hand" in read(running)


def test_oc_145114_a_file_that_is_broken_on_disk_is_not_written_over(running, client):
    put(running, "openclaw.json", "{ gateway: { mode: 'local' ")
    error = refusal(client, "config.set", {"gateway": {"mode": "local"}})
    assert "cannot be used" in error["message"] and "openclaw.json:1:" in error["message"]
    assert read(running) == "{ gateway: { mode: 'local' "
    assert client.call("config.get")["valid"] is False


def test_what_an_edit_was_refused_for_is_mended_from_the_text_on_disk(running, client):
    put(running, "openclaw.json", (TEXT % running.token).replace("session: { $include: './session.json5' },", ""))
    know(client)
    known = client.call("config.get")["hash"]
    good = parsed(client)
    edited = read(running).replace("mode: 'local',", "mode: 'local', bind: 'wifi', /* edited */")
    put(running, "openclaw.json", edited)
    on_disk = hashlib.sha256(edited.encode()).hexdigest()
    wifi = {**good, "gateway": {**good["gateway"], "bind": "wifi"}}
    for base, wanted, says in ((known, good, "cannot be used"), (on_disk, {**good, "loging": {}}, "loging"),
                               (on_disk, wifi, "cannot be used")):
        with pytest.raises(CallError, match=says):
            client.call("config.set", {"raw": json.dumps(wanted), "baseHash": base})
        assert read(running) == edited and client.call("config.get")["valid"] is False
    assert any("loging: {}" in read(running, name) for name in os.listdir(running.state_dir) if ".rejected." in name)
    wifi["gateway"]["bind"] = "loopback"
    client.call("config.apply", {"raw": json.dumps(wifi), "baseHash": on_disk})
    assert read(running).startswith(edited.replace("'wifi'", '"loopback"').rstrip("}\n")), read(running)
    assert read(running, "openclaw.json.bak") == edited
    now = client.call("config.get")
    assert now["valid"] and now["parsed"]["gateway"]["bind"] == "loopback"


def test_of_several_things_that_are_wrong_one_is_mended_after_the_other(running, client):
    put(running, "openclaw.json", (TEXT % running.token).replace("session: { $include: './session.json5' },", ""))
    know(client)
    whole = parsed(client)
    wrong = {"bind": "wifi", "prot": 1, "reload": {"mode": "warm"}}
    edited = read(running).replace("mode: 'local',", "mode: 'local', bind: 'wifi', prot: 1, reload: { mode: 'warm' },")
    put(running, "openclaw.json", edited)
    base = hashlib.sha256(edited.encode()).hexdigest()
    told = client.wait_event("health", lambda health: not health["config"]["ok"])["config"]["reason"]
    assert "gateway.bind" in told and told.endswith("(and 2 more; see `openclaw config validate`)")
    issues = client.call("config.get")["issues"]
    assert [issue["path"] for issue in issues] == ["gateway.bind", "gateway", "gateway.reload.mode"]
    assert all(issue["file"] == running.config_path and issue["line"] for issue in issues)

    def asked(gateway):
        return client.call("config.set", {"raw": json.dumps({**whole, "gateway": {**whole["gateway"], **gateway}}),
                                          "baseHash": base})

    for other in ({"prot": 1, "reload": wrong["reload"], "port": "x"}, {**wrong, "bind": "lo"}):
        with pytest.raises(CallError, match="invalid config") as refused:
            asked(other)
        assert len(refused.value.error["details"]["issues"]) > 1 and read(running) == edited
    for left, key in ((2, "bind"), (1, "prot"), (0, "reload")):
        del wrong[key]
        answer = asked(wrong)
        base = answer["hash"]
        assert base == hashlib.sha256(read(running).encode()).hexdigest()
        assert answer.get("valid", True) is (left == 0) and len(answer.get("issues", [])) == left
        assert bool(left) is ("reason" in answer) and client.call("config.get")["valid"] is (left == 0)


def test_what_does_not_fit_is_refused_and_kept_aside(running, client):
    before = read(running)
    error = refusal(client, "config.set", {**parsed(client), "gateway": {"mode": "bogus"}})
    assert error["message"].startswith('invalid config: gateway.mode: Invalid input (allowed: "local", "remote")')
    assert error["details"]["issues"][0] == {
        "path": "gateway.mode", "message": 'Invalid input (allowed: "local", "remote")',
        "allowedValues": ["local", "remote"], "allowedValuesHiddenCount": 0}
    assert read(running) == before
    assert any(name.startswith("openclaw.json.rejected.") for name in os.listdir(running.state_dir))


def test_oc_91148_a_loss_is_refused(running, client):  # 43 bytes were left
    change(client, "config.set", {**parsed(client), "env": {"vars": {f"NAME_{i}": "value" for i in range(30)}}})
    before = read(running)
    error = refusal(client, "config.set", {"gateway": {"mode": "local", "auth": {"mode": "token", "token": MARKER}}})
    assert "more than half" in error["message"] and read(running) == before
    error = refusal(client, "config.set", {key: value for key, value in parsed(client).items() if key != "gateway"})
    assert read(running) == before, error


def test_oc_11355_a_redaction_marker_is_never_written(running, client):
    whole = parsed(client)
    assert whole["gateway"]["auth"]["token"] == MARKER
    change(client, "config.set", whole)
    assert MARKER not in read(running) and running.token in read(running)
    for raw in ({**whole, "logging": {"file": MARKER}}, {**whole, "ui": {"assistant": {"name": f"x{MARKER}"}}}):
        assert "redaction marker" in refusal(client, "config.set", raw)["message"]
    assert MARKER not in read(running)


def test_markers_in_lists_follow_the_id(running, client):
    models = [{"id": "two", "name": "Two", "headers": {"Authorization": "b"}},
              {"id": "one", "name": "One", "headers": {"Authorization": "a"}}]
    provider = {"baseUrl": "http://127.0.0.1:9", "apiKey": MARKER, "models": models}
    change(client, "config.set", {**parsed(client), "models": {"providers": {"mine": provider}}})
    shown = parsed(client)["models"]["providers"]["mine"]["models"]
    assert [model["headers"]["Authorization"] for model in shown] == [MARKER, MARKER]
    change(client, "config.set", {**parsed(client), "models": {"providers": {"mine": {**provider, "models": shown[::-1]}}}})
    text = read(running)
    assert text.index('"one"') < text.index('"a"') < text.index('"two"') < text.index('"b"') and "sk-mine" in text


def test_keys_that_nobody_serves_are_kept(running, client):
    put(running, "openclaw.json", read(running).replace("// my gateway\n{", "{ channels: { matrix: { any: [1, null] } },"))
    know(client)
    change(client, "config.set", {**parsed(client), "logging": {"level": "info"}})
    assert "channels: { matrix: { any: [1, null] } }" in read(running)


def test_a_secret_that_leads_nowhere_is_refused_before_it_is_written(running, client):
    before = read(running)
    ref = {"source": "env", "provider": "default", "id": "NOBODY_SET_THIS"}
    provider = {"baseUrl": "http://127.0.0.1:9", "apiKey": ref, "models": []}
    error = refusal(client, "config.set", {**parsed(client), "models": {"providers": {"mine": provider}}})
    assert "models.providers.mine.apiKey" in error["message"] and read(running) == before


def test_a_change_that_is_no_json_is_refused_with_the_place(client):
    assert "raw:1:6" in refusal(client, "config.set", "{nope")["message"]
    assert "object" in refusal(client, "config.set", "[]")["message"]


def test_a_link_in_place_of_the_file_is_not_followed():
    made = Gateway()
    real = os.path.join(made.state_dir, "real.json")
    os.rename(made.config_path, real)
    os.symlink("real.json", made.config_path)
    made.start()
    try:
        with Client(made.port, made.token) as client:
            with pytest.raises(CallError) as refused:
                change(client, "config.set", {**parsed(client), "logging": {"level": "info"}})
            assert "symbolic link" in refused.value.error["message"]
        assert os.path.islink(made.config_path)
    finally:
        made.close()


def test_who_is_slow_to_apply_a_change_is_named_and_its_writer_is_answered(fresh_gateway, topology):
    if topology != "ipc":
        pytest.skip("nobody can be held up alone in one process")
    made = fresh_gateway().start()
    agents = next(pid for pid in made.children() if host_of(pid) == "agents")
    with Client(made.port, made.token) as client:
        know(client)
        os.kill(agents, signal.SIGSTOP)
        try:
            done = change(client, "config.patch", {"gateway": {"auth": {"token": "second-token"}},
                                                   "agents": {"defaults": {"workspace": "/elsewhere"}}})
        finally:
            os.kill(agents, signal.SIGCONT)
        assert [row["actor"] for row in done["notApplied"]] == ["agent/main"], "the answer comes, and then the end"
        with pytest.raises(Closed, match="gateway auth changed"):
            client.read(time.monotonic() + 10)
    with Client(made.port, "second-token") as client:
        until(lambda: client.call("health")["config"]["ok"], 10, "the slow one to catch up")


def host_of(pid):
    with open(f"/proc/{pid}/environ", "rb") as file:
        return dict(pair.split(b"=", 1) for pair in file.read().split(b"\0") if pair).get(b"OPENCLAW_BUS_HOST", b"").decode()


def test_a_program_that_writes_without_end_is_told_to_wait(fresh_gateway):
    made = fresh_gateway().start()
    with Client(made.port, made.token) as client:
        for _ in range(120):
            with pytest.raises(CallError, match="base hash required"):
                client.call("config.set", {"raw": "{}"})
        with pytest.raises(CallError) as limited:
            client.call("config.set", {"raw": "{}"})
        assert limited.value.error["details"] == {"method": "config.set", "limit": "120 per 60s"}
        assert limited.value.error["retryable"]
        with pytest.raises(CallError, match="base hash required"):  # these have a budget of their own
            client.call("config.patch", {"raw": "{}"})
