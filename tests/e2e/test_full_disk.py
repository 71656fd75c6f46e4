"""A full disk: who asks is told, health and the log say it, nothing else stops, and it is over when there is room."""

import glob
import json
import os
import shutil
import socket
import subprocess

import pytest

from client import CallError, Client
from device_client import Device
from gateway import Gateway, until


@pytest.fixture(name="small")
def gateway_on_a_small_disk(tmp_path, topology):
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("a file system cannot be mounted here")
    (disk / "state").mkdir()
    running = Gateway(topology, state_dir=str(disk / "state"))
    running.output = str(tmp_path / "output.txt")
    try:
        yield running.start()
    finally:
        try:
            running.close()
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass


def lines_of_the_log(running, count):
    """Has so many lines written: every restart that an operator asks for is one, named after his connection."""
    for _ in range(count):
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(os.path.join(running.state_dir, "run", "control.sock"))
            control.sendall(b'{"id":1,"op":"restart","address":"channel/webchat"}\n')
            assert json.loads(control.makefile("rb").readline())["ok"]


def said_of_the_log(running):
    health = json.loads(running.cli("health", "--json").stdout)
    return next(each for each in health["actors"] if each["address"] == "log").get("reason", "")


def test_a_log_that_cannot_be_written_is_told_once_and_heals_by_itself(tmp_path, topology):
    disk = tmp_path / "log"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True,
                      check=False).returncode:
        pytest.skip("a file system cannot be mounted here")
    running = Gateway(topology, config={"logging": {"file": str(disk / "of/gateway.log")}})
    try:
        running.start()
        fill(disk / "filler")
        lines_of_the_log(running, 60)
        told = until(lambda: said_of_the_log(running), 10, "the bad news in health")
        assert str(disk) in told and "No space left" in told
        lines_of_the_log(running, 5)
        os.unlink(disk / "filler")
        until(lambda: not said_of_the_log(running), 10, "the good news in health")
        assert "log_lines_lost" in (disk / "of/gateway.log").read_text()
        assert running.text().count("log_file_failing") == 1
        shutil.rmtree(disk / "of")

        def is_back():
            lines_of_the_log(running, 1)
            return (disk / "of/gateway.log").exists()
        until(is_back, 10, "the folder of the log")
    finally:
        try:
            running.close()
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)


def health(client):
    return client.call("health", {"probe": True})


def test_a_full_disk_is_told_and_outlived(small):
    filler = os.path.join(os.path.dirname(small.state_dir), "filler")
    with Client(small.port, small.token) as client:
        client.chat("before")
        fill(filler)
        for i in range(3):
            with pytest.raises(CallError) as refused:
                client.chat(f"{i}" + "x" * 20000)
            assert refused.value.code == "UNAVAILABLE" and "full" in str(refused.value)
        sick = until(lambda: (lambda h: not h["ok"] and h)(health(client)), 10, "the bad news in health")
        assert "agent-main.sqlite" in json.dumps(sick) and "full" in json.dumps(sick)
        assert small.get("/healthz")[0] == 200
        os.unlink(filler)
        until(lambda: health(client)["ok"], 10, "health")
        assert "after" in json.dumps(client.chat("after")[1][-1])
    assert small.text().count("agent_store_failing") + sum(
        "agent_store_failing" in line for line in small.logs() if line not in small.text()) <= 2


def test_a_start_on_a_full_disk_is_told_once_for_each_actor_and_outlived(small):
    """However often each is started again meanwhile."""
    filler = os.path.join(os.path.dirname(small.state_dir), "filler")
    small.stop()
    for path in glob.glob(os.path.join(small.state_dir, "db", "approval.sqlite*")):
        os.unlink(path)  # one that has nothing yet to begin with
    fill(filler)
    small.spawn()

    def restarts():
        shown = small.cli("bus", "actors", "--json").stdout
        rows = json.loads(shown).get("actors", []) if shown else []  # nobody answers at first
        return sum(row["restarts"] for row in rows if row["address"] == "approval")
    until(lambda: restarts() >= 4, 20, "four attempts")
    told = [line for line in small.text().splitlines() if "actor_restart" in line and "actor=approval " in line]
    assert len(told) == 1 and "approval.sqlite" in told[0] and "make room" in told[0], told
    os.unlink(filler)
    until(lambda: small.get("/readyz")[0] == 200, 20, "a gateway that is whole")

    def connected():
        try:
            return Client(small.port, small.token)
        except CallError as refused:  # one that was started last may still be on its way
            assert refused.code == "UNAVAILABLE", refused
            return None
    with until(connected, 10, "a connection") as client:
        assert "after" in json.dumps(client.chat("after")[1][-1])


def ask_of_approval(client, number):
    client.call("exec.approval.request", {"command": f"echo {number} " + "x" * 60000, "cwd": "/tmp", "host": "gateway",
                                          "timeoutMs": 60000, "twoPhase": True})


def ask_of_node(client, number):
    client.call("node.pair.request", {"nodeId": f"node-{number}", "caps": ["x" * 500] * 100})


@pytest.mark.parametrize("name, ask", [("approval", ask_of_approval), ("node", ask_of_node), ("auth", None)])
def test_an_owner_whose_database_finds_no_room_says_so_and_goes_on_when_there_is(small, name, ask):
    filler = os.path.join(os.path.dirname(small.state_dir), "filler")
    ask = ask or (lambda _, number: Device(f"device {number}").connect(small, [], {"token": small.token}).socket.close())
    with Client(small.port, small.token) as client:
        ask(client, 0)
        fill(filler)
        for i in range(1, 4):
            with pytest.raises(CallError) as refused:
                ask(client, i)
            assert refused.value.code == "UNAVAILABLE" and "disk" in str(refused.value)
        told = until(lambda: health(client).get("degraded", ""), 10, "the bad news in health")
        assert f"{name}.sqlite" in told and "full" in told
        assert small.get("/healthz")[0] == 200
        client.call("node.list"), client.call("exec.approval.list"), client.call("device.pair.list")
        os.unlink(filler)
        until(lambda: not health(client).get("degraded"), 10, "the good news in health")
        ask(client, 4)
    told = [line for line in small.text().splitlines() if "store_failing" in line and f"{name}.sqlite" in line]
    assert len(told) == 1, told
