#!/usr/bin/python3
"""A channel of its own: people write lines to a Unix socket, an agent answers. An example for docs/bus-wire.md.

    { hosts: { main:  { actors: [...] },
               lines: { actors: ["channel/lines"], exec: ["/path/to/lines_channel.py", "--state", "/path/to/lines.db"] } } }

    $ nc -U ~/.openclaw/run/lines.sock
    ada                      the first line says who one is
    hello                    every other one is a message
    Echo: hello              an answer; its further lines begin with a space

What was taken in stands in a database before the agent is asked, and is asked again with the same key until there is
an answer; an answer stands there until it has been written to its person. So neither is lost nor doubled, whatever
ends in between: this program, the agent, the gateway.
"""

import argparse
import asyncio
import os
import sqlite3
import stat
import time
import uuid

from openclaw_bus import READY, Actor, Bus, Failure

LINE_MAX = 64 * 1024
NAME_MAX = 32
WAITING_MAX = 1000  # messages without an answer; more are refused
RETRY_MOST_S = 5
TABLES = """
CREATE TABLE IF NOT EXISTS inbox (id TEXT PRIMARY KEY, person TEXT, text TEXT);
CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, key TEXT UNIQUE, person TEXT, text TEXT, state TEXT, at INTEGER);
UPDATE outbox SET state = 'unknown' WHERE state = 'sending';
"""


def now_ms():
    return time.time_ns() // 1_000_000


class LinesChannel(Actor):
    def __init__(self, database, socket_path):
        super().__init__("channel/lines",
                         calls={"channel_status": self.on_status, "channel_deliver": self.on_deliver})
        self.socket_path, self.people, self.server = socket_path, {}, None
        self.database = sqlite3.connect(database, isolation_level=None)
        self.database.executescript("PRAGMA journal_mode = WAL;" + TABLES)
        self.since = self.started_at = now_ms()
        self.state, self.seen = "connecting", {}

    async def start(self):
        if os.path.exists(self.socket_path) and stat.S_ISSOCK(os.lstat(self.socket_path).st_mode):
            os.unlink(self.socket_path)  # of a life before
        self.server = await asyncio.start_unix_server(self.on_person, self.socket_path, limit=LINE_MAX)
        os.chmod(self.socket_path, 0o600)
        self.state, self.since = "up", now_ms()
        await self.publish("channel_changed", {"channel": "lines", "account": "default", "state": "up"})
        for key, person, text in self.database.execute("SELECT id, person, text FROM inbox ORDER BY rowid").fetchall():
            self.bus.spawn(self.ask(key, person, text))

    async def stop(self):
        self.server.close()

    # people

    async def on_person(self, reader, writer):
        name = ""
        try:
            name = (await reader.readline()).decode().strip()
            if not name.isidentifier() or len(name) > NAME_MAX:
                writer.write(b"! say a name first, of letters and digits\n")
                return
            self.people[name] = writer
            self.pump(name)
            while line := await reader.readline():
                self.take(name, line.decode(errors="replace").strip())
        except (OSError, ValueError) as error:  # it has gone, or its line has no end
            self.seen.update(last_error_at=now_ms(), last_error=str(error)[:500])
        finally:
            if self.people.get(name) is writer:
                del self.people[name]
            writer.close()

    def take(self, person, text):
        if not text:
            return
        if self.count("SELECT count(*) FROM inbox") >= WAITING_MAX:
            self.write(person, "! too much waits for an answer; try again later")
            return
        key = uuid.uuid4().hex
        self.database.execute("INSERT INTO inbox VALUES (?, ?, ?)", (key, person, text))
        self.seen.update(last_inbound_at=now_ms(), inbound_n=self.seen.get("inbound_n", 0) + 1)
        self.bus.spawn(self.ask(key, person, text))

    def write(self, person, text):
        self.people[person].write(text.replace("\n", "\n ").encode() + b"\n")

    # the agent

    async def ask(self, key, person, text):
        """A repeat of the key joins the run, or has its answer: it never runs twice."""
        wait_s = 0.1
        while True:
            try:
                reply = await self.call("router", "agent", {
                    "message": text, "sessionKey": f"agent:main:lines:{person}", "channel": "lines", "to": person,
                    "idempotencyKey": key}, timeout=None)
                answer = "\n".join(each.get("text", "") for each in reply["result"]["payloads"])
                break
            except Failure as failure:
                if not failure.retryable:
                    answer = f"! {failure}"
                    break
                await asyncio.sleep(max(wait_s, failure.retry_after_ms / 1000))
                wait_s = min(wait_s * 2, RETRY_MOST_S)
        with self.database:
            self.database.execute("BEGIN")
            self.put(key, person, answer)
            self.database.execute("DELETE FROM inbox WHERE id = ?", (key,))
        self.pump(person)

    # the outbox

    def put(self, key, person, text):
        """The row of that key, new or not: (id, state, whether it was there)."""
        added = self.database.execute("INSERT OR IGNORE INTO outbox (key, person, text, state, at) VALUES (?, ?, ?, ?, ?)",
                                      (key, person, text, "queued", now_ms())).rowcount
        return (*self.database.execute("SELECT id, state FROM outbox WHERE key = ?", (key,)).fetchone(), not added)

    def pump(self, person):
        """Marked before it leaves: a crash in between leaves `unknown`, never a second copy."""
        rows = self.database.execute("SELECT id, text FROM outbox WHERE person = ? AND state = 'queued' ORDER BY id",
                                     (person,)).fetchall()
        for number, text in rows if person in self.people else ():
            self.database.execute("UPDATE outbox SET state = 'sending' WHERE id = ?", (number,))
            self.write(person, text)
            self.database.execute("UPDATE outbox SET state = 'sent' WHERE id = ?", (number,))
            self.seen.update(last_outbound_at=now_ms(), outbound_n=self.seen.get("outbound_n", 0) + 1)

    def count(self, query):
        return self.database.execute(query).fetchone()[0]

    # what the gateway asks

    async def on_deliver(self, ask):
        person = ask.body.get("to") or ask.body["session_key"].rsplit(":", 1)[-1]
        number, state, is_repeat = self.put(ask.body["idempotency_key"], person, ask.body["text"])
        self.pump(person)
        return {"outbox_id": number, "state": state, "is_repeat": is_repeat}

    async def on_status(self, _):
        seen = {name: value for name, value in self.seen.items() if name not in ("inbound_n", "outbound_n")}
        return {"channel": "lines", "account": "default", "label": "Lines", "state": self.state, "since": self.since,
                "is_configured": True, "is_enabled": self.life == READY, "reconnect_attempts": 0,
                "last_start_at": self.started_at, "last_connected_at": self.since,
                "inbound_n": self.seen.get("inbound_n", 0), "outbound_n": self.seen.get("outbound_n", 0),
                "queued_n": self.count("SELECT count(*) FROM outbox WHERE state = 'queued'"),
                "unknown_n": self.count("SELECT count(*) FROM outbox WHERE state = 'unknown'"), "dead_n": 0, **seen}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--state", required=True, help="database of what was taken in and is to be sent")
    parser.add_argument("--socket", help="where people connect (lines.sock in the run directory)")
    options = parser.parse_args()
    os.umask(0o077)
    socket_path = options.socket or os.path.join(os.environ["OPENCLAW_BUS_RUN_DIR"], "lines.sock")
    Bus([LinesChannel(options.state, socket_path)]).run()


if __name__ == "__main__":
    main()
