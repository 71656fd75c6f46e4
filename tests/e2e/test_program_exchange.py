"""`openclaw gateway restart --upgrade`: another program takes the place of the one that runs, and nobody is refused."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from client import Client
from gateway import BINARY, free_port, until
from test_process import Control, hosts, is_whole, tap, told
from test_tap_remote import remote


@pytest.fixture
def installed(fresh_gateway, tmp_path, monkeypatch):
    """A gateway that runs from a file of its own, which may be replaced."""
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "openclaw"
    shutil.copy(BINARY, program)
    gateway = fresh_gateway(environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
    if gateway.elsewhere:
        gateway.elsewhere.extra = {"NOTIFY_SOCKET": ""}
    gateway.program = program
    gateway.command = lambda *words: [str(program), *words]
    return gateway


def replace(gateway, content=None):
    """As a package manager does; another file, under the same name. The inode of what is there now."""
    fresh = gateway.program.with_suffix(".new")
    if content is None:
        shutil.copy(BINARY, fresh)
    else:
        fresh.write_text(content, "utf-8")
        fresh.chmod(0o755)
    os.rename(fresh, gateway.program)
    return os.stat(gateway.program).st_ino


def replace_by_script(gateway, script):
    """By a shell, which runs the file that the first word of the command line names, in its directory."""
    fresh = gateway.program.with_suffix(".new")
    shutil.copy(os.path.realpath("/bin/sh"), fresh)
    gateway.program.with_name("gateway").write_text(script, "utf-8")
    os.rename(fresh, gateway.program)


def upgrade(gateway, environment=None):
    """With the command of the tests' own program, as what is installed may be broken."""
    keep, gateway.command = gateway.command, lambda *words: [BINARY, *words]
    try:
        return gateway.cli("gateway", "restart", "--upgrade", "--json", environment=environment)
    finally:
        gateway.command = keep


def program_of(pid):
    return os.stat(f"/proc/{pid}/exe").st_ino


def test_the_new_program_serves_in_the_same_process_behind_the_same_sockets(installed, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as service_manager:
        service_manager.bind(str(tmp_path / "notify"))
        service_manager.settimeout(10)
        running = installed.start()
        assert service_manager.recv(100) == b"READY=1"
        with Client(running.port, running.token) as client:
            client.chat("before")
        before, clients = hosts(running), os.stat(os.path.join(running.state_dir, "run/clients.sock")).st_ino
        inode = replace(running)
        assert program_of(running.process.pid) != inode
        done = upgrade(running)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"ok": True, "action": "upgrade", "pid": running.process.pid,
                                           "release": running.cli("--version").stdout.split()[1], "upgrades": 1}
        assert service_manager.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert service_manager.recv(100) == b"READY=1"
    assert running.process.poll() is None
    until(lambda: is_whole(running), 20, "all hosts")
    after = [host for host in hosts(running) if host["pid"]]
    assert {program_of(pid) for pid in [running.process.pid, *(host["pid"] for host in after)]} == {inode}
    assert not {host["pid"] for host in before} & {host["pid"] for host in after}
    assert os.stat(os.path.join(running.state_dir, "run/clients.sock")).st_ino == clients
    assert "OPENCLAW_HANDOVER" not in str(open(f"/proc/{after[0]['pid']}/environ", "rb").read())
    until(lambda: running.get("/readyz")[0] == 200, 20, "readiness")
    with Client(running.port, running.token) as client:
        assert "before" in json.dumps(client.call("chat.history", {"sessionKey": "agent:main:e2e"}))
        client.chat("after")


def test_what_it_holds_is_handed_on_and_nothing_else(installed):
    def look():
        names = []
        for fd in os.listdir(f"/proc/{running.process.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                names.append(os.readlink(f"/proc/{running.process.pid}/fd/{fd}").split(":")[0])
        return sorted(names)

    def open_files():
        """Without the connections of those who just ask."""
        return min((look() for _ in range(50)), key=len)

    running = installed.start()
    with Client(running.port, running.token) as client:
        client.chat("so that there is a workspace")
    assert upgrade(running).returncode == 0
    until(lambda: is_whole(running), 20, "all hosts")
    before = open_files()
    for number in (2, 3):
        done = upgrade(running)
        assert done.returncode == 0 and json.loads(done.stdout)["upgrades"] == number, done.stderr
        until(lambda: is_whole(running), 20, "all hosts")
    assert open_files() == before
    second = running.cli("gateway", "run", "--port", "0", "--topology", running.arguments[-1]) if running.arguments else \
        running.cli("gateway", "run", "--port", "0")
    assert second.returncode == 78 and f"pid {running.process.pid}" in second.stderr, second.stderr


@pytest.mark.parametrize("content, says", [("no program at all", "no program"), ("", "no program"),
                                           ("#!/bin/sh\nexit 0\n", "no program")])
def test_a_program_that_would_not_start_changes_nothing(installed, content, says):
    running = installed.start()
    before = [host["pid"] for host in hosts(running)]
    replace(running, content)
    done = upgrade(running)
    assert done.returncode not in (0, 78), done.stdout
    assert says in done.stderr, done.stderr
    assert [host["pid"] for host in hosts(running)] == before and running.get("/healthz")[0] == 200
    assert told(running, '"event":"upgrade_refused"')
    replace(running)  # and the next one is taken
    done = upgrade(running)
    assert done.returncode == 0 and json.loads(done.stdout)["upgrades"] == 1, done.stderr


@pytest.mark.parametrize("script, says", [("echo too new >&2\nexit 3\n", "too new"), ("kill -9 $$\n", "signal 9"),
                                          ("exit 0\n", "does not say"), ("echo $OPENCLAW_TRIAL >&3\n", "does not say"),
                                          ("echo 0$OPENCLAW_TRIAL 1 >&3\n", "does not say")])
def test_a_program_that_does_not_prove_itself_changes_nothing(installed, script, says):
    running = installed.start()
    before = [host["pid"] for host in hosts(running)]
    replace_by_script(running, script)
    done = upgrade(running)
    assert done.returncode != 0 and says in done.stderr, (done.stdout, done.stderr)
    assert [host["pid"] for host in hosts(running)] == before and told(running, '"event":"upgrade_refused"')
    replace(running)
    assert upgrade(running).returncode == 0


def status(running):
    with Control(running) as control:
        return control.ask(op="status")


def test_one_that_cannot_be_executed_after_all_is_told_and_the_next_one_is_taken(installed):
    running = installed.start()
    inode = program_of(running.process.pid)
    replace_by_script(running, 'echo "$OPENCLAW_TRIAL 1" >&3\nchmod 0 openclaw\n')
    done = upgrade(running)
    assert done.returncode == 1 and "Permission denied" in done.stderr, (done.stdout, done.stderr)
    assert running.process.poll() is None and program_of(running.process.pid) == inode
    until(lambda: is_whole(running), 20, "all hosts")
    now = status(running)
    assert now["upgrades"] == 0 and now["upgradesFailed"] == 1 and "Permission" in now["upgradeError"], now
    inode = replace(running)
    done = upgrade(running)
    assert done.returncode == 0 and json.loads(done.stdout)["upgrades"] == 1, done.stderr
    now = status(running)
    assert now["upgradesFailed"] == 1 and "upgradeError" not in now, now
    assert program_of(running.process.pid) == inode


def test_what_was_tried_is_executed_whatever_stands_there_by_then(installed):
    running = installed.start()
    replace_by_script(running, f"""
case "$*" in
*--check*) echo "$OPENCLAW_TRIAL 1" >&3; rm openclaw ;;
*) exec {BINARY} gateway "$@" ;;
esac""")
    done = upgrade(running)
    assert done.returncode == 0 and json.loads(done.stdout)["upgrades"] == 1, done.stderr
    assert program_of(running.process.pid) == os.stat(BINARY).st_ino
    with open(f"/proc/{running.process.pid}/comm", encoding="utf-8") as file:
        assert file.read() == "openclaw\n"
    until(lambda: is_whole(running), 20, "all hosts")
    done = upgrade(running)
    assert done.returncode != 0 and "No such file" in done.stderr, done.stdout
    inode = replace(running)
    done = upgrade(running)
    assert done.returncode == 0 and json.loads(done.stdout)["upgrades"] == 2, done.stderr
    assert program_of(running.process.pid) == inode


def test_a_config_with_which_it_would_not_start_changes_nothing(installed):
    running = installed.start()
    with open(running.config_path, encoding="utf-8") as file:
        good = file.read()
    before = [host["pid"] for host in hosts(running)]
    with open(running.config_path, "w", encoding="utf-8") as file:
        file.write(good.replace('"local"', '"nowhere"'))
    done = upgrade(running)
    assert done.returncode == 78 and "exit code 78" in done.stderr and "gateway.mode" in done.stderr, done.stderr
    first, *more = done.stderr.splitlines()
    assert first.startswith("openclaw: the gateway refused: its new program") and first.endswith("so all stays as it is:"), first
    assert not any("openclaw: " in line for line in more) and more[-1].startswith("  next: correct that"), done.stderr
    assert [host["pid"] for host in hosts(running)] == before
    with open(running.config_path, "w", encoding="utf-8") as file:
        file.write(good)
    assert upgrade(running).returncode == 0


class Watcher:
    """A command that watches, what it has said so far, and its end."""

    def __init__(self, process):
        self.process, self.said, self.shown = process, [], []
        for pipe, lines in ((process.stderr, self.said), (process.stdout, self.shown)):
            threading.Thread(target=lambda pipe=pipe, lines=lines: lines.extend(iter(pipe.readline, "")), daemon=True).start()

    def saw(self, word, times=1):
        until(lambda: sum(word in line for line in self.said) >= times, 30, f"{word}: {self.said}")

    def shows(self, word, begin):
        """In a line after so many."""
        until(lambda: any(word in line for line in self.shown[begin:]), 30, word)

    def end(self):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(20) == 130, self.said


def test_who_watches_goes_on_with_the_next_gateway_and_says_what_was_not_seen(installed):
    running = installed.start()
    env = {**running.environment, "OPENCLAW_GATEWAY_PORT": str(running.port)}

    def command(*words):
        return subprocess.Popen([BINARY, *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watchers = [Watcher(each) for each in (tap(running), remote(running, "bus", "tap", "--json"),
                                           command("bus", "top", "--json", "--interval", "1"))]
    logs = Watcher(command("logs", "--follow", "--json", "--token", running.token))
    until(lambda: logs.shown and watchers[2].shown, 20, "the first of both")
    for times, again in enumerate((lambda: upgrade(running), lambda: running.stop() or running.start()), 1):
        logged = len(logs.shown)
        again()
        until(lambda: is_whole(running), 20, "all hosts")
        for watcher in watchers:
            watcher.saw("the gateway has gone away", times)
            watcher.saw("s between was not seen", times)
        begin = [len(watcher.shown) for watcher in watchers]
        with Client(running.port, running.token) as client:
            client.chat("seen")
        for watcher, shown in zip(watchers, begin):
            watcher.shows("agent/main", shown)
        logs.shows("tap_attached", logged)
    for watcher in watchers:
        watcher.end()
        assert all(json.loads(line) for line in watcher.shown), "one object on each line"
        assert len(watcher.said) == 4, watcher.said
    logs.process.send_signal(signal.SIGINT)
    logs.process.wait(20)


def test_who_watches_ends_while_there_is_no_gateway(installed):
    running = installed.start()
    local, timed = Watcher(tap(running)), Watcher(tap(running, "--duration", "3"))
    running.stop()
    for watcher in (local, timed):
        watcher.saw("the gateway has gone away")
    local.end()
    assert timed.process.wait(20) == 0 and not any("watching again" in line for line in timed.said), timed.said


@contextlib.contextmanager
def busy_port(config, _tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        config["gateway"]["port"] = other.getsockname()[1]
        yield "is in use"


@contextlib.contextmanager
def no_certificate(config, tmp_path):
    config["gateway"]["tls"] = {"enabled": True, "autoGenerate": False, "certPath": str(tmp_path / "c.pem"),
                                "keyPath": str(tmp_path / "k.pem")}
    yield "c.pem"


@contextlib.contextmanager
def bad_certificate(config, tmp_path):
    with no_certificate(config, tmp_path) as says:
        (tmp_path / says).write_text("rubbish", "utf-8")
        (tmp_path / "k.pem").write_text("rubbish", "utf-8")
        (tmp_path / "k.pem").chmod(0o600)
        yield says


@contextlib.contextmanager
def held_workspace(config, tmp_path):
    (tmp_path / "held").mkdir()
    config["agents"]["defaults"]["workspace"] = str(tmp_path / "held")
    fd = os.open(tmp_path / "held", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    yield "uses the workspace"
    os.close(fd)


@pytest.mark.parametrize("change", [busy_port, no_certificate, bad_certificate, held_workspace])
def test_what_the_new_program_would_not_be_given_changes_nothing(installed, tmp_path, change):
    installed.is_port_given = False
    installed.write_config({"gateway": {"port": installed.port, "reload": {"mode": "off"}}})
    running = installed.start()
    before = [host["pid"] for host in hosts(running)]
    with open(running.config_path, encoding="utf-8") as file:
        good = file.read()
    config = json.loads(good)
    with change(config, tmp_path) as says:
        with open(running.config_path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        done = upgrade(running)
        assert done.returncode != 0 and says in done.stderr, (done.stdout, done.stderr)
    assert [host["pid"] for host in hosts(running)] == before and running.get("/healthz")[0] == 200
    with open(running.config_path, "w", encoding="utf-8") as file:
        file.write(good)
    assert upgrade(running).returncode == 0


def test_what_the_new_program_can_be_given_is_taken(installed):
    installed.is_port_given = False
    installed.write_config({"gateway": {"port": installed.port, "reload": {"mode": "off"}}})
    running = installed.start()
    with open(running.config_path, encoding="utf-8") as file:
        config = json.load(file)
    running.port = config["gateway"]["port"] = free_port()
    with open(running.config_path, "w", encoding="utf-8") as file:
        json.dump(config, file)
    done = upgrade(running)
    assert done.returncode == 0, done.stderr
    until(lambda: is_whole(running), 20, "all hosts")
    assert running.get("/healthz")[0] == 200


def test_a_stop_counts_more_than_an_upgrade(installed):
    running = installed.start()
    with Control(running) as control:
        assert control.ask(op="upgrade") == {}
        running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(20) == 0


def test_a_stop_while_the_new_program_is_tried_ends_the_trial(installed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    running = installed.start()
    replace_by_script(running, "echo $$ >trial.new\nmv trial.new trial\nexec sleep 60\n")
    with Control(running) as control:
        control.sock.sendall(b'{"id":1,"op":"upgrade"}\n')
        until((tmp_path / "trial").exists, 10, "the trial")
        running.process.send_signal(signal.SIGTERM)
        answer = json.loads(control.file.readline())
    assert answer["error"]["code"] == "UNAVAILABLE" and "ends" in answer["error"]["message"], answer
    assert running.process.wait(20) == 0
    trial = f"/proc/{(tmp_path / 'trial').read_text().strip()}/exe"
    until(lambda: not os.path.exists(trial), 10, "the end of the trial")  # os.path.exists follows: a dead one leads nowhere


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE])
def test_no_signal_that_means_no_end_ends_it_between_two_programs(installed, number):
    running = installed.start()
    command = subprocess.Popen([BINARY, "gateway", "restart", "--upgrade", "--json"], env=running.environment,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: is_ending(running), 10, "the trial")
    while command.poll() is None and running.process.poll() is None:
        running.process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.wait(0.002)
        if number == signal.SIGUSR1 and is_exchanged(running):
            break  # each gives every host a fresh process, so it would never be whole
    out, error = command.communicate(timeout=40)
    assert running.process.poll() is None and command.returncode == 0, (running.process.poll(), out, error)


def is_ending(running):
    try:
        return status(running)["state"] != "running" or is_exchanged(running)
    except OSError:
        return True


def is_exchanged(running):
    try:
        return status(running)["upgrades"] == 1
    except OSError:
        return False


def test_a_stop_between_two_programs_ends_it_in_order(installed):
    running = installed.start()
    with Control(running) as control:
        assert control.ask(op="upgrade") == {}
        while control.file.readline():
            pass  # until it is closed: nobody listens for signals any more, or the new program does already
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(20) == 0


def test_a_restart_meanwhile_finds_the_gateway(installed):
    running = installed.start()
    with Control(running) as control:
        assert control.ask(op="upgrade") == {}
        while control.file.readline():
            pass  # until it is closed
    done = running.cli("gateway", "restart", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["pid"] == running.process.pid, done.stderr
    until(lambda: is_exchanged(running) and is_whole(running), 30, "all hosts")


def test_two_upgrades_at_once_are_one(installed):
    running = installed.start()
    with Control(running) as control:
        control.sock.sendall(b'{"id":1,"op":"upgrade"}\n{"id":2,"op":"upgrade"}\n')
        answers = {answer["id"]: answer for answer in (json.loads(control.file.readline()) for _ in range(2))}
    assert answers[1]["ok"] and answers[2]["error"]["code"] == "BUSY", answers

    def upgrades():
        try:
            with Control(running) as control:
                return control.ask(op="status")["upgrades"]
        except OSError:
            return None

    until(lambda: upgrades() == 1 and is_whole(running), 20, "the new program")


def test_a_program_that_hangs_in_its_check_is_ended_with_all_it_started(installed, tmp_path):
    running = installed.start()
    before = [host["pid"] for host in hosts(running)]
    started = tmp_path / "started"
    os.mkfifo(tmp_path / "never")
    replace_by_script(running, f"(read line < {tmp_path}/never) &\necho $$ $! > {started}.new; mv {started}.new {started}\nwait\n")
    with subprocess.Popen([BINARY, "gateway", "restart", "--upgrade"], env=running.environment, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as first:
        until(started.exists, 10, "the new program")
        done = upgrade(running)
        assert done.returncode == 75 and "tries its new program already" in done.stderr, done.stderr
        said = first.communicate(timeout=60)[1]
        assert first.returncode == 1 and "within 30 s" in said and "all stays as it is" in said, said
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in started.read_text().split()), 10, "the end of both")
    until(lambda: any("upgrade_refused" in line and "in time" in line for line in running.logs()), 10, "the log")
    assert [host["pid"] for host in hosts(running)] == before


def test_a_check_touches_nothing_that_runs(installed):
    running = installed.start()
    before = [host["pid"] for host in hosts(running)]
    port = ["--port", str(running.port)]
    assert running.cli("gateway", *port, *running.arguments, "--check", "--force").returncode == 0
    assert running.cli("gateway", *port, "--topology", "/nowhere", "--check").returncode == 78
    if running.elsewhere:
        done = running.cli("host", "agents", "--topology", running.elsewhere.topology_path, "--check",
                           environment=running.elsewhere.environment)
        assert done.returncode == 0, done.stderr
    assert [host["pid"] for host in hosts(running)] == before


def test_a_host_elsewhere_takes_up_its_program_too(installed, topology):
    if topology != "tcp":
        pytest.skip("about the other machine")
    running = installed.start()
    keeper = running.elsewhere.process.pid
    inode = replace(running)
    done = upgrade(running, environment=running.elsewhere.environment)
    assert done.returncode == 0 and json.loads(done.stdout)["pid"] == keeper, done.stderr
    until(lambda: running.get("/readyz")[0] == 200, 20, "its agents")
    assert program_of(keeper) == inode != program_of(running.process.pid)
    with Client(running.port, running.token) as client:
        client.chat("after")
