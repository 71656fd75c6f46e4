"""Plays a recorded exchange against a running gateway and tells where the answers differ.

A trace (tests/data/traces/NAME.jsonl) holds what a client and OpenClaw Gateway 2026.5.7 said to each other, frame by
frame. The client's frames are sent again; what the server said is held against what ours says: every key that was there
must be there, of the same type, and with the same value unless the value is of the moment (ids, times, sizes, paths).
Ids of ours take the place of recorded ones in later requests. Signatures are made anew, right or wrong as recorded.
"""

import fnmatch
import json
import re
import time

from device import Device, _b64
from ws import CLOSE, TEXT, Closed, Refused, WebSocket, frame

# Values of the moment, by key, and by what they look like.
MOMENT = re.compile(r"(^|[a-z])(ts|Ts|ms|Ms|At|Id|ID|Key|Hash|hash|Path|path|Dir|Seconds|Minutes|Bytes|bytes|Count|count)$"
                    r"|^(id|key|nonce|port|timestamp|delta|deltaText|degraded|version|host|ip|pid|cursor|size|seq|age|tokens|token|deviceToken|publicKey|lastSeq"
                    r"|presence|health|file|workspace|remoteIp|runtimeVersion|text|platform|modelIdentifier|delayP99Ms"
                    r"|utilization|cpuCoreRatio|percentUsed|created|created_at|item_id|call_id|retry-after)$|Tokens$|tokens$|Usd$|Version$")
LOOKS = re.compile(r"^(plugin:)?[0-9a-f]{8}-[0-9a-f]{4}|^\d{4}-\d\d-\d\dT|^[0-9a-f]{32,}$|-TOKEN-DUMMY-|^<|^/|^agent:|^[A-Za-z0-9_-]{43}$")
INSIDE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{64}|/[\w./-]{4,}|\d{4,}")
SETS = ("scopes", "roles", "caps", "commands", "requestedScopes", "approvedScopes", "approvedRoles")
STREAMED = ("agent", "chat", "sessions.changed")  # as many as there was time for
PASSING = ("tick", "health", "presence", "heartbeat")  # come when they come


def load(path):
    with open(path, encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def methods_of(trace):
    return {row["data"].get("method") for row in trace if row["dir"] == "c2s" and isinstance(row.get("data"), dict)} - {None}


def kind(value):
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {str: "text", list: "list", dict: "object", type(None): "null"}[type(value)]


def compare(want, got, at, key=""):
    """Yields (path, what differs)."""
    if kind(want) != kind(got):
        yield at, f"{kind(want)} was recorded, ours is {kind(got)}"
    elif isinstance(want, dict):
        for name, value in want.items():
            if name in got:
                yield from compare(value, got[name], f"{at}.{name}", name)
            else:
                yield f"{at}.{name}", "is missing"
    elif isinstance(want, list):
        if want and not got:
            yield at, "is empty"
        elif key in SETS and all(isinstance(one, str) for one in want):
            if set(want) != set(got):
                yield at, f"was {sorted(want)}, ours is {sorted(got)}"
        elif got:
            for one in want:  # whatever the order, and however many there were
                yield from min((list(compare(one, other, f"{at}[]", key)) for other in got), key=len)
    elif isinstance(want, str):
        if not MOMENT.search(key) and not LOOKS.search(want) and INSIDE.sub("#", want) != INSIDE.sub("#", got):
            yield at, f"was {want!r}, ours is {got!r}"
    elif want != got and not MOMENT.search(key) and not isinstance(want, float):
        yield at, f"was {want!r}, ours is {got!r}"


def many(value):
    return value if isinstance(value, list) else [value]


class Meant:
    """Differences that are meant, each with its reason: those at one of the places `at` of the exchanges `trace`."""

    def __init__(self, rows):
        self.rows = [({**row, "at": at, "trace": trace}) for row in rows
                     for at in many(row["at"]) for trace in many(row.get("trace", "*"))]
        self.seen = set()

    def has(self, name, at, what):
        found = {i for i, row in enumerate(self.rows)
                 if fnmatch.fnmatchcase(at.replace("[", "("), row["at"].replace("[", "("))
                 and fnmatch.fnmatchcase(name, row["trace"]) and row.get("what", "") in what}
        self.seen.update(found)
        return bool(found)

    def stale(self):
        """Those that nothing needed, but for what comes only sometimes."""
        return [row for i, row in enumerate(self.rows) if i not in self.seen and not row.get("sometimes")]


def sort_of(event):
    """Events of the same sort say the same kind of thing."""
    payload = event.get("payload") or {}
    data = payload.get("data") if isinstance(payload.get("data"), dict) else {}
    parts = [event["event"], payload.get("state"), payload.get("stream"), data.get("phase"), payload.get("phase"),
             payload.get("reason"), payload.get("action"), payload.get("decision")]
    return "/".join(str(part) for part in parts if part)


def spoken(reason):
    """Without ids, of which the end of a close frame cuts off more or less."""
    return INSIDE.sub("#", reason.split(" (requestId:")[0])


class Peer:
    """One recorded connection, alive again."""

    def __init__(self, port, row):
        headers = [f"{name}: {value.replace(row['host'], f'127.0.0.1:{port}')}" for name, value in row.get("headers", ())]
        self.answers, self.events, self.closed, self.challenge = [], [], None, None
        try:
            self.ws = WebSocket(port, headers=headers)
        except Refused as refused:
            self.ws, self.closed = None, (refused.status, "")

    def read(self, timeout):
        """One more message; False when there is none."""
        if self.closed:
            return False
        try:
            message = json.loads(self.ws.receive(timeout))
        except TimeoutError:
            return False
        except Closed as closed:
            self.closed = (closed.code, closed.reason)
            return False
        if message.get("event") == "connect.challenge":
            self.challenge = message["payload"]
        (self.answers if message["type"] == "res" else self.events).append(message)
        return True

    def answer(self, ident, timeout=20):
        deadline = time.monotonic() + timeout
        while True:
            for message in self.answers:
                if message["id"] == ident:
                    self.answers.remove(message)
                    return message
            left = deadline - time.monotonic()
            if left <= 0 or not self.read(left):
                return None


class Replay:
    """`stop` ends the gateway: called where the recorded one was ended. `names` are texts of ours for recorded ones. With
    `is_leaving` clients end when the recorded ones did, and not only when all was said."""

    def __init__(self, port, served, events, stop=None, names=None, is_leaving=False):
        self.port, self.served, self.known_events, self.stop = port, served, events, stop
        self.peers, self.keys, self.names, self.asked = {}, {}, dict(names or {}), {}
        self.is_leaving = is_leaving
        self.differences, self.cursor, self.heard, self.missed = [], None, {}, set()

    def note(self, at, what):
        self.differences.append((at, what))

    # --- what the client said ------------------------------------------------------------

    def translated(self, value):
        if isinstance(value, dict):
            if "@device" in value:
                return value
            return {key: self.cursor if key == "cursor" and self.cursor is not None else self.translated(inner)
                    for key, inner in value.items()}
        if isinstance(value, list):
            return [self.translated(inner) for inner in value]
        if isinstance(value, str):
            filled = re.fullmatch(r"<(.) repeated (\d+)>", value)
            return filled[1] * int(filled[2]) if filled else self.names.get(value, value)
        return value

    def signed(self, params, peer):
        told = params["device"]["@device"]
        device = self.keys.setdefault(told["key"], Device())
        auth, client = params.get("auth") or {}, params["client"]
        token = next((auth[name] for name in ("token", "deviceToken", "bootstrapToken") if auth.get(name)), "")
        nonce = peer.challenge["nonce"] if told["nonce"] == "challenge" else told["nonce"]
        signed_at = peer.challenge["ts"] + told["signedAtOffsetMs"]
        ident = device.id if told["id"] == "right" else "0" * 64
        parts = ["v2" if told["signs"] == "v2" else "v3", ident, client["id"], client["mode"],
                 params.get("role", "operator"), ",".join(params.get("scopes", [])), str(signed_at), token, nonce]
        if parts[0] == "v3":
            parts += [client["platform"].lower(), client.get("deviceFamily", "").lower()]
        text = "|".join(parts) + ("x" if told["signs"] == "wrong" else "")
        return {"id": ident, "publicKey": _b64(device.public), "signature": _b64(device.sign(text.encode())),
                "signedAt": signed_at, "nonce": nonce}

    def send(self, row, peer):
        if "bytes" in row:
            peer.ws.send_raw(frame(TEXT, b"x" * row["bytes"]))
        elif "raw" in row:
            peer.ws.send(row["raw"])
        elif "data" in row:
            data = self.translated(row["data"])
            self.asked[row["conn"], data.get("id")] = data.get("method")
            params = data.get("params")
            if isinstance(params, dict) and isinstance(params.get("device"), dict):
                data = {**data, "params": {**params, "device": self.signed(params, peer)}}
            peer.ws.send(json.dumps(data, separators=(",", ":"), ensure_ascii=False))

    @staticmethod
    def leave(peer):
        """Says goodbye, and waits for the echo: from then on the others know."""
        if not peer.closed:
            peer.ws.send_raw(frame(CLOSE, (1000).to_bytes(2, "big")))
            while peer.read(5):
                pass

    # --- what the server said ------------------------------------------------------------

    def learn(self, want, got):
        if isinstance(want, dict) and isinstance(got, dict):
            for key in want.keys() & got.keys():
                self.learn(want[key], got[key])
        elif isinstance(want, list) and isinstance(got, list):
            for other in got if want else ():
                self.learn(min(want, key=lambda one: len(list(compare(one, other, "")))), other)
        elif isinstance(want, str) and isinstance(got, str) and want != got and LOOKS.search(want):
            self.names.setdefault(want, got)

    def follow_event(self, want, peer):
        """What the client says next may be about it, and may name an id that it brought."""
        sort = sort_of(want)
        if (peer, sort) in self.missed:
            return
        self.heard[peer, sort] = number = self.heard.get((peer, sort), 0) + 1
        deadline = time.monotonic() + 1
        while True:
            ours = [event for event in peer.events if sort_of(event) == sort]
            if len(ours) >= number or (ours and want["event"] in STREAMED):
                self.learn(want["payload"], ours[min(number, len(ours)) - 1]["payload"])
                return
            left = deadline - time.monotonic()
            if left <= 0 or not peer.read(left):
                self.missed.add((peer, sort))
                return

    def hold_answer(self, row, peer):
        want = row["data"]
        method = self.asked.get((row["conn"], want["id"]), "frame")
        if method not in self.served and method != "frame" and not self.is_refusal_of_the_frame(want):
            return
        got = peer.answer(want["id"])
        if got is None:
            self.note(method, f"no answer to {want['id']}" + (f", closed {peer.closed}" if peer.closed else ""))
            return
        self.learn(want.get("payload"), got.get("payload"))
        if isinstance(got.get("payload"), dict):
            self.cursor = got["payload"].get("cursor", self.cursor)
        for at, what in compare({k: v for k, v in want.items() if k != "id"}, got, method):
            self.note(at, what)

    @staticmethod
    def is_refusal_of_the_frame(want):
        message = (want.get("error") or {}).get("message", "")
        return message.startswith(("missing scope", "unauthorized role", "unknown method", "invalid request frame"))

    def hold_close(self, row, peer):
        want = row["close"]
        if want["code"] == 1012 and self.stop:
            self.stop()
            self.stop = None
        deadline = time.monotonic() + (20 if want["code"] == 1000 else 3)  # the gateway's patience is tried
        while not peer.closed and peer.read(max(deadline - time.monotonic(), 0.001)):
            pass
        got = peer.closed or ("open", "")
        if want["code"] is not None and (want["code"], spoken(want["reason"])) != (got[0], spoken(got[1])):
            self.note("close", f"was {want['code']} {want['reason']!r}, ours is {got[0]} {got[1]!r}")

    def hold_events(self, trace):
        for number, peer in self.peers.items():
            wanted = {}
            for row in trace:
                data = row.get("data")
                if row["conn"] == number and row["dir"] == "s2c" and isinstance(data, dict) and "event" in data:
                    if data["event"] in self.known_events and data["event"] not in PASSING:
                        wanted.setdefault(sort_of(data), data)
            deadline = time.monotonic() + (0.2 if self.missed else 3)
            while not wanted.keys() <= {sort_of(event) for event in peer.events}:
                left = deadline - time.monotonic()
                if left <= 0 or not peer.read(left):
                    break
            ours = {}
            for event in peer.events:
                ours.setdefault(sort_of(event), event)
            for sort, want in wanted.items():
                if sort not in ours:
                    self.note(f"event {sort}", "did not come")
                    continue
                for at, what in compare(want, ours[sort], f"event {sort}"):
                    self.note(at, what)

    # --- the whole -----------------------------------------------------------------------

    def run(self, trace):
        for row in trace:
            if row["dir"] == "open":
                try:
                    self.peers[row["conn"]] = Peer(self.port, row)
                except ConnectionRefusedError:
                    assert self.stop is None, "nobody listens"
                continue
            if row["conn"] not in self.peers:
                continue
            peer = self.peers[row["conn"]]
            data = row.get("data")
            if row["dir"] == "c2s" and "close" in row:
                if self.is_leaving:
                    self.leave(peer)
                continue  # else they are closed at the end, when all has been read
            if row["dir"] == "c2s":
                while peer.challenge is None and peer.read(10):
                    pass
                if not isinstance(data, dict) or data.get("method") in self.served or self.will_be_refused(trace, row):
                    self.send(row, peer)
                else:
                    self.asked[row["conn"], data.get("id")] = data.get("method")  # its answer is not waited for
            elif "close" in row:
                if row["close"]["code"] is not None:
                    self.hold_close(row, peer)
            elif isinstance(data, dict) and data.get("type") == "res":
                self.hold_answer(row, peer)
            elif isinstance(data, dict) and data["event"] in self.known_events and data["event"] not in PASSING:
                self.follow_event(data, peer)
        self.hold_events(trace)
        for peer in self.peers.values():
            if peer.ws:
                peer.ws.close()
        return self.differences

    def will_be_refused(self, trace, row):
        """A request that no owner ever saw: its refusal is the edge's own."""
        return any(other["dir"] == "s2c" and other["conn"] == row["conn"] and isinstance(other.get("data"), dict) and
                   other["data"].get("id") == row["data"].get("id") and self.is_refusal_of_the_frame(other["data"])
                   for other in trace) or row["data"].get("type") != "req"
