"""Says again what was said to the original, and compares what comes back with what it answered, field by field."""

import base64
import hashlib
import json
import os
import re

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway import ROOT
from ws import BINARY, Closed, WebSocket, frame

FOLDER = os.path.join(ROOT, "tests/data/exchanges")
REPEATED = re.compile(r"^<(.) repeated (\d+)>$")
# Values that no two exchanges share: only their kind is compared.
VOLATILE = re.compile(r"(^|\.)(ts|connId|nonce|uptimeMs|deviceToken|issuedAtMs|\w+AtMs|\w+At|timestamp|runId|sessionId|id|"
                      r"messageId|durationMs|version|host|ip|path|configPath|stateDir|storePath|text|presence|health|"
                      r"stateVersion\.\w+|seq|hash|pid|deviceId|instanceId)$")


def exchanges(name):
    with open(os.path.join(FOLDER, name + ".jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def differences():
    with open(os.path.join(FOLDER, "differences.json"), encoding="utf-8") as file:
        return json.load(file)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Device:
    def __init__(self):
        self.private = Ed25519PrivateKey.generate()
        raw = self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.public, self.id = b64(raw), hashlib.sha256(raw).hexdigest()

    def proof(self, params, how, challenge):
        client, auth = params["client"], params.get("auth") or {}
        device = {"id": self.id if how["id"] == "own" else how["id"], "publicKey": self.public,
                  "signedAt": challenge["ts"] - how["age"],
                  "nonce": challenge["nonce"] if how["nonce"] == "own" else how["nonce"]}
        token = auth.get("token") or auth.get("deviceToken") or auth.get("bootstrapToken") or ""
        parts = [f"v{how['version'] or 3}", device["id"], client["id"], client["mode"], params.get("role", "operator"),
                 ",".join(params.get("scopes") or []), str(device["signedAt"]), token, device["nonce"]]
        if how["version"] != 2:
            parts += [client.get("platform", "").lower(), client.get("deviceFamily", "").lower()]
        signature = self.private.sign("|".join(parts).encode())
        device["signature"] = b64(signature if how["version"] else bytes(64))
        return device


def kind(value):
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


class Comparison:
    """What differs between two values, as paths; `learned` maps volatile texts of theirs to ours."""

    def __init__(self, learned):
        self.learned, self.found = learned, []

    def note(self, path, theirs, ours):
        self.found.append((path, f"{json.dumps(theirs)[:120]} became {json.dumps(ours)[:120]}"))

    def compare(self, path, theirs, ours, is_exact):
        if kind(theirs) != kind(ours):
            self.note(path, theirs, ours)
        elif isinstance(theirs, dict):
            for key, value in theirs.items():
                where = f"{path}.{key}"
                if key not in ours:
                    self.found.append((where, "is missing"))
                else:
                    self.compare(where, value, ours[key], is_exact and not VOLATILE.search(where))
            if is_exact:
                self.found += [(f"{path}.{key}", "is new") for key in ours if key not in theirs]
        elif isinstance(theirs, list):
            if is_exact and len(theirs) != len(ours):
                self.note(path, theirs, ours)
            for one, other in zip(theirs, ours):
                self.compare(path + "[]", one, other, is_exact)
        elif theirs != ours:
            if is_exact:
                self.note(path, theirs, ours)
            elif isinstance(theirs, str):
                self.learned[theirs] = ours


class Replay:
    def __init__(self, gateway, is_loose=False):
        self.gateway, self.devices, self.is_loose = gateway, {}, is_loose
        self.sockets, self.challenges, self.methods, self.waiting = {}, {}, {}, {}
        self.learned, self.found, self.skipped = {}, [], set()

    def run(self, steps):
        for step in steps:
            for name in ("open", "c2s", "s2c", "close", "end"):
                if name in step:
                    getattr(self, "on_" + name)(step)
        return self.found

    def on_open(self, step):
        headers = []
        for name, value in step["open"]:
            local = re.sub(r"^http://127\.0\.0\.1:\d+$", f"http://127.0.0.1:{self.gateway.port}", value)
            headers.append(f"{name}: {local}")
        socket = WebSocket(self.gateway.port, headers=headers)
        self.sockets[step["conn"]] = socket
        challenge = json.loads(socket.receive())
        assert list(challenge) == ["type", "event", "payload"] and challenge["event"] == "connect.challenge"
        self.challenges[step["conn"]] = challenge["payload"]

    def translated(self, value):
        if isinstance(value, dict):
            return {key: self.translated(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.translated(one) for one in value]
        if isinstance(value, str):
            repeated = REPEATED.match(value)
            return repeated[1] * int(repeated[2]) if repeated else self.learned.get(value, value)
        return value

    def on_c2s(self, step):
        socket, said = self.sockets[step["conn"]], step["c2s"]
        if not step.get("raw"):
            said = self.translated(said)
            if "device" in step:
                device = self.devices.setdefault(step["device"]["key"], Device())
                said["params"]["device"] = device.proof(said["params"], step["device"], self.challenges[step["conn"]])
            if isinstance(said, dict) and "method" in said:
                self.methods[step["conn"], said.get("id")] = said["method"]
        text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        if step.get("binary"):
            socket.send_raw(frame(BINARY, text.encode()))
        else:
            socket.send(text)

    def answer(self, step):
        """The answer to the same request; events are compared elsewhere."""
        waiting = self.waiting.setdefault(step["conn"], [])
        wanted = step["s2c"].get("id")
        while True:
            for i, got in enumerate(waiting):
                if got["id"] == wanted:
                    return waiting.pop(i)
            got = json.loads(self.sockets[step["conn"]].receive())
            if got["type"] == "res":
                waiting.append(got)

    def on_s2c(self, step):
        theirs = step["s2c"]
        if theirs.get("type") != "res":
            return
        method = self.methods.get((step["conn"], theirs["id"]), "frame")
        if (step["conn"], theirs["id"]) in self.skipped:
            return
        ours = self.answer(step)
        details = ours.get("error", {}).get("details") or {}
        if isinstance(details, dict) and details.get("reason") == "not-served":
            self.skipped.add((step["conn"], theirs["id"]))
            return
        comparison = Comparison(self.learned)
        comparison.compare(method, theirs, ours, not (self.is_loose and theirs["ok"]))
        self.found += comparison.found

    def on_close(self, step):
        try:
            while True:
                self.sockets[step["conn"]].receive()
        except Closed as closed:
            ours = {"code": closed.code, "reason": closed.reason}
        if ours != step["close"]:
            self.found.append(("close", f"{step['close']} became {ours}"))

    def on_end(self, step):
        self.sockets[step["conn"]].close()
