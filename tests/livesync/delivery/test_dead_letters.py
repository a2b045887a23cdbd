"""Dead letters: a refused record is sent again, or set aside, and keeps back nothing else."""

from __future__ import annotations

import pytest

from livesync.delivery import push_agent, window_sender
from livesync.delivery.deliverer import Deliverer
from livesync.errors import PartialFailure
from scheduler.store import transact
from tests.livesync.agents_for_tests import Target, TargetAgent, targets
from tests.livesync.delivery.conftest import NOW, add_agent, agent_of, letters, position, set_terms


def test_a_record_that_cannot_be_sent_keeps_back_nothing_but_itself(target, change, update, look):
    change(*"abcdefg")
    target.troubles["c"] = ValueError("c is no good")

    assert update()["a"] == "up to date: 6 records"
    assert sorted(target.taken) == list("abdefg")
    assert look(letters)["c"].reason == "ValueError: c is no good"
    assert look(position) == NOW // 100 - 1


def test_a_refused_record_is_sent_again_with_growing_waits_and_then_set_aside(
    target, change, update, look, clock
):
    look(set_terms(tries=4))
    change("good", "bad")
    target.troubles["bad"] = ValueError("bad")
    update()
    for expected in (2, 3):
        update()
        assert look(letters)["bad"].tries == expected
        update()
        assert look(letters)["bad"].tries == expected
        clock.advance(3600)
    update()

    assert look(letters)["bad"].due is None
    assert look(lambda agent: len(list(agent.delivery_state.dead_letters.dead()))) == 1
    clock.advance(10**6)
    del target.troubles["bad"]
    update()
    assert target.taken == ["good"]


def test_a_letter_goes_once_its_record_is_taken(target, change, update, look):
    change("good", "bad")
    target.troubles["bad"] = ValueError("bad")
    update()
    del target.troubles["bad"]
    update()

    assert target.taken == ["good", "bad"]
    assert look(letters) == {}


def test_a_later_state_of_the_object_takes_the_place_of_a_letter(
    target, change, update, look, clock
):
    change("good", "bad")
    target.troubles["bad"] = ValueError("bad")
    update()
    update()
    del target.troubles["bad"]
    change("bad")
    clock.advance(200)
    update()

    assert target.taken.count("bad") == 1
    assert look(letters) == {}


def test_many_letters_that_are_refused_again_fail_no_run(target, change, update, look, clock):
    names = [f"bad{number}" for number in range(8)]
    for name in names:
        target.troubles[name] = ValueError("bad")
    for name in names:
        # Each with something good, so that it is known for what it is.
        change(f"good for {name}", name)
        update()
        clock.advance(200)
    clock.advance(4000)
    change("new")
    clock.advance(200)

    assert update()["a"] == "up to date: 1 records"
    assert sorted(look(letters)) == names


@pytest.mark.parametrize("parallel", [1, 3])
def test_any_text_is_an_id(target, change, update, look, parallel):
    look(set_terms(parallel=parallel))
    names = ["7", "7/2", "7\0002", "#1", "record-1", "\ud800", "", " ", "x" * 1000]
    change(*names)

    assert update()["a"] == f"up to date: {len(names)} records"
    assert sorted(target.taken) == sorted(names)


def test_a_record_refused_for_good_is_set_aside_at_once(target, change, update, look):
    def refuse(names):
        if "b" in names:
            raise PartialFailure("not all", {names.index("b"): "b is too big"})

    target.before = refuse
    change(*"abc")

    assert update()["a"] == "up to date: 2 records"
    assert look(letters)["b"].reason == "b is too big"
    assert look(letters)["b"].due is None


def test_a_target_that_is_down_makes_no_dead_letters(target, change, update, look, clock):
    look(set_terms(tries=3))
    for name in "abcdef":
        target.troubles[name] = RuntimeError("down")
    change(*"abcdef")
    for _ in range(8):
        update()
        clock.advance(4000)

    assert look(letters) == {}
    assert look(position) is None
    assert look(lambda agent: agent.last_failure)[1] == "RuntimeError: down"
    target.troubles.clear()
    update()
    assert sorted(target.taken) == list("abcdef")


def test_a_single_record_that_fails_for_ever_is_set_aside_in_the_end(
    target, change, update, look, clock
):
    look(set_terms(tries=3))
    target.troubles["bad"] = ValueError("bad")
    change("bad")
    for _ in range(3):
        update()
        clock.advance(4000)

    assert look(letters)["bad"].due is None
    assert look(position) is not None


def test_a_record_that_fails_alone_does_not_keep_back_what_comes_later(
    target, change, update, look, clock
):
    target.troubles["bad"] = ValueError("bad")
    change("bad")
    assert update()["a"] == "failed: ValueError: bad"
    change("good")
    clock.advance(100)
    update()

    assert target.taken == ["good"]
    assert list(look(letters)) == ["bad"]


def test_a_change_of_which_no_record_can_be_made_is_set_aside(
    database, target, change, update, look, monkeypatch
):
    reduce = push_agent.reduce

    def fail_over_bad(data, *more):
        data = list(data)
        for _, action in data:
            if action.getObjectId() == "bad":
                raise KeyError("bad cannot be read")
        return reduce(data, *more)

    monkeypatch.setattr(push_agent, "reduce", fail_over_bad)
    change("a", "bad", "c")
    assert update() == {"a": "up to date: 2 records"}
    (letter,) = look(letters).values()
    assert letter.reason == "KeyError: 'bad cannot be read'"
    monkeypatch.setattr(push_agent, "reduce", reduce)
    look(lambda agent: agent.delivery_state.dead_letters.change(letter.name, due=0.0))
    update()

    assert sorted(target.taken) == ["a", "bad", "c"]
    assert look(letters) == {}


class Counting(TargetAgent):
    """Counts its runs, in itself."""

    runs = 0

    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        self.runs += 1
        return super()._run(data, logger, monitor, dbi, task)


def test_a_refused_record_is_a_dead_letter_before_the_pointer_moves(
    database, target, change, look, monkeypatch
):
    def commit_and_die(connection, _agent_id):
        connection.transaction_manager.commit()
        raise KeyboardInterrupt

    targets["counting"] = Target()
    transact(database, lambda own: add_agent(own, "counting", Counting))
    monkeypatch.setattr(window_sender, "_committed", commit_and_die)
    change("good", "bad")
    targets["counting"].troubles["bad"] = ValueError("bad")
    with pytest.raises(KeyboardInterrupt):
        Deliverer(database, "counting").deliver(NOW)

    with database.transaction() as connection:
        agent = agent_of(connection, "counting")
        assert agent.runs == 1
        assert position(agent) is not None
        assert list(letters(agent)) == ["bad"]
