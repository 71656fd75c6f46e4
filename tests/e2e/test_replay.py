"""What OpenClaw Gateway 2026.5.7 answered, held against what ours answers: recorded exchanges, played again.

A trace is played when the schema says that everything it asks for is served; of a trace that asks for more, the rest is
played when tests/data/traces/replay.json names it. That file also holds the differences that are meant, each with its
reason, and the names of all traces that are played: the list can only grow.
"""

import json
import os
import sys

import pytest

from client import ALL_SCOPES, CallError, Client
from device_client import Device, setup_code
from gateway import ROOT, Gateway, until
from replay import Meant, Replay, load, methods_of

sys.path.insert(0, os.path.join(ROOT, "schema"))

from generator import read  # noqa: E402

FOLDER = os.path.join(ROOT, "tests/data/traces")
SCHEMA, COMPLAINTS = read.schema_read(os.path.join(ROOT, "schema"))
SERVED = {one.name for one in SCHEMA.messages if one.method and not one.later}
EVENTS = {one.name for one in SCHEMA.messages if one.event and not one.later}
TRACES = {name[:-6]: load(os.path.join(FOLDER, name)) for name in sorted(os.listdir(FOLDER)) if name.endswith(".jsonl")}

with open(os.path.join(FOLDER, "replay.json"), encoding="utf-8") as stream:
    PLAN = json.load(stream)


def is_played(name):
    if name in PLAN["never"]:
        return False
    known = {one.name for one in SCHEMA.messages if one.method}
    return name in PLAN["in part"] or not (methods_of(TRACES[name]) & known) - SERVED


PLAYED = [name for name in TRACES if is_played(name)]


def test_no_trace_is_lost():
    assert not COMPLAINTS
    assert not set(PLAN["played"]) - set(PLAYED), "these were played once, and are no more"
    assert not set(PLAYED) - set(PLAN["played"]), "these are played now: name them in replay.json"
    assert set(TRACES) == set(PLAN["played"]) | set(PLAN["never"]) | set(PLAN["not yet"]), "each is played, or says why not"


def merged(one, other):
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return other
    return {key: merged(one[key], other[key]) if key in one and key in other else one.get(key, other.get(key))
            for key in [*one, *(key for key in other if key not in one)]}


def config_of(name, provider):
    """The config of the recorded gateway, but for what its addresses were."""
    config = merged(PLAN["config"], PLAN["config of"].get(name, {}))
    config["models"]["providers"]["mock"]["baseUrl"] = f"http://127.0.0.1:{provider.port}/v1"
    if name in SEEDS or any("x-forwarded-for" in str(row.get("headers", "")).lower() for row in TRACES[name]):
        config["gateway"]["trustedProxies"] = ["127.0.0.1"]
    return config


FAR = ["X-Forwarded-For: 203.0.113.7"]


def seed_setup_code(gateway):
    """A setup code had been made: the recorded client shows its token."""
    code = setup_code(gateway.cli("qr", "--setup-code-only", "--url", f"ws://127.0.0.1:{gateway.port}").stdout.strip())
    return {"BOOTSTRAP-TOKEN-DUMMY-0001": code["bootstrapToken"]}


def seed_scope_upgrade(gateway):
    """A command line that may read had asked to do everything."""
    device, auth = Device(), {"token": "TOKEN-DUMMY-0001"}
    for scopes in (["operator.read"], [*ALL_SCOPES, "operator.talk.secrets"]):
        with pytest.raises(CallError) as refused:
            device.connect(gateway, scopes, auth, FAR)
        if scopes == ["operator.read"]:
            with Client(gateway.port, "TOKEN-DUMMY-0001") as client:
                client.call("device.pair.approve", {"requestId": refused.value.error["details"]["requestId"]})
            device.connect(gateway, scopes, auth, FAR).socket.close()
    return {}


SEEDS = {"cli-qr-setup-code": seed_setup_code, "ws-device-pair-approve-scope-upgrade": seed_scope_upgrade}


def seed(gateway, name):
    """The recorded gateway had been talked to before."""
    auth = PLAN["config of"].get(name, {}).get("gateway", {}).get("auth", {})
    if auth.get("mode", "token") == "token":
        with Client(gateway.port, "TOKEN-DUMMY-0001") as client:
            client.chat("hello there", "agent:main:main")
            until(lambda: client.call("health")["sessions"]["count"], what="the session in health")
    return SEEDS.get(name, lambda gateway: {})(gateway)


MEANT = Meant(PLAN["differences"])
RUN = set()


@pytest.fixture(scope="module")
def shared_gateway(topology, provider):
    """One for all handshakes with the same config: they leave nothing behind that another could meet."""
    running = {}

    def get(name):
        config = config_of(name, provider)
        key = json.dumps(config)
        if key not in running:
            running[key] = Gateway(topology, config=config)
            running[key].start()
            seed(running[key], name)
        return running[key], {}

    yield get
    for each in running.values():
        each.close()


@pytest.fixture
def replay_gateway(shared_gateway, fresh_gateway, provider):
    def get(name):
        if name.startswith("hs-") and "rate-limited" not in name:
            return shared_gateway(name)
        gateway = fresh_gateway(config=config_of(name, provider)).start()
        return gateway, seed(gateway, name)
    return get


@pytest.mark.parametrize("name", PLAYED)
def test_the_answers_are_those_that_were_recorded(name, replay_gateway):
    gateway, names = replay_gateway(name)
    stop = gateway.stop if name in PLAN["stopped"] else None
    differences = Replay(gateway.port, SERVED, EVENTS, stop, names, name in PLAN["left"]).run(TRACES[name])
    unmeant = sorted({f"{at}: {what}" for at, what in differences if not MEANT.has(name, at, what)})
    RUN.add(name)
    assert not unmeant, "\n".join(unmeant)


def test_every_difference_that_is_meant_still_is_one():
    if RUN != set(PLAYED):
        pytest.skip("not all traces were played")
    assert not MEANT.stale()
