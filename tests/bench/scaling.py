"""The model of docs/scaling.md: what simple traffic costs says what mixed traffic costs. Both run on the real bus.

A run is a call of an edge, by the router, to an agent, and the agent's events to every edge. The bus costs less for a
message the more there are at once, so there are two sets of prices: for traffic as fast as it goes, and (`rest`) for traffic
with pauses, in which each message wakes its receiver.
"""

import json
import os
import subprocess

LINKS = ("inproc", "ipc", "tcp")
KIB_TEXT = 8  # of the text by which bytes are priced
SMALL = 128  # bytes of texts and events of the shapes that give prices
EVENTS = 32
PACE = {"wait": 20, "events": 16, "gap": 10}  # as from a provider
MUST = 30  # percent that a figure may be off
CORES = os.cpu_count() or 1


class Bench:
    """Runs the shapes, and tells of each what it cost."""

    def __init__(self, program, scale):
        self.program, self.scale = program, scale

    def __call__(self, link, runs, **shape):
        shape["runs"] = max(int(runs * self.scale), 10)
        words = [f"{name}={value}" for name, value in shape.items()]
        done = subprocess.run([self.program, link, *words], capture_output=True, text=True, check=False, timeout=120)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode or not lines:
            raise RuntimeError(f"{link} {' '.join(words)}: {done.stderr[-2000:]}")
        found = json.loads(lines[0])
        if found["failed"]:
            raise RuntimeError(f"{link} {' '.join(words)}: {found['failed']} runs failed")
        return found


class Prices:
    """Microseconds of processor time over one kind of link, of all processes together; with more actors than cores, as a
    gateway has."""

    few = {"edges": 4, "agents": 8}
    more = {"edges": 8, "agents": 8, "makers": 4}  # the same runs, and as many edges more that hear of them

    def __init__(self, bench, link):
        self.call = bench(link, 5000, **self.few, window=32)["cpu_us"]
        large = bench(link, 2000, **self.few, window=32, text=1024 * KIB_TEXT)["cpu_us"]
        self.kib = (large - self.call) / (KIB_TEXT - SMALL / 1024)
        few, more = (bench(link, 250, **shape, window=4, events=EVENTS)["cpu_us"] for shape in (self.few, self.more))
        self.event_each = (more - few) / 4 / EVENTS  # for each edge that hears it
        self.event = (few - self.call) / EVENTS - 4 * self.event_each  # once
        alone = bench(link, 2000, window=1)
        self.call_rest, self.call_latency = alone["cpu_us"], alone["p50_us"]
        few, more = (bench(link, 20, **shape, **PACE, window=4)["cpu_us"] for shape in (self.few, self.more))
        self.event_each_rest = (more - few) / 4 / PACE["events"]
        self.event_rest = (few - self.call_rest) / PACE["events"] - 4 * self.event_each_rest

    def busy(self, shape):
        """Processor time of one run of traffic as fast as it goes."""
        edges, events = shape.get("edges", 1), shape.get("events", 0)
        text, event = ((shape.get(name, SMALL) - SMALL) / 1024 for name in ("text", "event"))
        # A call's text takes one way over the link for one within the process, and so is priced; an event's the link alone.
        return (self.call + self.kib * text + shape.get("work", 0)
                + events * (self.event + edges * (self.event_each + self.kib / 2 * event)))

    def rest(self, shape):
        edges, events = shape.get("edges", 1), shape.get("events", 0)
        """The same with pauses."""
        return self.call_rest + shape.get("work", 0) + events * (self.event_rest + edges * self.event_each_rest)

    def rest_latency(self, shape):
        """Of a whole run, in microseconds: its own pace, and the ways."""
        paced = 1000 * (shape["wait"] + (shape["events"] - 1) * shape["gap"] + (shape["gap"] - 1) / 2)
        return paced + self.call_latency * 4 / 3  # three ways of the call; the event's is a third more


BUSY = [
    ("events to all", {"edges": 10, "agents": 20, "window": 4, "text": 512, "events": 32, "event": 256}, 100),
    ("agents at work", {"edges": 6, "agents": 12, "window": 8, "text": 2048, "work": 100, "events": 16, "event": 512}, 250),
    ("large calls", {"edges": 8, "agents": 16, "window": 32, "text": 4096}, 2000),
]
SPREAD = ("the same over two", {**BUSY[0][1], "hosts": 2}, 100)
PACED = ("paced, as from a provider", {"edges": 8, "agents": 16, "window": 4, **PACE}, 16)


def off(measured, predicted):
    return 100 * (measured / predicted - 1)


def compare(bench, link, prices, tell):
    """`tell(what, predicted, measured, unit, error in percent)`, line by line."""
    for what, shape, runs in BUSY + ([SPREAD] if link != "inproc" else []):
        found, predicted = bench(link, runs, **shape), prices.busy(shape)
        tell(f"{link}: {what}, CPU per run", predicted, found["cpu_us"], "µs", off(found["cpu_us"], predicted))
        rate = CORES * 1e6 / predicted
        tell(f"{link}: {what}, runs a second, had it all cores", rate, found["per_second"], "/s", off(found["per_second"], rate))
    what, shape, runs = PACED
    found, predicted, latency = bench(link, runs, **shape), prices.rest(shape), prices.rest_latency(shape)
    tell(f"{link}: {what}, CPU per run", predicted, found["cpu_us"], "µs", off(found["cpu_us"], predicted))
    tell(f"{link}: {what}, latency", latency / 1000, found["p50_us"] / 1000, "ms", off(found["p50_us"], latency))
    rate = shape["edges"] * shape["window"] * 1e6 / latency
    tell(f"{link}: {what}, runs a second", rate, found["per_second"], "/s", off(found["per_second"], rate))


def memory(bench, link, tell):
    """What an agent, an edge, and a pair of them keep, from small numbers of them; and a larger one."""
    def kb(edges, agents):
        return bench(link, 200, edges=edges, agents=agents, window=1, events=1)["rss_kb"]
    base, agents, edges, both = kb(1, 1), kb(1, 17), kb(9, 1), kb(9, 17)
    agent, edge = (agents - base) / 16, (edges - base) / 8  # each with the one pair that it brings
    pair = (both - agents - edges + base) / (16 * 8)
    predicted, found = base + 31 * agent + 15 * edge + 31 * 15 * pair, kb(16, 32)
    tell(f"{link}: memory of 16 edges and 32 agents", predicted / 1024, found / 1024, "MB", off(found, predicted))
    return f"{link}: kB of memory: {agent:.0f} an agent, {edge:.0f} an edge, {pair:.1f} each further pair of them"


def told(watcher, ask):
    """What a client that only listens is told of one run: (events, bytes)."""
    ask()
    events, size = 0, 0
    try:
        while True:
            text = watcher.socket.receive(1)
            if json.loads(text).get("event") in ("agent", "chat"):
                events, size = events + 1, size + len(text)
    except TimeoutError:
        return events, size


def measure(program, scale, tell):
    """Returns what the prices are, for docs/scaling.md."""
    bench, lines = Bench(program, scale), []
    for link in LINKS:
        prices = Prices(bench, link)
        lines.append(f"{link}: " + ", ".join(f"{name} {value:.2f}" for name, value in vars(prices).items()))
        compare(bench, link, prices, tell)
    return lines + [memory(bench, link, tell) for link in LINKS]
