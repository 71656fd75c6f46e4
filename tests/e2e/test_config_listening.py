"""Another port or address while the gateway runs: others are opened first, and nothing but the edge starts again."""

import json
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import CallError, Client
from gateway import free_port, until


@pytest.fixture(name="running")
def running_gateway(fresh_gateway):
    made = fresh_gateway()
    made.is_port_given = False
    made.write_config({"gateway": {"mode": "local", "port": made.port, "reload": {"debounceMs": 50},
                                   "auth": {"mode": "token", "token": made.token}}})
    return made.start()


def edit(gateway, **changes):
    with open(gateway.config_path, encoding="utf-8") as file:
        config = json.load(file)
    config["gateway"].update(changes)
    with open(gateway.config_path + ".new", "w", encoding="utf-8") as file:
        json.dump(config, file)
    os.replace(gateway.config_path + ".new", gateway.config_path)


def is_refused(port, host="127.0.0.1"):
    with socket.socket() as sock:
        return sock.connect_ex((host, port)) != 0


def is_ready(gateway, port=None):
    gateway.port = port or gateway.port
    try:
        return gateway.get("/readyz")[0] == 200
    except OSError:
        return False


def listening(gateway):
    """What the supervising process says, over the operator's socket."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(os.path.join(gateway.state_dir, "run", "control.sock"))
        control.sendall(b'{"op":"status"}\n')
        return json.loads(control.makefile("rb").readline())["result"]["listening"]


def test_another_port_starts_the_edge_alone_on_it(running):
    old, new = running.port, free_port()
    with Client(old, running.token) as client:
        run = client.call("chat.send", {"sessionKey": "agent:main:slow", "message": "hello", "idempotencyKey": "k1"})
        hosts = running.children()
        edit(running, port=new)
        goodbye = client.wait_event("shutdown")
        assert goodbye["reason"] == "gateway restarting" and goodbye["restartExpectedMs"] > 0
    until(lambda: is_ready(running, new), 10, "readiness on the new port")
    until(lambda: is_refused(old), 5, "the end of the old port")
    with Client(new, running.token) as client:
        assert client.call("agent.wait", {"runId": run["runId"], "timeoutMs": 5000})["status"] == "ok"
        assert client.call("health")["config"] == {"ok": True}
    assert running.children() == hosts, "no process was started again"
    assert listening(running)[0] == f"127.0.0.1:{new}"
    for pid in hosts:  # what crashes comes back where it was
        os.kill(pid, signal.SIGKILL)
    until(lambda: running.children() != hosts and is_ready(running), 15, "readiness after a crash")
    done = running.cli("config", "set", "gateway.port", str(old), environment={"OPENCLAW_GATEWAY_PORT": ""})
    assert done.returncode == 0 and "has it in force." in done.stdout, done.stderr
    until(lambda: is_ready(running, old), 10, "readiness on the first port again")
    assert running.cli("health", environment={"OPENCLAW_GATEWAY_PORT": ""}).returncode == 0


def test_a_busy_port_refuses_the_change_and_the_old_one_stays(running):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        busy = holder.getsockname()[1]
        says = f"gateway.port cannot be used: port {busy} on 127.0.0.1 is in use by pid {os.getpid()}"
        with Client(running.port, running.token) as client:
            before = client.call("config.get")
            with pytest.raises(CallError, match=says):
                client.call("config.patch", {"raw": json.dumps({"gateway": {"port": busy}}),
                                             "baseHash": before["hash"]})
            assert client.call("config.get")["hash"] == before["hash"] and client.call("health")["config"]["ok"]
            edit(running, port=busy)
            told = client.wait_event("health", lambda health: not health["config"]["ok"])["config"]["reason"]
            assert "openclaw.json:1:" in told and says in told
            assert f"the gateway goes on listening on 127.0.0.1 port {running.port}" in told
            got = client.call("config.get")
            assert not got["valid"] and says in json.dumps(got["issues"])
            until(lambda: any("config_refused" in line and "is in use by" in line for line in running.logs()), 5, "log")
            assert client.call("health")["ok"], "this connection stays"
    until(lambda: is_ready(running, busy), 20, "the port, once it is free")
    assert listening(running)[0] == f"127.0.0.1:{busy}"


def test_another_address_of_the_same_port(running):
    with Client(running.port, running.token) as client:
        edit(running, bind="lan")
        client.wait_event("shutdown")
    until(lambda: listening(running) == [f"0.0.0.0:{running.port}"] and is_ready(running), 10, "all addresses")
    with Client(running.port, running.token) as client:
        edit(running, bind="loopback")
        client.wait_event("shutdown")
    until(lambda: listening(running)[0] == f"127.0.0.1:{running.port}" and is_ready(running), 10, "loopback")


def test_changes_back_to_back_are_each_answered(running):
    for bind in ("lan", "loopback", "lan", "loopback"):
        done = running.cli("config", "set", "gateway.bind", bind, environment={"OPENCLAW_GATEWAY_PORT": ""})
        assert done.returncode == 0 and "has it in force." in done.stdout, done.stderr
    until(lambda: listening(running)[0] == f"127.0.0.1:{running.port}" and is_ready(running), 10, "loopback")
    assert running.cli("health", environment={"OPENCLAW_GATEWAY_PORT": ""}).returncode == 0


def test_changes_side_by_side_all_succeed(running):
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(running.cli, "config", "set", "session.dmScope", scope,
                            environment={"OPENCLAW_GATEWAY_PORT": ""})
                for scope in ("per-peer", "per-peer", "main", "main")]
    for job in jobs:
        assert job.result().returncode == 0, job.result().stderr


def test_the_mode_hot_leaves_the_port_until_a_new_start(running):
    new = free_port()
    edit(running, reload={"mode": "hot", "debounceMs": 50})
    with Client(running.port, running.token) as client:
        until(lambda: client.call("config.get")["config"]["gateway"]["reload"].get("mode") == "hot", 10, "the mode")
        edit(running, reload={"mode": "hot", "debounceMs": 50}, port=new)
        until(lambda: any("config_start_due" in line and "gateway.port" in line for line in running.logs()), 10, "log")
        assert client.call("health")["ok"]
    said = running.cli("config", "set", "logging.level", "debug", environment={"OPENCLAW_GATEWAY_PORT": ""}).stdout
    assert "but for gateway.port: that counts when it is started again" in said
    assert "gateway.port: takes effect when the gateway is started again" in running.cli("bus", "actors").stdout
    running.process.send_signal(signal.SIGUSR1)
    until(lambda: is_ready(running, new), 15, "the new port")
    assert "takes effect" not in running.cli("bus", "actors").stdout


def test_a_port_of_the_command_line_stays(running):
    running.stop()
    running.is_port_given = True
    running.start()
    edit(running, port=free_port())
    with Client(running.port, running.token) as client:
        until(lambda: any("config_loaded" in line and "version=2" in line for line in running.logs()), 10, "the edit")
        assert client.call("health")["ok"] and "startDue" not in client.call("config.get")
    said = running.cli("config", "set", "gateway.port", str(free_port())).stdout
    assert "gateway.port: a flag or the environment of the running gateway counts before it" in said
