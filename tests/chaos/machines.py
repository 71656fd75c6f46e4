"""Three machines, with cables as bad as asked and one clock that is wrong: any process on any of them is killed, and cables
are pulled."""

import os
import signal
import time

import rig
from gateway import until

RETURN_S = 60  # how long a return may take before the run ends; what it should take is --recovery
OTHER = "others"
REMOTE = ("agents", OTHER)
SETTLED_S = 2.5  # by then a cut was noticed on both sides


class Machines(rig.Rig):
    """The gateway, one machine with agent `main`, one with agent `ops`. What supervises a machine is started again by us, as
    the operator's service manager would; while the gateway's is away nobody can be let in."""

    agents = ("main", "ops")
    config = {"agents": {"list": [{"id": "main", "default": True}, {"id": "ops"}],
                         "defaults": {"model": {"primary": "builtin/echo"}}}}
    deeds_of = ("main", *REMOTE, "keeper of agents", f"keeper of {OTHER}", "keeper of the gateway", "cut", "cut and kill")

    def __init__(self, options, network):
        super().__init__(options, network)
        self.is_closed = False  # by us: the gateway's supervising process is away
        self.took = {deed: [] for deed in self.deeds_of}
        self.gateway.add_host(OTHER, "agent/ops")
        self.gateway.more[0].skew_s = options.skew

    def on_refused(self, error):
        if not self.is_closed:
            super().on_refused(error)

    def is_whole(self):
        try:
            return super().is_whole()
        except OSError:
            return False

    def machine(self, name):
        return next(each for each in self.gateway.others() if each.host == name)

    def pid_of(self, name):
        control = self.control if name == "main" else rig.Control(self.machine(name).state_dir)
        return next(host["pid"] for host in control.hosts() if host["name"] == name)

    def kill_keeper(self, machine):
        machine.process.kill()
        machine.process.wait()
        (machine.spawn if machine is self.gateway else machine.start)()

    def do_one(self, number):
        deed = self.random.choice(self.deeds_of)
        since = self.cut(deed) if deed.startswith("cut") else self.kill(deed)
        what = f"{deed} ({number})"
        until(lambda: self.is_whole() and self.answers(), RETURN_S, f"a whole gateway after {what}")
        self.is_closed = False
        self.until_all_get_on(f"work after {what}")
        self.recovered(since, what)
        self.took[deed].append(self.recoveries[-1])

    def kill(self, deed):
        killed = time.monotonic()
        if deed == "keeper of the gateway":
            self.is_closed = True
            self.kill_keeper(self.gateway)
        elif deed.startswith("keeper"):
            self.kill_keeper(self.machine(deed.rpartition(" ")[2]))
        else:
            os.kill(self.pid_of(deed), signal.SIGKILL)
        return killed

    def cut(self, deed):
        """Some cuts are so short that nobody notices; nothing is started again for one."""
        name = self.random.choice(REMOTE)
        pids = sorted(self.gateway.processes())
        self.network.cut(name)
        self.is_over.wait(self.random.uniform(0.2, 2 * SETTLED_S))
        if deed == "cut and kill":
            os.kill(self.pid_of(name), signal.SIGKILL)
            self.is_over.wait(self.random.uniform(0, SETTLED_S))
        self.network.mend(name)
        mended = time.monotonic()
        if deed == "cut":
            self.until_all_get_on("work after a cut")
            assert sorted(self.gateway.processes()) == pids, "something was started again for a cut"
        return mended

    def kill_all(self):
        super().kill_all()
        self.check_clock()

    def check_clock(self):
        """The clock that should be wrong was: else the run says nothing of wrong clocks."""
        with rig.Client(self.gateway.port, self.gateway.token) as client:
            session = next(reversed(self.senders[1].acknowledged))
            stamp = self.messages(client, session)[-1]["timestamp"] / 1000
        off = stamp - time.time() - self.options.skew
        assert abs(off) < 30, f"the clock of {OTHER} is {off:.0f} s away from what was asked"

    def deeds(self):
        """How often what was done, and until when all was well again: in the median, and at worst."""
        return "; ".join(f"{len(times)} × {deed} ({sorted(times)[len(times) // 2]:.2f} s, {max(times):.2f} s)"
                         for deed, times in self.took.items() if times)
