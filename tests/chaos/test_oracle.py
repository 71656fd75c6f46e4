"""The oracle of the chaos tests sees what it is there for."""

import oracle

A, B, C = (letter * oracle.KEY_CHARS for letter in "abc")


def verdict(asked, acknowledged=(A, B, C), answered=None):
    made = oracle.Verdict()
    said = [("user", f"mark {key}") for key in asked]
    said += [("assistant", f"Echo: mark {key}") for key in (asked if answered is None else answered)]
    made.judge("s", [A, B, C], list(acknowledged), said)
    return made


def found(made):
    return {name: len(items) for name, items in made.faults().items() if items}


def test_all_in_order_is_good():
    made = verdict([A, B, C])
    assert made.is_good() and made.total == 3 and made.unanswered == 0


def test_what_was_not_acknowledged_may_be_there_or_not():
    assert verdict([A, B, C], [A, B]).is_good() and verdict([A, B], [A, B]).is_good()


def test_nothing_acknowledged_proves_nothing():
    assert not verdict([], []).is_good()


def test_a_lost_message_is_found():
    assert found(verdict([A, C])) == {"lost": 1} and not verdict([A, C]).is_good()


def test_a_message_or_an_answer_that_is_there_twice_is_found():
    assert found(verdict([A, B, B, C], answered=[])) == {"doubled": 1}
    assert found(verdict([A, B, C], answered=[A, A])) == {"doubled": 1} and not verdict([A, B, C], answered=[A, A]).is_good()


def test_messages_out_of_their_order_are_found():
    assert found(verdict([B, A, C])) == {"reordered": 1} and not verdict([B, A, C]).is_good()
    assert found(verdict([C, A, B])) == {"reordered": 1}
    assert found(verdict([C, B, A])) == {"reordered": 2}


def test_a_message_that_nobody_sent_is_found():
    made = verdict([A, B, C, "d" * oracle.KEY_CHARS], answered=[])
    assert found(made) == {"foreign": 1} and made.unanswered == 3 and not made.is_good()
