"""What a control page asks for beside its own files: pictures of agents, and files that a conversation shows."""

import json
import os
from urllib.parse import urlencode

import pytest
from gateway import Gateway, until
from test_idempotency import edge_restart

MEDIA = "/__openclaw__/assistant-media"
PICTURE = b"a picture, by its name"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    made = tmp_path_factory.mktemp("home")
    (made / "work" / "pics").mkdir(parents=True)
    (made / "work" / "pics" / "face.png").write_bytes(PICTURE)
    (made / "work" / "big.png").write_bytes(b"x" * (2097152 + 1))
    (made / "work" / "live.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    (made / "work" / ".env").write_text("hidden")
    (made / "secret.png").write_text("outside")
    (made / "work" / "out.png").symlink_to(made / "secret.png")
    os.link(made / "secret.png", made / "work" / "hard.png")
    (made / "ops").mkdir()
    (made / "ops" / "clip.mp4").write_bytes(b"film" * 40000)
    return made


@pytest.fixture(scope="module")
def shown(topology, home):
    def agent(name, avatar, workspace="work"):
        return {"id": name, "workspace": str(home / workspace), "identity": {"avatar": avatar}}

    agents = [{"id": "main", "workspace": str(home / "work")}, agent("face", "pics/face.png"), agent("far", "https://x/y.png"),
              agent("data", "data:image/png;base64,AAAA"), agent("big", "big.png"), agent("gone", "gone.png"),
              agent("out", "out.png"), agent("hard", "hard.png"), agent("up", "../secret.png"), agent("text", "notes.txt"),
              agent("live", "live.svg"), agent("ops", "x.png", "ops")]
    with Gateway(topology, {"agents": {"list": agents}}) as running:
        yield running


def ask(gateway, path, method="GET", **headers):
    return gateway.request(method, path, headers={"Authorization": f"Bearer {gateway.token}", **headers})


def test_pictures_of_agents(shown):
    for path in ("/avatar/face", "/avatar/face?meta=1"):
        status, _, text = shown.request("GET", path)
        assert (status, json.loads(text)["error"]["type"]) == (401, "unauthorized")
    status, headers, text = ask(shown, "/avatar/face")
    assert status == 200 and text == PICTURE.decode() and headers["Content-Type"] == "image/png"
    assert headers["Content-Length"] == str(len(PICTURE)) and headers["Cache-Control"] == "no-cache"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert ask(shown, "/avatar/face", **{"If-None-Match": headers["ETag"]})[0] == 304
    assert ask(shown, "/avatar/face", "HEAD")[::2] == (200, "")
    assert ask(shown, "/avatar/FACE")[0] == 200
    assert "default-src 'none'" in ask(shown, "/avatar/live")[1]["Content-Security-Policy"]
    for name in ("main", "far", "data", "big", "gone", "out", "hard", "up", "text", "nobody", "", "a/b", "..", "%2e%2e", "-x",
                 "x" * 65, "face/"):
        assert ask(shown, f"/avatar/{name}")[0] == 404, name


def test_what_there_is_of_them(shown):
    def meta(name):
        status, headers, text = ask(shown, f"/avatar/{name}?meta=1")
        assert status == 200 and headers["Content-Type"] == "application/json; charset=utf-8"
        told = json.loads(text)
        return told["avatarUrl"], told["avatarSource"], told["avatarStatus"], told["avatarReason"]

    assert meta("face") == ("/avatar/face", "pics/face.png", "local", None)
    assert meta("far") == ("https://x/y.png", "remote URL", "remote", None)
    assert meta("data") == ("data:image/png;base64,AAAA", "data:image/png;base64,...", "data", None)
    assert meta("main") == (None, None, "none", "missing")
    assert meta("big") == (None, "big.png", "none", "too_large")
    assert meta("up") == (None, None, "none", "outside_workspace")
    assert meta("text") == (None, "notes.txt", "none", "unsupported_extension")
    for name in ("gone", "out", "hard"):
        assert meta(name) == (None, f"{name}.png", "none", "missing")
    assert ask(shown, "/avatar/nobody?meta=1")[0] == 404


def place(path, **more):
    return f"{MEDIA}?{urlencode({'source': str(path), **more})}"


def meta(gateway, path, **more):
    status, headers, text = ask(gateway, place(path, meta=1, **more))
    assert status == 200 and headers["Cache-Control"] == "no-store"
    return json.loads(text)


def test_a_file_of_a_conversation_is_shown_by_a_ticket(shown, home):
    path = home / "work" / "pics" / "face.png"
    assert shown.request("GET", place(path))[0] == shown.request("GET", place(path, meta=1))[0] == 401
    told = meta(shown, path)
    assert told["available"] is True and told["mediaTicketExpiresAt"].endswith("Z")
    ticket = told["mediaTicket"]
    status, headers, _ = shown.request("GET", place(path, mediaTicket=ticket))
    assert (status, headers["Content-Type"], headers["Content-Length"]) == (200, "image/png", str(len(PICTURE)))
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert ask(shown, place(path))[0] == 200  # who may read needs none
    other = home / "work" / "live.svg"
    for given in ((other, ticket), (path, ticket[:-1]), (path, ticket.replace("v1.", "v2.")), (path, "")):
        assert shown.request("GET", place(given[0], mediaTicket=given[1]))[0] == 401, given
    assert shown.request("GET", place(path, meta=1, mediaTicket=ticket))[0] == 401  # a ticket makes no ticket
    clip = home / "ops" / "clip.mp4"
    assert meta(shown, clip)["code"] == "outside-allowed-folders"
    ticket = meta(shown, clip, agentId="ops")["mediaTicket"]
    status, headers, text = shown.request("GET", place(clip, agentId="ops", mediaTicket=ticket))
    assert (status, headers["Content-Type"], len(text)) == (200, "video/mp4", 160000)
    assert shown.request("GET", place(clip, mediaTicket=ticket))[0] == 401
    assert ask(shown, place(clip, agentId="nobody"))[0] == 404


def test_nothing_else_is_given_out(shown, home):
    work = home / "work"
    for path, code in ((work / "gone.png", "file-not-found"), (work / "pics", "not-a-file"),
                       (work / "out.png", "file-not-found"), (work / "hard.png", "file-not-found"),
                       (work / ".env", "blocked-local-file"), (f"{work}/../secret.png", "blocked-local-file"),
                       (f"{work}//pics/face.png", "blocked-local-file"), (home / "secret.png", "outside-allowed-folders"),
                       ("/etc/passwd", "outside-allowed-folders"), ("pics/face.png", "outside-allowed-folders"),
                       (f"file://{home}/secret.png", "outside-allowed-folders"),
                       (os.path.join(shown.state_dir, "openclaw.json"), "outside-allowed-folders")):
        told = meta(shown, path)
        assert (told["available"], told["code"]) == (False, code), path
        assert ask(shown, place(path))[0] == 404, path
    assert meta(shown, f"file://{work}/pics/face.png")["available"] is True
    for query in ("", "?source=", "?source=%00", "?meta=1"):
        assert ask(shown, MEDIA + query)[0] == 404, query
    assert ask(shown, place("/x"), "POST")[0] == 404


def test_the_page_is_told_of_them_and_tickets_end_with_the_edge(fresh_gateway, tmp_path):
    config = {"agents": {"list": [{"id": "main", "workspace": str(tmp_path)}]}, "ui": {"assistant": {"avatar": "me.png"}}}
    running = fresh_gateway(config=config).start()
    (tmp_path / "me.png").write_bytes(PICTURE)
    settings = json.loads(ask(running, "/__openclaw/control-ui-config.json")[2])
    assert settings["assistantAvatar"] == "/avatar/main" and settings["assistantAvatarStatus"] == "local"
    assert str(tmp_path) in settings["localMediaPreviewRoots"]
    assert ask(running, "/avatar/main")[0] == 200
    path = tmp_path / "me.png"
    ticket = meta(running, path)["mediaTicket"]
    assert running.request("GET", place(path, mediaTicket=ticket))[0] == 200
    edge_restart(running)
    until(lambda: running.request("GET", place(path, mediaTicket=ticket))[0] == 401, 10, "the end of the ticket")
    running.write_config({**config, "gateway": {"controlUi": {"basePath": "/claw"}}})
    until(lambda: ask(running, "/claw/avatar/main?meta=1")[0] == 200, 10, "the base path")
    assert json.loads(ask(running, "/claw/avatar/main?meta=1")[2])["avatarUrl"] == "/claw/avatar/main"
    assert ask(running, "/claw" + place(path))[0] == 200 and ask(running, place(path))[0] == 404
    written = "\n".join(running.logs())
    assert ticket not in written
