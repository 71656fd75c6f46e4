"""Machines that are network namespaces on one switch, so that a test can pull their cables, or give them bad ones."""

import contextlib
import itertools
import os
import subprocess
import sys

import cable

CABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cable.py")
NUMBERS = itertools.count(2)


def why_not():
    """None when namespaces can be made here, else the reason."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"oc-try-{os.getpid()}"
    for words in (("netns", "add", name), ("-n", name, "link", "add", "sw", "type", "bridge"), ("netns", "del", name)):
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
            return f"ip {' '.join(words)}: {done.stderr.strip()}"
    return None


def why_no_bad_cable():
    """None when cables can be bad here, else the reason."""
    reason = why_not()
    if not reason and not os.access(cable.TUN, os.R_OK | os.W_OK):
        reason = f"{cable.TUN} is not there"
    return reason


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def unused_net():
    """Three numbers of a network that no other test on this machine is on, of the range for tests of networks (RFC 2544)."""
    used = subprocess.run(["ip", "-o", "-4", "address"], check=True, capture_output=True, text=True).stdout
    nets = (f"198.18.{(os.getpid() + i) % 256}" for i in range(256))
    return next(net for net in nets if f" {net}." not in used)


class Switch(contextlib.AbstractContextManager):
    """The gateway stays where it is; `machine` makes another one beside it, with a cable as bad as `bad` says, in words of
    cable.py."""

    def __init__(self, bad=None, seed=0):
        self.bad, self.seed, self.cables = bad, seed, []
        self.net = unused_net()
        self.gateway = f"{self.net}.1"
        self.mark = f"{os.getpid() % 100000}"
        self.space = f"oc-sw-{self.mark}"
        self.machines = []
        ip("netns", "add", self.space)
        ip("-n", self.space, "link", "add", "sw", "type", "bridge")
        ip("-n", self.space, "link", "set", "sw", "up")
        self.plug = f"ocg{self.mark}"
        ip("link", "add", self.plug, "type", "veth", "peer", "name", "gw", "netns", self.space)
        self.port("gw")
        ip("address", "add", f"{self.gateway}/24", "dev", self.plug)
        ip("link", "set", self.plug, "up")

    def port(self, name):
        ip("-n", self.space, "link", "set", name, "master", "sw", "up")

    def machine(self, name):
        space, number = f"oc-{name}-{self.mark}", next(NUMBERS)
        ip("netns", "add", space)
        self.machines.append(space)
        ip("-n", space, "link", "set", "lo", "up")
        if self.bad is None:
            ip("-n", space, "link", "add", "eth0", "type", "veth", "peer", "name", name, "netns", self.space)
        else:
            self.lay_bad_cable(name, space, number)
        self.port(name)
        ip("-n", space, "address", "add", f"{self.net}.{number}/24", "dev", "eth0")
        ip("-n", space, "link", "set", "eth0", "up")
        return ["ip", "netns", "exec", space]

    def lay_bad_cable(self, name, space, number):
        far = f"far{number}"
        self.cables.append(subprocess.Popen(
            ["ip", "netns", "exec", self.space, sys.executable, CABLE, name, far, *self.bad, "--seed", str(self.seed + number)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True))
        assert self.cables[-1].stdout.readline() == "ready\n", "the cable could not be laid"
        ip("-n", self.space, "link", "set", far, "netns", space, "name", "eth0")

    def cut(self, name):
        """Packets vanish in both directions; nobody is told."""
        ip("-n", self.space, "link", "set", name, "down")

    def mend(self, name):
        ip("-n", self.space, "link", "set", name, "up")

    def __exit__(self, *_):
        for each in self.cables:
            each.kill()
            each.wait()
            each.stdout.close()
        for space in [*self.machines, self.space]:
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", self.plug], capture_output=True, check=False)
