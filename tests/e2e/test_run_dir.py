"""A run directory that is removed under a running gateway: it comes back, and nobody is turned away meanwhile."""

import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import threading
import time

import pytest

from client import Client
from gateway import until
from test_auth import Owner
from test_process import Control, hosts, is_whole, pids, tap, told


class Callers(threading.Thread):
    """Opens a connection again and again. It may wait; to be refused is what must not happen."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.made, self.refused, self.is_over = port, 0, 0, threading.Event()

    def run(self):
        while not self.is_over.wait(0.002):
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=10):
                    self.made += 1
            except ConnectionRefusedError:
                self.refused += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.join(15)


def run_dir(gateway):
    return os.path.join(gateway.state_dir, "run")


def renewed(gateway):
    return told(gateway, "run_dir_renewed")


def is_back(gateway, path):
    """Between its bind() and its listen() a socket of the new directory refuses."""
    try:
        return os.path.exists(path) and is_whole(gateway)
    except (FileNotFoundError, ConnectionRefusedError):
        return False


def remove(gateway):
    """As someone does who tidies up. Returns once the gateway has put it back."""
    before = renewed(gateway)
    shutil.rmtree(run_dir(gateway))
    until(lambda: renewed(gateway) > before, 10, "the return of the run directory")


def kill_children(gateway):
    """Every one of them, and waits until others serve. Returns how long that took."""
    victims = pids(gateway)
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    until(lambda: is_whole(gateway) and not victims & pids(gateway), 20, "new children")
    until(lambda: gateway.get("/readyz")[0] == 200, 20, "readiness")
    return time.monotonic() - killed


def test_a_cleaner_that_asks_first_leaves_it_alone(gateway):
    fd = os.open(run_dir(gateway), os.O_RDONLY | os.O_DIRECTORY)
    try:
        with pytest.raises(BlockingIOError):  # what systemd-tmpfiles tries before it goes in
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(fd)


def test_it_comes_back_and_so_do_killed_children(fresh_gateway):
    running = fresh_gateway().start()
    before = pids(running)
    remove(running)
    assert stat.S_IMODE(os.stat(run_dir(running)).st_mode) == 0o700
    assert pids(running) == before, "nobody had to be started again"
    with Callers(running.port) as callers:
        took = kill_children(running)
    assert callers.made and not callers.refused
    with Client(running.port, running.token) as client:
        assert "after" in json.dumps(client.chat("after")[1][-1])
    # Sanitizers make each start several times as long; the rest of the time is what a test can hold against us.
    assert took < 5, took


def test_a_child_that_dies_in_the_same_moment_comes_back_too(fresh_gateway):
    running = fresh_gateway().start()
    before = renewed(running)
    for _ in range(3):
        victim = hosts(running)[0]
        with Callers(running.port) as callers:
            shutil.rmtree(run_dir(running))
            os.kill(victim["pid"], signal.SIGKILL)  # its next life starts before anybody has looked
            until(lambda: is_back(running, os.path.join(run_dir(running), "control.sock")), 20, "the control socket")
            until(lambda pid=victim["pid"]: hosts(running)[0]["pid"] not in (pid, None) and is_whole(running), 20,
                  "the next life")
        assert callers.made and not callers.refused
    assert renewed(running) >= before + 3
    assert not told(running, "host_gave_up")


def test_the_operator_has_his_commands_again(fresh_gateway):
    running = fresh_gateway().start()
    remove(running)
    shown = json.loads(running.cli("bus", "actors", "--json").stdout)
    assert {actor["state"] for actor in shown["actors"]} == {"ready"}
    watcher = tap(running, "--filter", "method == health", "--count", "2")
    until(lambda: running.cli("gateway", "call", "health", "--token", running.token).returncode == 0
          and watcher.poll() is not None, 20, "two envelopes")
    seen = [json.loads(line) for line in watcher.communicate(timeout=10)[0].splitlines()]
    assert [each["kind"] for each in seen] == ["call", "reply"]
    with Control(running) as control:
        assert stat.S_IMODE(os.stat(control.path).st_mode) == 0o600
        control.ask(op="restart", address="router")


def test_the_owner_still_comes_in_by_his_socket(fresh_gateway):
    running = fresh_gateway().start()
    remove(running)
    for _ in range(2):  # of the life that inherited the socket, then of one that came after
        with Owner(running) as owner:
            assert owner.call("device.pair.list")["paired"] == []
        kill_children(running)


def test_one_file_that_is_missing_is_put_back(fresh_gateway):
    running = fresh_gateway().start()
    for name in ("supervisor.sock", "clients.sock", "control.sock", f"host-{hosts(running)[0]['name']}.sock"):
        before = renewed(running)
        path = os.path.join(run_dir(running), name)
        os.unlink(path)
        # It is told of once everybody is asked to bind again; a node may be told twice, and binds a moment later.
        until(lambda known=before, there=path: renewed(running) > known and is_back(running, there), 10,
              f"the return of {name}")
    kill_children(running)


@pytest.mark.skipif(os.geteuid() != 0, reason="a directory of somebody else can be made by root alone")
def test_a_directory_of_somebody_else_in_its_place_is_not_used(fresh_gateway):
    running = fresh_gateway().start()
    aside = os.path.join(running.state_dir, "aside")
    foreign = os.path.join(running.state_dir, "foreign")
    os.mkdir(foreign)
    os.chown(foreign, 65534, 65534)
    os.rename(run_dir(running), aside)
    os.rename(foreign, run_dir(running))
    until(lambda: told(running, "run_dir_lost"), 10, "the bad news")
    for pid in running.children():
        os.kill(pid, signal.SIGKILL)
    assert not os.listdir(run_dir(running))
    os.rename(run_dir(running), foreign)
    until(lambda: renewed(running), 10, "the return of the run directory")
    until(lambda: is_whole(running), 20, "new children")
    assert not told(running, "host_gave_up") and running.text().count("run_dir_lost") == 1
