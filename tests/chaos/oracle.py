"""Finds what became of acknowledged messages: lost, doubled, or out of their order."""

import collections
import itertools

KEY_CHARS = 32


def keys_of(said, role):
    """The keys that texts of `role` have in them, in the order of the history."""
    return [word for who, text in said if who == role for word in text.split() if len(word) == KEY_CHARS]


def out_of_order(acknowledged, there):
    """Those that stand before one that was acknowledged before them."""
    places = {key: place for place, key in reversed(list(enumerate(there)))}
    kept = [key for key in acknowledged if key in places]
    return [later for earlier, later in itertools.pairwise(kept) if places[later] < places[earlier]]


class Verdict:
    """Of any number of sessions. One sender writes to a session, and sends each message until it is acknowledged before
    the next, so the order in which they were acknowledged is the order in which they must stand."""

    def __init__(self):
        self.total, self.unanswered = 0, 0
        self.lost, self.doubled, self.reordered, self.foreign = [], [], [], []

    def judge(self, session, tried, acknowledged, said):
        """`said`: (role, text) of the whole history."""
        asked, answered = (keys_of(said, role) for role in ("user", "assistant"))
        self.total += len(acknowledged)
        self.lost += [key for key in acknowledged if key not in set(asked)]
        for role, keys in (("user", asked), ("assistant", answered)):
            self.doubled += [f"{role} {key}" for key, n in collections.Counter(keys).items() if n > 1]
        self.reordered += [f"{session} {key}" for key in out_of_order(acknowledged, asked)]
        self.unanswered += len(set(acknowledged) - set(answered))
        self.foreign += [f"{session} {key}" for key in set(asked + answered) - set(tried)]

    def faults(self):
        return {"lost": self.lost, "doubled": self.doubled, "reordered": self.reordered, "foreign": self.foreign}

    def is_good(self):
        return self.total > 0 and not any(self.faults().values())
