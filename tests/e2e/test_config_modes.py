"""What `openclaw config set` and `patch` can be asked for beside one value: references, providers, batches, trials."""

import json
import os

import pytest

from gateway import BINARY, Gateway

pytestmark = pytest.mark.skipif(os.environ.get("OPENCLAW_TEST_TOPOLOGY") == "ipc" or "/tsan/" in BINARY,
                                reason="no gateway runs here, and the command has one thread")
TOKEN_REF = ("--ref-provider", "default", "--ref-source", "env", "--ref-id")


@pytest.fixture(name="alone", scope="module")
def gateway_not_started():
    made = Gateway(config={"models": {"providers": {"mine": {"baseUrl": "http://127.0.0.1:9", "models": []}}}})
    yield made
    made.close()


def text_of(gateway):
    with open(gateway.config_path, encoding="utf-8") as file:
        return file.read()


def config(gateway):
    return json.loads(text_of(gateway))


def run(gateway, *words, code=0, **options):
    done = gateway.cli("config", *words, **options)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def verdict(gateway, *words, code=0, **options):
    return json.loads(run(gateway, *words, "--dry-run", "--json", code=code, **options).stdout)


def test_a_reference_is_built_from_options(alone):
    run(alone, "set", "models.providers.mine.apiKey", *TOKEN_REF, "MY_KEY", environment={"MY_KEY": "x"})
    assert config(alone)["models"]["providers"]["mine"]["apiKey"] == {
        "source": "env", "provider": "default", "id": "MY_KEY"}


def test_an_entry_of_providers_is_built_from_options(alone, tmp_path):
    run(alone, "set", "secrets.providers.vault", "--provider-source", "exec", "--provider-command", "/usr/bin/true",
        "--provider-arg", "read", "--provider-arg=--all", "--provider-json-only", "--provider-timeout-ms", "5000",
        "--provider-pass-env", "HOME", "--provider-env", "A=b=c", "--provider-trusted-dir", "/usr/bin")
    run(alone, "set", "secrets.providers.files", "--provider-source", "file", "--provider-path", str(tmp_path / "s.json"),
        "--provider-mode", "json", "--provider-max-bytes", "4096")
    run(alone, "set", "secrets.providers.few", "--provider-source", "env", "--provider-allowlist", "MY_KEY")
    assert config(alone)["secrets"]["providers"] == {
        "vault": {"source": "exec", "command": "/usr/bin/true", "args": ["read", "--all"], "timeoutMs": 5000,
                  "jsonOnly": True, "env": {"A": "b=c"}, "passEnv": ["HOME"], "trustedDirs": ["/usr/bin"]},
        "files": {"source": "file", "path": str(tmp_path / "s.json"), "mode": "json", "maxBytes": 4096},
        "few": {"source": "env", "allowlist": ["MY_KEY"]}}


@pytest.mark.parametrize("words", [
    ("set", "models.providers.mine.apiKey", "--ref-source", "env", "--ref-id", "X"),  # no provider
    ("set", "models.providers.mine.apiKey", "value", *TOKEN_REF, "X"),  # a value as well
    ("set", "models.providers.mine.apiKey", *TOKEN_REF, "not a variable"),
    ("set", "models.providers.mine.baseUrl", *TOKEN_REF, "X"),  # no secret may stand there
    ("set", "models.providers.mine.apiKey", *TOKEN_REF, "X", "--provider-source", "env"),
    ("set", "secrets.providers.vault", "--provider-source", "exec"),  # no command
    ("set", "secrets.providers.vault", "--provider-source", "env", "--provider-path", "/x"),  # of another source
    ("set", "secrets.providers.Vault", "--provider-source", "env"),
    ("set", "logging.level", "--provider-source", "env"),
    ("set", "secrets.providers.x", "--provider-source", "exec", "--provider-command", "/x", "--provider-env", "A"),
    ("set", "--batch-json", "{}"), ("set", "--batch-json", "[]"), ("set", "--batch-json", "[{}]"),
    ("set", "--batch-json", '[{"path": "logging.level"}]'),
    ("set", "--batch-json", '[{"path": "logging.level", "value": "info", "ref": {}}]'),
    ("set", "logging.level", "--batch-json", '[{"path": "logging.level", "value": "info"}]'),
    ("set", "--batch-file", "/nowhere/at/all"),
    ("set", "logging.level", "info", "--allow-exec"),
    ("set", "logging.level"), ("set",),
    ("patch", "--stdin", "--replace-path", "logging.level"),
])
def test_what_makes_no_sense_is_refused_and_nothing_is_written(alone, words):
    before = text_of(alone)
    done = run(alone, *words, code=2, input="{}")
    assert done.stderr and text_of(alone) == before


def test_a_batch_is_one_change(alone, tmp_path):
    batch = [{"path": "logging.level", "value": "debug"},
             {"path": "secrets.providers.other", "provider": {"source": "env"}},
             {"path": "models.providers.mine.apiKey", "ref": {"source": "env", "provider": "other", "id": "OTHER_KEY"}},
             {"path": "logging.maxFileBytes", "value": 1000000}]
    path = tmp_path / "batch.json5"
    path.write_text(json.dumps(batch) + " // a list")
    os.chmod(path, 0o600)
    run(alone, "set", "--batch-file", str(path))
    now = config(alone)
    assert now["logging"] == {"level": "debug", "maxFileBytes": 1000000}
    assert now["models"]["providers"]["mine"]["apiKey"]["provider"] == "other"
    before = text_of(alone)
    batch[0]["value"] = "loud"
    run(alone, "set", "--batch-json", json.dumps(batch), code=1)
    assert text_of(alone) == before, "all of it or nothing"


def test_a_trial_tells_whether_a_reference_leads_anywhere(alone, tmp_path):
    before = text_of(alone)
    known = {"A_KEY_OF_MINE": "sk-1234"}
    told = verdict(alone, "set", "models.providers.mine.apiKey", *TOKEN_REF, "A_KEY_OF_MINE", environment=known)
    assert told == {"ok": True, "operations": 1, "configPath": alone.config_path, "inputModes": ["builder"],
                    "checks": {"schema": True, "resolvability": True, "resolvabilityComplete": True},
                    "refsChecked": 1, "skippedExecRefs": 0}
    told = verdict(alone, "set", "models.providers.mine.apiKey", *TOKEN_REF, "A_KEY_OF_MINE", code=1)
    assert not told["ok"] and told["errors"][0]["kind"] == "resolvability"
    assert told["errors"][0]["ref"] == "env:default:A_KEY_OF_MINE" and "sk-1234" not in json.dumps(told)
    told = verdict(alone, "set", "logging.level", '"loud"', code=1)
    assert told["errors"][0]["kind"] == "schema" and told["inputModes"] == ["json"]
    ran = tmp_path / "ran"
    program = tmp_path / "vault"
    program.write_text(f"#!/bin/sh\ncat > /dev/null\ntouch {ran}\n" +
                       """echo '{"protocolVersion": 1, "values": {"a/b": "sk-of-the-vault"}}'\n""")
    os.chmod(program, 0o700)
    os.chmod(tmp_path, 0o700)
    run(alone, "set", "secrets.providers.shelf", "--provider-source", "exec", "--provider-command", str(program),
        "--provider-allow-insecure-path")
    words = ("set", "models.providers.mine.apiKey", "--ref-provider", "shelf", "--ref-source", "exec", "--ref-id", "a/b")
    told = verdict(alone, *words)
    assert told["skippedExecRefs"] == 1 and told["refsChecked"] == 0 and not told["checks"]["resolvabilityComplete"]
    assert not ran.exists()
    told = verdict(alone, *words, "--allow-exec")
    assert told["ok"] and told["refsChecked"] == 1 and ran.exists() and "of-the-vault" not in json.dumps(told)
    assert json.loads(before).keys() == config(alone).keys()


def test_a_patch_may_replace_what_it_would_merge(alone):
    patch = '{ models: { providers: { mine: { baseUrl: "http://127.0.0.1:8", models: [] } } } }'
    run(alone, "patch", "--stdin", input=patch)
    assert "apiKey" in config(alone)["models"]["providers"]["mine"]
    told = verdict(alone, "patch", "--stdin", "--replace-path", "models.providers.mine", input=patch)
    assert told["ok"] and told["operations"] == 1
    run(alone, "patch", "--stdin", "--replace-path", "models.providers.mine", input=patch)
    assert config(alone)["models"]["providers"]["mine"] == {"baseUrl": "http://127.0.0.1:8", "models": []}
