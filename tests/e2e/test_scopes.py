"""Each method asks for the scope that the original's asks for, and nothing that a client says of itself makes up for it."""

import json
import os

import pytest

from client import CallError, Client
from gateway import ROOT
from node_client import NodeClient

FOLDERS = {3: "protocol", 4: "protocol4"}
# Where one schema cannot be both protocols at once: see SCOPES_OF_3 in tests/unit/schema/test_facts4.py.
OF_3 = {"connect", "health", "config.schema", "talk.mode", "talk.speak"}


def methods(protocol):
    """(name, scope) of every method of the original of that protocol, as it was recorded or documented."""
    with open(os.path.join(ROOT, "tests/data", FOLDERS[protocol], "methods.json"), encoding="utf-8") as stream:
        rows = json.load(stream)["methods"]
    return [(row["name"], row["scope"]) for row in rows if protocol == 3 or row["name"] not in OF_3]


def refusal(client, method):
    """What is said to a request whose params would be refused as well, but later."""
    with pytest.raises(CallError) as refused:
        client.call(method, {"no such key": 1})
    return refused.value.error


@pytest.mark.parametrize("protocol", sorted(FOLDERS))
def test_without_its_scope_no_method_is_served(gateway, protocol):
    named = {"minProtocol": protocol, "maxProtocol": protocol}
    with Client(gateway.port, gateway.token, scopes=[], **named) as nobody:
        assert nobody.hello["auth"]["scopes"] == []
        for method, scope in methods(protocol):
            if scope.startswith("operator."):
                error = refusal(nobody, method)
                assert error["message"] == f"missing scope: {scope}", method
                assert error["code"] == ("INVALID_REQUEST" if protocol == 3 else "FORBIDDEN")
                if protocol == 4:
                    assert error["details"] == {"code": "MISSING_SCOPE", "missingScope": scope, "requiredScopes": [scope]}


@pytest.mark.parametrize("protocol", sorted(FOLDERS))
def test_with_its_scope_alone_every_method_goes_on_to_its_params(gateway, protocol):
    named = {"minProtocol": protocol, "maxProtocol": protocol}
    rows = methods(protocol)
    for scope in sorted({scope for _, scope in rows if scope.startswith("operator.")}):
        with Client(gateway.port, gateway.token, scopes=[scope], **named) as client:
            for method in [name for name, needed in rows if needed == scope and name != "connect"]:
                try:
                    client.call(method, {"no such key": 1})  # some look at no params
                except CallError as refused:
                    message = refused.error["message"]
                    assert not message.startswith(("missing scope", "unauthorized role", "unknown method")), method


@pytest.mark.parametrize("protocol", sorted(FOLDERS))
def test_methods_of_nodes_are_for_nodes_alone(gateway, client, protocol):
    for method, scope in methods(protocol):
        if scope == "node":
            assert refusal(client, method)["message"] == "unauthorized role: operator", method
            client.call("health")  # many in a row would end the connection
    with NodeClient(gateway.port, gateway.token) as node:
        for method, scope in methods(3):
            if scope.startswith("operator."):
                assert refusal(node, method)["message"] == "unauthorized role: node", method
                node.call("health")
