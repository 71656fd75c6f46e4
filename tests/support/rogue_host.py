#!/usr/bin/python3
"""A host of a topology that breaks the rules of the bus, in the way that its argument says, and then lives on."""

import asyncio
import os
import sys

import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/examples/lines"))
from openclaw_bus import CALL, CAST, Actor, Bus, Envelope, Link  # noqa: E402

FLOOD = 150_000  # nine windows


class Rogue(Actor):
    def __init__(self, manner):
        super().__init__("rogue")
        self.manner, self.ways = manner, []

    def raw(self, peer):
        """A way to a peer that nothing of ours bounds."""
        push = self.bus.context.socket(zmq.PUSH)
        push.sndhwm = 0
        push.connect(self.bus.entry(peer)["endpoint"])
        self.ways.append(push)  # stays, so that one can see whose it is
        return push

    async def start(self):
        self.bus.spawn(getattr(self, self.manner)())

    async def malformed(self):
        await self.known("router")
        header = Envelope(CAST, self.address, "router", "x", incarnation=self.incarnation).pack()
        for frames in ([b""], [b"\x9e"], [b"\xff" * 64, b""], [header[:-1], b""], [header, b"\xdf\xff\xff\xff\xff"],
                       [header, b"", b"", b"a third frame"], [b"\x9e\x02" + header[2:], b"\x80"], [os.urandom(4096)] * 2):
            for peer in ("router", "supervisor"):
                push = self.raw(peer)
                for _ in range(50):
                    push.send_multipart(frames)
        self.status("done")

    async def flood(self):
        """Casts and calls without regard to credit, faster than they can be handled: all of them wait behind a name that
        leads nowhere yet."""
        await self.known("router")
        name = os.path.join(self.bus.run_dir, "rogue-flood.sock")
        push = self.bus.context.socket(zmq.PUSH)
        push.sndhwm = 0
        push.connect(f"ipc://{name}")
        headers = [Envelope(kind, self.address, "router", "rogue.floods", corr=kind, id=1,
                            incarnation=self.incarnation).pack() for kind in (CAST, CALL)]
        body = b"\x80"
        for number in range(FLOOD):
            push.send_multipart([headers[number % 2], body])
        os.symlink(self.bus.entry("router")["endpoint"].removeprefix("ipc://"), name)

    async def babble(self):
        """Without end, but by the rules: only so much leaves as is taken."""
        await self.known("router")
        while True:
            await asyncio.gather(*(self.cast("router", "rogue_babbles", {"text": "x" * 100}) for _ in range(500)))
            link: Link = self.links["router"]
            self.status(f"sent {link.sent_msgs}")

    async def hang(self):
        """At work on something, and never done."""
        await self.known("router")
        self.calls["rogue_hangs"] = None
        while True:
            pass

    async def known(self, peer):
        while not (self.bus.entry(peer) or {}).get("endpoint"):
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    Bus([Rogue(sys.argv[1])]).run()
