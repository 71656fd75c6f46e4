"""The canvas host: files of agents, the page for A2UI, live reload, and the addresses that let nodes in."""

import json
import os
import signal
import time
from urllib.parse import urlsplit

import pytest
from client import CallError, Client
from gateway import Gateway, until
from node_client import NodeClient
from test_idempotency import edge_restart
from test_process import tap
from ws import Closed, Refused, WebSocket

CANVAS, A2UI = "/__openclaw__/canvas/", "/__openclaw__/a2ui/"
NEW = {"minProtocol": 4, "maxProtocol": 4}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    made = outside / "canvas"
    (made / "games").mkdir(parents=True)
    (made / "index.html").write_text("<html><body>the canvas</BODY></html>")
    (made / "games" / "index.html").write_text("a game")
    (made / "data.json").write_text('{"a":1}')
    (made / "page no body.htm").write_text("plain")
    (made / ".env").write_text("hidden")
    (outside / "secret.txt").write_text("outside")
    (made / "out.txt").symlink_to(outside / "secret.txt")
    (made / "in.txt").symlink_to("data.json")
    (made / "up").symlink_to(outside)
    os.link(outside / "secret.txt", made / "hard.txt")
    os.mkfifo(made / "pipe")
    return made


@pytest.fixture(scope="module")
def hosting(topology, root):
    with Gateway(topology, {"canvasHost": {"root": str(root)}}) as running:
        yield running


@pytest.fixture
def node(hosting):
    with NodeClient(hosting.port, hosting.token) as connected:
        yield connected


def scoped(url):
    """The path of an address, without its slash."""
    parts = urlsplit(url)
    assert parts.path.startswith("/__openclaw__/cap/") and len(parts.path.split("/")[3]) == 24
    return parts.path


def place_of(hello):
    return scoped(hello["canvasHostUrl"])


def bearer(gateway):
    return {"Authorization": f"Bearer {gateway.token}"}


def test_the_canvas_is_for_who_may_read(hosting):
    for path in (CANVAS, A2UI, CANVAS + "gone", "/__openclaw__/canvas", "/__openclaw__/ws"):
        status, _, text = hosting.request("GET", path)
        assert (status, json.loads(text)) == (401, {"error": {"message": "Unauthorized", "type": "unauthorized"}}), path
    assert hosting.request("GET", CANVAS, headers={"Authorization": "Bearer wrong"})[0] == 401
    status, headers, page = hosting.request("GET", CANVAS, headers=bearer(hosting))
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert "sandbox allow-scripts" in policy and "allow-same-origin" not in policy and "frame-ancestors 'self'" in policy
    assert page.startswith("<html><body>the canvas\n<script>") and page.endswith("</script>\n</BODY></html>")
    assert "openclawSendUserAction" in page and "new WebSocket" in page
    assert hosting.request("POST", CANVAS, body="x", headers=bearer(hosting))[0] == 405


def test_files_of_the_root_and_of_nowhere_else(hosting, node):
    place = place_of(node.hello)

    def ask(path, method="GET"):
        return hosting.request(method, place + path)

    assert ask(CANVAS + "data.json")[::2] == (200, '{"a":1}')
    assert ask(CANVAS + "data.json")[1]["Content-Type"] == "application/json; charset=utf-8"
    assert ask(CANVAS + "data.json")[1]["Access-Control-Allow-Origin"] == "*"
    assert ask(CANVAS + "data.json", "HEAD")[::2] == (200, "")
    assert ask(CANVAS + "page%20no%20body.htm")[2].startswith("plain\n<script>")
    assert ask(CANVAS + "games/")[2].startswith("a game")
    status, headers, _ = ask(CANVAS + "games")
    assert (status, headers["Location"]) == (302, "games/")
    status, headers, _ = ask("/__openclaw__/canvas?platform=ios")
    assert (status, headers["Location"]) == (302, "canvas/?platform=ios")
    for name in ("gone.html", ".env", "out.txt", "in.txt", "up/secret.txt", "up/", "hard.txt", "pipe", "../secret.txt",
                 "%2e%2e/secret.txt", "%2e%2e%2fsecret.txt", "..%5csecret.txt", "games/..%2f..%2fsecret.txt",
                 "games/%2e%2e/%2e%2e/secret.txt", "%252e%252e/secret.txt", "//etc/passwd", "%2fetc/passwd", "games//index.html",
                 "data.json/", "data.json%00.html", "%c0%ae%c0%ae/secret.txt", "a" * 300, "%", "%zz"):
        status, _, text = ask(CANVAS + name)
        assert status == 404 and "outside" not in text and "hidden" not in text, name


def test_the_page_for_a2ui(hosting, node):
    place = place_of(node.hello)
    status, headers, page = hosting.request("GET", place + A2UI + "?platform=android")
    assert status == 200 and 'src="a2ui.js"' in page
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    known = {"If-None-Match": headers["ETag"]}
    assert hosting.request("GET", place + A2UI, headers=known)[::2] == (304, "")
    for name in ("a2ui.js", "model.js", "view.js", "bridge.js", "a2ui.css"):
        assert hosting.request("GET", place + A2UI + name)[0] == 200, name
    for name in ("gone.js", "../canvas/data.json", "%2e%2e/pages/index.html"):
        assert hosting.request("GET", place + A2UI + name)[0] == 404, name


def test_a_capability_opens_the_canvas_and_nothing_else(hosting, node):
    place = place_of(node.hello)
    assert node.hello["canvasHostUrl"] == f"http://127.0.0.1:{hosting.port}{place}"
    assert hosting.request("GET", place + CANVAS)[0] == 200
    token = place.rsplit("/", 1)[1]
    assert hosting.request("GET", f"{CANVAS}?oc_cap={token}")[0] == 200
    for path in ("/v1/models", "/metrics", "/", "/__openclaw/control-ui-config.json", "/__openclaw__/x"):
        assert hosting.request("GET", place + path)[0] == 404, path
    assert hosting.request("GET", "/metrics?oc_cap=" + token)[0] == 401
    swapped = token[:-1] + ("A" if token[-1] != "A" else "B")
    for wrong in (swapped, token[:-1], token + "A", token.upper() + "x", "%00", "", "." * 24, "a" * 3000):
        assert hosting.request("GET", f"/__openclaw__/cap/{wrong}{CANVAS}")[0] == 401, wrong
    for path in ("/__openclaw__/cap", "/__openclaw__/cap/", f"/__openclaw__/cap/{token}"):
        assert hosting.request("GET", path)[0] == 401, path
    # A bearer does not help one that is void: it alone decides.
    assert hosting.request("GET", f"/__openclaw__/cap/{swapped}{CANVAS}", headers=bearer(hosting))[0] == 401


def test_a_proxy_says_where_the_gateway_is(hosting, node):
    headers = ["X-Forwarded-Proto: https", "X-Forwarded-Host: gate.example:8443, inner"]
    with NodeClient(hosting.port, hosting.token, node.device, headers=headers) as far:
        assert far.hello["canvasHostUrl"].startswith("https://gate.example:8443/__openclaw__/cap/")
    with NodeClient(hosting.port, hosting.token, node.device, headers=["X-Forwarded-Host: evil/path"]) as odd:
        assert "canvasHostUrl" not in odd.hello


def test_who_gets_an_address(hosting):
    with Client(hosting.port, hosting.token) as reader:
        assert hosting.request("GET", place_of(reader.hello) + CANVAS)[0] == 200
        with pytest.raises(CallError, match="unauthorized role: operator"):
            reader.call("node.canvas.capability.refresh")
    with Client(hosting.port, hosting.token, scopes=["operator.pairing"]) as blind:
        assert "canvasHostUrl" not in blind.hello
    with NodeClient(hosting.port, hosting.token, **NEW) as plain:  # offers no canvas
        assert "pluginSurfaceUrls" not in plain.hello and "canvasHostUrl" not in plain.hello
        with pytest.raises(CallError, match="UNAVAILABLE"):
            plain.call("node.pluginSurface.refresh", {"surface": "canvas"})
    with Client(hosting.port, hosting.token, **NEW) as reader:
        url = reader.hello["pluginSurfaceUrls"]["canvas"]
        again = reader.call("plugin.surface.refresh", {"surface": "canvas"})["pluginSurfaceUrls"]["canvas"]
        assert again != url and hosting.request("GET", scoped(again) + CANVAS)[0] == 200


def test_a_new_address_takes_the_place_of_the_old(hosting, node):
    old = place_of(node.hello)
    told = node.call("node.canvas.capability.refresh")
    new = scoped(told["canvasHostUrl"])
    assert new.endswith(told["canvasCapability"]) and new != old
    assert 590000 < told["canvasCapabilityExpiresAtMs"] - time.time() * 1000 <= 600000
    assert hosting.request("GET", old + CANVAS)[0] == 401
    assert hosting.request("GET", new + CANVAS)[0] == 200


def test_parts_of_one_node_do_not_take_it_from_each_other(hosting):
    class Showing(NodeClient):
        def connect_params(self):
            return {**super().connect_params(), "caps": ["system", "canvas"]}

    with Showing(hosting.port, hosting.token, **NEW) as node:
        url = node.hello["pluginSurfaceUrls"]["canvas"]
        assert "canvasHostUrl" not in node.hello
        first = node.call("node.pluginSurface.refresh", {"surface": "canvas", "observedUrl": url})
        assert first["surface"] == "canvas" and first["pluginSurfaceUrls"]["canvas"] != url
        assert first["expiresAtMs"] > time.time() * 1000
        second = node.call("node.pluginSurface.refresh", {"surface": "canvas", "observedUrl": url})
        assert second == {"surface": "canvas", "pluginSurfaceUrls": first["pluginSurfaceUrls"]}
        assert hosting.request("GET", scoped(second["pluginSurfaceUrls"]["canvas"]) + CANVAS)[0] == 200
        for params, code in (({}, "INVALID_REQUEST"), ({"surface": "other"}, "UNAVAILABLE")):
            with pytest.raises(CallError) as caught:
                node.call("node.pluginSurface.refresh", params)
            assert caught.value.code == code


def test_it_ends_with_the_connection_and_with_the_credential(hosting):
    with NodeClient(hosting.port, hosting.token) as gone:
        place = place_of(gone.hello)
        page = WebSocket(hosting.port, place + "/__openclaw__/ws")
        assert hosting.request("GET", place + CANVAS)[0] == 200
    with pytest.raises(Closed) as closed:
        page.receive()
    assert (closed.value.code, closed.value.reason) == (1008, "no longer allowed")
    until(lambda: hosting.request("GET", place + CANVAS)[0] == 401, 5, "the end of the capability")
    with Client(hosting.port, hosting.token) as operator, NodeClient(hosting.port, hosting.token) as paired:
        place = place_of(paired.hello)
        assert hosting.request("GET", place + CANVAS)[0] == 200
        operator.call("device.token.revoke", {"deviceId": paired.node_id, "role": "node"})
        paired.wait_closed()
        assert hosting.request("GET", place + CANVAS)[0] == 401


def test_pages_hear_of_changes(hosting, node, root):
    place = place_of(node.hello)
    assert hosting.request("GET", place + "/__openclaw__/ws")[0] == 426
    for path in ("/__openclaw__/ws", f"{place}x/__openclaw__/ws"):
        with pytest.raises(Refused) as refused:
            WebSocket(hosting.port, path)
        assert refused.value.status == 401
    with pytest.raises(Refused) as refused:
        WebSocket(hosting.port, place + CANVAS)
    assert refused.value.status == 404
    page = WebSocket(hosting.port, place + "/__openclaw__/ws")
    other = WebSocket(hosting.port, "/__openclaw__/ws", headers=[f"Authorization: Bearer {hosting.token}"])
    page.send("hello")  # it has nothing to say; nobody minds
    told_of(page, lambda n: (root / "games" / f"new-{n}.js").write_text("1"))
    told_of(other, lambda n: (root / f"deep-{time.time_ns()}").mkdir())
    deep = max(root.glob("deep-*"))
    told_of(page, lambda n: (deep / f"in-{n}.css").write_text("1"))
    page.close()
    other.close()


def told_of(page, change):
    """The root is walked through beside: what changes before a directory is watched is not told of, so change again."""
    for number in range(40):
        change(number)
        try:
            assert page.receive(0.5) == b"reload"
            return
        except TimeoutError:
            pass
    raise AssertionError("nothing was told")


def test_it_expires_unless_it_is_used(fresh_gateway, tmp_path):
    (tmp_path / "x.txt").write_text("x")
    running = fresh_gateway(config={"canvasHost": {"root": str(tmp_path)}},
                            environment={"OPENCLAW_CANVAS_CAPABILITY_TTL_MS": "1500"})
    running.start()
    with NodeClient(running.port, running.token) as node:
        path = place_of(node.hello) + CANVAS + "x.txt"
        began = time.monotonic()
        while time.monotonic() - began < 2.5:  # used again and again it outlives its time
            assert running.request("GET", path)[0] == 200
            time.sleep(0.1)
        used = time.monotonic()
        until(lambda: time.monotonic() - used > 1.7, 5, "its time")
        assert running.request("GET", path)[0] == 401
        fresh = scoped(node.call("node.canvas.capability.refresh")["canvasHostUrl"])
        assert running.request("GET", fresh + CANVAS + "x.txt")[0] == 200


def test_settings_count_at_once_and_a_restart_of_the_edge_ends_it(fresh_gateway, tmp_path):
    running = fresh_gateway()
    running.start()
    with NodeClient(running.port, running.token) as node:
        place = place_of(node.hello)
        assert "no <code>index.html</code>" in running.request("GET", place + CANVAS)[2]
        assert running.request("GET", place + CANVAS + "x.html")[0] == 404
        page = WebSocket(running.port, place + "/__openclaw__/ws")
        made = os.path.join(running.state_dir, "canvas")
        until(lambda: os.path.isdir(made), 5, "the directory")
        told_of(page, lambda n: open(os.path.join(made, "index.html"), "w", encoding="utf-8").write("mine"))
        assert running.request("GET", place + CANVAS)[2].startswith("mine")
        running.write_config({"canvasHost": {"root": str(tmp_path / "none"), "liveReload": False},
                              "gateway": {"controlUi": {"embedSandbox": "trusted"}}})
        with pytest.raises(Closed) as closed:
            page.receive()
        assert closed.value.reason == "live reload is off"
        status, _, text = running.request("GET", place + CANVAS)
        assert status == 503 and "canvasHost.root" in text
        assert "canvas_unreadable" in running.text()
        (tmp_path / "none").mkdir()
        (tmp_path / "none" / "index.html").write_text("other")
        status, headers, text = running.request("GET", place + CANVAS)
        assert status == 200 and "new WebSocket" not in text
        assert "allow-same-origin" in headers["Content-Security-Policy"]
        running.write_config({"canvasHost": {"enabled": False}})
        until(lambda: running.request("GET", place + CANVAS)[0] == 404, 10, "no canvas")
        assert running.request("GET", CANVAS, headers=bearer(running))[0] == 404
        with pytest.raises(CallError, match="canvasHost.enabled"):
            node.call("node.canvas.capability.refresh")
        with Client(running.port, running.token) as other:
            assert "canvasHostUrl" not in other.hello
        running.write_config({"canvasHost": {"enabled": True}})
        until(lambda: running.request("GET", place + CANVAS)[0] == 200, 10, "the canvas again")
        edge_restart(running)
        node.wait_closed()
    until(lambda: running.request("GET", place + CANVAS)[0] == 401, 10, "the end of the capability")
    with NodeClient(running.port, running.token) as again:
        assert running.request("GET", place_of(again.hello) + CANVAS)[0] == 200


def test_nobody_else_sees_a_capability(fresh_gateway):
    """Neither the log nor whoever watches the bus, whatever goes right or wrong."""
    running = fresh_gateway()
    running.start()
    watcher = tap(running, "--bodies", "--count", "1000")
    with NodeClient(running.port, running.token) as node:
        tokens = [place_of(node.hello).rsplit("/", 1)[1]]
        tokens.append(node.call("node.canvas.capability.refresh")["canvasCapability"])
        for token in tokens:
            running.request("GET", f"/__openclaw__/cap/{token}{CANVAS}")
            running.request("GET", f"/__openclaw__/cap/{token}/v1/models")
            running.request("GET", f"{CANVAS}?oc_cap={token}")
    watcher.send_signal(signal.SIGINT)
    written = watcher.communicate(timeout=20)[0] + "\n".join(running.logs())
    assert "node_join" in written
    assert all(token not in written for token in tokens)
