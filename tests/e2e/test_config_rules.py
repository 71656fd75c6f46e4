"""What a change means, rule by rule of the protocol (tests/data/protocol/reload.json): each is edited into the file of a
running gateway, which says what it made of it."""

import json
import os

import pytest

from client import Client
from gateway import ROOT, Gateway, until

with open(os.path.join(ROOT, "tests/data/protocol/reload.json"), encoding="utf-8") as facts:
    FACTS = json.load(facts)
RULES = [rule for kind in ("baseRules", "tailRules") for rule in FACTS[kind]]
RULES += [{"prefix": prefix, "kind": "hot"} for row in FACTS["channelRules"]["bundled"] for prefix in row["configPrefixes"]]
RULES += [{"prefix": prefix, "kind": "restart"} for row in FACTS["pluginRegisteredRules"] for prefix in row["restartPrefixes"]]

# A path of the rule and two values, where any one would not do.
EDITS = {
    "gateway.remote": ("gateway.remote.url", "ws://one.example:1", "ws://two.example:1"),
    "gateway.reload": ("gateway.reload.debounceMs", 21, 20),
    "gateway.channelHealthCheckMinutes": ("gateway.channelHealthCheckMinutes", 3, 4),
    "gateway.channelStaleEventThresholdMinutes": ("gateway.channelStaleEventThresholdMinutes", 31, 32),
    "gateway.channelMaxRestartsPerHour": ("gateway.channelMaxRestartsPerHour", 5, 6),
    "hooks.gmail": ("hooks.gmail.account", "one@example.org", "two@example.org"),
    "hooks": ("hooks.path", "/one", "/two"),
    "tools": ("tools.profile", "coding", "full"),
    "agents.defaults.heartbeat": ("agents.defaults.heartbeat.every", "1h", "2h"),
    "agents.defaults.models": ("agents.defaults.models", {"a/b": {}}, {"a/b": {"alias": "c"}}),
    "agents.defaults.model": ("agents.defaults.model.primary", "builtin/other", "builtin/echo"),
    "models.pricing": ("models.pricing.enabled", True, False),
    "models": ("models.mode", "merge", "replace"),
    "agents.list": ("agents.list", [{"id": "main"}], [{"id": "main"}, {"id": "second"}]),
    "meta": ("meta.lastTouchedVersion", "1", "2"),
    "wizard": ("wizard.lastRunVersion", "1", "2"),
    "logging": ("logging.level", "debug", "info"),
    "agents": ("agents.defaults.workspace", "/one", "/two"),
    "session": ("session.mainKey", "one", "main"),
    "secrets": ("secrets.defaults", {"env": "default"}, {"env": "other"}),
    "bindings": ("bindings", [], [{}]),
    "canvasHost": ("canvasHost.liveReload", False, True),
    "ui": ("ui.seamColor", "#112233", "#332211"),
    "gateway": ("gateway.webchat.chatHistoryMaxChars", 5000, 6000),
}
pytestmark = pytest.mark.skipif(os.environ.get("OPENCLAW_TEST_TOPOLOGY") == "ipc", reason="the same in any topology")
GONE = ("agent.heartbeat", "agent", "routing", "identity")  # of earlier formats: an edit that brings them is refused
SERVED_RESTARTS = ("gateway", "models.pricing")


@pytest.fixture(name="running", scope="module")
def running_gateway():
    made = Gateway(config={"gateway": {"mode": "local", "auth": {"mode": "token", "token": "first-token"},
                                       "reload": {"mode": "hot", "debounceMs": 20}}})
    made.token = "first-token"
    made.start()
    with Client(made.port, made.token) as client:
        made.client = client  # of one connection through all of it
        yield made
    made.close()


def put(gateway, path, value):
    with open(gateway.config_path, encoding="utf-8") as file:
        config = json.load(file)
    *above, last = path.split(".")
    at = config
    for key in above:
        at = at.setdefault(key, {})
    at[last] = value
    before = json.dumps(config)
    with open(gateway.config_path + ".swp", "w", encoding="utf-8") as file:
        file.write(before)
    os.replace(gateway.config_path + ".swp", gateway.config_path)


def reloads(gateway):
    return [line for line in gateway.logs() if '"event":"config_reload"' in line]


def plan(gateway, path, value):
    """Makes the change; what the gateway said about it."""
    before = len(reloads(gateway))
    put(gateway, path, value)
    return until(lambda: reloads(gateway)[before:], 10, f"{path} = {value}")[-1]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["prefix"])
def test_a_change_means_what_its_rule_says(running, rule):
    prefix, kind = rule["prefix"], rule["kind"]
    path, *values = EDITS.get(prefix, (prefix + ".x", 1, 2))
    if prefix in GONE:
        with open(running.config_path, encoding="utf-8") as file:
            good = file.read()
        put(running, path, values[0])
        until(lambda: not running.client.call("config.get")["valid"], 10, "the refusal")
        put_text(running, good)
        until(lambda: running.client.call("config.get")["valid"], 10, "the good one")
        return
    plan(running, path, values[0])
    said = plan(running, path, values[1])  # of one leaf
    assert f"{kind}=1" in said and "edge_restart=false" in said, said
    held = any(f"config_restart_held paths={path} " in line for line in running.logs())
    assert held == (kind == "restart" and prefix in SERVED_RESTARTS), (held, said)


def put_text(gateway, text):
    with open(gateway.config_path + ".swp", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(gateway.config_path + ".swp", gateway.config_path)
