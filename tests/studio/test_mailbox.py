"""Mailboxes: the newest of each key, in order, and no more than so many keys."""

from threading import Thread

from hypothesis import given
from hypothesis import strategies as st

from ntkit.studio.mailbox import Mailbox


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 99)), max_size=20))
def test_the_newest_of_each_key_comes_out_in_the_order_it_came(messages: list) -> None:
    box = Mailbox()
    for key, number in messages:
        assert box.put(key, bytes([number]))
    wanted = []
    for i, (key, number) in enumerate(messages):
        if key not in [k for k, _ in messages[i + 1 :]]:
            wanted.append(bytes([number]))
    found = [box.take(wait=False) for _ in wanted]
    assert found == wanted
    assert box.take(wait=False) is None


def test_too_many_keys_are_refused_and_a_known_one_is_not() -> None:
    box = Mailbox()
    taken = [box.put(str(i), b"old") for i in range(100)]
    assert taken == [True] * 64 + [False] * 36
    assert box.put("3", b"new")


def test_whoever_waits_is_let_go() -> None:
    box = Mailbox()
    found = []
    waiting = Thread(target=lambda: found.append(box.take()))
    waiting.start()
    box.close()
    waiting.join(10)
    assert found == [None]
    assert not box.put("a", b"late")
