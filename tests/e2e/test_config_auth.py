"""A change of the config that ends the credential of whoever made it: the answer comes first, then the end."""

import json
import os

import pytest

from client import CallError, Client

TOKEN = "first-token-of-ours"


@pytest.fixture(name="running")
def running_gateway(fresh_gateway):
    made = fresh_gateway(config={"gateway": {"mode": "local", "auth": {"mode": "token", "token": TOKEN,
                                                                       "password": "a-password-of-ours"}}})
    made.token = TOKEN
    return made.start()


def config_of(gateway):
    with open(gateway.config_path, encoding="utf-8") as file:
        return json.load(file)["gateway"]


CHANGES = {
    "token": (["config", "set", "gateway.auth.token", "second-token"], lambda now: now["auth"]["token"] == "second-token"),
    "mode": (["config", "set", "gateway.auth.mode", "password"], lambda now: now["auth"]["mode"] == "password"),
    "origins": (["config", "set", "gateway.controlUi.allowedOrigins", '["https://a.example"]'],
                lambda now: now["controlUi"]["allowedOrigins"] == ["https://a.example"]),
    "patch": (["config", "patch", "--stdin"], lambda now: now["auth"]["token"] == "second-token"),
    "doctor": (["doctor", "--generate-gateway-token"], lambda now: len(now["auth"]["token"]) == 48),
}


@pytest.mark.parametrize("which", CHANGES)
def test_the_command_line_hears_that_it_has_changed_the_auth(running, which):
    words, is_changed = CHANGES[which]
    headers = [f"Origin: http://localhost:{running.port}"] if which == "origins" else ()
    with Client(running.port, TOKEN, headers=headers) as other, Client(running.port, TOKEN) as program:
        done = running.cli(*words, input='{ gateway: { auth: { token: "second-token" } } }')
        assert done.returncode == 0 and "not done" not in done.stdout, (done.stdout, done.stderr)
        assert is_changed(config_of(running))
        assert other.wait_closed() == (4001, "gateway auth changed")
        if which == "origins":
            assert program.call("health")["ok"], "whoever is no page stays"
        else:
            assert program.wait_closed() == (4001, "gateway auth changed")


@pytest.mark.parametrize("method", ["config.set", "config.patch", "config.apply"])
def test_a_client_that_changes_the_auth_is_answered_and_then_closed(running, method):
    client = Client(running.port, TOKEN)
    now = client.call("config.get")
    changed = {"gateway": {**now["parsed"]["gateway"], "auth": {"mode": "token", "token": "second-token"}}}
    wanted = changed if method == "config.patch" else {**now["parsed"], **changed}
    assert client.call(method, {"raw": json.dumps(wanted), "baseHash": now["hash"]})["ok"]
    assert client.wait_closed() == (4001, "gateway auth changed")
    with pytest.raises(CallError):
        Client(running.port, TOKEN)
    Client(running.port, "second-token").socket.close()


def test_who_reads_the_secrets_anew_is_answered_and_then_closed(fresh_gateway):
    path = None

    def put(token):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump({"token": token}, file)

    made = fresh_gateway()
    path = os.path.join(made.state_dir, "keys.json")
    put("token-of-the-file-1")
    made.write_config({"secrets": {"providers": {"disk": {"source": "file", "path": path}}},
                       "gateway": {"mode": "local", "auth": {"mode": "token", "token": {
                           "source": "file", "provider": "disk", "id": "/token"}}}})
    made.token = "token-of-the-file-1"
    made.start()
    client = Client(made.port, made.token)
    put("token-of-the-file-2")
    assert client.call("secrets.reload")["ok"]
    assert client.wait_closed() == (4001, "gateway auth changed")
    Client(made.port, "token-of-the-file-2").socket.close()
