"""Our command line beside the original's, of both generations: the same words at the same gateway in the same state
must end in the same way, and JSON must have at least the same keys, of the same types."""

import concurrent.futures
import fnmatch
import json
import shutil

import pytest

from client import CallError, Client
from conftest import GENERATIONS, Real
from device_client import Device
from gateway import TOKEN, Gateway
from node_client import NodeClient, approve

FAR = ["X-Forwarded-For: 203.0.113.7"]

# Keys that ours does not have, and why. The path of a key, with * for anything.
MEANT = {
    "*.runtime.detail": "there is no service manager of the original's",
    "*.runtime.inspection*": "there is no service manager of the original's",
    "*.service.*": "units are the operator's here, and how they fare is what systemctl says",
    "*.gatewayService.loadState": "units are the operator's here",
    ".nodeService.*": "this machine is no node",
    ".port.listeners[].commandLine": "there may be a secret in it",
    ".gateway.controlUiLinks": "there is no control page yet",
    "*.server.bootId": "clients of protocol 4 are told, and this command line speaks 3",
    ".hostDesktop": "desktops are not shown",
    ".pluginVersionDrift": "there are no plug-ins",
    ".memoryPlugin": "there are no plug-ins",
    ".targets[].config.discovery": "gateways are not announced",
    ".update*": "nobody looks for updates yet",
    ".agents.ownership": "agents have no owners",
    ".agents.selectionRequired": "agents have no owners",
    ".agents.bootstrapPendingCount": "agents are ready when they are there",
    ".agents.agents[].bootstrapPending": "agents are ready when they are there",
    ".agents.agents[].workspaceDir": "the workspace is the gateway's to know",
    ".securityAudit": "belongs to plug-ins",
    ".collection": "everything is asked of the gateway",
    ".file.socket": "a file that is not there has none",
}


class Scene:
    """A gateway with devices and nodes, paired and asking, a session, and something that waits for leave."""

    def __init__(self):
        self.gateway = Gateway("inproc", config={"gateway": {"mode": "local", "auth": {"mode": "token", "token": TOKEN},
                                                             "trustedProxies": ["127.0.0.1"]}})
        self.gateway.start()
        self.operator = Client(self.gateway.port, TOKEN)
        self.person = Client(self.gateway.port, TOKEN)
        self.laptop = self.paired(["operator.read"])
        self.request(self.laptop, ["operator.read", "operator.write"])
        self.request(Device(name="Third Laptop"), ["operator.admin"])
        self.node = NodeClient(self.gateway.port, TOKEN, name="Attic")
        approve(self.operator, self.node)
        self.asking = NodeClient(self.gateway.port, TOKEN, name="Cellar")
        self.operator.chat("hello there", "agent:main:main")
        self.operator.send("exec.approval.request", {"command": "make check", "agentId": "main", "twoPhase": True})
        self.reals = {name: Real(self.gateway, name) for name in GENERATIONS}

    def request(self, device, scopes):
        with pytest.raises(CallError) as caught:
            device.connect(self.gateway, scopes, {"token": TOKEN}, FAR)
        return caught.value.error["details"]["requestId"]

    def paired(self, scopes):
        device = Device(name="Laptop")
        self.operator.call("device.pair.approve", {"requestId": self.request(device, scopes)})
        return device

    def run(self, make_words):
        """What each of the three says; each has something of its own to work on."""
        runs = {"ours": lambda words: self.gateway.cli(*words, environment={"NO_COLOR": "1"}),
                **{name: lambda words, real=real: real.cli(*words) for name, real in self.reals.items()}}
        words = {name: make_words(self) if callable(make_words) else make_words for name in runs}
        with concurrent.futures.ThreadPoolExecutor(len(runs)) as pool:
            done = {name: pool.submit(run, words[name]) for name, run in runs.items()}
            return {name: each.result() for name, each in done.items()}

    def close(self):
        for client in (self.operator, self.person, self.node, self.asking):
            client.socket.close()
        for real in self.reals.values():
            shutil.rmtree(real.home, ignore_errors=True)
        self.gateway.close()


@pytest.fixture(scope="module")
def scene():
    made = Scene()
    yield made
    made.close()


def kind(value):
    names = {type(None): "null", bool: "bool", int: "number", float: "number", str: "text", list: "list", dict: "map"}
    return names[type(value)]


def lacks(theirs, ours, path=""):
    """What theirs has and ours has not, or of another type."""
    if None in (theirs, ours):
        return []
    if kind(theirs) != kind(ours):
        return [f"{path}: {kind(theirs)} there, {kind(ours)} here"]
    if isinstance(theirs, dict):
        return [each for key, value in theirs.items() if value is not None
                for each in (lacks(value, ours[key], f"{path}.{key}") if key in ours else [f"{path}.{key}"])]
    if isinstance(theirs, list) and theirs and ours:
        return lacks(theirs[0], ours[0], path + "[]")
    return []


def parsed(text):
    text = text[text.index("\n") + 1:] if text.startswith("Gateway call:") else text  # its own first line
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def compare(scene, make_words):
    told = scene.run(make_words)
    ours = told.pop("ours")
    for name, theirs in told.items():
        said = f"{name}: {theirs.returncode} {theirs.stdout[-400:]}{theirs.stderr[-400:]}\n" \
               f"ours: {ours.returncode} {ours.stdout[-400:]}{ours.stderr[-400:]}"
        assert (ours.returncode == 0) == (theirs.returncode == 0), said
        # The later one has JSON of some failures also for who did not want any.
        wants_json = theirs.returncode == 0 or "--json" in theirs.args
        if wants_json and theirs.stdout.lstrip().startswith(("{", "[", "Gateway call:")):
            missing = [each for each in lacks(parsed(theirs.stdout), parsed(ours.stdout))
                       if not any(fnmatch.fnmatchcase(each.replace("[", "("), at.replace("[", "(")) for at in MEANT)]
            assert not missing, f"{name} has, and ours has not: {missing}"
    return told


# What the original must be told of our gateway, whatever it makes of it.
EXPECTED = {
    "gateway call health --json": lambda told: told["ok"],
    "health --json": lambda told: told["ok"],
    "status --json": lambda told: told["gateway"]["reachable"],
    "status --deep --json": lambda told: told["gateway"]["reachable"],
    "gateway status --require-rpc --json": lambda told: told["rpc"]["ok"],
    "gateway probe --json": lambda told: told["ok"] and not told["degraded"],
    "channels status --json": lambda told: "channels" in told,
    "system presence --json": lambda told: any(row.get("mode") == "gateway" for row in told),
    "logs --json --limit 5": lambda told: told[0]["type"] == "meta",
    "agent --agent main --message hello --json": lambda told: "hello" in told["result"]["payloads"][0]["text"],
    "secrets reload --json": lambda told: told["ok"] and told["warningCount"] == 0,
}

LOOKING = [
    "devices list --json", "nodes list --json", "nodes list --connected --json", "nodes status --json",
    "nodes status --last-connected 1h --json", "nodes describe --node Attic --json", "nodes pending --json",
    "approvals get --json", "approvals get --gateway --json", "system heartbeat last --json", "system presence --json",
    "gateway status --json", "gateway status --require-rpc --json", "gateway probe --json", "gateway health --json",
    "gateway call health --json", "gateway call status", "health --json", "status --json", "status --deep --json",
    "channels status --json", "channels status --probe --json", "logs --json --limit 5",
    "agent --agent main --message hello --json", "system event --text hi --json", "system heartbeat enable --json",
    "qr --json --url ws://127.0.0.1:18789", "secrets reload --json",
]

WRONG = [
    "gateway call no.such.method --json", "gateway call chat.send --params {} --json", "devices approve nosuch --json",
    "devices reject nosuch", "devices remove nosuch", "devices rotate --device nosuch --role operator",
    "devices revoke --device nosuch --role operator", "devices approve", "devices clear", "nodes approve nosuch",
    "nodes reject nosuch", "nodes describe --node nosuch", "nodes remove --node nosuch", "nodes rename --node Attic",
    "nodes invoke --node Attic --command system.run", "nodes invoke --node Attic --command no.such",
    "nodes camera snap --node Attic", "nodes notify --node Attic", "nodes location get --node Cellar",
    "nodes push --node Attic --title x", "approvals get --node nosuch", "approvals set", "system event", "gateway nosuch",
    "qr --token a --password b",
]


@pytest.mark.parametrize("line", LOOKING)
def test_what_is_looked_at_looks_the_same(scene, line):
    for name, theirs in compare(scene, line.split()).items():
        if line in EXPECTED:
            assert theirs.returncode == 0, theirs.stderr
            assert EXPECTED[line](parsed(theirs.stdout)), f"{name}: {theirs.stdout}"


def test_what_is_expected_is_looked_at():
    assert set(EXPECTED) <= set(LOOKING)


@pytest.fixture
def later(scene, monkeypatch):
    """With the newer of the two alone."""
    monkeypatch.setattr(scene, "reals", {"2026.9.6": scene.reals["2026.9.6"]})
    return scene


@pytest.mark.parametrize("line", WRONG)
def test_what_fails_there_fails_here(later, line):
    compare(later, line.split())


CHANGING = {
    "approve": lambda scene: ["devices", "approve", scene.request(Device(), ["operator.read"]), "--json"],
    "reject": lambda scene: ["devices", "reject", scene.request(Device(), ["operator.read"]), "--json"],
    "rotate": lambda scene: ["devices", "rotate", "--device", scene.paired(["operator.read"]).id, "--role", "operator",
                             "--json"],
    "revoke": lambda scene: ["devices", "revoke", "--device", scene.paired(["operator.read"]).id, "--role", "operator",
                             "--json"],
    "remove": lambda scene: ["devices", "remove", scene.paired(["operator.read"]).id, "--json"],
    "rename a node": lambda scene: ["nodes", "rename", "--node", scene.node.node_id, "--name", "Attic", "--json"],
}


@pytest.mark.parametrize("name", CHANGING)
def test_what_is_changed_is_told_the_same(scene, name):
    compare(scene, CHANGING[name])


NEWER = ["approvals pending --json", "approvals grants list --json", "approvals grants revoke nosuch --json",
         "approvals resolve nosuch deny --json", "devices rename --device nosuch --name x --json",
         "gateway call health --expect-url ws://127.0.0.1:1"]


@pytest.mark.parametrize("line", NEWER)
def test_what_only_the_later_one_has_is_the_same(later, line):
    compare(later, line.split())
