"""What a process holds in its memory."""

import re

HUGE = 1 << 32  # larger mappings are the tables of a sanitizer, not data


def areas(pid):
    """(start, end, name, is_locked) of everything that may be written to and is there."""
    with open(f"/proc/{pid}/smaps", encoding="ascii") as file:
        lines = file.read().splitlines()
    current = None
    for line in lines:
        head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)", line)
        if head:
            current = (int(head[1], 16), int(head[2], 16), head[4], "w" in head[3])
        elif line.startswith("VmFlags:") and current and current[3] and current[1] - current[0] < HUGE:
            yield current[0], current[1], current[2], " lo" in line


def places(pid, value):
    """(name, is_locked, what stands around it) for each copy of `value`."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, name, is_locked in areas(pid):
            try:
                memory.seek(start)
                content = memory.read(end - start)
            except (OSError, OverflowError, ValueError):
                continue  # gone meanwhile, or the kernel's own
            at = content.find(value)
            while at >= 0:
                found.append((name, is_locked, content[max(0, at - 40):at + len(value) + 20]))
                at = content.find(value, at + 1)
    return found
