"""hello-ok: what each protocol knows, and nothing that is not so."""

import json
import os
import re

import pytest

from client import CallError, Client
from gateway import ROOT, Gateway, until

with open(os.path.join(ROOT, "tests/data/protocol4/shapes.json"), encoding="utf-8") as facts:
    HELLO = next(row["shape"] for row in json.load(facts)["shapes"] if row["name"] == "HelloOk")
HELLO["properties"]["controlUiUrl"] = {"type": "string", "minLength": 1}  # these two came later within protocol 4
HELLO["properties"]["auth"]["properties"]["method"] = {"type": "string", "minLength": 1}
KINDS = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
FOUR = {"minProtocol": 3, "maxProtocol": 4}


def problems(shape, value, at="hello"):
    """Where the value is not what the schema of the protocol says, down to members that it does not know."""
    if "anyOf" in shape:
        return [] if any(not problems(one, value, at) for one in shape["anyOf"]) else [f"{at}: none of the alternatives"]
    found = []
    if "type" in shape and not isinstance(value, KINDS[shape["type"]]):
        return [f"{at}: {value!r} is no {shape['type']}"]
    if "const" in shape and value != shape["const"]:
        found.append(f"{at}: {value!r}")
    if isinstance(value, str) and not shape.get("minLength", 0) <= len(value) <= shape.get("maxLength", len(value)):
        found.append(f"{at}: {len(value)} characters")
    if isinstance(value, int) and value < shape.get("minimum", value):
        found.append(f"{at}: {value}")
    if isinstance(value, dict) and "properties" in shape:
        found += [f"{at}.{name} is missing" for name in shape.get("required", []) if name not in value]
        for name, item in value.items():
            if name in shape["properties"]:
                found += problems(shape["properties"][name], item, f"{at}.{name}")
            elif shape.get("additionalProperties", True) is False:
                found.append(f"{at}.{name} is none of its members")
    if isinstance(value, list):
        found += [one for i, item in enumerate(value) for one in problems(shape.get("items", {}), item, f"{at}[{i}]")]
    return found


def gateway_of(**control):
    return Gateway(config={"gateway": {"mode": "local", "auth": {"mode": "token", "token": "a-token-of-its-own"},
                                       "reload": {"debounceMs": 20}, **control}})


def hello_of(gateway, **offer):
    with Client(gateway.port, "a-token-of-its-own", **offer) as client:
        return client.hello


def save(gateway, **control):
    config = {"gateway": {"mode": "local", "auth": {"mode": "token", "token": "a-token-of-its-own"},
                          "reload": {"debounceMs": 20}, **control}}
    with open(gateway.config_path, "w", encoding="utf-8") as file:
        json.dump(config, file)


def test_it_is_what_the_protocol_says_and_tells_of_nothing_that_is_not_done():
    gateway = gateway_of(publicOrigin="https://gateway.example.com/", controlUi={"basePath": "/ui"}).start()
    try:
        four = hello_of(gateway, **FOUR)
        assert four["protocol"] == 4 and problems(HELLO, four) == []
        assert four["controlUiUrl"] == "https://gateway.example.com/ui"
        assert "attachments" not in four["policy"] and "capabilities" not in four["features"]
        with Client(gateway.port, "a-token-of-its-own") as client:
            attached = {"sessionKey": "main", "message": "hi", "idempotencyKey": "k",
                        "attachments": [{"mimeType": "image/png", "content": "aGk="}]}
            with pytest.raises(CallError, match="attachments are not supported"):
                client.call("chat.send", attached)
        three = hello_of(gateway)
        assert three["protocol"] == 3 and "bootId" not in three["server"] and "controlUiUrl" not in three
        for control, url in (({"publicOrigin": "https://other.example.com:8443"}, "https://other.example.com:8443"),
                             ({"publicOrigin": "https://other.example.com", "controlUi": {"enabled": False}}, None),
                             ({"publicOrigin": "http://localhost:3000"}, "http://localhost:3000"), ({}, None)):
            save(gateway, **control)
            until(lambda: hello_of(gateway, **FOUR).get("controlUiUrl") == url, 10, f"{url}")
        assert problems(HELLO, hello_of(gateway, **FOUR)) == []
    finally:
        gateway.close()


def test_a_start_is_known_by_its_id_and_an_edge_that_is_started_again_is_none():
    gateway = gateway_of().start()
    try:
        first = hello_of(gateway, **FOUR)["server"]
        assert re.fullmatch(r"[0-9a-f-]{36}", first["bootId"])
        assert hello_of(gateway, **FOUR)["server"]["bootId"] == first["bootId"]
        with Client(gateway.port, "a-token-of-its-own") as client:
            save(gateway, webchat={"chatHistoryMaxChars": 5000})  # read once, by the edge
            client.wait_event("shutdown")
        until(lambda: "edge_restart=true" in "\n".join(gateway.logs()), 10, "the restart of the edge")
        assert hello_of(gateway, **FOUR)["server"]["bootId"] == first["bootId"]
        gateway.stop()
        gateway.start()
        assert hello_of(gateway, **FOUR)["server"]["bootId"] not in (first["bootId"], None)
    finally:
        gateway.close()


@pytest.mark.parametrize("origin", ["gateway.example.com", "http://gateway.example.com", "https://", "https://a/path",
                                    "https://user@a", "https://a?q", "ws://a", "http://localhost.example.com", "https://a b", 7])
def test_an_origin_that_is_none_is_refused_with_its_place(origin):
    gateway = gateway_of(publicOrigin=origin)
    try:
        done = gateway.cli("config", "validate")
        assert done.returncode == 1 and "gateway.publicOrigin" in done.stderr
    finally:
        gateway.close()
