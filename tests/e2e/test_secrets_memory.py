"""Values of secrets in the memory of a running gateway: those of before are gone, those in use stand in locked pages."""

import json
import os

from client import Client
from gateway import until
from memory import places
from test_secrets import config_of, exec_entry, last_key, model, program, put, ref, run, save

SOURCES = ("token", "file", "exec")


def rotate(gateway):
    """New values everywhere; returns them."""
    values = {source: f"c4nary-{source}-{os.urandom(12).hex()}" for source in SOURCES}
    program(gateway, "vault", {"k": values["exec"]})
    put(gateway, "keys.json", json.dumps({"token": values["token"], "key": values["file"]}))
    return values


def use(gateway, values, provider):
    """Every way on which a secret travels: connect, HTTP, a provider, secrets.resolve."""
    bearer = {"Authorization": f"Bearer {values['token']}"}
    asked = {"model": "openclaw", "messages": [{"role": "user", "content": "hi"}]}
    until(lambda: gateway.complete(asked, bearer)[0] == 200, 15, "the new token")
    with Client(gateway.port, values["token"]) as client:
        run(client)
        assert last_key(provider) == f"Bearer {values['file']}"
        assert provider.stats()["headers"][-1]["x-custom"] == values["exec"]
        said = client.call("secrets.resolve", {"commandName": "x", "targetIds": [
            "models.providers.*.apiKey", "models.providers.*.headers.*", "gateway.auth.token"]})
        assert {a["value"] for a in said["assignments"]} == set(values.values())


def copies(gateway, value):
    return [place for pid in gateway.processes() for place in places(pid, value.encode())]


def test_old_values_are_gone_and_those_in_use_are_locked(only_once, fresh_gateway, provider):
    gateway = fresh_gateway()
    old = rotate(gateway)
    config = model(provider, ref("file", "disk", "/key"))
    config["models"]["providers"]["mock"]["headers"] = {"X-Custom": ref("exec", "vault", "k")}
    save(gateway, **config,
         secrets={"providers": {"disk": {"source": "file", "path": "~/keys.json"},
                                "vault": exec_entry(os.path.join(gateway.state_dir, "vault"))}},
         gateway={**config_of(gateway)["gateway"], "auth": {"mode": "token", "token": ref("file", "disk", "/token")},
                  "reload": {"debounceMs": 50}})
    gateway.start()
    use(gateway, old, provider)
    new = rotate(gateway)
    use(gateway, new, provider)
    for source in SOURCES:
        until(lambda: not copies(gateway, old[source]), 10, f"the end of the old {source}")
    for source in SOURCES:
        here = copies(gateway, new[source])
        assert here and all(is_locked for _, is_locked, _ in here), (source, here)
