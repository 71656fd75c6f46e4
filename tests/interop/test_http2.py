"""HTTP/2 of real clients: Node.js, and a browser that talks over WebSocket beside it."""

import pytest

from conftest import client_of
from pki import careless


@pytest.fixture(scope="module")
def sealed():
    yield from client_of("2026.5.7", {"gateway": {"tls": {"enabled": True}}}, careless())


def test_streams_of_node(sealed):
    told = sealed.script("http2.mjs")
    assert told["protocol"] == "h2" and told["last"] == "Echo: the last"
    assert told["answers"] == [f"Echo: number {i}" for i in range(50)]


def test_a_page_over_http_2_talks_over_a_websocket(sealed):
    seen = sealed.script("browser.mjs", "start", "hello over two")
    assert seen["protocol"] == "h2" and seen["errors"] == [] and seen["violations"] == []
    assert seen["messages"] == ["hello over two", "Echo: hello over two"]
