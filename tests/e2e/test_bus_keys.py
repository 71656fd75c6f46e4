"""What stands between machines before anything runs: topology files and keys. No gateway is started."""

import json
import os
import stat
import subprocess

import pytest

from gateway import BINARY, ROOT

pytestmark = pytest.mark.skipif(os.environ.get("OPENCLAW_TEST_TOPOLOGY") == "ipc", reason="the same in any topology")
TOPOLOGIES = os.path.join(ROOT, "deploy/topologies")
PLACEHOLDER = "the-public-key-that-bus-keygen-prints-00"
SPLIT = os.path.join(TOPOLOGIES, "split-host.json5")


@pytest.fixture
def run(tmp_path):
    def ask(*words):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENCLAW_")}
        return subprocess.run([BINARY, *words], env={**kept, "HOME": str(tmp_path), "OPENCLAW_STATE_DIR": str(tmp_path / "state")},
                              capture_output=True, text=True, timeout=30, check=False)
    return ask


@pytest.fixture
def written(tmp_path):
    def write(old, new, source=SPLIT):
        with open(source, encoding="utf-8") as file:
            text = file.read()
        assert old in text
        path = tmp_path / "topology.json5"
        path.write_text(text.replace(old, new), encoding="utf-8")
        return str(path)
    return write


@pytest.mark.parametrize("name", sorted(os.listdir(TOPOLOGIES)))
def test_every_topology_that_comes_along_is_in_order(run, written, name):
    path = os.path.join(TOPOLOGIES, name)
    with open(path, encoding="utf-8") as file:
        if PLACEHOLDER in file.read():
            path = written(PLACEHOLDER, json.loads(run("bus", "keygen", "--json").stdout)["publicKey"], path)
    done = run("bus", "topology", "check", path, "--json")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["ok"]


def test_the_hosts_and_their_links_are_told(run):
    told = json.loads(run("bus", "topology", "check", SPLIT, "--json").stdout)
    assert {host["name"]: host["link"] for host in told["hosts"]} == {"main": "ipc", "agents": "tcp"}
    assert told["endpoint"] == "tcp://10.0.0.1:18800"


@pytest.mark.parametrize("old, new, says", [
    (", curve: \"the-public-key-that-bus-keygen-prints-00\"", "", "has no \"curve\": nothing goes between machines unencrypted"),
    ("link:", "lnik:", "unknown key \"lnik\"; did you mean \"link\"?"),
    ("\"edge/0\"]", "\"egde/0\"]", "no such actor"),
    ("\"health\", ", "", "starts no \"health\""),
    ("\"agent/*\"", "\"edge/1\"", "no place for agents"),
])
def test_what_is_wrong_is_said_with_exit_code_78(run, written, old, new, says):
    path = written(old, new)
    done = run("bus", "topology", "check", path)
    assert done.returncode == 78
    assert says in done.stderr, done.stderr
    told = run("bus", "topology", "check", path, "--json")
    assert told.returncode == 78
    assert not json.loads(told.stdout)["ok"] and says in json.loads(told.stdout)["error"]


def test_a_gateway_refuses_a_way_without_keys_as_the_check_does(run, written):
    done = run("gateway", "run", "--topology", written(", curve: \"the-public-key-that-bus-keygen-prints-00\"", ""),
               "--auth", "none", "--allow-unconfigured")
    assert done.returncode == 78
    assert "has no \"curve\"" in done.stderr


def test_the_key_is_looked_at_as_a_gateway_would(run, written):
    done = run("bus", "topology", "check", SPLIT)
    assert done.returncode == 78 and "`openclaw bus keygen`" in done.stderr, done.stderr
    of_others = written(PLACEHOLDER, "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")
    assert run("bus", "topology", "check", of_others).returncode == 0, "who has no key may be anybody"
    key = json.loads(run("bus", "keygen", "--json").stdout)["publicKey"]
    for path in (SPLIT, of_others):
        done = run("bus", "topology", "check", path)
        assert done.returncode == 78 and f"but it is {key}" in done.stderr, done.stderr
        told = run("bus", "topology", "check", path, "--json")
        assert told.returncode == 78 and f"but it is {key}" in json.loads(told.stdout)["error"]
        refused = run("gateway", "run", "--topology", path, "--auth", "none", "--allow-unconfigured")
        assert refused.returncode == 78 and refused.stderr.splitlines()[0] == done.stderr.splitlines()[0], refused.stderr
    assert run("bus", "topology", "check", written(PLACEHOLDER, key)).returncode == 0


def test_what_owns_the_gateways_files_is_not_put_elsewhere(run, written):
    path = written("link: \"tcp\",\n      actors: [\"agent/*\"]", "actors: [\"agent/*\"]")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("main: {", "main: { link: \"tcp\","))
    done = run("bus", "topology", "check", path)
    assert done.returncode == 78
    assert "\"config\" is on host \"main\", whose link is \"tcp\"" in done.stderr


def test_a_key_pair_is_made_once_and_its_secret_is_shown_nowhere(run, tmp_path):
    first = json.loads(run("bus", "keygen", "--json").stdout)
    again = json.loads(run("bus", "keygen", "--json").stdout)
    assert first["created"] and not again["created"]
    assert first["publicKey"] == again["publicKey"] and len(first["publicKey"]) == 40
    assert first["fingerprint"] == again["fingerprint"] and first["fingerprint"].startswith("SHA256:")
    folder = tmp_path / "state/bus"
    secret = (folder / "curve.cert_secret").read_text(encoding="utf-8")
    assert stat.S_IMODE(os.stat(folder / "curve.cert_secret").st_mode) == 0o600
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    key = [line.split("=", 1)[1].strip().strip('"') for line in secret.splitlines() if "secret-key" in line][0]
    for words in (("bus", "keygen"), ("bus", "keygen", "--json"), ("bus", "keys")):
        done = run(*words)
        assert done.returncode == 0 and key not in done.stdout + done.stderr
    forced = json.loads(run("bus", "keygen", "--force", "--json").stdout)
    assert forced["created"] and forced["publicKey"] != first["publicKey"]


def test_a_secret_that_others_can_read_is_not_used(run, tmp_path):
    assert run("bus", "keygen").returncode == 0
    os.chmod(tmp_path / "state/bus/curve.cert_secret", 0o644)
    done = run("bus", "keygen")
    assert done.returncode == 78
    assert "others can read it" in done.stderr


def test_machines_are_allowed_listed_and_denied_by_name(run):
    key = json.loads(run("bus", "keygen", "--json").stdout)["publicKey"]
    done = run("bus", "allow", "agents", key, "--json")
    assert done.returncode == 0
    listed = json.loads(run("bus", "keys", "--json").stdout)["allowed"]
    assert listed == [json.loads(done.stdout)] and listed[0]["name"] == "agents" and listed[0]["publicKey"] == key
    other = run("bus", "allow", "other", key)
    assert other.returncode == 2 and "is that of \"agents\" already" in other.stderr
    assert run("bus", "deny", "agents").returncode == 0
    assert json.loads(run("bus", "keys", "--json").stdout)["allowed"] == []
    gone = run("bus", "deny", "agents")
    assert gone.returncode == 1 and "not allowed to join anyway" in gone.stderr


@pytest.mark.parametrize("name, key", [("Agents", "a" * 40), ("../x", "a" * 40), ("agents", "short"), ("agents", "_" * 40)])
def test_names_and_keys_that_are_none_are_refused(run, tmp_path, name, key):
    assert run("bus", "allow", name, key).returncode == 2
    assert not os.path.exists(tmp_path / "state/bus/allowed")


def test_a_topology_that_is_a_pipe_is_refused_and_not_waited_for(run, tmp_path):
    pipe = str(tmp_path / "topology.json5")
    os.mkfifo(pipe)
    for words in (("bus", "topology", "check", pipe),
                  ("gateway", "run", "--topology", pipe, "--auth", "none", "--allow-unconfigured")):
        done = run(*words)
        assert done.returncode == 78
        assert pipe in done.stderr and "it is no regular file" in done.stderr


@pytest.mark.parametrize("end", ["", "_secret"])
def test_a_pipe_among_the_allowed_is_told_of_and_passed_over(run, tmp_path, end):
    key = json.loads(run("bus", "keygen", "--json").stdout)["publicKey"]
    assert run("bus", "allow", "agents", key).returncode == 0
    os.mkfifo(tmp_path / f"state/bus/allowed/other.cert{end}")
    if end:
        (tmp_path / "state/bus/allowed/other.cert").write_text("", encoding="utf-8")
    listed = run("bus", "keys", "--json")
    assert [peer["name"] for peer in json.loads(listed.stdout)["allowed"]] == ["agents"]
    shown = run("bus", "keys")
    assert shown.returncode == 0 and "agents" in shown.stdout and "other" not in shown.stdout
    for done in (listed, shown):
        assert "allowed/other.cert is no regular file with a public key" in done.stderr
    assert run("bus", "deny", "other").returncode == 0
    assert not os.path.exists(tmp_path / "state/bus/allowed/other.cert")


def test_a_key_pair_that_is_a_pipe_is_refused(run, tmp_path):
    assert run("bus", "keygen").returncode == 0
    os.remove(tmp_path / "state/bus/curve.cert_secret")
    os.mkfifo(tmp_path / "state/bus/curve.cert_secret", 0o600)
    done = run("bus", "keygen")
    assert done.returncode == 78 and "is no key pair" in done.stderr
