"""Devices with real signatures: pairing, approval, tokens, revocation, and no way in beside them."""

import base64
import json
import os
import re
import subprocess
import time

import pytest

from client import ALL_SCOPES, CallError, Client
from device_client import Device, plain, setup_code
from gateway import Gateway, until

FAR = ["X-Forwarded-For: 203.0.113.7"]
BEHIND_A_PROXY = {"gateway": {"mode": "local", "auth": {"mode": "token", "token": "token-of-the-tests"},
                              "trustedProxies": ["127.0.0.1"]}}


@pytest.fixture(scope="module")
def running(topology):
    with Gateway(topology, config=BEHIND_A_PROXY) as made:
        yield made


@pytest.fixture
def operator(running):
    with Client(running.port, running.token) as connected:
        yield connected


def shared(running):
    return {"token": running.token}


def refused(make):
    with pytest.raises(CallError) as caught:
        make()
    return caught.value.error


def pair(running, operator, scopes=("operator.read",), **changes):
    """A device from afar that an operator has approved."""
    device = Device(name="Test Laptop")
    error = refused(lambda: device.connect(running, scopes, shared(running), FAR, **changes))
    operator.call("device.pair.approve", {"requestId": error["details"]["requestId"]})
    device.connect(running, scopes, shared(running), FAR, **changes).socket.close()
    return device


def test_a_device_from_afar_waits_for_an_operator(running, operator):
    device = Device(name="Test Laptop")
    error = refused(lambda: device.connect(running, ["operator.read", "operator.write"], shared(running), FAR))
    assert error["code"] == "NOT_PAIRED"
    details = error["details"]
    assert (details["code"], details["reason"]) == ("PAIRING_REQUIRED", "not-paired")
    assert details["requestedScopes"] == ["operator.read", "operator.write"]
    assert details["remedy"] == f"openclaw devices approve {details['requestId']}"
    asked = operator.wait_event("device.pair.requested", lambda p: p["deviceId"] == device.id)
    assert {**asked, "ts": 0} == {
        "requestId": details["requestId"], "deviceId": device.id, "publicKey": asked["publicKey"],
        "displayName": "Test Laptop", "platform": "linux", "clientId": "cli", "clientMode": "cli", "role": "operator",
        "roles": ["operator"], "scopes": ["operator.read", "operator.write"], "remoteIp": "203.0.113.7",
        "silent": False, "isRepair": False, "ts": 0}
    listed = operator.call("device.pair.list")
    assert asked in listed["pending"]
    done = operator.call("device.pair.approve", {"requestId": details["requestId"]})
    assert done["device"]["scopes"] == ["operator.read", "operator.write"]
    assert [set(token) for token in done["device"]["tokens"]] == [{"role", "scopes", "createdAtMs"}]
    told = operator.wait_event("device.pair.resolved", lambda p: p["deviceId"] == device.id)
    assert (told["decision"], told["requestId"]) == ("approved", details["requestId"])
    with device.connect(running, ["operator.read"], shared(running), FAR) as client:
        assert client.hello["auth"]["scopes"] == ["operator.read", "operator.write"]
        assert len(client.hello["auth"]["deviceToken"]) == 43


def test_a_rejected_device_stays_outside(running, operator):
    device = Device()
    error = refused(lambda: device.connect(running, [], shared(running), FAR))
    done = operator.call("device.pair.reject", {"requestId": error["details"]["requestId"]})
    assert done == {"requestId": error["details"]["requestId"], "deviceId": device.id}
    assert operator.wait_event("device.pair.resolved")["decision"] == "rejected"
    error = refused(lambda: operator.call("device.pair.approve", {"requestId": done["requestId"]}))
    assert error["message"] == "unknown requestId"
    assert refused(lambda: device.connect(running, [], shared(running), FAR))["code"] == "NOT_PAIRED"


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_who_names_no_request_learns_where_they_are_listed(running, verb):
    done = running.cli("devices", verb, "nope")
    assert done.returncode == 1 and "unknown requestId" in done.stderr
    assert "next: `openclaw devices list` shows the requests that wait" in done.stderr


def test_a_device_token_lets_in_without_the_secret(running, operator):
    device = pair(running, operator)
    with device.connect(running, ["operator.read"], {"deviceToken": device.token}, FAR) as client:
        assert client.hello["auth"]["deviceToken"] == device.token
    with device.connect(running, ["operator.read"], {"token": device.token}, FAR) as client:
        assert client.hello["auth"]["scopes"] == ["operator.read"]
    error = refused(lambda: device.connect(running, [], {"deviceToken": "not-it"}, FAR))
    assert error["details"]["code"] == "AUTH_DEVICE_TOKEN_MISMATCH"
    assert error["details"]["credential"] == "device token"
    assert error["details"]["remedy"].endswith("openclaw qr")


def test_nobody_else_can_use_a_device_token(running, operator):
    thief, token = Device(), pair(running, operator).token
    error = refused(lambda: thief.connect(running, [], {"deviceToken": token}, FAR))
    assert error["details"]["code"] == "AUTH_DEVICE_TOKEN_MISMATCH"


def test_more_scopes_and_another_role_must_be_approved(running, operator):
    device = pair(running, operator)
    error = refused(lambda: device.connect(running, ["operator.admin"], shared(running), FAR))
    assert error["details"]["reason"] == "scope-upgrade"
    assert error["details"]["approvedScopes"] == ["operator.read"]
    first = error["details"]["requestId"]
    error = refused(lambda: device.connect(running, [], shared(running), FAR, role="node"))
    assert error["details"]["reason"] == "role-upgrade"
    assert error["details"]["requestId"] != first  # superseded, with everything asked for so far
    pending = [one for one in operator.call("device.pair.list")["pending"] if one["deviceId"] == device.id]
    assert len(pending) == 1
    assert sorted(pending[0]["roles"]) == ["node", "operator"] and pending[0]["scopes"] == ["operator.admin"]
    error = refused(lambda: device.connect(running, ["operator.read"], shared(running), FAR, platform="darwin"))
    assert error["details"]["reason"] == "metadata-upgrade"
    with device.connect(running, ["operator.read"], shared(running), FAR) as still:
        assert still.hello["auth"]["scopes"] == ["operator.read"]


def test_signatures_are_bound_to_time_nonce_and_words(running):
    def connect(**changes):
        return lambda: Device().connect(running, [], shared(running), **changes)

    def codes(error):
        return error["details"]["code"]

    now = int(time.time() * 1000)
    assert codes(refused(connect(signed_at=now - 125000))) == "DEVICE_AUTH_SIGNATURE_EXPIRED"
    assert codes(refused(connect(signed_at=now + 125000))) == "DEVICE_AUTH_SIGNATURE_EXPIRED"
    device = Device()
    other = {"device": device.sign("11111111-2222-4333-8444-555555555555", [], running.token)}
    assert codes(refused(lambda: device.connect(running, [], shared(running), **other))) == \
        "DEVICE_AUTH_NONCE_MISMATCH"

    class Liar(Device):
        def params(self, nonce, *rest, **more):
            return super().params(nonce, *rest, **more) | {"scopes": ["operator.admin"]}

    assert codes(refused(lambda: Liar().connect(running, ["operator.read"], shared(running)))) == \
        "DEVICE_AUTH_SIGNATURE_INVALID"
    Device().connect(running, ["operator.read"], shared(running), version=2).socket.close()


def test_a_token_is_rotated_in_two_phases(running, operator):
    device = pair(running, operator)
    older = device.token
    client = device.connect(running, ["operator.read"], {"deviceToken": older}, FAR)
    done = operator.call("device.token.rotate", {"deviceId": device.id, "role": "operator"})
    assert set(done) == {"deviceId", "role", "scopes", "rotatedAtMs"}
    assert client.wait_closed() == (4001, "device removed")
    with device.connect(running, ["operator.read"], {"deviceToken": older}, FAR) as again:
        newer = again.hello["auth"]["deviceToken"]
    assert newer != older
    device.connect(running, ["operator.read"], {"deviceToken": older}, FAR).socket.close()
    device.connect(running, ["operator.read"], {"deviceToken": newer}, FAR).socket.close()
    error = refused(lambda: device.connect(running, ["operator.read"], {"deviceToken": older}, FAR))
    assert error["details"]["code"] == "AUTH_DEVICE_TOKEN_MISMATCH"


def test_a_device_rotates_its_own_token_and_is_told(running, operator):
    device = pair(running, operator, ["operator.read", "operator.pairing"])
    client = device.connect(running, [], {"deviceToken": device.token}, FAR)
    done = client.call("device.token.rotate", {"deviceId": device.id, "role": "operator"})
    assert len(done["token"]) == 43 and done["token"] != device.token
    assert client.wait_closed()[0] == 4001
    device.connect(running, [], {"deviceToken": done["token"]}, FAR).socket.close()


def test_a_revoked_token_dies_at_once(running, operator):
    device = pair(running, operator)
    client = device.connect(running, [], {"deviceToken": device.token}, FAR)
    assert set(operator.call("device.token.revoke", {"deviceId": device.id, "role": "operator"})) == \
        {"deviceId", "role", "revokedAtMs"}
    assert client.wait_closed()[0] == 4001
    error = refused(lambda: device.connect(running, [], {"deviceToken": device.token}, FAR))
    assert error["details"]["code"] == "AUTH_DEVICE_TOKEN_MISMATCH"
    assert error["details"]["credential"] == "device token, which was revoked"
    assert "it was revoked" in error["message"] and "openclaw devices list" in error["details"]["remedy"]
    error = refused(lambda: device.connect(running, [], shared(running), FAR))
    assert error["message"] == "pairing required: the token of this device was revoked"
    assert error["details"]["reason"] == "role-upgrade"
    assert error["details"]["remedy"] == f"openclaw devices approve {error['details']['requestId']}"
    operator.call("device.pair.approve", {"requestId": error["details"]["requestId"]})
    device.connect(running, [], shared(running), FAR).socket.close()


def test_what_is_wrong_with_a_token_is_said(running, operator):
    """What is not there is not a lack of rights, and what is a lack of rights says of which."""
    device = pair(running, operator, ["operator.pairing", "operator.read"])
    known, nobody = {"deviceId": device.id}, {"deviceId": "0" * 64}
    for method, denied in (("device.token.rotate", "device token rotation denied"),
                           ("device.token.revoke", "device token revocation denied")):
        for params, message in (({**nobody, "role": "operator"}, "unknown deviceId"),
                                ({**known, "role": "cook"}, f"{denied}: there is no such role, only operator and node"),
                                ({**known, "role": "node"}, f"{denied}: the device was never approved as node")):
            assert refused(lambda m=method, p=params: operator.call(m, p))["message"] == message
    ask = {**known, "role": "operator", "scopes": ["operator.admin"]}
    assert refused(lambda: operator.call("device.token.rotate", ask))["message"] == \
        "device token rotation denied: the device was never approved for operator.admin"
    with device.connect(running, [], {"deviceToken": device.token}, FAR) as client:  # sees nobody else, so hears nothing
        for one in (nobody, {"deviceId": pair(running, operator).id}):
            error = refused(lambda p=one: client.call("device.token.revoke", {**p, "role": "operator"}))
            assert error["message"] == "device token revocation denied"


def test_what_was_revoked_does_not_come_back_by_the_device_itself(running, operator):
    """A device that lost its role of a node gave it back to itself: what it may do as an operator was enough."""
    device = pair(running, operator, ["operator.pairing", "operator.read"])
    token = device.token
    as_node = lambda: device.connect(running, [], shared(running), FAR, role="node")  # noqa: E731
    operator.call("device.pair.approve", {"requestId": refused(as_node)["details"]["requestId"]})
    node = as_node()
    operator.call("device.token.revoke", {"deviceId": device.id, "role": "node"})
    assert node.wait_closed()[0] == 4001
    again = refused(as_node)["details"]
    assert again["reason"] == "role-upgrade"
    for auth in ({"deviceToken": token}, shared(running)):  # also with the secret, which others share
        with device.connect(running, [], auth, FAR, role="operator") as client:
            error = refused(lambda: client.call("device.token.rotate", {"deviceId": device.id, "role": "node"}))
            assert error["message"] == "device token rotation denied"
            error = refused(lambda: client.call("device.pair.approve", {"requestId": again["requestId"]}))
            assert error["message"] == "device pairing approval denied"
    assert refused(as_node)["details"]["requestId"] == again["requestId"]
    operator.call("device.token.rotate", {"deviceId": device.id, "role": "node"})
    as_node().socket.close()


def test_a_removed_device_dies_at_once(running, operator):
    device = pair(running, operator)
    by_secret = device.connect(running, [], shared(running), FAR)
    by_token = device.connect(running, [], {"deviceToken": device.token}, FAR)
    assert operator.call("device.pair.remove", {"deviceId": device.id}) == {"deviceId": device.id}
    assert by_secret.wait_closed() == (4001, "device removed")
    assert by_token.wait_closed() == (4001, "device removed")
    assert refused(lambda: operator.call("device.pair.remove", {"deviceId": device.id}))["message"] == \
        "unknown deviceId"
    error = refused(lambda: device.connect(running, [], {"deviceToken": device.token}, FAR))
    assert error["details"]["code"] == "AUTH_DEVICE_TOKEN_MISMATCH" and "not paired" in error["message"]
    assert error["details"]["credential"] == "pairing of the device"


def test_nobody_approves_more_than_he_has(running, operator):
    clerk = pair(running, operator, ["operator.pairing", "operator.read"])
    asking, harmless = Device(), Device()
    wanted = refused(lambda: asking.connect(running, ["operator.admin"], shared(running), FAR))["details"]["requestId"]
    little = refused(lambda: harmless.connect(running, ["operator.read"], shared(running), FAR))
    node = refused(lambda: Device(role="node").connect(running, [], shared(running), FAR))["details"]["requestId"]
    with clerk.connect(running, [], shared(running), FAR) as client:
        assert refused(lambda: client.call("device.pair.approve", {"requestId": wanted}))["message"] == \
            "missing scope: operator.admin"
        assert refused(lambda: client.call("device.pair.approve", {"requestId": node}))["message"] == \
            "device pairing approval denied: a node needs the approval of operator.admin"
        client.call("device.pair.approve", {"requestId": little["details"]["requestId"]})
        admin = pair(running, operator, ["operator.admin"])
        for method in ("device.token.rotate", "device.token.revoke"):
            error = refused(lambda m=method: client.call(m, {"deviceId": admin.id, "role": "operator"}))
            assert error["message"].endswith("denied: missing scope: operator.admin")


def test_a_device_with_its_token_manages_itself_alone(running, operator):
    mine = pair(running, operator, ["operator.pairing"])
    other = pair(running, operator)
    waiting = refused(lambda: Device().connect(running, [], shared(running), FAR))["details"]["requestId"]
    with mine.connect(running, [], {"deviceToken": mine.token}, FAR) as client:
        listed = client.call("device.pair.list")
        assert [one["deviceId"] for one in listed["paired"]] == [mine.id] and not listed["pending"]
        for method, params, text in (
                ("device.pair.remove", {"deviceId": other.id}, "device pairing removal denied"),
                ("device.pair.approve", {"requestId": waiting}, "device pairing approval denied"),
                ("device.pair.reject", {"requestId": waiting}, "device pairing rejection denied"),
                ("device.token.revoke", {"deviceId": other.id, "role": "operator"}, "device token revocation denied"),
                ("device.token.rotate", {"deviceId": other.id, "role": "operator"}, "device token rotation denied")):
            assert refused(lambda m=method, p=params: client.call(m, p))["message"] == text
        assert client.call("device.pair.remove", {"deviceId": mine.id}) == {"deviceId": mine.id}
        assert client.wait_closed()[0] == 4001


def test_a_setup_code_pairs_one_node_once(running, operator):
    folder = os.path.join(running.state_dir, "devices")
    os.makedirs(folder, exist_ok=True)
    now = int(time.time() * 1000)
    profile = {"roles": ["node", "operator"], "scopes": ["operator.approvals", "operator.read", "operator.admin"]}
    with open(os.path.join(folder, "bootstrap.json"), "w", encoding="utf-8") as file:
        json.dump({"CODE": {"token": "CODE", "ts": now, "issuedAtMs": now, "profile": profile},
                   "OLD": {"token": "OLD", "ts": now - 700000, "issuedAtMs": now - 700000, "profile": profile}}, file)
    phone = Device(client="openclaw-ios", mode="node", role="node", platform="ios")
    with phone.connect(running, [], {"bootstrapToken": "CODE"}, FAR) as client:
        auth = client.hello["auth"]
        assert auth["role"] == "node" and auth["scopes"] == [] and len(auth["deviceToken"]) == 43
        extra, = auth["deviceTokens"]
        assert extra["role"] == "operator" and extra["scopes"] == ["operator.approvals", "operator.read"]
    with phone.connect(running, [], {"deviceToken": extra["deviceToken"]}, FAR, role="operator") as client:
        assert client.hello["auth"]["scopes"] == ["operator.approvals", "operator.read"]
    for device, code in ((phone, "CODE"), (Device(role="node"), "CODE"), (Device(role="node"), "OLD"),
                         (Device(role="node"), "NONE")):
        error = refused(lambda d=device, c=code: d.connect(running, [], {"bootstrapToken": c}, FAR))
        assert error["details"]["code"] == "AUTH_BOOTSTRAP_TOKEN_INVALID"
        assert error["details"]["remedy"] == "openclaw qr"


def test_a_setup_code_is_made_used_and_told_of(running, operator):
    asked = {"publicUrl": f"ws://127.0.0.1:{running.port}"}
    made = operator.call("device.pair.setupCode", asked)
    assert made["gatewayUrl"] == asked["publicUrl"] and made["urlSource"] == "request.publicUrl"
    assert (made["auth"], made["access"], made["accessDowngraded"]) == ("token", "limited", True)
    picture = base64.b64decode(made["qrDataUrl"].removeprefix("data:image/png;base64,"))
    assert picture.startswith(b"\x89PNG") and len(made["qrDataUrl"]) <= 16384
    code = setup_code(made["setupCode"])
    assert code["url"] == asked["publicUrl"] and code["expiresAtMs"] == made["expiresAtMs"]
    assert 590000 < made["expiresAtMs"] - time.time() * 1000 <= 600000
    assert operator.call("device.pair.setupStatus", {"setupId": made["setupId"]}) == {}
    phone = Device(name="Phone", client="openclaw-ios", mode="node", role="node", platform="ios")
    with phone.connect(running, [], {"bootstrapToken": code["bootstrapToken"]}, FAR) as client:
        extra, = client.hello["auth"]["deviceTokens"]
        assert extra["scopes"] == ["operator.approvals", "operator.read", "operator.talk.secrets", "operator.write"]
    told = operator.wait_event("device.pair.setup.completed", lambda p: p["setupId"] == made["setupId"])
    assert (told["deviceId"], told["deviceName"], told["access"]) == (phone.id, "Phone", "limited")
    assert operator.call("device.pair.setupStatus", {"setupId": made["setupId"]}) == {"completion": told}
    error = refused(lambda: Device(role="node").connect(running, [], {"bootstrapToken": code["bootstrapToken"]}, FAR))
    assert error["details"]["code"] == "AUTH_BOOTSTRAP_TOKEN_INVALID"
    assert operator.call("device.pair.setupStatus", {"setupId": "no-such"}) == {}


def test_a_setup_code_for_a_node_alone_brings_no_operator(running, operator):
    asked = {"publicUrl": "wss://house.example", "bootstrapProfile": "node", "includeQr": False}
    made = operator.call("device.pair.setupCode", asked)
    assert made["access"] == "node" and "qrDataUrl" not in made and "accessDowngraded" not in made
    watch = Device(client="openclaw-ios", mode="node", role="node", platform="ios")
    auth = {"bootstrapToken": setup_code(made["setupCode"])["bootstrapToken"]}
    with watch.connect(running, [], auth, FAR) as client:
        assert "deviceTokens" not in client.hello["auth"]
    error = refused(lambda: watch.connect(running, ["operator.read"], {"deviceToken": watch.token}, FAR, role="operator"))
    assert error["details"]["code"] == "AUTH_DEVICE_TOKEN_MISMATCH"


def test_a_setup_code_needs_an_address_and_the_administrator(running, operator):
    error = refused(lambda: operator.call("device.pair.setupCode"))
    assert "only bound to loopback" in error["message"] and "--public-url wss://" in error["message"]
    error = refused(lambda: operator.call("device.pair.setupCode", {"publicUrl": "ws://gateway.example"}))
    assert "secure gateway URL" in error["message"]
    with Client(running.port, running.token, ["operator.pairing"]) as clerk:
        assert refused(lambda: clerk.call("device.pair.setupCode"))["message"] == "missing scope: operator.admin"


def test_the_command_line_shows_a_setup_code(running):
    address = f"ws://127.0.0.1:{running.port}"
    done = running.cli("qr", "--url", address)
    assert done.returncode == 0, done.stderr
    assert "\u2588" in done.stdout and address in done.stdout and re.search(r"from +--url\n", done.stdout)
    assert re.search(r"from +--public-url\n", running.cli("qr", "--public-url", address).stdout)
    for wrong in ("ws://gateway.example", "no address"):
        done = running.cli("qr", "--url", wrong)
        assert done.returncode == 1 and "--public-url" in done.stderr and "request." not in done.stderr
    done = running.cli("qr", "--url", address, "--json")
    told = json.loads(done.stdout)
    assert {"setupCode", "gatewayUrl", "auth", "urlSource", "access"} <= set(told) and "qrDataUrl" not in told
    done = running.cli("qr", "--url", address, "--voice-node", "--setup-code-only")
    phone = Device(client="openclaw-android", mode="node", role="node", platform="android")
    auth = {"bootstrapToken": setup_code(done.stdout.strip())["bootstrapToken"]}
    with phone.connect(running, [], auth, FAR) as client:
        assert client.hello["auth"]["deviceTokens"][0]["scopes"] == ["operator.read", "operator.talk"]
    done = running.cli("qr", "--limited", "--voice-node")
    assert done.returncode == 2 and "exclude each other" in done.stderr
    done = running.cli("qr")
    assert done.returncode == 1 and "only bound to loopback" in done.stderr


def followed(running, link, method="GET", headers=()):
    """What is behind a link: (status, what was said)."""
    told = running.request(method, "/" + link.split("/", 3)[3], headers=dict(headers))
    return told[0], json.loads(told[2]) if told[2].startswith("{") else told[2]


def test_a_link_pairs_one_node_once(running, operator):
    made = operator.call("device.pair.setupCode", {"publicUrl": f"ws://127.0.0.1:{running.port}/", "joinUrl": True})
    assert re.fullmatch(rf"http://127\.0\.0\.1:{running.port}/j/[A-Za-z0-9_-]{{22}}", made["joinUrl"])
    assert made["access"] == "node"
    assert followed(running, made["joinUrl"], "HEAD")[0] == 405
    status, payload = followed(running, made["joinUrl"])
    assert status == 200 and payload == setup_code(made["setupCode"])
    assert followed(running, made["joinUrl"]) == (404, {"error": "not_found"})
    machine = Device(client="node-host", mode="node", role="node")
    with machine.connect(running, [], {"bootstrapToken": payload["bootstrapToken"]}, FAR) as client:
        assert client.hello["auth"]["role"] == "node" and "deviceTokens" not in client.hello["auth"]
    error = refused(lambda: Device(role="node").connect(running, [], {"bootstrapToken": payload["bootstrapToken"]}, FAR))
    assert error["details"]["code"] == "AUTH_BOOTSTRAP_TOKEN_INVALID"


def test_a_link_is_for_nodes_and_under_tls(running, operator):
    for asked, why in (({"publicUrl": "wss://house.example", "bootstrapProfile": "limited"}, "bootstrapProfile=node"),
                       ({"publicUrl": "ws://192.168.1.5:18789"}, "require a TLS gateway endpoint")):
        assert why in refused(lambda a=asked: operator.call("device.pair.setupCode", {**a, "joinUrl": True}))["message"]
    made = operator.call("device.pair.setupCode", {"publicUrl": "wss://house.example:8443/gate", "joinUrl": True})
    assert made["joinUrl"].startswith("https://house.example:8443/gate/j/")
    assert followed(running, made["joinUrl"])[1]["url"] == "wss://house.example:8443/gate"


def test_who_guesses_links_is_slowed_down(fresh_gateway):
    running = fresh_gateway(config=BEHIND_A_PROXY).start()
    with Client(running.port, running.token) as operator:
        made = operator.call("device.pair.setupCode", {"publicUrl": "wss://house.example", "joinUrl": True})
    guess = "https://house.example/j/" + "A" * 22
    told = [followed(running, guess, headers={"X-Forwarded-For": "198.51.100.9"})[0] for _ in range(21)]
    assert told == [404] * 20 + [429]
    assert followed(running, made["joinUrl"], headers={"X-Forwarded-For": "198.51.100.9"})[0] == 429
    assert followed(running, made["joinUrl"], headers={"X-Forwarded-For": "198.51.100.8"})[0] == 200
    with open(os.path.join(running.state_dir, "db", "auth.sqlite"), "rb") as file:
        assert made["joinUrl"][-22:].encode() not in file.read()
    assert made["joinUrl"][-22:] not in "\n".join(running.logs())


def test_what_the_original_knew_is_known(fresh_gateway):
    made = fresh_gateway(config=BEHIND_A_PROXY)
    device = Device()
    folder = os.path.join(made.state_dir, "devices")
    os.makedirs(folder)
    entry = {"deviceId": device.id, "publicKey": plain(device.public), "platform": "linux", "clientId": "cli",
             "clientMode": "cli", "role": "operator", "roles": ["operator"], "scopes": ["operator.read"],
             "createdAtMs": 1, "approvedAtMs": 2,
             "tokens": {"operator": {"token": "ORIGINAL-TOKEN", "role": "operator", "scopes": ["operator.read"],
                                     "createdAtMs": 1}}}
    forged = {**entry, "deviceId": "0" * 64}
    with open(os.path.join(folder, "paired.json"), "w", encoding="utf-8") as file:
        json.dump({device.id: entry, "0" * 64: forged}, file)
    made.start()
    with device.connect(made, ["operator.read"], {"deviceToken": "ORIGINAL-TOKEN"}, FAR) as client:
        assert client.hello["auth"]["scopes"] == ["operator.read"]
        newer = client.hello["auth"]["deviceToken"]
    device.connect(made, [], {"deviceToken": newer}, FAR).socket.close()
    assert refused(lambda: device.connect(made, [], {"deviceToken": "ORIGINAL-TOKEN"}, FAR))["details"]["code"] == \
        "AUTH_DEVICE_TOKEN_MISMATCH"
    with Client(made.port, made.token) as admin:
        assert [one["deviceId"] for one in admin.call("device.pair.list")["paired"]] == [device.id]
        admin.call("device.pair.remove", {"deviceId": device.id})
    made.stop()
    made.start()
    with Client(made.port, made.token) as admin:
        assert admin.call("device.pair.list")["paired"] == []  # taken over once, not at every start


def test_a_name_that_an_operator_gave_a_device_stays(running, operator):
    device = pair(running, operator)
    done = operator.call("device.pair.rename", {"deviceId": device.id, "label": "  Kitchen  "})
    assert done == {"deviceId": device.id, "label": "Kitchen"}
    label = lambda: {one["deviceId"]: one.get("operatorLabel") for one in  # noqa: E731
                     operator.call("device.pair.list")["paired"]}[device.id]
    assert label() == "Kitchen"
    asking = refused(lambda: device.connect(running, ["operator.write"], shared(running), FAR))["details"]
    operator.call("device.pair.approve", {"requestId": asking["requestId"]})
    assert label() == "Kitchen"
    for params, text in (({"deviceId": device.id, "label": "  "}, "label required"),
                         ({"deviceId": "0" * 64, "label": "x"}, "unknown deviceId")):
        assert refused(lambda p=params: operator.call("device.pair.rename", p))["message"] == text
    other = pair(running, operator, ["operator.pairing"])
    with other.connect(running, [], {"deviceToken": other.token}, FAR) as client:
        error = refused(lambda: client.call("device.pair.rename", {"deviceId": device.id, "label": "Mine"}))
        assert error["message"] == "device pairing rename denied"
        assert client.call("device.pair.rename", {"deviceId": other.id, "label": "Mine"})["label"] == "Mine"
        assert client.call("device.pair.list")["paired"][0]["operatorLabel"] == "Mine"
    with Client(running.port, running.token, minProtocol=4, maxProtocol=4) as newer:
        newer.call("device.pair.rename", {"deviceId": device.id, "label": "Cellar"})
        assert newer.wait_event("device.pair.changed") == {}


def test_a_device_asks_for_more_and_stays_connected(running, operator):
    device = pair(running, operator, ["operator.read"])
    client = device.connect(running, ["operator.read"], {"deviceToken": device.token}, FAR)
    ask = lambda scopes: client.call("device.scopes.requestUpgrade", {"scopes": scopes})  # noqa: E731
    assert "current scopes" in refused(lambda: ask(["operator.pairing"]))["message"]
    assert "unknown operator scope" in refused(lambda: ask(["operator.read", "operator.everything"]))["message"]
    first = ask(["operator.read", "operator.approvals"])["requestId"]
    waiting = client.send("device.scopes.waitUpgrade", {"requestId": first})
    second = ask(["operator.read", "operator.write"])["requestId"]
    assert client.answer(waiting) == {"status": "expired", "requestId": first}, "another took its place"
    waiting = client.send("device.scopes.waitUpgrade", {"requestId": second})
    assert operator.wait_event("device.pair.requested", lambda p: p["requestId"] == second)["isRepair"] is True
    operator.call("device.pair.approve", {"requestId": second})
    told = client.answer(waiting)
    assert told["status"] == "approved" and set(told["scopes"]) >= {"operator.approvals", "operator.write"}
    assert client.call("device.scopes.waitUpgrade", {"requestId": second})["status"] == "approved"
    with device.connect(running, ["operator.write"], {"deviceToken": told["deviceToken"]}, FAR) as again:
        assert "operator.write" in again.hello["auth"]["scopes"]
    third = client.call("device.scopes.requestUpgrade", {"scopes": ["operator.read", "operator.admin"]})["requestId"]
    waiting = client.send("device.scopes.waitUpgrade", {"requestId": third})
    operator.call("device.pair.reject", {"requestId": third})
    assert client.answer(waiting) == {"status": "rejected", "requestId": third}
    stranger = pair(running, operator)
    with stranger.connect(running, [], {"deviceToken": stranger.token}, FAR) as other:
        error = refused(lambda: other.call("device.scopes.waitUpgrade", {"requestId": second}))
        assert error["message"] == "scope upgrade expired or not found"
    error = refused(lambda: operator.call("device.scopes.requestUpgrade", {"scopes": ["operator.read"]}))
    assert error["details"]["code"] == "DEVICE_IDENTITY_REQUIRED"


# --- no dead ends: oc#16305, oc#97859, oc#21647, oc#22688 -------------------------------------------------------


def test_a_local_client_with_the_secret_gets_what_it_asks_for(running):
    """oc#16305: the first client of a new machine could not approve itself."""
    with Device().connect(running, ALL_SCOPES, shared(running)) as client:
        assert set(client.hello["auth"]["scopes"]) >= set(ALL_SCOPES)
        client.call("device.pair.list")


def test_a_local_client_that_asks_for_more_is_not_sent_away(running):
    """oc#21647: a scope upgrade of the local command line waited for an operator who was itself."""
    device = Device()
    device.connect(running, ["operator.read"], shared(running)).socket.close()
    with device.connect(running, ["operator.admin", "operator.pairing"], shared(running)) as client:
        assert "operator.pairing" in client.hello["auth"]["scopes"]


def test_a_client_that_missed_the_rotation_is_not_shut_out(running, operator):
    """oc#22688: after a rotation the client held a token that was void, and nobody told it the new one."""
    device = pair(running, operator)
    for _ in range(3):
        operator.call("device.token.rotate", {"deviceId": device.id, "role": "operator"})
    with device.connect(running, ["operator.read"], {"deviceToken": device.token}, FAR) as client:
        newest = client.hello["auth"]["deviceToken"]
    device.connect(running, ["operator.read"], {"deviceToken": newest}, FAR).socket.close()


def test_a_request_keeps_its_id_while_it_is_repeated(running):
    """oc#97859: each attempt replaced the request that an operator was about to approve."""
    device, ids = Device(), set()
    for _ in range(4):
        ids.add(refused(lambda: device.connect(running, ["operator.read"], shared(running), FAR))["details"]
                ["requestId"])
    assert len(ids) == 1


def test_a_local_client_without_a_device_may_approve(running):
    error = refused(lambda: Device().connect(running, ["operator.read"], shared(running), FAR))
    plain_client = {"client": {"id": "test", "version": "1", "platform": "linux", "mode": "test"}}
    with Client(running.port, running.token, **plain_client) as client:
        client.call("device.pair.approve", {"requestId": error["details"]["requestId"]})


def test_nothing_secret_is_left_behind(fresh_gateway):
    """Tokens and passwords in no log, no message of the bus, no database, no error."""
    made = fresh_gateway(config=BEHIND_A_PROXY).start()
    device, secrets = Device(), [made.token]
    tap = made.command("bus", "tap", "--bodies", "--json")
    heard_path = os.path.join(made.state_dir, "heard.txt")
    with open(heard_path, "wb") as heard:
        watcher = subprocess.Popen(tap, env={**made.environment, "OPENCLAW_GATEWAY_PORT": str(made.port)}, stdout=heard,
                                   stderr=heard)
    try:
        with Client(made.port, made.token) as admin:
            until(lambda: admin.call("health") and os.path.getsize(heard_path) > 0, 10, "something heard")
            refused(lambda: device.connect(made, [], {"token": "a-wrong-guess-of-mine"}, FAR))
            secrets.append("a-wrong-guess-of-mine")
            error = refused(lambda: device.connect(made, ["operator.pairing"], shared(made), FAR))
            admin.call("device.pair.approve", {"requestId": error["details"]["requestId"]})
            with device.connect(made, [], shared(made), FAR) as client:
                secrets.append(device.token)
                assert device.token not in json.dumps(client.call("device.pair.list"))
            with device.connect(made, [], {"deviceToken": device.token}, FAR) as client:
                secrets.append(client.call("device.token.rotate", {"deviceId": device.id, "role": "operator"})["token"])
            device.connect(made, [], {"deviceToken": secrets[-1]}, FAR).socket.close()
            until(lambda: b"device.token.rotate" in open(heard_path, "rb").read(), 10, "the rotation in the tap")
    finally:
        watcher.terminate()
        watcher.wait(10)
    made.stop()
    found = []
    for folder, _, names in os.walk(made.state_dir):
        for name in names:
            if os.path.join(folder, name) == made.config_path or name.startswith("openclaw.json"):
                continue
            with open(os.path.join(folder, name), "rb") as file:
                data = file.read()
            found += [(name, secret) for secret in secrets if secret.encode() in data]
    assert not found
