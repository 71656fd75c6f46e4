"""Machines that are network namespaces on one switch, so that a test can pull their cables."""

import contextlib
import itertools
import os
import subprocess

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


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def unused_net():
    """Three numbers of a network that no other test on this machine is on, of the range for tests of networks (RFC 2544)."""
    used = subprocess.run(["ip", "-o", "-4", "address"], check=True, capture_output=True, text=True).stdout
    nets = (f"198.18.{(os.getpid() + i) % 256}" for i in range(256))
    return next(net for net in nets if f" {net}." not in used)


class Switch(contextlib.AbstractContextManager):
    """The gateway stays where it is; `machine` makes another one beside it."""

    def __init__(self):
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
        ip("-n", space, "link", "add", "eth0", "type", "veth", "peer", "name", name, "netns", self.space)
        self.port(name)
        ip("-n", space, "address", "add", f"{self.net}.{number}/24", "dev", "eth0")
        ip("-n", space, "link", "set", "eth0", "up")
        return ["ip", "netns", "exec", space]

    def cut(self, name):
        """Packets vanish in both directions; nobody is told."""
        ip("-n", self.space, "link", "set", name, "down")

    def mend(self, name):
        ip("-n", self.space, "link", "set", name, "up")

    def __exit__(self, *_):
        for space in [*self.machines, self.space]:
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", self.plug], capture_output=True, check=False)
