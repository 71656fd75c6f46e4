"""The supervising process: what it does about its children, its operator, and whoever stands in its way."""

import contextlib
import json
import os
import select
import signal
import socket
import stat
import subprocess
import time

import pytest

from client import CallError, Client
from gateway import BINARY, TOPOLOGIES, Gateway, free_port, until


def plain_environment(**more):
    """Nothing of the caller's but what programs and sanitizers need."""
    return {name: value for name, value in os.environ.items() if name == "PATH" or name.endswith("SAN_OPTIONS")} | more


class Control:
    """The operator's socket, kept open."""

    def __init__(self, gateway):
        self.path = os.path.join(gateway.state_dir, "run", "control.sock")
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)
        self.file = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def line(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())
        return json.loads(self.file.readline())

    def ask(self, **request):
        answer = self.line(json.dumps(request) + "\n")
        assert answer["ok"], answer
        return answer["result"]


def hosts(gateway):
    with Control(gateway) as control:
        return control.ask(op="status")["hosts"]


def pids(gateway):
    """Of the hosts that are children of the supervising process; of one on another machine it knows no process."""
    return {host["pid"] for host in hosts(gateway) if host["pid"]}


def is_whole(gateway):
    return all(host["state"] == "ready" for host in hosts(gateway))


def told(gateway, event):
    return len([line for line in gateway.logs() if event in line])


def tap(gateway, *words):
    """A watcher that is attached to every host."""
    before = told(gateway, "tap_attached client=")
    watcher = subprocess.Popen(gateway.command("bus", "tap", "--json", *words), env=gateway.environment,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: told(gateway, "tap_attached client=") > before, 10, "the tap")
    return watcher


# --- children ----------------------------------------------------------------------------------------


def test_a_child_that_crashes_again_and_again_is_given_up_and_the_end_is_told(fresh_gateway):
    running = fresh_gateway(topology="inproc").start()
    deaths = 0
    deadline = time.monotonic() + 120
    while running.process.poll() is None and time.monotonic() < deadline:
        try:
            pid = hosts(running)[0]["pid"]
            if pid:
                os.kill(pid, signal.SIGABRT)
                deaths += 1
                until(lambda pid=pid: running.process.poll() is not None or hosts(running)[0]["pid"] != pid, 10)
        except (OSError, json.JSONDecodeError, TimeoutError):
            pass
        time.sleep(0.01)
    assert running.process.returncode == 1
    assert deaths == 11, "ten restarts are tried"
    assert "host_gave_up" in running.text()


def test_a_gateway_that_lost_one_of_its_hosts_for_good_keeps_the_others(fresh_gateway):
    running = fresh_gateway(topology="ipc").start()

    def crash():
        agents = next(host for host in hosts(running) if host["name"] == "agents")
        with contextlib.suppress(ProcessLookupError):
            if agents["pid"]:
                os.kill(agents["pid"], signal.SIGABRT)
        return agents["state"].startswith("gave")

    until(crash, 120, "giving up")
    assert running.get("/healthz")[0] == 200
    with Control(running) as control:
        control.ask(op="restart", address="host/agents")
    until(lambda: is_whole(running), 20, "the return of what was given up")


def test_a_hung_host_shows_as_silent_and_holds_nobody_up(fresh_gateway):
    running = fresh_gateway(topology="ipc").start()

    def shown_hanging():
        """None when it was found out, and killed, before a busy machine came to ask."""
        until(lambda: is_whole(running), 20, "all hosts")
        pid = next(host["pid"] for host in hosts(running) if host["name"] == "agents")
        os.kill(pid, signal.SIGSTOP)
        try:
            shown = json.loads(running.cli("bus", "actors", "--json").stdout)  # it answers while the host still hangs
        finally:
            with contextlib.suppress(ProcessLookupError):  # it has been found out meanwhile
                os.kill(pid, signal.SIGCONT)
        agents = next(host for host in shown["hosts"] if host["name"] == "agents")
        return (shown["actors"], agents) if agents["pid"] == pid else None

    actors, agents = until(shown_hanging, 60, "an answer while it hangs")
    states = {actor["address"]: actor["state"] for actor in actors}
    assert states["agent/main"] == "silent" and states["router"] == "ready"
    assert agents["error"]


def test_a_hung_child_is_started_again_and_named(fresh_gateway):
    running = fresh_gateway(topology="ipc").start()
    before = {host["name"]: host for host in hosts(running)}
    os.kill(before["agents"]["pid"], signal.SIGSTOP)
    began = time.monotonic()
    with Client(running.port, running.token) as client:
        with pytest.raises(CallError, match="agent/main: (does not respond|went down|receiver is down)") as failed:
            client.call("chat.send", {"sessionKey": "agent:main:x", "message": "hello", "idempotencyKey": "k1"})
        assert failed.value.error["code"] == "UNAVAILABLE" and failed.value.error["retryAfterMs"] > 0
        assert "(host agents" in failed.value.error["message"], failed.value.error
        assert time.monotonic() - began < 2
        until(lambda: is_whole(running), 20, "the return of what hung")
        after = {host["name"]: host for host in hosts(running)}
        assert after["agents"]["pid"] != before["agents"]["pid"] and after["main"]["pid"] == before["main"]["pid"]
        assert after["agents"]["lastEnd"] == "hung: a signal had stopped it"
        assert told(running, '"event":"host_hung"') == 1, "found out once"
        until(lambda: "host/agents: hung: a signal had stopped it" in json.dumps(client.call("health", {"probe": True})), 10,
              "the word of health")


def test_an_actor_that_waits_without_end_is_named_and_started_again(fresh_gateway, tmp_path):
    """OpenSSL opens the file of authorities, which is a pipe to which nobody writes."""
    pipe = tmp_path / "authorities.pem"
    os.mkfifo(pipe)
    topology = tmp_path / "topology.json5"
    with open(TOPOLOGIES["ipc"], encoding="utf-8") as file:
        topology.write_text(file.read().replace('actors: ["agent/*"]', 'hangMs: 1000, actors: ["agent/*"]'), "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as provider:
        config = {"models": {"providers": {"mute": {
                      "api": "openai-completions", "baseUrl": f"https://127.0.0.1:{provider.getsockname()[1]}/v1",
                      "apiKey": "k", "models": [{"id": "m", "name": "m"}], "request": {"tls": {"ca": str(pipe)}}}}},
                  "agents": {"defaults": {"model": "mute/m"}}}
        running = fresh_gateway(topology="inproc", config=config, arguments=["--topology", str(topology)]).start()
        with Client(running.port, running.token) as client:
            client.send("chat.send", {"sessionKey": "agent:main:x", "message": "hello", "idempotencyKey": "k1"})
            until(lambda: told(running, "actor_unresponsive actor=agent/main"), 20)
            began = time.monotonic()
            with pytest.raises(CallError) as failed:
                client.call("chat.history", {"sessionKey": "agent:main:x"})
            assert failed.value.error["code"] == "UNAVAILABLE" and failed.value.error["retryAfterMs"] > 0
            assert time.monotonic() - began < 1
            rows = json.loads(running.cli("bus", "actors", "--json").stdout)["actors"]
            assert next(row for row in rows if row["address"] == "agent/main")["state"] == "unresponsive"
            assert "agent/main is unresponsive" in json.dumps(client.call("health", {"probe": True}))
            os.rename(pipe, tmp_path / "gone")  # the run is taken up again, and fails
            until(lambda: told(running, "host_hung"), 60)
            until(lambda: is_whole(running), 20)
            until(lambda: client.call("health")["ok"], 20)
            assert client.call("chat.history", {"sessionKey": "agent:main:x"})["messages"], "what was committed is there"


def test_a_child_that_is_continued_in_time_lives_on(fresh_gateway):
    running = fresh_gateway(topology="ipc").start()
    before = hosts(running)
    agents = next(host for host in before if host["name"] == "agents")
    os.kill(agents["pid"], signal.SIGSTOP)
    until(lambda: told(running, "host_stopped"), 10)
    os.kill(agents["pid"], signal.SIGCONT)
    until(lambda: told(running, "host_continued"), 10)
    with Client(running.port, running.token) as client:
        until(lambda: client.call("health")["ok"], 10)
    assert [host["pid"] for host in hosts(running)] == [host["pid"] for host in before]


def test_a_child_that_hangs_holds_up_no_stop(fresh_gateway):
    running = fresh_gateway().start()
    for pid in pids(running):
        os.kill(pid, signal.SIGSTOP)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(30) == 0
    running.check_nothing_left_here()
    assert "process_stop_forced" not in running.text(), "nobody waited for what hangs anyway"


def test_a_child_that_does_not_stop_is_killed_when_the_operator_insists(fresh_gateway):
    running = fresh_gateway().start()
    for pid in pids(running):
        os.kill(pid, signal.SIGSTOP)
    running.process.send_signal(signal.SIGTERM)
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(30) == 0
    running.check_nothing_left_here()
    assert "process_stop_forced" not in running.text(), "it was the operator's word that ended it, not the deadline"


def test_the_operator_restarts_one_actor_and_one_host(fresh_gateway):
    running = fresh_gateway().start()
    with Control(running) as control:
        before = {a["address"]: a for a in control.ask(op="actors")["actors"]}
        control.ask(op="restart", address="router")

        def is_new():
            now = {a["address"]: a for a in control.ask(op="actors")["actors"]}
            return now["router"]["state"] == "ready" and now["router"]["incarnation"] > before["router"]["incarnation"]

        until(is_new, 10, "the next life of the router")
        pid = hosts(running)[0]["pid"]
        control.ask(op="restart", address=f"host/{hosts(running)[0]['name']}")
        until(lambda: hosts(running)[0]["pid"] not in (pid, None) and is_whole(running), 20, "the next life of a host")
        refused = control.line('{"op":"restart","address":"no/body"}\n')
        assert refused["error"]["code"] == "INVALID_REQUEST"


def test_a_signal_restarts_every_host_behind_the_same_sockets(fresh_gateway):
    running = fresh_gateway().start()
    before = pids(running)
    running.process.send_signal(signal.SIGUSR1)
    until(lambda: not before & pids(running) and is_whole(running), 20, "fresh processes")
    assert running.process.poll() is None
    assert all(host["restarts"] == 0 for host in hosts(running)), "nothing has crashed"


def test_a_start_and_a_stop_in_order_warn_of_nothing(fresh_gateway, topology):
    running = fresh_gateway().start()
    running.process.terminate()  # alone: that a machine leaves a gateway which goes on is worth a warning
    assert running.process.wait(15) == 0
    bad = (" warning ", " error ", '"level":"warn', '"level":"error', '"level":"fatal')
    assert not [line for line in running.logs() if any(word in line for word in bad)]
    if topology == "ipc":
        # The host with the log was still there to write it down.
        assert any("host_ended host=agents" in line for line in running.logs())


def test_the_operator_stops_it(fresh_gateway):
    running = fresh_gateway().start()
    with Control(running) as control:
        control.ask(op="stop")
    assert running.process.wait(15) == 0
    running.check_nothing_left_here()
    assert not [name for name in os.listdir(os.path.join(running.state_dir, "run")) if name.endswith(".sock")]


def test_the_log_file_tells_of_the_death_of_its_own_host(fresh_gateway):
    running = fresh_gateway().start()
    os.kill(hosts(running)[0]["pid"], signal.SIGKILL)

    def is_told():
        with contextlib.suppress(OSError):
            with open(os.path.join(running.state_dir, "logs", "openclaw.log"), encoding="utf-8") as file:
                return any(json.loads(line)["event"] == "host_died" for line in file)
        return False

    until(is_told, 10, "the line in the file")


# --- the control socket ---------------------------------------------------------------------------------


def test_the_control_socket_is_for_its_owner_and_takes_any_bytes(gateway):
    with Control(gateway) as control:
        assert stat.S_IMODE(os.stat(control.path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(os.path.dirname(control.path)).st_mode) == 0o700
        for bad in (b"nonsense\n", b"[]\n", b"{}\n", b'{"op":5}\n', b'{"op":"' + b"x" * 300 + b'"}\n', b"\xff\xfe\n",
                    b'{"op":"status","id":"' + b"y" * 1000 + b'"}\n', b"[" * 5000 + b"\n", b'{"op":"status"}x\n'):
            assert control.line(bad)["ok"] is False
        assert control.line(b'{"op":"status","id":{"a":[1]}}\n')["id"] == {"a": [1]}


def test_an_endless_request_is_cut_off(gateway):
    with Control(gateway) as control:
        try:
            control.sock.sendall(b"x" * 300000)
        except OSError:
            pass
        try:
            rest = control.file.read()
        except ConnectionResetError:
            rest = b""  # what it had not read when it closed
        assert b"too long" in rest or rest == b""
    assert is_whole(gateway)


def test_many_clients_that_never_read_delay_nobody(gateway):
    lazy = []
    try:
        for _ in range(20):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(os.path.join(gateway.state_dir, "run", "control.sock"))
            sock.setblocking(False)
            try:
                for _ in range(200):
                    sock.send(b'{"op":"actors"}\n' * 10)
            except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                pass
            lazy.append(sock)
        assert is_whole(gateway)  # which is asked, and answered, while none of them has read a byte
    finally:
        for sock in lazy:
            sock.close()


def test_a_request_in_pieces_and_several_in_one_are_answered(gateway):
    with Control(gateway) as control:
        control.sock.sendall(b'{"op":"sta')
        assert not select.select([control.sock], [], [], 0.05)[0]
        assert control.line(b'tus","id":1}\n{"op":"status","id":2}\n')["id"] == 1
        assert json.loads(control.file.readline())["id"] == 2


# --- the start ---------------------------------------------------------------------------------------------


def test_it_tells_a_service_manager_how_it_stands(fresh_gateway, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(20)
        running = fresh_gateway(environment={"NOTIFY_SOCKET": path}).spawn()
        assert manager.recv(100) == b"READY=1"
        assert running.get("/healthz")[0] == 200
        running.stop()
        assert manager.recv(100) == b"STOPPING=1"


def test_force_ends_whoever_holds_the_port(fresh_gateway):
    running = fresh_gateway(arguments=["--force"])
    with subprocess.Popen(["/usr/bin/python3", "-c", "import socket,sys,time\ns=socket.socket()\n"
                           "s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)\n"
                           f"s.bind(('127.0.0.1',{running.port}))\ns.listen()\nprint(flush=True)\ntime.sleep(60)"],
                          stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        running.start()
        assert holder.wait(5) == -signal.SIGTERM


def test_a_busy_port_leaves_no_trace(fresh_gateway, tmp_path):
    port = free_port()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        state = str(tmp_path / "state")
        done = subprocess.run([BINARY, "gateway", "--allow-unconfigured", "--token", "hidden-token", "--port", str(port)],
                              env=plain_environment(OPENCLAW_STATE_DIR=state), capture_output=True,
                              text=True, timeout=20, check=False)
    assert done.returncode == 78 and str(os.getpid()) in done.stderr
    assert "hidden-token" not in done.stderr + done.stdout
    assert not os.path.exists(state)


def test_an_address_beyond_loopback_without_auth_is_refused(fresh_gateway):
    running = fresh_gateway(arguments=["--bind", "lan"])
    running.write_config({"gateway": {"mode": "local", "auth": {"mode": "none"}}})
    running.spawn()
    assert running.process.wait(20) == 78
    assert "auth" in running.text()


def test_without_a_config_it_does_not_guess(tmp_path):
    done = subprocess.run([BINARY, "gateway", "--port", str(free_port())], stdin=subprocess.DEVNULL,
                          env=plain_environment(HOME=str(tmp_path)), capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 78 and "gateway.mode" in done.stderr


def test_the_dev_profile_makes_its_own_config_once(tmp_path):
    state = tmp_path / ".openclaw-dev"
    environment = plain_environment(HOME=str(tmp_path))
    for _ in range(2):
        with subprocess.Popen([BINARY, "--dev", "gateway", "--port", str(free_port())], env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            said = [process.stdout.readline()]
            while said[-1] and "pid" not in said[-1]:
                said.append(process.stdout.readline())
            process.terminate()
            assert process.wait(15) == 0, said
        config = state / "openclaw.json"
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        token = json.loads(config.read_text())["gateway"]["auth"]["token"]
        assert len(token) >= 32 and token not in "".join(said), "a token goes to a terminal only"
    assert "gateway.auth.token" in "".join(said)


def test_a_changed_topology_file_waits_for_the_next_start(fresh_gateway, tmp_path):
    path = tmp_path / "topology.json5"
    one = '{ hosts: { main: { actors: ["config", "log", "auth", "health", "router", "channel/webchat", "edge/0"%s] }%s } }'
    path.write_text(one % ("", ', more: { actors: ["agent/*"] }'))
    running = fresh_gateway(topology="inproc", arguments=["--topology", str(path)]).start()
    path.write_text("{ broken")
    victim = next(host for host in hosts(running) if host["name"] == "more")["pid"]
    os.kill(victim, signal.SIGKILL)
    until(lambda: next(h for h in hosts(running) if h["name"] == "more")["pid"] not in (victim, None), 10, "a new child")
    until(lambda: is_whole(running), 10, "readiness")


def test_two_gateways_with_states_of_their_own_live_side_by_side(fresh_gateway):
    first, second = fresh_gateway().start(), fresh_gateway().start()
    assert first.get("/healthz")[0] == second.get("/healthz")[0] == 200
    assert not set(first.processes()) & set(second.processes())


def test_the_state_of_a_killed_gateway_is_free_at_once(fresh_gateway):
    first = fresh_gateway().start()
    first.process.kill()
    first.process.wait()
    second = Gateway(topology="inproc", state_dir=first.state_dir)
    try:
        second.start()
    finally:
        second.close()


def test_the_command_line_restarts_and_ends_it(fresh_gateway):
    running = fresh_gateway().start()
    before = pids(running)
    done = running.cli("gateway", "restart", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["pid"] == running.process.pid, done.stderr
    until(lambda: pids(running) and not before & pids(running), what="fresh processes")
    until(running.is_ready_or_gone, 15, "readiness")
    done = running.cli("gateway", "stop")
    assert done.returncode == 0 and str(running.process.pid) in done.stdout, done.stderr
    assert running.process.wait(15) == 0
    running.check_nothing_left_here()
    done = running.cli("gateway", "stop")
    assert done.returncode == 69 and running.state_dir in done.stderr


def test_an_edge_that_ends_closes_nothing_of_others(fresh_gateway):
    """While descriptors of its process come and go."""
    running = fresh_gateway().start()
    before = pids(running)
    watcher = tap(running)
    for _ in range(25):
        with Control(running) as control:
            control.ask(op="restart", address="edge/0")
        watcher.terminate()
        watcher.wait(20)
        watcher = tap(running)
        until(lambda: running.get("/readyz")[0] == 200, 20, "an edge")
    watcher.terminate()
    watcher.wait(20)
    assert "host_died" not in running.text(), running.text()[-2000:]
    assert pids(running) == before
