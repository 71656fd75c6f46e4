"""The exchanges that were recorded with the original, held with this gateway: each field is the same, or the list of
differences says why not."""

import re

import pytest

from exchange import Replay, differences, exchanges

TOKEN = {"gateway": {"mode": "local", "auth": {"mode": "token", "token": "TOKEN-DUMMY-0001"},
                     "trustedProxies": ["127.0.0.1"]}}
PASSWORD = {"gateway": {"mode": "local", "trustedProxies": ["127.0.0.1"],
                        "auth": {"mode": "password", "password": "PASSWORD-DUMMY-0001",
                                 "rateLimit": {"maxAttempts": 3, "windowMs": 60000, "lockoutMs": 60000}}}}
NONE = {"gateway": {"mode": "local", "auth": {"mode": "none"}}}
def started(fresh_gateway, name):
    """Each exchange has a gateway of its own, which knows of no attempt but those of the exchange."""
    config = PASSWORD if "password" in name or name == "hs-rate-limited" else NONE if "auth-none" in name else TOKEN
    environment = {"OPENCLAW_HANDSHAKE_TIMEOUT_MS": "300"} if name == "hs-handshake-timeout" else {}
    return fresh_gateway(config=config, environment=environment).start()


def unexplained(name, found):
    known = differences()
    return [f"{path}: {what}" for path, what in found
            if not any(re.fullmatch(one["exchange"], name) and re.fullmatch(one["field"], path) for one in known)]


HANDSHAKES = exchanges("handshakes")


def skip_what_differs_as_a_whole(name):
    for one in differences():
        if one["field"] == ".*" and re.fullmatch(one["exchange"], name):
            pytest.skip(one["why"])


@pytest.mark.parametrize("exchange", HANDSHAKES, ids=[one["name"] for one in HANDSHAKES])
def test_the_handshake_is_the_same(fresh_gateway, exchange):
    skip_what_differs_as_a_whole(exchange["name"])
    found = Replay(started(fresh_gateway, exchange["name"])).run(exchange["steps"])
    assert not unexplained(exchange["name"], found)


CONVERSATIONS = exchanges("conversations")


@pytest.mark.parametrize("exchange", CONVERSATIONS, ids=[one["name"] for one in CONVERSATIONS])
def test_the_conversation_is_the_same(fresh_gateway, exchange):
    """The model behind it is another, so that what went well is compared by its fields and their kinds."""
    skip_what_differs_as_a_whole(exchange["name"])
    found = Replay(started(fresh_gateway, exchange["name"]), is_loose=True).run(exchange["steps"])
    assert not unexplained(exchange["name"], found)


def test_every_difference_says_why():
    assert all(set(one) == {"exchange", "field", "why"} and one["why"] for one in differences())
