"""Replicas at targets, after histories by chance: what a full export would bring."""

from __future__ import annotations

import os
from random import Random

import pytest

from export.model.conference import Conference
from export.model.contribution import Contribution, SubContribution
from livesync.objects.object_model import parts, unique_id
from livesync.records.change_filter import EVERYTHING, ChangeFilter
from tests.livesync.records.world import is_closed, is_secret, replicas

SOAK = bool(os.environ.get("SOAK"))


EXCLUSIONS = [
    {},
    {"categories": ["hidden"]},
    {"categories": ["inner", "x"]},
    {"functions": [is_secret]},
    {"categories": ["hidden"], "functions": [is_closed]},
    {"functions": [is_secret, is_closed]},
    {"classes": [SubContribution]},
]


class History:
    """Random changes of a world, and deliveries of random parts of them."""

    def __init__(self, world, seed, clock):
        self.world = world
        self.random = Random(seed)
        self.clock = clock
        self.count = 0
        self.was_seen = set()
        self.has_moved_branch = False

    def step(self):
        changes = [
            *[self.create, self.move, self.move, self.remove, self.rename, self.protect] * 3,
            *(self.move_category, self.protect_category, self.rename_category, self.exclude),
            *(self.take_out, self.put_in, self.lose),
        ]
        for _ in range(self.random.choice((1, 1, 2, 3))):
            self.random.choice(changes)()
            self.was_seen |= self.world.seen()
        self.world.commit()
        self.clock.advance(self.random.choice((0, 0, 1, 50, 150)))
        for name, chance in (("often", 0.5), ("seldom", 0.1)):
            if self.random.random() < chance:
                self.deliver(name)

    def deliver(self, name):
        track = self.world.manager.getTrack()
        till = self.random.choice((None, -1))
        if till is not None:
            till = track.last_before(till)
        self.world.deliver(name, till)
        if till is None:
            self.check(name)

    def check(self, name):
        assert replicas[name].has == self.world.export(name)
        if self.is_short:
            assert self.was_seen.issuperset(replicas[name].deleted)

    def category(self):
        names = [name for name in self.world.found.categories if name != "0"]
        return self.world.found.category(self.random.choice(names))

    def event(self):
        names = list(self.world.found.events)
        return self.world.found.event(self.random.choice(names)) if names else self.create()

    def create(self):
        self.count += 1
        event = Conference(str(self.count), self.random.choice(("Open", "Secret")))
        for number in range(self.random.choice((0, 1, 2))):
            event.addContribution(Contribution(str(number), "A talk"))
        self.world.found.add_event(event, self.category())
        self.was_seen |= self.world.seen()
        if self.has_moved_branch:
            # It may be in a branch that is hidden since, and of which that is not told yet.
            self.was_seen |= {unique_id(obj) for obj in (event, *parts(event))}
        return event

    def move(self):
        self.world.found.move_event(self.event(), self.category())

    def remove(self):
        self.world.found.remove_event(self.event())

    def rename(self):
        self.event().setTitle(self.random.choice(("Open", "Secret", "Other")))

    def protect(self):
        self.event().setProtection(self.random.choice((-1, 0, 1)))

    def move_category(self):
        category, parent = self.category(), self.category()
        self.has_moved_branch = True
        if category not in parent.getCategoryPath():
            self.world.found.move_category(category, parent)

    def protect_category(self):
        self.category().setProtection(self.random.choice((-1, 0, 1)))

    def rename_category(self):
        self.category().setTitle(self.random.choice(("Secret", "Open")))

    def exclude(self):
        self.world.manager.exclude(**self.random.choice(EXCLUSIONS))

    def take_out(self):
        event = self.event()
        for contribution in list(event.getContributionList())[:1]:
            event.removeContribution(contribution)

    def put_in(self):
        event = self.event()
        if "9" not in event.contributions:
            event.addContribution(Contribution("9", self.random.choice(("Open", "Secret"))))

    def lose(self):
        savepoint = self.world.connection.transaction_manager.savepoint()
        self.random.choice((self.remove, self.move, self.exclude, self.move_category))()
        savepoint.rollback()


def follow(world, seed, clock, steps, *, is_short=True, wanted=EVERYTHING):
    world.add_agent("often", wanted)
    world.add_agent("seldom", wanted)
    history = History(world, seed, clock)
    history.is_short = is_short
    for _ in range(steps):
        history.step()
    for name in ("often", "seldom"):
        world.deliver(name)
        history.check(name)


@pytest.mark.parametrize("seed", range(12))
def test_a_replica_is_always_like_a_full_export(world, relay_clock, seed):
    follow(world, seed, relay_clock, 40)


@pytest.mark.parametrize("seed", range(300, 400 if SOAK else 308))
@pytest.mark.parametrize(
    "wanted",
    [
        ChangeFilter.of_texts(categories="open"),
        ChangeFilter.of_texts(categories="inner,hidden", types="event"),
        ChangeFilter.of_texts(classes="Contribution", categories="x"),
    ],
    ids=("category", "category and type", "category and class"),
)
def test_a_replica_of_what_is_wanted_is_always_like_its_full_export(
    world, relay_clock, seed, wanted
):
    # What moves about outside may be deleted once more than needed.
    follow(world, seed, relay_clock, 40, is_short=False, wanted=wanted)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 200 if SOAK else 106))
def test_however_long_it_goes_on_a_replica_is_a_full_export(world, relay_clock, seed):
    # What is made in a branch after it was hidden may be deleted once more than needed.
    follow(world, seed, relay_clock, 100, is_short=False)
