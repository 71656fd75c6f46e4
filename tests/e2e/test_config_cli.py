"""`openclaw config`: the file of this machine, whether a gateway runs or not."""

import json
import os

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


def test_a_config_is_made_where_none_is(alone):
    os.unlink(alone.config_path)
    run(alone, "set", "gateway.mode", "local")
    assert json.loads(read(alone))["gateway"] == {"mode": "local"} and os.stat(alone.config_path).st_mode & 0o777 == 0o600
