"""The bus of an OpenClaw gateway for a Python program that is a host of its topology: see docs/bus-wire.md.

A program makes one Bus, gives it Actors, and runs it:

    class Greeter(Actor):
        def __init__(self):
            super().__init__("greeter", calls={"greet": self.on_greet})

        async def on_greet(self, ask):
            return {"text": "hello " + ask.body["name"]}

    Bus([Greeter()]).run()
"""

import asyncio
import collections
import contextlib
import mmap
import os
import resource
import secrets
import signal
import struct
import sys
import threading
import time

import msgpack
import zmq

VERSION = 1
CALL, REPLY, FAIL, CAST, PUBLISH, CHUNK, GRANT, CANCEL, FORWARDED, CREDIT = range(1, 11)
CREDITED = (CALL, CAST, PUBLISH)  # the rest is bounded by the calls behind it
AHEAD = (GRANT, CANCEL, CREDIT)  # frees what waits, so it never waits itself
LIVES = ("absent", "starting", "ready", "backoff", "gave_up", "stopped", "unresponsive")
STARTING, READY, STOPPED, UNRESPONSIVE = 1, 2, 5, 6
INVALID_REQUEST, UNAVAILABLE, TIMEOUT, CANCELLED, INTERNAL, UNKNOWN_METHOD = range(1, 7)
WINDOW_BYTES, WINDOW_MSGS = 8 << 20, 16384
NO_DEADLINE = 0xFFFFFFFF
SUPERVISOR = "supervisor"
ADDRESS_MAX, NAME_MAX, PRINCIPAL_MAX = 128, 96, 64  # with the zero that C puts behind
BODY_DEPTH_MAX = 64
TAP_GATHER_S, TAP_BATCHES_WAITING = 0.002, 256
DRAIN_MAX = 256  # messages of one turn of the loop


class Failure(Exception):
    """A typed "no": of others, or to be raised by a handler."""

    def __init__(self, code, message, retryable=None, retry_after_ms=0):
        super().__init__(message)
        self.code = code
        self.retryable = code == UNAVAILABLE if retryable is None else retryable
        self.retry_after_ms = retry_after_ms


class Malformed(Exception):
    """Bytes from others that are not what they should be."""


# --- envelopes ---------------------------------------------------------------------------------------------------------

FIELDS = ("kind", "id", "corr", "sender", "to", "name", "left_ms", "trace", "flags", "principal", "incarnation", "via",
          "asker")
TEXT_LIMITS = {"sender": ADDRESS_MAX, "to": ADDRESS_MAX, "name": NAME_MAX, "principal": PRINCIPAL_MAX, "via": ADDRESS_MAX}


class Envelope:
    """The header of a message; its body is the second frame."""

    __slots__ = (*FIELDS, "body_bytes")

    def __init__(self, kind, sender, to, name, corr=0, left_ms=NO_DEADLINE, trace=bytes(16), flags=0, principal="",
                 incarnation=0, via="", asker=0, id=0):  # noqa: A002 (the wire's own word)
        self.kind, self.id, self.corr, self.sender, self.to, self.name = kind, id, corr, sender, to, name
        self.left_ms, self.trace, self.flags, self.principal = left_ms, trace, flags, principal
        self.incarnation, self.via, self.asker = incarnation, via, asker

    def pack(self):
        return msgpack.packb([VERSION, *(getattr(self, field) for field in FIELDS)], use_bin_type=True)

    @classmethod
    def unpack(cls, frame):
        try:
            values = msgpack.unpackb(frame, raw=False)
        except Exception as error:  # msgpack has many ways to say no
            raise Malformed(str(error)) from error
        if not isinstance(values, list) or len(values) != 1 + len(FIELDS) or values[0] != VERSION:
            raise Malformed("no header of this version")
        self = cls(*(None,) * 4)
        for field, value in zip(FIELDS, values[1:]):
            limit = TEXT_LIMITS.get(field)
            is_fit = (isinstance(value, bytes) and len(value) == 16) if field == "trace" else \
                (isinstance(value, str) and len(value.encode()) < limit) if limit else \
                (isinstance(value, int) and not isinstance(value, bool) and value >= 0)
            if not is_fit:
                raise Malformed(f"field {field}")
            setattr(self, field, value)
        if not CALL <= self.kind <= CREDIT or not self.sender:
            raise Malformed("kind or sender")
        return self

    @property
    def physical(self):
        """Who has sent it, and has the credit for it back."""
        return self.via or self.sender


def body_pack(body):
    return msgpack.packb(body, use_bin_type=True)


def body_unpack(frame):
    try:
        return msgpack.unpackb(frame, raw=False, strict_map_key=False) if frame else {}
    except Exception as error:
        raise Malformed(str(error)) from error


class Ask:
    """A call or cast in the hands of a handler."""

    def __init__(self, envelope, body):
        self.envelope, self.body = envelope, body
        self.sender, self.trace, self.principal = envelope.sender, envelope.trace, envelope.principal


# --- links: one for each pair of an actor of ours and a peer -------------------------------------------------------------

class Link:
    def __init__(self, actor, peer):
        self.actor, self.peer = actor, peer
        self.push = None
        self.endpoint, self.incarnation = "", 0
        self.credit_bytes, self.credit_msgs = WINDOW_BYTES, WINDOW_MSGS
        self.waiting = collections.deque()  # (envelope, header, body, future) until there is credit
        self.sent_msgs = self.sent_bytes = 0
        self.heard, self.owed_bytes, self.owed_msgs = 0, 0, 0

    def apply(self, entry):
        """The directory's word about the peer: another life of it, or none."""
        endpoint = entry["endpoint"] if entry else ""
        incarnation = entry["incarnation"] if entry else 0
        if (endpoint, incarnation) == (self.endpoint, self.incarnation):
            return
        if self.push:
            self.push.close(linger=0)
            self.push = None
        self.endpoint, self.incarnation = endpoint, incarnation
        self.credit_bytes, self.credit_msgs = WINDOW_BYTES, WINDOW_MSGS
        self.refuse_waiting()  # it waited for credit of that life
        if endpoint:
            self.push = self.actor.bus.context.socket(zmq.PUSH)
            self.push.sndhwm, self.push.linger = 0, 1000  # credit bounds it, not ZeroMQ
            self.push.connect(endpoint)

    def refuse_waiting(self):
        while self.waiting:
            future = self.waiting.popleft()[3]
            if future and not future.done():
                future.set_exception(Failure(UNAVAILABLE, f"{self.peer}: is down", retry_after_ms=250))

    def has_credit(self):
        return self.credit_bytes > 0 and self.credit_msgs > 0

    def transmit(self, envelope, header, body):
        self.credit_bytes -= len(header) + len(body)
        self.credit_msgs -= 1
        self.sent_bytes += len(header) + len(body)
        self.sent_msgs += 1
        self.actor.sent(header, body)
        self.push.send_multipart([header, body], flags=zmq.NOBLOCK)

    def release(self):
        while self.waiting and self.push and (self.has_credit() or self.waiting[0][0].kind not in CREDITED):
            envelope, header, body, future = self.waiting.popleft()
            if future and future.done():
                continue  # nobody waits for it any more
            self.transmit(envelope, header, body)
            if future:
                future.set_result(None)

    def on_credit(self, envelope, body):
        if envelope.incarnation == self.incarnation and isinstance(body, list) and len(body) == 2 and \
                all(isinstance(amount, int) and amount >= 0 for amount in body):
            self.credit_bytes = min(self.credit_bytes + body[0], WINDOW_BYTES)
            self.credit_msgs = min(self.credit_msgs + body[1], WINDOW_MSGS)
            self.release()

    def account(self, envelope, size):
        """One message handled: credit goes back in quarters of a window."""
        if self.heard != envelope.incarnation:
            self.heard, self.owed_bytes, self.owed_msgs = envelope.incarnation, 0, 0
        self.owed_bytes += size
        self.owed_msgs += 1
        if self.owed_bytes >= WINDOW_BYTES // 4 or self.owed_msgs >= WINDOW_MSGS // 4:
            body = body_pack([self.owed_bytes, self.owed_msgs])
            self.owed_bytes = self.owed_msgs = 0
            self.actor.post(Envelope(CREDIT, self.actor.address, self.peer, ""), body)


class Pending:
    """A call of ours that is not answered."""

    def __init__(self, target, name, on_chunk):
        self.target, self.via, self.name, self.on_chunk = target, None, name, on_chunk
        self.future = asyncio.get_running_loop().create_future()

    def fail(self, code, message, retry_after_ms=0):
        if not self.future.done():
            self.future.set_exception(Failure(code, message, retry_after_ms=retry_after_ms))


# --- actors ----------------------------------------------------------------------------------------------------------------

class Actor:
    """`calls`, `casts` and `topics` name coroutines that take an Ask; what that of a call returns is the reply."""

    def __init__(self, address, calls=None, casts=None, topics=None):
        self.address = address
        self.calls, self.casts, self.topics = calls or {}, casts or {}, topics or {}
        self.bus, self.incarnation, self.life, self.status_text = None, 0, STARTING, ""
        self.links, self.pending, self.serving = {}, {}, {}
        self.last_id, self.last_call = 0, secrets.randbits(31) << 32
        self.counts = collections.Counter()

    async def start(self):
        """Before it is ready; may be overridden."""

    async def stop(self):
        """Before it ends; may be overridden."""

    def status(self, text):
        """How it is, for people; "" is well. `openclaw health` shows it."""
        if text != self.status_text:
            self.status_text = text
            self.bus.tell(self)

    # sending

    def link(self, peer):
        link = self.links.get(peer)
        if not link:
            link = self.links[peer] = Link(self, peer)
            link.apply(self.bus.entry(peer))
        return link

    def post(self, envelope, body, future=None):
        """Sends, or keeps until there is credit. `future` is then set when it has gone."""
        link = self.link(envelope.to)
        if not link.push:
            raise Failure(UNAVAILABLE, f"{envelope.to}: is down", retry_after_ms=250)
        self.last_id += 1
        envelope.id, envelope.incarnation = self.last_id, self.incarnation
        header = envelope.pack()
        is_held = envelope.kind in CREDITED and not link.has_credit() or link.waiting and envelope.kind not in AHEAD
        if is_held:
            link.waiting.append((envelope, header, body, future))
        else:
            link.transmit(envelope, header, body)
            if future:
                future.set_result(None)

    async def send(self, envelope, body):
        """The same; returns when the peer's credit has let it go, which is what throttles us."""
        gone = asyncio.get_running_loop().create_future()
        self.post(envelope, body_pack(body), gone)
        await gone

    async def cast(self, to, name, body):
        await self.send(Envelope(CAST, self.address, to, name), body)

    async def publish(self, topic, body, trace=bytes(16)):
        for peer in self.bus.subscribers(topic):
            with contextlib.suppress(Failure):  # who has just ended is no subscriber any more
                await self.send(Envelope(PUBLISH, self.address, peer, topic, trace=trace), body)

    async def call(self, to, name, body, timeout=30, trace=None, principal="", window=0, on_chunk=None):
        """Asks; returns the reply, or raises Failure. With a window, `on_chunk(name, body)` sees what comes before it."""
        self.last_call += 1
        corr, pending = self.last_call, Pending(to, name, on_chunk)
        self.pending[corr] = pending
        envelope = Envelope(CALL, self.address, to, name, corr=corr, trace=trace or secrets.token_bytes(16),
                            left_ms=int(timeout * 1000) if timeout else NO_DEADLINE, flags=window, principal=principal)
        try:
            await asyncio.wait_for(self._asked(envelope, body, pending), timeout)
            return pending.future.result()
        except asyncio.TimeoutError:
            self._cancel(corr, pending)
            raise Failure(TIMEOUT, "no answer within the deadline") from None
        except asyncio.CancelledError:
            self._cancel(corr, pending)
            raise
        finally:
            del self.pending[corr]

    async def _asked(self, envelope, body, pending):
        await self.send(envelope, body)
        await asyncio.wait([pending.future])

    def _cancel(self, corr, pending):
        for to, body in ((pending.target, 0), (pending.via, {"to": pending.target})):
            if to:
                with contextlib.suppress(Failure):
                    self.post(Envelope(CANCEL, self.address, to, pending.name, corr=corr), body_pack(body))

    # receiving

    def received(self, envelope, body, size):
        kind = envelope.kind
        link = self.link(envelope.physical)
        if kind == CREDIT:
            link.on_credit(envelope, body)
        elif kind in (REPLY, FAIL, CHUNK, FORWARDED):
            self.answered(envelope, body)
        elif kind == CANCEL:
            task = self.serving.get((envelope.sender, envelope.corr))
            if task:
                task.cancel()
        elif kind == CALL:
            task = asyncio.ensure_future(self.serve(envelope, body))
            self.serving[envelope.sender, envelope.corr] = task
            task.add_done_callback(lambda _: self.serving.pop((envelope.sender, envelope.corr), None))
        elif kind in (CAST, PUBLISH):
            on = (self.casts if kind == CAST else self.topics).get(envelope.name)
            if on:
                self.bus.spawn(on(Ask(envelope, body)))
        link.account(envelope, size)

    def answered(self, envelope, body):
        pending = self.pending.get(envelope.corr)
        if not pending or pending.future.done():
            return  # that is what deadlines and cancels do
        if envelope.kind == REPLY:
            pending.future.set_result(body)
        elif envelope.kind == FAIL:
            said = body if isinstance(body, dict) else {}
            pending.future.set_exception(Failure(said.get("code", INTERNAL), said.get("message", ""),
                                                 bool(said.get("retryable")), said.get("retryAfterMs", 0)))
        elif envelope.kind == FORWARDED:  # from now on that one's death ends the call
            pending.via, pending.target = pending.target, body.get("to", pending.target)
            if not self.link(pending.target).push:
                pending.fail(UNAVAILABLE, f"{pending.target}: went down before it answered", 250)
        elif pending.on_chunk:
            if pending.target != envelope.sender:
                pending.via, pending.target = pending.target, envelope.sender
            pending.on_chunk(envelope.name, body)
            self.post(Envelope(GRANT, self.address, envelope.sender, pending.name, corr=envelope.corr),
                      body_pack(envelope.body_bytes))

    async def serve(self, envelope, body):
        answer = Envelope(REPLY, self.address, envelope.sender, envelope.name, corr=envelope.corr, trace=envelope.trace)
        try:
            on = self.calls.get(envelope.name)
            if not on:
                raise Failure(UNKNOWN_METHOD, f"{self.address} has no method {envelope.name}")
            reply = await on(Ask(envelope, body))
        except Failure as failure:
            answer.kind = FAIL
            reply = {"code": failure.code, "message": str(failure), "retryable": failure.retryable,
                     "retryAfterMs": failure.retry_after_ms}
        except asyncio.CancelledError:
            return  # the asker has given up
        except Exception as error:
            self.bus.log(f"{self.address}: {envelope.name}: {error!r}")
            answer.kind = FAIL
            reply = {"code": INTERNAL, "message": f"{self.address} broke on this message", "retryable": False}
        with contextlib.suppress(Failure):  # the asker has ended
            self.post(answer, body_pack(reply))

    def sent(self, header, body):
        self.counts["msgsOut"] += 1
        self.counts["bytesOut"] += len(header) + len(body)
        self.bus.show(self, header, len(body))

    def on_entry(self, address, entry):
        """The directory has news of a peer."""
        if address in self.links:
            self.links[address].apply(entry)
        if not entry["endpoint"] or entry["life"] == UNRESPONSIVE:
            for pending in self.pending.values():
                if pending.target == address:
                    pending.fail(UNAVAILABLE, f"{address}: went down before it answered", entry["retryAfterMs"] or 250)
            for (asker, _), task in list(self.serving.items()):
                if asker == address:
                    task.cancel()


# --- the process ---------------------------------------------------------------------------------------------------------------

class Pulse:
    """Signs of life in a page that the gateway sees too: it names an actor that hangs, and ends its process at last."""

    PLACE = 64  # of the first actor's; the page begins with how many places were taken

    def __init__(self, fd, address):
        self.page = None
        if fd:
            self.page = mmap.mmap(fd, 4096)
            os.close(fd)
            self.page[self.PLACE + 12:self.PLACE + 12 + len(address)] = address.encode()
            struct.pack_into("<I", self.page, 0, 1)
            struct.pack_into("<I", self.page, self.PLACE + 8, threading.get_native_id())
        self.turns = 0

    def beat(self, is_at_work):
        self.turns += 1
        if self.page:
            struct.pack_into("<Q", self.page, self.PLACE, self.turns << 1 | is_at_work)


class Watcher:
    """One who watches what we send: a tap."""

    def __init__(self, bus, endpoint, with_times):
        self.bus, self.with_times, self.batches, self.dropped = bus, with_times, {}, collections.Counter()
        self.push = bus.context.socket(zmq.PUSH)
        self.push.sndhwm, self.push.linger, self.push.reconnect_ivl = TAP_BATCHES_WAITING, 0, -1
        self.push.connect(endpoint)

    def add(self, actor, record):
        if not self.batches:
            asyncio.get_running_loop().call_later(TAP_GATHER_S, self.flush)
        self.batches.setdefault(actor.address, []).append(record)

    def flush(self):
        for address, records in self.batches.items():
            head = {"host": self.bus.host, "address": address, "dropped": self.dropped[address]}
            try:
                self.push.send(body_pack([head, *records]), flags=zmq.NOBLOCK)
            except zmq.ZMQError:  # it is slow; the bus does not wait
                self.dropped[address] += len(records)
        self.batches = {}


class Node(Actor):
    """host/NAME: what the gateway tells this process, and asks it."""

    def __init__(self, bus):
        super().__init__(f"host/{bus.host}",
                         calls={"bus.actors": self.on_actors, "bus.links": self.on_links, "bus.tap": self.on_tap,
                                "bus.settle": self.on_settle},
                         casts={"bus.stop": self.on_stop})
        self.bus, self.incarnation, self.life = bus, bus.incarnation, READY
        self.started_ns = 0

    def received(self, envelope, body, size):
        """Words about the directory count at once: what comes behind them may depend on them."""
        if envelope.kind == CAST and envelope.sender == SUPERVISOR:
            if envelope.name == "bus.sync":
                self.bus.on_sync(body)
            elif envelope.name == "bus.host_down":
                self.bus.on_host_down(body)
            elif envelope.name == "bus.rebind":
                self.bus.bind(is_again=True)
        super().received(envelope, body, size)

    async def on_stop(self, ask):
        if ask.sender == SUPERVISOR:
            self.bus.stopping.set()

    async def on_settle(self, _):
        return {}  # news of subscriptions came on this same way, so they have been heard

    async def on_actors(self, _):
        use = resource.getrusage(resource.RUSAGE_SELF)
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
        return {"host": self.bus.host, "pid": os.getpid(), "rssBytes": pages * resource.getpagesize(),
                "cpuSeconds": use.ru_utime + use.ru_stime, "actors": [self.row(each) for each in self.bus.actors]}

    @staticmethod
    def row(actor):
        counts = ("msgsIn", "msgsOut", "bytesIn", "bytesOut", "refused", "handled", "waitedNs", "busyNs")
        return {"address": actor.address, "def": type(actor).__name__, "life": LIVES[actor.life],
                "status": actor.status_text, "incarnation": actor.incarnation & 0xFFFF, "restarts": 0, "lastFault": "",
                "mailboxMsgs": 0, "mailboxMsgsMax": WINDOW_MSGS, "mailboxBytes": 0, "mailboxBytesMax": WINDOW_BYTES,
                "deadLetters": 0, "eventsLost": 0, "eventsDropped": 0, "callsOpen": len(actor.pending),
                **{name: actor.counts[name] for name in counts}}

    async def on_links(self, _):
        return {"actors": [
            {"address": actor.address,
             "links": [{"to": link.peer, "state": "up" if link.push else "down", "msgs": link.sent_msgs,
                        "bytes": link.sent_bytes, "waiting": len(link.waiting)} for link in actor.links.values()],
             "topics": []} for actor in (self, *self.bus.actors)]}

    async def on_tap(self, ask):
        endpoint = ask.body.get("endpoint", "")
        if not ask.body.get("on", True):
            watcher = self.bus.watchers.pop(endpoint, None)
            if watcher:
                watcher.push.close(linger=0)
        elif endpoint not in self.bus.watchers:
            self.bus.watchers[endpoint] = Watcher(self.bus, endpoint, bool(ask.body.get("times")))
        return {}


class Bus:
    def __init__(self, actors, environment=os.environ):
        self.host = environment["OPENCLAW_BUS_HOST"]
        self.run_dir = environment["OPENCLAW_BUS_RUN_DIR"]
        self.incarnation = int(environment["OPENCLAW_BUS_INCARNATION"])
        self.ready_fd = int(environment["OPENCLAW_BUS_READY_FD"])
        self.pulse = Pulse(int(environment.get("OPENCLAW_BUS_PULSE_FD", "0")), actors[0].address)
        self.context = zmq.Context()
        self.pull = self.context.socket(zmq.PULL)
        self.pull.rcvhwm, self.pull.linger = 0, 0
        self.actors, self.node = actors, Node(self)
        for actor in actors:
            actor.bus, actor.incarnation = self, self.incarnation << 16 | 1
        self.by_address = {actor.address: actor for actor in (self.node, *actors)}
        self.entries, self.topics, self.watchers = {}, {}, {}
        self.tasks, self.malformed = set(), 0
        self.stopping = None

    # the directory

    def endpoints(self):
        return (f"ipc://{self.run_dir}/host-{self.host}.sock", f"ipc://{self.run_dir}/{self.host}-{self.incarnation}-1.sock")

    def bind(self, is_again=False):
        """The node's name is the same in every life, that of the actors is of this life alone."""
        for endpoint in self.endpoints():
            if not is_again or not os.path.exists(endpoint.removeprefix("ipc://")):
                self.pull.bind(endpoint)

    def entry(self, address):
        if address == SUPERVISOR:
            return {"endpoint": f"ipc://{self.run_dir}/supervisor.sock", "incarnation": 1, "life": READY}
        return self.entries.get(address)

    def subscribers(self, topic):
        return list(self.topics.get(topic, ()))

    def on_sync(self, body):
        for each in body.get("topics", ()):
            peers = self.topics.setdefault(each["name"], {})
            if each.get("on", True):
                peers[each["address"]] = each.get("host", "")
            else:
                peers.pop(each["address"], None)
        for entry in body.get("entries", ()):
            if entry.get("host") != self.host:
                self.entries[entry["address"]] = entry
                self.news(entry["address"])

    def on_host_down(self, body):
        for address, entry in list(self.entries.items()):
            if entry["host"] == body.get("host"):
                entry.update(endpoint="", life=body.get("life", 0), retryAfterMs=body.get("retryAfterMs", 0))
                self.news(address)
        for peers in self.topics.values():
            for address in [address for address, host in peers.items() if host == body.get("host")]:
                del peers[address]

    def news(self, address):
        for actor in self.by_address.values():
            actor.on_entry(address, self.entries[address])

    def tell(self, actor):
        """The directory hears how this actor is."""
        self.node.post(Envelope(CAST, self.node.address, SUPERVISOR, "bus.sync"), body_pack({"entries": [
            {"address": actor.address, "host": self.host, "endpoint": "" if actor.life == STOPPED else self.endpoints()[1],
             "incarnation": actor.incarnation, "life": actor.life, "retryAfterMs": 0, "status": actor.status_text}]}))

    # messages

    def drain(self):
        """The descriptor of a ZeroMQ socket tells of changes alone, so all there is must be taken, or looked at again."""
        self.pulse.beat(True)
        for _ in range(DRAIN_MAX):
            try:
                frames = self.pull.recv_multipart(flags=zmq.NOBLOCK)
            except zmq.Again:
                asyncio.get_running_loop().call_soon(self.pulse.beat, False)
                return
            self.take(frames)
        asyncio.get_running_loop().call_soon(self.drain)

    def take(self, frames):
        began = time.monotonic_ns()
        try:
            envelope = Envelope.unpack(frames[0])
            body = body_unpack(frames[1]) if len(frames) > 1 else {}
            envelope.body_bytes = sum(map(len, frames[1:]))
            actor = self.by_address[envelope.to]
            size = sum(map(len, frames))
            actor.counts.update(msgsIn=1, bytesIn=size, handled=1)
            actor.received(envelope, body, size)
        except Exception as error:  # whatever a peer sends must not end us
            self.malformed += 1
            if self.malformed == 1:
                self.log(f"a message that is not understood: {error!r}; more are counted in silence")
            return
        busy = time.monotonic_ns() - began
        actor.counts["busyNs"] += busy
        self.show(actor, frames[0], envelope.body_bytes, [0, busy // 1000])

    def show(self, actor, header, body_bytes, handled=None):
        """To whoever watches. Bodies stay here: which of their fields are secret, the gateway's schema knows."""
        for watcher in self.watchers.values():
            if not handled or watcher.with_times:
                watcher.add(actor, [time.time_ns() // 1000, header, body_bytes, None, None, None, handled])

    def spawn(self, coroutine):
        """Runs it beside all else; that it broke is logged."""
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.task_ended)
        return task

    def task_ended(self, task):
        self.tasks.discard(task)
        if not task.cancelled() and task.exception():
            self.log(f"{task.get_coro().__qualname__}: {task.exception()!r}")

    def log(self, text):
        print(f"{self.host}: {text}", file=sys.stderr, flush=True)

    # life

    def run(self):
        asyncio.run(self.serve())

    async def serve(self):
        loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            loop.add_signal_handler(number, self.stopping.set)
        self.bind()
        loop.add_reader(self.pull.fd, self.drain)
        loop.call_soon(self.drain)
        await self.node.cast(SUPERVISOR, "bus.hello",
                             {"host": self.host, "pid": os.getpid(), "incarnation": self.incarnation})
        for actor in self.actors:
            await self.begin(actor)
        os.write(self.ready_fd, b"1")
        os.close(self.ready_fd)
        await self.stopping.wait()
        for actor in self.actors:
            await actor.stop()
            actor.life = STOPPED
            self.tell(actor)
        loop.remove_reader(self.pull.fd)
        self.context.destroy(linger=500)

    async def begin(self, actor):
        self.tell(actor)
        if actor.topics:
            await self.node.cast(SUPERVISOR, "bus.sync", {"topics": [
                {"name": name, "address": actor.address, "host": self.host, "on": True} for name in actor.topics]})
            await self.node.call(SUPERVISOR, "bus.settle", {"who": actor.address}, timeout=4)
        await actor.start()
        actor.life = READY
        self.tell(actor)
