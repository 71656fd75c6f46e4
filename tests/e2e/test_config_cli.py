"""`openclaw config`: the file of this machine, whether a gateway runs or not."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import Client
from gateway import Gateway

TEXT = """// mine
{
  gateway: { mode: 'local', auth: { mode: 'token', token: '%s' } }, // let in
  agents: { list: [ { id: 'main' } ] },
}
"""


@pytest.fixture(name="alone")
def alone_gateway():
    made = Gateway()
    with open(made.config_path, "w", encoding="utf-8") as file:
        file.write(TEXT % made.token)
    yield made
    made.close()


def read(gateway):
    with open(gateway.config_path, encoding="utf-8") as file:
        return file.read()


def run(gateway, *words, code=0, **options):
    done = gateway.cli("config", *words, **options)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout if not code else done.stderr


@pytest.mark.parametrize("is_running", [False, True], ids=["alone", "running"])
def test_set_and_unset_keep_every_other_byte(alone, is_running):
    if is_running:
        alone.start()
    said = run(alone, "set", "agents.list[0].name", "Main one")
    assert ("running gateway" in said) is is_running
    text = read(alone)
    assert "// mine" in text and "// let in" in text and "{ id: 'main', name: \"Main one\" }" in text
    assert run(alone, "get", "agents.list.0.name") == "Main one\n"
    assert json.loads(run(alone, "get", "agents.list[0]", "--json")) == {"id": "main", "name": "Main one"}
    run(alone, "unset", "agents.list[0].name")
    assert "{ id: 'main' }" in read(alone)
    if is_running:
        with Client(alone.port, alone.token) as client:
            run(alone, "set", "logging.level", "debug")
            assert client.call("config.get")["config"]["logging"]["level"] == "debug"


@pytest.mark.parametrize("is_running", [False, True], ids=["alone", "running"])
def test_merge_keeps_the_other_entries_of_a_list(alone, is_running):
    if is_running:
        alone.start()
    run(alone, "set", "agents.list", "[{id: 'r'}]", "--merge")
    run(alone, "set", "agents.list", "[{id: 's'}, {id: 'main', name: 'One', tools: {profile: 'full'}}]", "--merge")
    run(alone, "set", "agents", "{list: [{id: 'main', tools: {deny: ['exec']}}]}", "--merge")
    assert json.loads(run(alone, "get", "agents.list", "--json")) == [
        {"id": "main", "name": "One", "tools": {"profile": "full", "deny": ["exec"]}}, {"id": "r"}, {"id": "s"}]
    assert "--merge" in run(alone, "set", "agents.list", "[{id: 'r'}]", code=1)
    run(alone, "set", "models.providers.x", "{baseUrl: 'http://127.0.0.1:9', models: [{id: 'a', name: 'A'}]}")
    run(alone, "set", "models.providers.x.models", "[{id: 'b', name: 'B'}]", "--merge")
    run(alone, "set", "models.providers.x.models", "[{id: 'a', reasoning: true}]", "--merge")
    assert json.loads(run(alone, "get", "models.providers.x.models", "--json")) == [
        {"id": "a", "name": "A", "reasoning": True}, {"id": "b", "name": "B"}]
    assert "has entries" in run(alone, "set", "models.providers.x.models", "['c']", "--merge", code=1)
    if is_running:
        with Client(alone.port, alone.token) as client:
            assert [one["id"] for one in client.call("config.get")["config"]["agents"]["list"]] == ["main", "r", "s"]


@pytest.mark.parametrize("is_running", [False, True], ids=["alone", "running"])
def test_what_does_not_fit_is_not_written(alone, is_running):
    if is_running:
        alone.start()
    before = read(alone)
    assert 'nearest known key is "port"' in run(alone, "set", "gateway.prot", "5", code=1)
    assert "gateway.mode" in run(alone, "set", "gateway.mode", "bogus", code=1)
    assert "nothing" in run(alone, "unset", "gateway.tls", code=1)
    assert "no JSON" in run(alone, "set", "gateway.port", "{", "--strict-json", code=2)
    assert "no path" in run(alone, "set", "gateway..port", "5", code=2)
    assert "nothing at" in run(alone, "get", "bogus.path", code=1)
    assert read(alone) == before
    run(alone, "set", "gateway.port", "18790", "--dry-run")
    assert read(alone) == before


@pytest.mark.parametrize("wrong, words, mended", [
    ("bind: 'wifi'", ("set", "gateway.bind", "loopback"), 'bind: "loopback"'),
    ("bindd: 'lan', bind: 'auto'", ("unset", "gateway.bindd"), "bind: 'auto'"),
    ("reload: { mode: 'warm' }", ("patch", "--stdin"), 'reload: { mode: "hot" }'),
], ids=["set", "unset", "patch"])
def test_an_edit_that_a_running_gateway_refused_is_mended_by_a_change(alone, wrong, words, mended):
    alone.start()
    text = (TEXT % alone.token).replace("mode: 'local',", "mode: 'local', %s,")
    with open(alone.config_path, "w", encoding="utf-8") as file:
        file.write(text % wrong)
    said = run(alone, *words, input="{ gateway: { reload: { mode: 'hot' } } }")
    assert "running gateway" in said
    assert (text % mended).rstrip("}\n") in read(alone), "all else is as the edit had it"
    with Client(alone.port, alone.token) as client:
        now = client.call("config.get")
        assert now["valid"] and "// let in" in read(alone)
        assert client.call("health")["config"]["ok"]


WRONG = """// mine
{
  gateway: { mode: 'local', bind: 'wifi', auth: { mode: 'token', token: '%s' } }, // let in
  loging: {},
  logging: { level: 'loud' },
  agents: { list: [ { id: 'main' }, { id: 'MAIN' } ] },
}
"""
PLACES = [("gateway.bind", 3, 29), ("logging.level", 5, 14), ("agents.list.1.id", 6, 39), ("", 4, 3)]
MENDS = [(("set", "logging.level", "info"), 2), (("unset", "agents.list[1]"), 1),
         (("patch", "--stdin", "--replace-path", "gateway.bind"), 0), (("unset", "loging"), None)]


@pytest.mark.parametrize("is_running", [False, True], ids=["alone", "running"])
def test_all_that_is_wrong_is_told_and_one_is_mended_after_the_other(alone, is_running):
    if is_running:
        alone.start()
    with open(alone.config_path, "w", encoding="utf-8") as file:
        file.write(WRONG % alone.token)
    lines = run(alone, "validate", code=1).splitlines()
    assert [line.split(" ")[1] for line in lines] == [f"{alone.config_path}:{line}:{column}:"
                                                      for _, line, column in PLACES]
    verdict = json.loads(alone.cli("config", "validate", "--json").stdout)
    assert [(one["path"], one["line"], one["column"]) for one in verdict["issues"]] == PLACES
    assert {one["file"] for one in verdict["issues"]} == {alone.config_path}
    assert verdict["error"].endswith("(and 3 more; see `openclaw config validate`)")
    found = alone.cli("doctor", "--non-interactive").stdout
    for place, line, column in PLACES[:3]:
        assert f"{alone.config_path}:{line}:{column}: {place} is " in found
    assert "nobody knows loging" in found
    for words in (("set", "logging.level", "louder"), ("set", "gateway.bind", "lo"), ("set", "gateway.port", "x"),
                  ("set", "--batch-json", '[{"path":"logging.level","value":"info"},{"path":"sesion","value":{}}]')):
        said = run(alone, *words, code=1)
        assert ("invalid config" if is_running else "nothing was written") in said and read(alone) == WRONG % alone.token
    for words, more in MENDS:
        tried = run(alone, *words, "--dry-run", input="{ gateway: { bind: 'loopback' } }")
        said = run(alone, *words, input="{ gateway: { bind: 'loopback' } }")
        assert ("cannot be used yet" in said) is ("wrong still" in tried) is (more is not None), (words, said, tried)
        assert more is None or f"(and {more} more" in said or (not more and "loging" in said), (words, said)
        if is_running and more is not None:
            assert "goes on with what it had" in said
            with Client(alone.port, alone.token) as client:
                now = client.call("config.get")
                assert not now["valid"] and len(now["issues"]) == more + 1 and "loging" not in now["parsed"]
                assert not client.call("health")["config"]["ok"]
    text = read(alone)
    assert "// mine" in text and "// let in" in text and "valid: " in run(alone, "validate")
    with open(os.path.join(alone.state_dir, "logs", "config-audit.jsonl"), encoding="utf-8") as file:
        assert len([line for line in file if '"rename"' in line]) == len(MENDS)
    if is_running:
        with Client(alone.port, alone.token) as client:
            assert client.call("config.get")["valid"] and client.call("health")["config"]["ok"]


BROUGHT = [(("set", "gateway.bnd", "lan"), 'gateway: Unrecognized key: "bnd"'),
           (("set", "agents.defaults.timeoutSeconds", "abc"), 'agents.defaults.timeoutSeconds is "abc", expected'),
           (("patch", "--stdin"), 'logging.level is "quiter", expected')]


@pytest.mark.parametrize("words, problem", BROUGHT, ids=["key", "value", "patch"])
def test_a_refused_change_names_what_is_wrong_with_it_before_what_was_wrong(alone, words, problem):
    with open(alone.config_path, "w", encoding="utf-8") as file:
        file.write(WRONG % alone.token)
    for more in [(), ("--dry-run",)]:
        first = run(alone, *words, *more, code=1, input="{ logging: { level: 'quiter' } }").splitlines()[0]
        before = 3 if "patch" in words else 4  # the patch puts its own mistake where one was
        assert problem in first and first.endswith(f"(and {before} more of before; see `openclaw config validate`)")
    assert read(alone) == WRONG % alone.token


def test_of_very_many_that_are_wrong_the_first_are_told_and_the_others_counted(alone):
    with open(alone.config_path, "w", encoding="utf-8") as file:
        json.dump({"gateway": {"mode": "local", "auth": {"mode": "token", "token": alone.token}},
                   "env": {"vars": {f"NAME_{i}": i for i in range(40)}}}, file, indent=1)
    lines = run(alone, "validate", code=1).splitlines()
    assert len(lines) == 17 and lines[-1] == "  and 24 more" and "env.vars.NAME_15" in lines[15]
    verdict = json.loads(alone.cli("config", "validate", "--json").stdout)
    assert len(verdict["issues"]) == 16 and verdict["issuesHiddenCount"] == 24 and "(and 39 more;" in verdict["error"]
    assert "and 24 more" in alone.cli("doctor", "--non-interactive").stdout
    run(alone, "set", "env.vars.NAME_39", "a text")
    assert "(and 38 more;" in json.loads(alone.cli("config", "validate", "--json").stdout)["error"]


def test_a_patch_comes_from_a_file_or_standard_input(alone):
    path = os.path.join(alone.state_dir, "patch.json5")
    with open(path, "w", encoding="utf-8") as file:
        file.write("{ logging: { level: 'debug' }, agents: { list: null } } // a patch")
    run(alone, "patch", "--file", path)
    text = read(alone)
    assert "list" not in text and '"level": "debug"' in text and "// let in" in text
    run(alone, "patch", "--stdin", input="{ logging: null }")
    assert "logging" not in read(alone)


def test_entries_are_not_lost_by_setting_one(alone):
    one = '{"baseUrl": "http://x", "models": []}'
    run(alone, "set", "models.providers.a", one)
    assert "--merge" in run(alone, "set", "models.providers", '{"b": %s}' % one, code=1)
    run(alone, "set", "models.providers", '{"b": %s}' % one, "--merge")
    assert set(json.loads(run(alone, "get", "models.providers"))) == {"a", "b"}
    run(alone, "set", "models.providers", '{"c": %s}' % one, "--replace")
    assert set(json.loads(run(alone, "get", "models.providers"))) == {"c"}


def test_secrets_are_not_printed(alone):
    assert run(alone, "get", "gateway.auth.token") == "__OPENCLAW_REDACTED__\n"
    assert alone.token not in run(alone, "get", "gateway")


def test_file_validate_and_schema(alone):
    assert run(alone, "file") == alone.config_path + "\n"
    assert run(alone, "validate") == f"valid: {alone.config_path}\n"
    assert json.loads(run(alone, "validate", "--json")) == {"valid": True, "path": alone.config_path}
    assert json.loads(run(alone, "schema"))["properties"]["gateway"]["type"] == "object"
    with open(alone.config_path, "a", encoding="utf-8") as file:
        file.write("}")
    assert f"{alone.config_path}:6:1: expected" in run(alone, "validate", code=1)
    with open(alone.config_path, "w", encoding="utf-8") as file:
        file.write("{ gateway: { mode: 'nowhere' } }")
    done = alone.cli("config", "validate", "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["issues"][0]["path"] == "gateway.mode"


@pytest.mark.parametrize("words, says", [
    (("unset", "gateway.mode"), "gateway.mode is unset, so no gateway starts"),
    (("unset", "gateway"), "gateway.mode is unset, so no gateway starts"),
    (("set", "gateway.auth.token", ""), "no token is configured"),
    (("unset", "gateway.auth"), "no token is configured"),
    (("set", "--batch-json", '[{"path":"gateway.auth.mode","value":"password"}]'), "no password is configured"),
    (("set", "hooks.token", "TOKEN"), "hooks.token must differ"),
    (("set", "--batch-json", '[{"path":"gateway.auth.mode","value":"none"},{"path":"gateway.bind","value":"lan"}]'),
     "refused to listen beyond loopback"),
], ids=lambda value: "-".join(value)[:40] if isinstance(value, tuple) else None)
def test_what_no_gateway_would_start_from_is_not_written_over_what_it_would(alone, words, says):
    before = read(alone)
    words = [alone.token if word == "TOKEN" else word for word in words]
    assert says in run(alone, *words, code=1) and read(alone) == before
    assert says in run(alone, *words, "--dry-run", code=1)
    assert "valid: " in run(alone, "validate")


def test_a_config_is_made_step_by_step(alone):
    os.unlink(alone.config_path)
    run(alone, "set", "logging.level", "debug")
    run(alone, "set", "gateway.mode", "local")
    assert "no token is configured" in run(alone, "validate", code=1)
    run(alone, "set", "gateway.auth.token", "as-good-as-any")
    run(alone, "validate")


@pytest.mark.parametrize("gateway, says", [
    ({"mode": "local"}, "gateway.auth.token"),
    ({"mode": "local", "auth": {"token": "T1", "password": "P1"}}, "gateway.auth.token and gateway.auth.password are both set"),
    ({"auth": {"token": "T1"}}, "gateway.mode is unset"),
    ({"mode": "local", "auth": {"token": "${OPENCLAW_TEST_UNSET}"}}, "gateway.auth.token cannot be resolved"),
    ({"mode": "local", "bind": "lan", "auth": {"mode": "none"}}, "refused to listen beyond loopback"),
], ids=["secret", "both", "mode", "reference", "lan"])
def test_validate_says_what_a_start_says(alone, gateway, says):
    with open(alone.config_path, "w", encoding="utf-8") as file:
        json.dump({"gateway": gateway}, file)
    assert says in run(alone, "validate", code=1)
    verdict = json.loads(alone.cli("config", "validate", "--json").stdout)
    assert not verdict["valid"] and says in verdict["error"] and verdict["issues"][0]["message"]
    started = alone.cli("gateway", "run", "--port", str(alone.port))
    assert started.returncode == 78 and says in started.stderr


def test_a_config_for_clients_alone_is_valid(alone):
    with open(alone.config_path, "w", encoding="utf-8") as file:
        json.dump({"gateway": {"mode": "remote", "remote": {"url": "ws://192.0.2.1:18789"}}}, file)
    assert "elsewhere" in run(alone, "validate")
    run(alone, "set", "logging.level", "debug")


def test_a_config_is_made_where_none_is(alone):
    os.unlink(alone.config_path)
    run(alone, "set", "gateway.mode", "local")
    assert json.loads(read(alone))["gateway"] == {"mode": "local"} and os.stat(alone.config_path).st_mode & 0o777 == 0o600


BESIDE = """// top
{ $include: './base.json5', // shared by all machines
  gateway: { mode: 'local', port: 18790 }, agents: { list: [ { id: 'b' } ] }, }
"""
BASE = """{ gateway: { port: 18789, auth: { mode: 'token', token: 'TOKEN' } }, logging: { level: 'info' }, // base
  agents: { list: [ { id: 'a' } ] }, meta: { lastTouchedVersion: '1' } }
"""


def spread(gateway):
    base = os.path.join(gateway.state_dir, "base.json5")
    for path, text in ((gateway.config_path, BESIDE), (base, BASE.replace("TOKEN", gateway.token))):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return base


@pytest.mark.parametrize("is_running", [False, True], ids=["alone", "running"])
def test_what_stands_beside_an_include_is_written_there(alone, is_running):
    base = spread(alone)
    if is_running:
        alone.start()
    run(alone, "set", "gateway.port", "18791")
    run(alone, "set", "session.dmScope", "main")
    text = read(alone)
    assert text == BESIDE.replace("18790", "18791").replace("} ] }, }", "} ] }, session: {\"dmScope\":\"main\"}, }")
    run(alone, "unset", "session")
    run(alone, "set", "gateway.port", "18790")
    assert read(alone) == BESIDE
    for words in (("set", "logging.level", "debug"), ("unset", "logging"), ("unset", "gateway.port"),
                  ("set", "agents.list[0].name", "x"), ("set", "agents.list[1].name", "x"),
                  ("set", "agents.list", "[{id: 'c'}]", "--merge")):
        assert f"is said in {base}, which $include puts together" in run(alone, *words, code=1)
    with open(base, encoding="utf-8") as file:
        assert file.read() == BASE.replace("TOKEN", alone.token)
    assert read(alone) == BESIDE


def test_what_several_files_make_up_is_not_written(alone):
    with open(alone.config_path, "w", encoding="utf-8") as file:
        file.write("{ gateway: { mode: 'local' }, logging: { $include: ['./one.json5', './two.json5'] } }")
    for name, text in (("one", "{ level: 'info' }"), ("two", "{}")):
        with open(os.path.join(alone.state_dir, name + ".json5"), "w", encoding="utf-8") as file:
            file.write(text)
    assert "is said in" in run(alone, "set", "logging.level", "debug", code=1)
    assert "from several files" in run(alone, "set", "logging.maxFileBytes", "1000000", code=1)
    run(alone, "set", "session.dmScope", "main")


@pytest.mark.parametrize("how", ["patch", "set", "batch"])
def test_a_token_that_is_not_there_is_not_written_while_no_gateway_runs(alone, how):
    before = read(alone)
    words = {"patch": ("patch", "--stdin"), "set": ("set", "gateway.auth.token", "${NOBODY_SET_IT}"),
             "batch": ("set", "--batch-json", '[{"path": "gateway.auth.token", "value": "${NOBODY_SET_IT}"}]')}[how]
    said = run(alone, *words, code=1, input="{ gateway: { auth: { token: '${NOBODY_SET_IT}' } } }")
    assert "gateway.auth.token cannot be resolved: environment variable NOBODY_SET_IT is not set" in said
    assert ".env of the state directory" in said and read(alone) == before
    run(alone, *words, input="{ gateway: { auth: { token: '${NOBODY_SET_IT}' } } }",
        environment={"NOBODY_SET_IT": "a-token-of-somebody"})


def test_another_secret_that_is_not_there_is_written_with_a_warning(alone):
    patch = "{ models: { providers: { x: { baseUrl: 'http://127.0.0.1:9', apiKey: '${NOBODY_SET_IT}', models: [] } } } }"
    said = run(alone, "patch", "--stdin", "--dry-run", code=1, input=patch)
    assert "NOBODY_SET_IT is not set" in said
    done = alone.cli("config", "patch", "--stdin", input=patch)
    assert done.returncode == 0 and "warning: models.providers.x.apiKey" in done.stderr, done.stderr
    assert "NOBODY_SET_IT is not set" in done.stderr and ".env of the state directory" in done.stderr
    done = alone.cli("config", "set", "logging.level", "debug")
    assert done.returncode == 0 and not done.stderr, "it was so before"


PLAN = {"version": 1, "protocolVersion": 1, "options": {"scrubEnv": False}, "targets": [
    {"type": "models.providers.apiKey", "path": "models.providers.x.apiKey",
     "pathSegments": ["models", "providers", "x", "apiKey"], "providerId": "x",
     "ref": {"source": "env", "provider": "default", "id": "A_KEY_OF_X"}}]}


@pytest.mark.parametrize("is_running", [False, True], ids=["alone", "running"])
def test_commands_side_by_side_all_land(alone, is_running, tmp_path):
    """Whichever comes first, none is lost and none fails for another."""
    config = {"gateway": {"mode": "local", "auth": {"mode": "token", "token": alone.token}},
              "agents": {"defaults": {"heartbeat": {"every": "0m"}}, "list": [{"id": "main", "name": "M"}]},
              "session": {"dmScope": "main"}, "ui": {"seamColor": "#111111"}, "talk": {"voiceId": "v"},
              "models": {"providers": {"x": {"baseUrl": "http://127.0.0.1:9", "apiKey": "k-plain", "models": []}}}}
    alone.extra["A_KEY_OF_X"] = "k-of-x"
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(PLAN))
    os.chmod(plan, 0o600)
    if is_running:
        alone.start()
    with open(alone.config_path, "w", encoding="utf-8") as file:
        json.dump(config, file)
    sets = [("config", "set", f"logging.{name}", value) for name, value in
            (("level", "debug"), ("maxFileBytes", "1000000"), ("consoleLevel", "info"), ("consoleStyle", "json"))]
    sets += [("config", "set", f"models.providers.p{i}", '{"baseUrl": "http://127.0.0.1:9", "models": []}')
             for i in range(6)]
    sets += [("config", "unset", path) for path in ("session", "ui", "agents.list[0].name")]
    sets += [("config", "patch", "--stdin"), ("setup", "--workspace", str(tmp_path / "w")), ("doctor", "--fix"),
             ("doctor", "--fix"), ("secrets", "apply", "--from", str(plan)), ("secrets", "apply", "--from", str(plan)),
             ("config", "set", "gateway.reload.debounceMs", "50")]
    with ThreadPoolExecutor(len(sets)) as pool:
        jobs = [pool.submit(alone.cli, *words, timeout=120, input="{ messages: { ackReactionScope: 'all' } }")
                for words in sets]
        failed = [(words, job.result()) for words, job in zip(sets, jobs) if job.result().returncode]
    assert not failed, failed
    now = json.loads(read(alone))
    assert now["logging"] == {"level": "debug", "maxFileBytes": 1000000, "consoleLevel": "info", "consoleStyle": "json"}
    assert set(now["models"]["providers"]) == {"x", "p0", "p1", "p2", "p3", "p4", "p5"}
    assert now["models"]["providers"]["x"]["apiKey"] == PLAN["targets"][0]["ref"]
    assert "session" not in now and "ui" not in now and now["agents"]["list"] == [{"id": "main"}]
    assert now["messages"] == {"ackReactionScope": "all"} and now["gateway"]["reload"] == {"debounceMs": 50}
    assert now["agents"]["defaults"]["workspace"] == str(tmp_path / "w") and "voiceId" not in now["talk"]


def holders(gateway, value):
    """The files of the state directory with that value in them."""
    found = []
    for folder, _, names in os.walk(gateway.state_dir):
        for path in (os.path.join(folder, name) for name in names):
            if os.path.isfile(path):  # no socket
                with open(path, "rb") as file:
                    found += [os.path.basename(path)] if value.encode() in file.read() else []
    return found


@pytest.mark.parametrize("is_running", [False, True], ids=["alone", "running"])
def test_a_key_that_becomes_a_reference_is_in_no_copy(alone, is_running):
    alone.extra["A_KEY_OF_X"] = "k-of-x"
    if is_running:
        alone.start()
    one = "{baseUrl: 'http://127.0.0.1:9', apiKey: '%s', models: []}"
    run(alone, "set", "models.providers.x", one % "sk-older-0001")
    run(alone, "set", "models.providers.x.apiKey", "sk-plain-0002")
    run(alone, "set", "models.providers.y", one % "sk-other-0003")
    run(alone, "set", "logging.level", "debug")
    for name, text in (("rejected.3", "{ models: { providers: { x: { apiKey: 'sk-older-0001' } } } }"),
                       ("clobbered.20260102T030405006Z", "no json at all sk-plain-0002")):
        with open(f"{alone.config_path}.{name}", "w", encoding="utf-8") as file:
            file.write(text)
    assert "openclaw.json.bak" in holders(alone, "sk-plain-0002") and holders(alone, "sk-older-0001")
    run(alone, "set", "models.providers.x.apiKey", "--ref-provider", "default", "--ref-source", "env", "--ref-id", "A_KEY_OF_X")
    assert not holders(alone, "sk-plain-0002") and not holders(alone, "sk-older-0001")
    assert "openclaw.json.bak" in holders(alone, "sk-other-0003"), "what was not moved stays in its copies"
    for copy in ("bak", "bak.1", "rejected.3"):
        with open(f"{alone.config_path}.{copy}", encoding="utf-8") as file:
            assert "A_KEY_OF_X" in file.read()


@pytest.mark.parametrize("text, says", [
    ("{ gateway: { mode: 'local' ", "1:28: the file ends before it is finished: expected ',' or '}'"),
    ("{ gateway: { mode: 'loc", "1:24: the file ends before it is finished: expected a closing quote"),
    ("{ agents: { list: [ 1,\n", "2:1: the file ends before it is finished: expected"),
    ("{ gateway: }", "1:12: expected a value"),
], ids=["object", "text", "list", "elsewhere"])
def test_an_unfinished_file_is_told_as_such(alone, text, says):
    with open(alone.config_path, "w", encoding="utf-8") as file:
        file.write(text)
    assert says in run(alone, "validate", code=1)
