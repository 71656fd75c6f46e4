"""Credentials that agents keep for themselves (auth-profiles.json): which one counts, and that no other takes its place."""

import json
import os
import time

import pytest

from client import CallError, Client
from gateway import until
from test_secrets import config_of, last_key, logged, model, put, ref, run, save

LATER = int(time.time() * 1000) + 3600_000


def keep(gateway, agent="main", name="auth-profiles.json", text=None, **profiles):
    """What an agent keeps; "_" in a name stands for ":"."""
    folder = os.path.join(gateway.state_dir, "agents", agent, "agent")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    held = {"version": 1, "profiles": {one.replace("_", ":"): value for one, value in profiles.items()}}
    put(gateway, os.path.join("agents", agent, "agent", name), json.dumps(held) if text is None else text)


def key(value=None, provider="mock", **more):
    return {"type": "api_key", "provider": provider, **({"key": value} if value else {}), **more}


def token(value=None, **more):
    return {"type": "token", "provider": "Mock ", **({"token": value} if value else {}), **more}


@pytest.fixture(name="keeping")
def keeping_gateway(fresh_gateway, provider):
    """The config has a key of its own, and a second agent."""
    gateway = fresh_gateway()
    put(gateway, "keys.json", json.dumps({"key": "k-file-1"}))
    config = model(provider, "k-config")
    config["agents"]["list"] = [{"id": "main"}, {"id": "other"}]
    save(gateway, **config, secrets={"providers": {"disk": {"source": "file", "path": "~/keys.json"}}},
         gateway={**config_of(gateway)["gateway"], "reload": {"debounceMs": 20}})
    return gateway


def asked_with(client, provider, value, agent="main"):
    """Each change comes a moment after the file."""
    def is_asked():
        run(client, agent)
        asked = provider.stats()["headers"]
        return asked and asked[-1]["authorization"] == f"Bearer {value}"

    until(is_asked, 10, f"{value} for {agent}")


def test_what_an_agent_keeps_counts_before_the_config(keeping, provider):
    keeping.start()
    with Client(keeping.port, keeping.token) as client:
        asked_with(client, provider, "k-config")
        keep(keeping, mock_default=key("k-main"), gone_default=key("k-gone", "gone"))  # the directory is new, too
        asked_with(client, provider, "k-main")
        asked_with(client, provider, "k-main", "other")  # it has none and falls back on that of "main"
        keep(keeping, "other", mock_own=key(keyRef=ref("file", "disk", "/key")))
        asked_with(client, provider, "k-file-1", "other")
        put(keeping, "keys.json", json.dumps({"key": "k-file-2"}))
        asked_with(client, provider, "k-file-2", "other")
        keep(keeping, mock_default=key("k-main"), mock_a=token("tok-0ld", expires=1), mock_b=token("tok-0wn", expires=LATER))
        asked_with(client, provider, "tok-0wn")  # tokens go before keys, unless their time is over
        keep(keeping, name="auth-state.json", text=json.dumps({"order": {"mock": ["mock:default", "mock:b"]}}))
        asked_with(client, provider, "k-main")
        os.unlink(os.path.join(keeping.state_dir, "agents/main/agent/auth-state.json"))
        asked_with(client, provider, "tok-0wn")
        save(keeping, auth={"order": {"mock": ["mock:default"]}})
        asked_with(client, provider, "k-main")
        config = config_of(keeping)
        config["models"]["providers"]["mock"]["auth"] = "api-key"  # told to take that of the config
        save(keeping, **config)
        asked_with(client, provider, "k-config")
        shown = json.dumps(client.call("config.get")) + json.dumps(client.call("health")) + json.dumps(client.call("status"))
        assert not [value for value in ("k-main", "tok-0wn", "k-file", "k-config") if value in shown]


def test_oc_127669_a_reference_that_fails_is_told_and_no_other_key_is_tried(only_once, keeping, provider):
    keep(keeping, mock_default=key(keyRef=ref("file", "disk", "/none")))
    keeping.start()
    with Client(keeping.port, keeping.token) as client:
        asked = len(provider.stats()["headers"])
        assert "own credential main.auth-profiles.mock:default.key is not available" in run(client)
        assert len(provider.stats()["headers"]) == asked
        with pytest.raises(CallError) as failed:
            client.call("secrets.reload")
        assert "main.auth-profiles.mock:default.key: secrets.providers.disk: the file has nothing" in str(failed.value)
        assert {w["path"] for w in client.call("config.get")["warnings"]} == {
            "main.auth-profiles.mock:default.key", "other.auth-profiles.mock:default.key"}
        put(keeping, "keys.json", json.dumps({"none": "k-late"}))
        asked_with(client, provider, "k-late")
        keep(keeping, text="{")  # somebody is writing it, or has broken it: what it said before holds
        until(lambda: [line for line in logged(keeping, "SECRETS_RELOADER_DEGRADED") if "as a JSON object" in line], 10, "the word of it")
        run(client)
        assert last_key(provider) == "Bearer k-late"
        keep(keeping, mock_default=key("k-mended"))
        asked_with(client, provider, "k-mended")


def test_an_oauth_profile_takes_no_reference(only_once, keeping, provider):
    keep(keeping, mock_default=token("t-beside", tokenRef=ref("file", "disk", "/key")))
    keeping.start()
    with Client(keeping.port, keeping.token) as client:
        asked_with(client, provider, "k-file-1")
        assert "main.auth-profiles.mock:default.token" in logged(keeping, "SECRETS_REF_OVERRIDES_PLAINTEXT")[0]
        save(keeping, auth={"profiles": {"mock:default": {"provider": "mock", "mode": "oauth"}}})
        until(lambda: logged(keeping, "config_refused"), 10, "the refusal")
        assert "main.auth-profiles.mock:default.token cannot be resolved" in logged(keeping, "config_refused")[0]
        run(client)
        assert last_key(provider) == "Bearer k-file-1"


def test_a_profile_that_expires_is_named_and_another_takes_its_place(only_once, keeping, provider):
    config = config_of(keeping)
    del config["models"]["providers"]["mock"]["apiKey"]
    save(keeping, **config)
    keep(keeping, mock_a=token("tok-short", expires=int(time.time() * 1000) + 4000), mock_b=key("k-after"))
    keeping.start()
    with Client(keeping.port, keeping.token) as client:
        asked_with(client, provider, "tok-short")
        asked_with(client, provider, "k-after")  # when its time is over, with no word from anybody
        keep(keeping, mock_a=token("tok-old", expires=1))
        why = "own credential main.auth-profiles.mock:a.token (it has expired: log in anew"
        until(lambda: why in run(client), 10, "the word of it")
        assert any("main.auth-profiles.mock:a.token" in line and "has expired" in line for line in logged(keeping, "SECRETS_REF_IGNORED"))
        assert client.call("secrets.reload")["ok"], "it stops nobody else"
        keep(keeping, mock_login={"type": "oauth", "provider": "mock", "access": "a", "refresh": "r", "expires": LATER})
        why = "own credential main.auth-profiles.mock:login.token (it is an OAuth login"
        until(lambda: why in run(client), 10, "the word of it")
        keep(keeping, mock_a=token("tok-new", expires=LATER))
        asked_with(client, provider, "tok-new")
