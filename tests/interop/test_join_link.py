"""A link to join, made with the original's command line and followed by `openclaw connect` on another machine."""

import shutil

import pytest
from client import Client
from conftest import Real
from gateway import TOKEN, Gateway, free_port, until
from programs import SLOW, said, start, stop

LATER = "2026.9.6"


@pytest.fixture(scope="module")
def gateway():
    port = free_port()
    made = Gateway("inproc", config={"plugins": {"entries": {"device-pair": {"config": {
        "publicUrl": f"ws://127.0.0.1:{port}"}}}}})
    made.port = port
    with made:
        yield made


def test_a_machine_that_follows_the_link_is_a_node(gateway):
    here, there = Real(gateway, LATER), Real(gateway, LATER)
    link = here.cli_json("devices", "join-code")["joinUrl"]
    assert link.startswith(f"http://127.0.0.1:{gateway.port}/j/")
    with open(f"{there.home}/openclaw.json", "w", encoding="utf-8") as file:
        file.write("{}")  # it knows nothing but the link
    process = start(there, "connect.txt", "connect", link, "--display-name", "Joined")
    try:
        with Client(gateway.port, TOKEN) as operator:
            request = until(lambda: operator.call("node.pair.list")["pending"], SLOW, "the node")[0]
            assert request["displayName"] == "Joined"
            operator.call("node.pair.approve", {"requestId": request["requestId"]})
            row = until(lambda: next((row for row in operator.call("node.list")["nodes"] if row["connected"]), None), 30,
                        "its commands")
            assert row["paired"] and "system.which" in row["commands"]
    except TimeoutError:
        raise AssertionError(said(there, "connect.txt")) from None
    finally:
        stop(process)
        for client in (here, there):
            shutil.rmtree(client.home, ignore_errors=True)
