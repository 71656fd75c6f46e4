"""The unmodified command line of the original, as its users type it; more of it beside our own in test_same_cli.py."""

import json

from gateway import until


def test_health_for_people(original):
    done = original.cli("health")
    assert done.returncode == 0, done.stderr


def test_status_for_people(original):
    done = original.cli("status")
    assert done.returncode == 0, done.stderr
    assert "Gateway" in done.stdout


def test_agent_message_for_people(original):
    done = original.cli("agent", "--agent", "main", "--message", "plain words")
    assert done.returncode == 0, done.stderr
    assert "plain words" in done.stdout


def test_gateway_call_agent_waits_for_the_end(original):
    params = {"message": "over a call", "sessionKey": "agent:main:main", "idempotencyKey": "interop-0001"}
    done = original.cli("gateway", "call", "agent", "--expect-final", "--timeout", "60000", "--params",
                    json.dumps(params))
    assert done.returncode == 0, done.stderr
    assert "over a call" in done.stdout


def test_sessions_list(original):
    original.cli_json("agent", "--agent", "main", "--message", "so that there is a session")
    told = original.cli_json("gateway", "call", "sessions.list")
    assert "agent:main:main" in [row["key"] for row in told["sessions"]]


def test_agents_list(original):
    assert original.cli_json("gateway", "call", "agents.list")["defaultId"] == "main"


def test_models_list(original):
    assert isinstance(original.cli_json("gateway", "call", "models.list")["models"], list)


def test_config_get_hides_the_token(original):
    told = original.cli("gateway", "call", "config.get", "--json")
    assert told.returncode == 0, told.stderr
    assert original.gateway.token not in told.stdout


def test_an_event_wakes_the_agent(beating):
    assert beating.cli_json("system", "heartbeat", "last") is None
    assert beating.cli_json("system", "event", "--mode", "now", "--text", "look around") == {"ok": True}
    event = until(lambda: beating.cli_json("system", "heartbeat", "last"), 60, "the heartbeat")
    assert (event["status"], event["reason"], event["silent"], event["indicatorType"]) == ("ok-token", "wake", True, "ok")
    words = ["system", "event", "--text", "and again"]
    if beating.generation != "2026.5.7":  # the later one can name a session
        words += ["--session-key", "agent:main:ops"]
    assert beating.cli_json(*words) == {"ok": True}


def test_heartbeats_off_and_on(beating):
    assert beating.cli_json("system", "heartbeat", "disable") == {"ok": True, "enabled": False}
    assert beating.cli_json("health")["agents"][0]["heartbeat"]["enabled"] is False
    assert beating.cli_json("system", "heartbeat", "enable") == {"ok": True, "enabled": True}
    shown = beating.cli_json("gateway", "call", "status")["heartbeat"]["agents"][0]
    assert (shown["enabled"], shown["every"], shown["everyMs"]) == (True, "60m", 3600000)


def test_an_unknown_method_is_told(original):
    done = original.cli("gateway", "call", "no.such.method", "--json")
    assert done.returncode == 1
    assert "unknown method: no.such.method" in done.stderr + done.stdout


def test_invalid_params_are_told(original):
    done = original.cli("gateway", "call", "chat.send", "--params", '{"bogus":1}', "--json")
    assert done.returncode == 1
    assert "invalid chat.send params" in done.stderr + done.stdout


def test_a_wrong_token_is_told(original):
    done = original.cli("gateway", "call", "health", "--url", f"ws://127.0.0.1:{original.gateway.port}", "--token", "wrong")
    assert done.returncode == 1
    assert "token mismatch" in done.stderr + done.stdout


def test_secrets_reload_for_people(original):
    done = original.cli("secrets", "reload")
    assert done.returncode == 0, done.stderr
