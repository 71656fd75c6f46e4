"""Machines that the gateway's topology does not name: they join a running gateway, go, come back, and are taken back."""

import contextlib
import json
import os
import shutil
import subprocess

import pytest

import netns
from client import CallError, Client
from gateway import ROOT, Elsewhere, Gateway, free_port, until

pytestmark = pytest.mark.skipif(os.environ.get("OPENCLAW_TEST_TOPOLOGY") != "ipc", reason="makes its own, from that of ipc")
FILES = {"inproc": "single.json5", "ipc": "split-agents.json5"}
AGENTS = {"agents": {"defaults": {"model": {"primary": "builtin/echo"}},
                     "list": [{"id": "main", "default": True}, {"id": "left-a"}]}}


class Guest(Elsewhere):
    """A host that no file of the gateway names. It is not started with the gateway, nor allowed before somebody does."""

    def __init__(self, gateway, host, *actors, prefix=()):
        self.gateway, self.host, self.actors = gateway, host, actors
        self.process, self.skew_s, self.extra, self.prefix = None, 0, {}, list(prefix)
        self.state_dir = os.path.join(gateway.state_dir, f"elsewhere-{host}")
        self.output = os.path.join(gateway.state_dir, f"elsewhere-{host}.txt")
        os.makedirs(self.state_dir, exist_ok=True)
        self.key = self.keygen(self.environment)
        gateway.guests.append(self)

    def allow(self, *actors, key=None):
        words = [word for each in actors or self.actors for word in ("--actors", each)]
        return self.gateway.cli("bus", "allow", self.host, key or self.key, *words)

    def spawn(self):
        where = ["--join", self.gateway.endpoint, "--curve", self.gateway.key]
        words = where + [word for each in self.actors for word in ("--actors", each)]
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(self.prefix + self.gateway.command("host", self.host, *words), env=self.environment,
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)

    def kill(self):
        """All of the machine at once."""
        self.process.kill()
        self.process.wait(10)
        until(lambda: not self.children(), 10, "the end of its child")

    def children(self):
        found = []
        for pid in self.gateway.processes():
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if f"OPENCLAW_BUS_HOST={self.host}\0".encode() in file.read():
                        found.append(pid)
        return found


class Home(Gateway):
    """A gateway at which hosts may join, and which names none."""

    def __init__(self, config=None, with_endpoint=True, address="127.0.0.1"):
        self.guests = []
        super().__init__("inproc", config=config)
        with open(os.path.join(ROOT, "deploy/topologies", FILES[os.environ["OPENCLAW_TEST_TOPOLOGY"]]), encoding="utf-8") as file:
            text = file.read()
        self.endpoint = f"tcp://{address}:{free_port()}"
        self.topology_path = os.path.join(self.state_dir, "topology.json5")
        self.key = json.loads(self.cli("bus", "keygen", "--json").stdout)["publicKey"]
        if with_endpoint:
            text = text.replace("hosts: {", f'gateway: {{ endpoint: "{self.endpoint}", curve: "{self.key}" }},\nhosts: {{', 1)
        with open(self.topology_path, "w", encoding="utf-8") as file:
            file.write(text)
        self.arguments += ["--topology", self.topology_path]

    def stop(self, *args, **options):
        for guest in self.guests:
            guest.stop()
        return super().stop(*args, **options)

    def hosts(self):
        return {each["name"]: each for each in self.told()["hosts"]}

    def told(self):
        done = self.cli("bus", "actors", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def place(self, address):
        return next((row["host"] for row in self.told()["actors"] if row["address"] == address and row["state"] == "ready"), None)

    def own_place(self):
        return {"inproc": "main", "ipc": "agents"}[os.environ["OPENCLAW_TEST_TOPOLOGY"]]


@pytest.fixture
def home():
    with Home() as made:
        yield made


def say(gateway, text, key, agent="left-a", timeout=20):
    """One turn, to its end; what the agent said."""
    with Client(gateway.port, gateway.token) as client:
        started = client.call("chat.send", {"sessionKey": f"agent:{agent}:main", "message": text, "idempotencyKey": key}, timeout=timeout)
        run = started["runId"]
        final = client.wait_event("chat", lambda p: p.get("runId") == run and p.get("state") == "final", timeout)
        return final["message"]["content"][0]["text"]


def history(gateway, agent="left-a"):
    with Client(gateway.port, gateway.token) as client:
        return json.dumps(client.call("chat.history", {"sessionKey": f"agent:{agent}:main"}))


def answers(gateway, agent="left-a"):
    with contextlib.suppress(CallError):
        return history(gateway, agent)
    return None


def joined(gateway, host="left"):
    return gateway.hosts().get(host, {}).get("state") == "ready"


def newcomer(home):
    """One that has joined, and has the agent left-a."""
    left = Guest(home, "left", "agent/left-*")
    assert left.allow().returncode == 0
    left.start()
    until(lambda: joined(home), 15, "the newcomer")
    home.write_config(AGENTS)
    until(lambda: home.place("agent/left-a") == "left", 15, "its agent")
    return left


def test_a_machine_joins_a_running_gateway_leaves_and_comes_back(home):
    left = Guest(home, "left", "agent/left-*")
    left.start()
    until(lambda: "nobody has allowed it" in home.text() or any("trunk_key_refused" in line for line in home.logs()), 10, "the refusal")
    done = left.allow()
    assert done.returncode == 0 and "agent/left-*" in done.stdout, done.stderr
    until(lambda: joined(home), 15, "the newcomer")
    assert home.hosts()["left"]["link"] == "tcp"
    home.write_config(AGENTS)
    until(lambda: home.place("agent/left-a") == "left", 15, "its agent")
    assert say(home, "hello there", "k-1") == "Echo: hello there"
    assert os.path.exists(os.path.join(left.state_dir, "db/agent-left-a.sqlite"))
    assert not os.path.exists(os.path.join(home.state_dir, "db/agent-left-a.sqlite"))
    graph = home.cli("bus", "graph", "--json").stdout
    assert "agent/left-a" in graph
    assert "agent/left-a" in home.cli("bus", "top", "--once", "--json").stdout

    left.kill()  # the machine is gone without a word
    with pytest.raises(CallError) as failed:
        until(lambda: history(home) and None, 10, "a failure")
    assert failed.value.code == "UNAVAILABLE" and "agent/left-a: " in failed.value.error["message"], failed.value.error
    assert "(host left" in failed.value.error["message"], failed.value.error
    until(lambda: "agent/left-a is unresponsive: host left: nothing is heard of its machine" in home.cli("health", "--json").stdout,
          10, "where to look")
    assert say(home, "meanwhile", "k-2", agent="main") == "Echo: meanwhile"
    left.start()
    until(lambda: answers(home), 20, "its return")
    assert "hello there" in history(home)

    left.stop()  # in order
    until(lambda: home.hosts()["left"]["state"] == "stopped", 10, "the goodbye")
    with pytest.raises(CallError) as failed:
        history(home)
    assert failed.value.code == "UNAVAILABLE"
    assert failed.value.error["message"].endswith("(host left: it has ended in order)"), failed.value.error
    until(lambda: "agent/left-a is stopped: host left: it has ended in order" in home.cli("health", "--json").stdout, 10, "health")
    assert "agent/left-a: host left: it has ended in order" in home.cli("bus", "actors").stdout
    left.start()
    until(lambda: answers(home), 20, "its return")
    assert say(home, "again", "k-3") == "Echo: again"


@pytest.mark.skipif(bool(netns.why_not()), reason=f"needs namespaces: {netns.why_not()}")
def test_it_comes_back_from_another_address():
    with netns.Switch() as switch, Home(AGENTS, address=switch.gateway) as home:
        left = Guest(home, "left", "agent/left-*", prefix=switch.machine("here"))
        assert home.place("agent/left-a") == home.own_place()
        # Its place was taken by the gateway when it started; with a config without it, it is free.
        home.write_config({})
        until(lambda: home.place("agent/left-a") is None, 10, "its end")
        os.remove(os.path.join(home.state_dir, "db/agent-left-a.sqlite"))
        assert left.allow().returncode == 0
        left.start()
        until(lambda: joined(home), 15, "the newcomer")
        home.write_config(AGENTS)
        until(lambda: home.place("agent/left-a") == "left", 15, "its agent")
        assert say(home, "from here", "k-1") == "Echo: from here"
        switch.cut("here")
        until(lambda: home.hosts()["left"]["state"] == "unresponsive", 10, "its silence")
        left.kill()
        left.prefix = switch.machine("there")
        left.start()
        until(lambda: answers(home), 20, "its return")
        assert "from here" in history(home)
        assert say(home, "from there", "k-2") == "Echo: from there"


def test_everybody_hears_the_newcomer_and_is_heard(home):
    """Subscriptions both ways: what its agent publishes reaches clients, and a new config reaches its agent."""
    left = newcomer(home)
    with Client(home.port, home.token) as client:
        client.call("sessions.subscribe", {})
        assert say(home, "one", "k-1") == "Echo: one"
        client.wait_event("session.message", lambda p: p.get("sessionKey") == "agent:left-a:main", 10)
    health = json.loads(home.cli("health", "--json").stdout)
    assert "left-a" in json.dumps(health) and "has not joined" not in json.dumps(health)


def test_a_host_that_is_denied_has_no_actors_any_more(home):
    left = newcomer(home)
    assert say(home, "kept there", "k-1") == "Echo: kept there"
    keys = json.loads(home.cli("bus", "keys", "--json").stdout)["allowed"]
    assert [(each["name"], each["actors"]) for each in keys] == [("left", ["agent/left-*"])]
    assert "agent/left-*" in home.cli("bus", "keys").stdout
    done = home.cli("bus", "deny", "left")
    assert done.returncode == 0 and "agent/left-*" in done.stdout
    until(lambda: "left" not in home.hosts(), 10, "its end")
    until(lambda: "was denied" in left.text(), 10, "the reason, there")
    # The agent has its place in the gateway again, and what it knows there.
    until(lambda: home.place("agent/left-a") == home.own_place(), 15, "the agent at home")
    until(lambda: answers(home), 10, "its answer")
    assert "kept there" not in history(home)
    health = home.cli("health", "--json").stdout
    assert "host/left" not in health
    # It is not taken over while it runs here, or has conversations here.
    done = left.allow()
    assert done.returncode != 0 and '"agent/left-a" runs on host' in done.stderr, done.stderr
    home.write_config({})
    until(lambda: home.place("agent/left-a") is None, 10, "its end")
    done = left.allow()
    assert done.returncode != 0 and "agent-left-a.sqlite" in done.stderr and "move" in done.stderr, done.stderr
    assert json.loads(home.cli("bus", "keys", "--json").stdout)["allowed"] == []
    # What is not wanted here is put aside; there all goes on.
    os.remove(os.path.join(home.state_dir, "db/agent-left-a.sqlite"))
    assert left.allow().returncode == 0
    until(lambda: joined(home), 15, "its return")
    home.write_config(AGENTS)
    until(lambda: answers(home), 15, "its agent")
    assert "kept there" in history(home)


def test_a_certificate_that_cannot_be_read_for_a_moment_denies_nobody(home):
    newcomer(home)
    path = os.path.join(home.state_dir, "bus/allowed/left.cert")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write("garbage")
    until(lambda: any("guest_unreadable" in line for line in home.logs()), 10, "the word of it")
    assert joined(home) and home.place("agent/left-a") == "left" and answers(home)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    assert home.cli("bus", "deny", "left").returncode == 0
    until(lambda: any("guest_gone" in line for line in home.logs()), 10, "what was meant")


def garbage_put(home):
    with open(os.path.join(home.state_dir, "bus/allowed/left.cert"), "w", encoding="utf-8") as file:
        file.write("garbage")


def test_a_gateway_that_starts_beside_a_certificate_that_it_cannot_read_takes_nothing_home(home):
    left = newcomer(home)
    assert say(home, "kept there", "k-1") == "Echo: kept there"
    home.process.kill()
    home.process.wait(10)
    garbage_put(home)
    home.start()
    until(lambda: "host/left is stopped: bus/allowed/left.cert is no certificate" in home.cli("health", "--json").stdout,
          15, "which file it is")
    assert any("guest_unreadable" in line and "bus/allowed/left.cert" in line for line in home.logs())
    assert "bus/allowed/left.cert is no certificate" in home.cli("bus", "actors").stdout
    with pytest.raises(CallError) as failed:
        history(home)
    assert failed.value.code == "UNAVAILABLE" and "(host left: it has not joined)" in failed.value.error["message"]
    assert "agent/left-a is absent: host left: it has not joined" in home.cli("health", "--json").stdout
    assert home.place("agent/left-a") is None and home.place("agent/main") == home.own_place()
    assert "agent-left-a.sqlite" not in os.listdir(os.path.join(home.state_dir, "db"))
    assert home.cli("bus", "allow", "left", left.key).returncode == 0  # as it says; what it may run is not asked again
    until(lambda: answers(home), 20, "its return")
    assert "kept there" in history(home)
    assert "is no certificate" not in home.cli("bus", "actors").stdout
    # One that was denied meanwhile is not remembered.
    home.process.kill()
    home.process.wait(10)
    assert home.cli("bus", "deny", "left").returncode == 0
    home.start()
    until(lambda: home.place("agent/left-a") == home.own_place(), 20, "its agent, at home")


def test_another_list_in_the_place_of_the_one_before_is_heard(home):
    newcomer(home)
    bus = os.path.join(home.state_dir, "bus")
    shutil.copytree(os.path.join(bus, "allowed"), os.path.join(bus, "other"))
    os.rename(os.path.join(bus, "allowed"), os.path.join(bus, "before"))
    os.rename(os.path.join(bus, "other"), os.path.join(bus, "allowed"))
    until(lambda: any("trunk_keys_watched" in line for line in home.logs()), 10, "the look at it")
    assert joined(home) and answers(home)
    assert home.cli("bus", "deny", "left").returncode == 0
    until(lambda: "left" not in home.hosts(), 10, "the end of one that is denied in it")
    # And one that is gone, and made again: its number may be the same.
    shutil.rmtree(os.path.join(bus, "allowed"))
    done = home.cli("bus", "allow", "later", "B" * 40, "--actors", "agent/later-*")
    assert done.returncode == 0, done.stderr
    until(lambda: "later" in home.hosts(), 10, "one that is allowed in the next")


def test_a_second_name_for_a_key_is_told_and_takes_nothing(home):
    left = newcomer(home)
    allowed = os.path.join(home.state_dir, "bus/allowed")
    shutil.copy(os.path.join(allowed, "left.cert"), os.path.join(allowed, "mine.cert"))
    says = "bus/allowed/mine.cert has the same key as bus/allowed/left.cert"
    until(lambda: any("guest_refused" in line and "host=mine" in line and says in line for line in home.logs()), 10, "the word of it")
    until(lambda: f"host/mine is stopped: {says}" in home.cli("health", "--json").stdout, 10, "health")
    done = home.cli("bus", "keys", "--json")
    assert [each["name"] for each in json.loads(done.stdout)["allowed"]] == ["left"] and says in done.stderr
    assert says in home.cli("bus", "topology", "check", home.topology_path).stderr
    left.kill()
    left.start()
    until(lambda: home.hosts()["left"]["incarnation"] > 1 and joined(home) and answers(home), 20, "it, by its first name")
    assert home.cli("bus", "deny", "mine").returncode == 0
    until(lambda: "host/mine" not in home.cli("health", "--json").stdout, 10, "health without it")


def test_one_that_has_come_to_stand_in_the_topology_is_not_warned_of(home):
    newcomer(home)
    home.process.kill()
    home.process.wait(10)
    with open(home.topology_path, encoding="utf-8") as file:
        text = file.read()
    with open(home.topology_path, "w", encoding="utf-8") as file:
        file.write(text.replace("hosts: {", 'hosts: { left: { link: "tcp", actors: ["agent/left-*"] },', 1))
    home.start()
    until(lambda: home.place("agent/left-a") == "left", 20, "its agent")
    assert not any("guest_refused" in line for line in home.logs())
    told = json.loads(home.cli("bus", "topology", "check", home.topology_path, "--json").stdout)
    assert told["ok"] and "refused" not in told, told


def test_one_that_is_allowed_nothing_and_stands_nowhere_is_told_what_is_missing(home):
    done = home.cli("bus", "allow", "left", "B" * 40)
    assert done.returncode == 0 and 'has no host "left" with link "tcp"' in done.stderr and "--actors" in done.stderr, done.stderr
    done = home.cli("bus", "allow", "left", "B" * 40, "--actors", "agent/left-*")
    assert done.returncode == 0 and not done.stderr, done.stderr
    done = home.cli("bus", "allow", "left", "C" * 40)  # a new key, and what it had
    assert done.returncode == 0 and not done.stderr, done.stderr
    home.stop()
    done = home.cli("bus", "allow", "right", "D" * 40)
    assert done.returncode == 0 and 'whose topology has a host "right"' in done.stderr and "--actors" in done.stderr


def test_what_runs_here_is_not_taken_away(home):
    home.write_config(AGENTS)
    until(lambda: home.place("agent/left-a"), 15, "the agent at home")
    assert say(home, "at home", "k-1") == "Echo: at home"
    left = Guest(home, "left", "agent/left-*")
    done = left.allow()  # it is the gateway that says no
    assert done.returncode != 0 and '"agent/left-a" runs on host' in done.stderr, done.stderr
    # Nor when somebody writes the list by other means.
    os.makedirs(os.path.join(left.state_dir, "bus/allowed"), exist_ok=True)
    done = home.cli("bus", "allow", "left", left.key, "--actors", "agent/left-*", environment=left.environment)
    assert done.returncode == 0, done.stderr
    os.makedirs(os.path.join(home.state_dir, "bus/allowed"), exist_ok=True)
    os.rename(os.path.join(left.state_dir, "bus/allowed/left.cert"), os.path.join(home.state_dir, "bus/allowed/left.cert"))
    until(lambda: any("guest_refused" in line for line in home.logs()), 10, "the log")
    left.start()
    until(lambda: "runs on host" in left.text(), 15, "the reason, there")
    assert history(home).count("at home") >= 1 and home.place("agent/left-a") == home.own_place()
    until(lambda: "host/left is stopped: \\\"agent/left-a\\\" runs on host" in home.cli("health", "--json").stdout, 10, "health")
    assert home.cli("bus", "deny", "left").returncode == 0
    until(lambda: "host/left" not in home.cli("health", "--json").stdout, 10, "health without it")


@pytest.mark.parametrize("actors, says", [
    (["agent/*"], "\"agent/*\" is already on host \"{own}\" of the topology"),
    (["channel/webchat"], "is already on host \"{rest}\" of the topology"),
    (["agent/right-*"], "was allowed to host \"right\""),
    (["edge/7"], "has its place on the gateway's own machine"),
    (["config"], "has its place on the gateway's own machine"),
    (["*"], "takes in too much"),
    (["agent/a b"], "is no address"),
    (["host/main"], "belongs to the bus itself"),
    (["agent/x", "agent/x"], "is named twice"),
    ([f"agent/x{n}" for n in range(33)], "allowed 32 actors"),
])
def test_what_somebody_else_has_is_refused_with_the_culprit(collided, actors, says):
    words = [word for each in actors for word in ("--actors", each)]
    done = collided.cli("bus", "allow", "left", "A" * 40, *words)
    assert done.returncode != 0
    assert says.format(own=collided.own_place(), rest="main") in done.stderr, done.stderr
    assert not os.path.exists(os.path.join(collided.state_dir, "bus/allowed/left.cert"))


@pytest.fixture(scope="module")
def collided():
    with Home() as made:
        done = made.cli("bus", "allow", "right", "B" * 40, "--actors", "agent/right-*")
        assert done.returncode == 0, done.stderr
        yield made


def test_one_that_may_come_and_has_not_yet_is_in_health(collided):
    with Client(collided.port, collided.token) as client:
        until(lambda: "host/right is stopped: it has not joined: start it" in json.dumps(client.call("health", {"probe": True})),
              10, "the word of health")


def test_a_host_of_the_topology_is_not_given_actors(collided):
    done = collided.cli("bus", "allow", "main", "A" * 40, "--actors", "agent/z")
    assert done.returncode != 0 and "is in the topology, and that says what it runs" in done.stderr


def test_one_that_is_about_to_run_more_than_it_may_is_told(home):
    left = Guest(home, "left", "agent/left-*", "watch/default")
    assert left.allow("agent/left-*").returncode == 0
    left.start()
    until(lambda: '"watch/default" is not for host "left" to run: allow it that with --actors' in left.text().replace('\\"', '"'),
          15, "the reason, there")
    until(lambda: any("trunk_refused" in line and "watch/default" in line for line in home.logs()), 10, "and here")
    says = 'it knocks and is let no further: "watch/default" is not for host "left" to run'
    until(lambda: f"host/left is stopped: {says}" in home.cli("health", "--json").stdout.replace('\\"', '"'), 10, "and in health")
    assert f"it has not joined: {says}" in home.cli("bus", "actors").stdout
    assert home.hosts()["left"]["state"] == "stopped"
    left.stop()
    left.actors = ("agent/left-x*",)  # less is no harm
    left.start()
    until(lambda: joined(home), 15, "the newcomer")


def test_what_it_may_run_is_changed_while_it_is_here(home):
    left = newcomer(home)
    assert left.allow("agent/left-*", "agent/more").returncode == 0
    until(lambda: "agent/more" in home.cli("bus", "keys").stdout, 5, "the list")
    until(lambda: home.hosts()["left"]["incarnation"] > 1 and joined(home), 15, "its next life")
    until(lambda: answers(home), 15, "its agent")
    # A new key alone leaves it what it may run.
    assert home.cli("bus", "allow", "left", left.key).returncode == 0
    assert "agent/more" in home.cli("bus", "keys").stdout


def test_a_gateway_that_starts_again_remembers(home):
    left = newcomer(home)
    assert say(home, "before", "k-1") == "Echo: before"
    home.process.kill()
    home.process.wait(10)
    home.start()
    until(lambda: home.place("agent/left-a") == "left", 20, "its agent")
    until(lambda: answers(home), 10, "its answer")
    assert "before" in history(home)
    assert os.listdir(os.path.join(home.state_dir, "db")).count("agent-left-a.sqlite") == 0


def test_a_gateway_without_an_endpoint_says_what_is_missing():
    with Home(with_endpoint=False) as home:
        left = Guest(home, "left", "agent/left-*")
        done = left.allow()
        assert done.returncode != 0 and "does not say where" in done.stderr and "gateway: {" in done.stderr, done.stderr
        home.stop()
        assert left.allow().returncode == 0  # nobody runs who could say no
        home.start()
        assert 'host "left" was allowed actors, and cannot join this gateway' in home.text()


def test_a_topology_is_checked_with_those_who_may_join(collided, tmp_path):
    told = json.loads(collided.cli("bus", "topology", "check", collided.topology_path, "--json").stdout)
    rows = {each["name"]: each for each in told["hosts"]}
    assert rows["right"]["allowed"] and rows["right"]["actors"] == ["agent/right-*"] and not rows["main"]["allowed"]
    with open(collided.topology_path, encoding="utf-8") as file:
        text = file.read()
    path = tmp_path / "other.json5"
    path.write_text(text.replace('"agent/*"', '"agent/*", "agent/right-*"'), encoding="utf-8")
    told = json.loads(collided.cli("bus", "topology", "check", str(path), "--json").stdout)
    assert told["ok"] and told["refused"][0]["name"] == "right" and "already on host" in told["refused"][0]["error"]
    assert 'host "right" was allowed, and cannot join' in collided.cli("bus", "topology", "check", str(path)).stderr


@pytest.mark.parametrize("words, says", [
    ((), "say where to join"),
    (("--join", "tcp://127.0.0.1:1"), "--join needs --curve KEY"),
    (("--join", "udp://x", "--curve", "A" * 40, "--actors", "agent/x"), "\"endpoint\" is written as"),
    (("--topology", "x", "--actors", "agent/x"), "go with --join"),
])
def test_a_host_that_is_not_told_where_to_join_says_so(collided, words, says):
    done = collided.cli("host", "left", *words)
    assert done.returncode in (2, 78) and says in done.stderr, done.stderr


def test_a_small_file_is_enough_for_the_machine_that_joins(home):
    left = Guest(home, "left", "agent/left-*")
    path = os.path.join(left.state_dir, "small.json5")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'{{ gateway: {{ endpoint: "{home.endpoint}", curve: "{home.key}" }},\n'
                   f'  hosts: {{ left: {{ link: "tcp", actors: ["agent/left-*"] }} }} }}')
    done = home.cli("host", "left", "--topology", path, "--check", environment=left.environment)
    assert done.returncode == 0, done.stderr
    done = home.cli("bus", "topology", "check", path)
    assert done.returncode == 78 and "this is the file of a machine that joins" in done.stderr
