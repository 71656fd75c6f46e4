"""Several gateways on one machine: what they must not share, and one that watches the other and mends it."""

import json
import os
import shutil
import tempfile

import pytest

from gateway import ROOT, Gateway, until
from test_process import tap

pytestmark = pytest.mark.usefixtures("only_once")
RESCUE = os.path.join(ROOT, "deploy/topologies/rescue.json5")


@pytest.fixture
def home():
    """A home directory with room for profiles."""
    path = tempfile.mkdtemp(prefix="openclaw-home-")
    yield path
    shutil.rmtree(path)


def refused(other):
    """The words with which it does not start."""
    other.spawn()
    assert other.process.wait(20) == 78, other.text()
    return other.text()


def test_a_shared_config_is_refused_and_its_holder_named(fresh_gateway):
    first = fresh_gateway().start()
    other = fresh_gateway(environment={"OPENCLAW_CONFIG_PATH": first.config_path})
    said = refused(other)
    assert f"pid {first.process.pid}" in said and first.state_dir in said and first.config_path in said
    first.stop()
    other.start()  # nothing of the first is left in its way


def test_a_shared_workspace_is_refused_and_its_holder_named(fresh_gateway, tmp_path):
    agents = {"defaults": {"model": {"primary": "builtin/echo"}, "workspace": str(tmp_path)}}
    first = fresh_gateway(config={"agents": agents}).start()
    other = fresh_gateway(config={"agents": agents})
    said = refused(other)
    assert f"pid {first.process.pid}" in said and first.state_dir in said and f"workspace {tmp_path}" in said
    other.write_config({})
    other.start()


def test_a_shared_port_names_the_gateway_that_has_it(fresh_gateway):
    first = fresh_gateway().start()
    other = fresh_gateway()
    other.port = first.port
    said = refused(other)
    assert f"in use by pid {first.process.pid}" in said and f"the gateway of {first.state_dir}" in said


def test_the_bus_of_each_has_its_own_endpoints(fresh_gateway):
    first, second = fresh_gateway().start(), fresh_gateway().start()
    for running, other in ((first, second), (second, first)):
        with open("/proc/net/unix", encoding="ascii") as file:
            own = [line for line in file if f"{running.state_dir}/run/" in line]
        assert own and not any(other.state_dir in line for line in own)


def test_probe_warns_about_several_and_names_them(home, fresh_gateway):
    """Those of other tests may run beside these two."""
    rescue = os.path.join(home, ".openclaw-rescue")
    os.makedirs(rescue, mode=0o700)
    first, second = fresh_gateway().start(), fresh_gateway(state_dir=rescue).start()

    def warning(*words):
        done = first.cli("gateway", "probe", "--json", "--token", first.token, *words)
        return next((each for each in json.loads(done.stdout)["warnings"] if each["code"] == "multiple_gateways"), None)

    def of(running, told):
        return next((each for each in told["gateways"] if each["stateDir"] == running.state_dir), None)

    asked = warning("--url", f"ws://127.0.0.1:{second.port}")
    assert asked["targetIds"] == ["explicit", "localLoopback"]
    told = warning()
    assert told["targetIds"] == ["localLoopback"], "the other was not asked, and is found all the same"
    assert of(first, told) == {"pid": first.process.pid, "stateDir": first.state_dir, "ports": [first.port]}
    assert of(second, told) == {"pid": second.process.pid, "stateDir": rescue, "profile": "rescue", "ports": [second.port]}
    assert len({each["stateDir"] for each in told["gateways"]}) == len(told["gateways"])
    said = first.cli("gateway", "probe", "--token", first.token).stdout
    assert "Several gateways answer" in said
    for running, words in ((first, ""), (second, ", --profile rescue")):
        assert f"pid {running.process.pid}, state directory {running.state_dir}{words}, port {running.port}\n" in said
    second.stop()
    told = warning()
    assert told is None or (of(second, told) is None and of(first, told))


class Main(Gateway):
    """The gateway that is watched: in the place where one without a profile is, with a port of its config."""

    def __init__(self, home):
        os.makedirs(os.path.join(home, ".openclaw"), mode=0o700)
        super().__init__(state_dir=os.path.join(home, ".openclaw"), environment={"HOME": home})
        self.is_port_given = False

    def write_config(self, changes):
        super().write_config({**changes, "gateway": {"mode": "local", "port": self.port,
                                                     "auth": {"mode": "token", "token": self.token}}})


def test_a_rescue_gateway_watches_the_other_and_its_operator_mends_it(home):
    place = os.path.join(home, ".openclaw-rescue")
    os.makedirs(place, mode=0o700)
    with Main(home) as main, Gateway(state_dir=place, environment={"HOME": home},
                                     arguments=["--topology", RESCUE]) as rescue:
        assert "Actor" not in rescue.cli("health").stdout
        with open(main.config_path, encoding="utf-8") as file:
            good = file.read()
        with open(main.config_path, "w", encoding="utf-8") as file:
            file.write(good.replace('"mode"', '"mode', 1))
        assert main.cli("gateway", "stop").returncode == 0
        assert main.process.wait(10) == 0
        assert main.cli("gateway", "run").returncode == 78  # it does not start any more
        until(lambda: "does not serve since" in rescue.cli("health").stdout, 20, "the word in the rescuer's health")
        assert any("watched_gateway_down" in line for line in rescue.logs())
        # With the owner's rights alone: no token, no configured client.
        assert main.cli("logs", "--plain").returncode == 0
        done = main.cli("gateway", "restore", "--start", timeout=90)
        assert done.returncode == 0, done.stderr
        with open(main.config_path, encoding="utf-8") as file:
            assert json.loads(file.read()) == json.loads(good)
        until(lambda: "does not serve" not in rescue.cli("health").stdout, 20, "its recovery")
        shown = [line for line in rescue.text().splitlines() if "watched_gateway_" in line]
        assert "watched_gateway_down" in shown[0] and "watched_gateway_up" in shown[-1], shown
        assert "Health     ok" in main.cli("health").stdout
        watcher = tap(main, "--filter", "method == health", "--count", "1")
        until(lambda: main.cli("health").returncode == 0 and watcher.poll() is not None, 20, "an envelope")
        assert json.loads(watcher.communicate(timeout=10)[0].splitlines()[0])["to"] == "health"
        assert "left as it is" in main.cli("gateway", "restore").stdout
        assert main.cli("gateway", "stop").returncode == 0
