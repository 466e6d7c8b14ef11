"""Is the line fair, and does it lose nobody?"""

import asyncio
import random
from collections import Counter

import pytest

from course_utils.classroom.line import Line, LineFull, ordinal


def a_line(slots=2, per_learner=1, longest=100, longest_per_learner=50):
    return Line(
        slots, per_learner=per_learner, longest=longest, longest_per_learner=longest_per_learner
    )


def in_loop(test):
    """Run an ordinary function inside an event loop, where lines live."""

    def run():
        async def inside():
            test()

        asyncio.run(inside())

    run.__name__ = test.__name__
    return run


@in_loop
def test_a_learner_with_fifty_requests_does_not_keep_the_others_waiting():
    line = a_line(slots=2, per_learner=2)
    flood = [line.join("greedy") for _ in range(50)]
    ann, ben = line.join("ann"), line.join("ben")
    assert [ticket.slot is not None for ticket in (*flood[:3], ann)] == [True, True, False, False]
    assert line.place_of(ann) == 1 and line.place_of(ben) == 2 and line.place_of(flood[2]) == 3
    line.leave(flood[0])
    assert ann.called.is_set() and not flood[2].called.is_set()


@in_loop
def test_one_learner_has_no_more_slots_than_the_limit_even_when_others_are_free():
    line = a_line(slots=4, per_learner=2)
    asked = [line.join("ann") for _ in range(3)]
    assert [ticket.called.is_set() for ticket in asked] == [True, True, False]
    ben = line.join("ben")
    assert ben.called.is_set(), "whoever comes later passes a learner who has enough"


@in_loop
def test_the_thirty_first_learner_is_told_a_place():
    line = a_line(slots=8)
    tickets = [line.join(f"learner {number}") for number in range(31)]
    assert line.place_of(tickets[7]) == 0 and line.place_of(tickets[30]) == 23
    line.leave(tickets[20])
    assert line.place_of(tickets[30]) == 22


@in_loop
def test_a_request_goes_to_the_model_server_that_has_the_fewest_replies_to_write():
    line = Line(8, per_learner=4, longest=9, longest_per_learner=9, servers=4)
    draw, running = random.Random(3), []
    for number in range(200):
        if len(running) == 8 or (running and draw.random() < 0.5):
            line.leave(running.pop(draw.randrange(len(running))))
            continue
        before = Counter(ticket.slot % 4 for ticket in running)
        running.append(line.join(f"learner {number}"))
        chosen = running[-1].slot % 4
        assert before[chosen] == min(before[server] for server in range(4))


@in_loop
def test_whoever_gets_the_name_of_somebody_who_left_does_not_get_their_cache():
    line = a_line(slots=1)
    line.leave(line.join("ann"))
    line.forget_all_but({"ben"})
    assert not line.join("ann").warm


@in_loop
def test_who_leaves_the_line_or_a_slot_leaves_nothing_behind():
    line, draw = a_line(slots=3, per_learner=2), random.Random(1)
    present = []
    for _ in range(2000):
        if present and draw.random() < 0.5:
            line.leave(present.pop(draw.randrange(len(present))))
        else:
            try:
                present.append(line.join(draw.choice("abcdef")))
            except LineFull:
                continue
        slots = [ticket.slot for ticket in line.running]
        assert len(slots) == len(set(slots)) <= 3
        assert len(line.running) + len(line.waiting()) == len(present)
        owners = [ticket.owner for ticket in line.running]
        assert all(owners.count(owner) <= 2 for owner in owners)
        if len(slots) < 3:
            assert all(owners.count(ticket.owner) == 2 for ticket in line.waiting())
    for ticket in present:
        line.leave(ticket)
    assert not line.running and not line.waiting()


@in_loop
def test_a_slot_is_warm_only_for_whoever_used_it_last():
    line = a_line(slots=2, per_learner=2)
    ann = line.join("ann")
    assert not ann.warm
    line.leave(ann)
    again = line.join("ann")
    assert again.warm and again.slot == ann.slot
    line.leave(again)
    ben = line.join("ben")
    assert not ben.warm and ben.slot != ann.slot, "the slot that nobody has used goes first"
    cleo = line.join("cleo")
    assert cleo.slot == ann.slot and not cleo.warm
    line.leave(cleo)
    assert not line.join("ann").warm, "cleo's cache is not ann's"


@in_loop
def test_a_model_that_was_started_again_has_no_warm_slots():
    line = a_line()
    line.leave(line.join("ann"))
    line.forget_caches()
    assert not line.join("ann").warm


@in_loop
def test_while_it_is_held_nobody_is_called_and_places_are_kept():
    line = a_line(slots=1)
    line.hold("paused")
    line.hold("loading")
    first, second = line.join("ann"), line.join("ben")
    line.release("paused")
    assert not first.called.is_set()
    line.release("loading")
    assert first.called.is_set() and line.place_of(second) == 1


@in_loop
def test_a_full_line_says_so_and_whether_the_learner_fills_it():
    line = a_line(slots=1, longest=3, longest_per_learner=2)
    line.join("ann")
    line.join("ann"), line.join("ann")
    with pytest.raises(LineFull) as own:
        line.join("ann")
    assert own.value.own and own.value.waiting == 2
    line.join("ben")
    with pytest.raises(LineFull) as everybody:
        line.join("cleo")
    assert not everybody.value.own and everybody.value.waiting == 3


def test_places_read_as_people_say_them():
    numbers = (1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111)
    assert [ordinal(number) for number in numbers] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "101st", "111th",
    ]  # fmt: skip
