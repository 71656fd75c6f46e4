"""The command line against the real gateway."""

import json
import signal
import subprocess

import pytest

from gateway import until


def shows(gateway, *words):
    done = gateway.cli(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_health_is_the_snapshot(gateway):
    health = shows(gateway, "health")
    assert health["ok"] is True and health["defaultAgentId"] == "main"
    assert shows(gateway, "gateway", "health")["ok"] is True
    text = gateway.cli("health").stdout
    assert "Health     ok" in text and "main (default)" in text


def test_status_finds_the_gateway_of_its_state_directory(gateway):
    status = shows(gateway, "status")
    assert status["gateway"]["reachable"] is True and status["gateway"]["error"] is None
    assert status["gatewayService"]["runtime"] == {"status": "running", "pid": gateway.process.pid}
    assert status["agents"]["defaultId"] == "main"
    assert status["runtimeVersion"] == status["gateway"]["self"]["version"]
    assert "health" in shows(gateway, "status", "--deep")


def test_the_running_gateway_is_found_wherever_it_listens(gateway):
    """It was started with a port of its own, and the config names another one."""
    unsaid = {"OPENCLAW_GATEWAY_PORT": ""}
    status = gateway.cli("gateway", "status", "--require-rpc", "--json", environment=unsaid)
    assert status.returncode == 0, status.stdout + status.stderr
    assert json.loads(status.stdout)["gateway"]["port"] == gateway.port
    assert json.loads(status.stdout)["gateway"]["portSource"] == "the running gateway"
    assert gateway.cli("config", "set", "logging.level", "debug", environment=unsaid).returncode == 0


def test_gateway_status_names_process_port_and_permission(gateway):
    report = shows(gateway, "gateway", "status", "--require-rpc")
    assert report["rpc"]["ok"] is True and report["rpc"]["capability"] == "read_only"
    assert report["port"]["status"] == "busy"
    assert gateway.process.pid in [listener["pid"] for listener in report["port"]["listeners"]]
    assert report["config"]["cli"] == {"path": gateway.config_path, "exists": True, "valid": True}


def test_channels_status_is_that_of_the_channel_itself(gateway):
    status = shows(gateway, "channels", "status", "--probe")
    account, = status["channelAccounts"]["webchat"]
    assert account["connected"] is True and account["healthState"] == "up"
    row, = [line.split() for line in gateway.cli("channels", "status").stdout.splitlines()[1:]]
    assert row[:3] == ["WebChat", "default", "up"]


def test_probe_reads_everything_it_may(gateway):
    report = shows(gateway, "gateway", "probe")
    target = report["targets"][0]
    assert report["ok"] is True and report["degraded"] is False, report["warnings"]
    assert target["connect"]["rpcOk"] is True and target["health"]["ok"] is True
    assert target["config"]["gateway"]["authTokenConfigured"] is True
    assert gateway.token not in json.dumps(report)


def test_call_prints_the_answer_and_ends_with_1_when_it_is_an_error(gateway):
    assert shows(gateway, "gateway", "call", "agents.list")["defaultId"] == "main"
    unknown = gateway.cli("gateway", "call", "no.such.method")
    assert (unknown.returncode, unknown.stdout) == (1, "") and "no.such.method" in unknown.stderr
    wrong = gateway.cli("gateway", "call", "chat.history", "--params", "{\"limit\": \"x\"}")
    assert wrong.returncode == 1 and "sessionKey" in wrong.stderr


def test_a_conversation_through_the_command_line(gateway):
    first = shows(gateway, "agent", "--agent", "main", "--session-id", "cli", "-m", "good morning")
    assert first["status"] == "ok" and "good morning" in first["result"]["payloads"][0]["text"]
    again = gateway.cli("agent", "--session-id", "cli", "--message", "and again")
    assert again.returncode == 0 and "and again" in again.stdout
    key = next(row["key"] for row in shows(gateway, "gateway", "call", "sessions.list")["sessions"]
               if row["key"].endswith(":cli"))
    assert key in gateway.cli("status").stdout
    history = shows(gateway, "gateway", "call", "chat.history", "--params", json.dumps({"sessionKey": key}))
    assert [message["role"] for message in history["messages"]] == ["user", "assistant"] * 2


def test_the_wrong_token_is_77(gateway):
    done = gateway.cli("health", "--token", "wrong")
    assert done.returncode == 77 and "--token" in done.stderr and "wrong" not in done.stderr.replace("--token", "")


def test_logs_show_what_happened(gateway):
    gateway.cli("health", "--token", "wrong")
    records = [json.loads(line) for line in gateway.cli("logs", "--json").stdout.splitlines()]
    assert records[0]["type"] == "meta"
    assert all(record["type"] == "log" for record in records[1:]) and len(records) > 1
    assert gateway.cli("logs", "--limit", "1").stdout.count("\n") == 1


def test_following_shows_new_lines_until_interrupted(gateway):
    process = subprocess.Popen(gateway.command("logs", "--follow", "--json", "--interval", "50"),
                               env={**gateway.environment, "OPENCLAW_GATEWAY_PORT": str(gateway.port)},
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert json.loads(process.stdout.readline())["type"] == "meta"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130


@pytest.mark.parametrize("words", [["bus", "actors"], ["bus", "tap", "--count", "1"]])
def test_bus_commands_answer(gateway, words):
    process = subprocess.Popen(gateway.command(*words, "--json"),
                               env={**gateway.environment, "OPENCLAW_GATEWAY_PORT": str(gateway.port)},
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def is_done():
        gateway.cli("health")  # something for the tap to see
        return process.poll() is not None

    until(is_done, 20, "the end of the command")
    out, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    json.loads(out)
