"""The search of events, and the index behind it, against a search through all of them.

Covers `export.model.catalogue`, `export.model.entry`, `export.model.word_index`,
`export.resources.search`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
import transaction
import ZODB
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from export.model.access import Protection
from export.model.catalogue import catalogue
from export.model.category import Category
from export.model.conference import Conference
from export.model.entry import natural
from export.model.event_index import UNDATED
from export.model.word_index import WordIndex, words
from scheduler.store import transact, using
from tests.export.planting import error, get

TITLES = {
    "101465": ("Rehearsals for ICHEP Friday 16th July Afternoon Session", "2010-07-16T11:00"),
    "102669": ("Overview of LHC physics results at ICHEP", "2010-08-06T12:00"),
    "104128": ('Seminer Oturumu: "ATLAS status and highlights as of ICHEP"', "2010-08-18T17:00"),
    "145521": ("89th Plenary ECFA and Joint EPS\\ICHEP-ECFA Session", "2011-07-23T11:00"),
    "168897": ("ICHEP 2012 Outreach Planning Meeting", "2012-01-12T08:00"),
    "1": ("Hepatitis", "2012-01-12T08:00"),
}


@pytest.fixture
def titled(client, database):
    """A client of the events that reference 5.3.4 shows, and another one."""

    def add(connection):
        for number, (title, start) in TITLES.items():
            event = Conference(number, title)
            begins = datetime.fromisoformat(start).replace(tzinfo=UTC)
            event.setDates(begins, begins + timedelta(hours=1))
            catalogue(connection).add_event(event)

    transact(database, add)
    return client


def ids(client, term):
    return [event["id"] for event in get(client, f"/export/event/search/{term}.json")]


def test_the_documented_search_finds_what_is_documented(titled):
    found = get(titled, "/export/event/search/ic%20hep.json?tz=Europe/Zurich")
    assert found == [
        {
            "startDate": {"date": start[:10], "tz": "UTC", "time": f"{start[11:]}:00"},
            "hasAnyProtection": False,
            "id": number,
            "title": title,
        }
        for number, (title, start) in list(TITLES.items())[:5]
    ]


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("hep", ["1", "101465", "102669", "104128", "145521", "168897"]),
        ("HEPATITIS", ["1"]),
        ("ecfa", ["145521"]),
        ("eps%5Cichep", ["145521"]),
        ("physics%20ecfa", []),
        ("%22()", []),
        ("x.y", []),
        ("%C3%BC", []),
    ],
)
def test_every_word_has_to_be_in_the_title_and_a_beginning_counts_more(titled, term, expected):
    assert ids(titled, term) == expected


def test_only_what_the_caller_may_see_is_found(titled, database):
    def protect(connection):
        catalogue(connection).event("1").setProtection(Protection.RESTRICTED)

    transact(database, protect)
    assert ids(titled, "hepatitis") == []


def test_an_order_is_that_of_the_best_matches_that_the_limit_leaves(titled):
    answer = titled.get("/export/event/search/ichep.json?order=id&c=yes&n=2&O=1").json
    assert [event["id"] for event in answer["results"]] == ["104128", "102669"]
    assert answer["complete"] is True


def test_a_detail_is_ignored_and_a_limit_is_not(titled):
    assert len(get(titled, "/export/event/search/ichep.json?detail=x")) == 5
    assert error(titled, "/export/event/search/ichep.json?n=1001") == (
        400,
        "You can only request up to 1000 records per request with the detail level 'events'",
    )


LETTERS = st.text("abc é", max_size=12)


@given(st.dictionaries(st.text("123", min_size=1), LETTERS), LETTERS)
def test_the_index_of_words_finds_and_ranks_as_a_walk_does(texts, term):
    index = WordIndex()
    for one, text in texts.items():
        index.add(one, text)
    assert index.search(term) == {
        one: sum(rank(text, word) for word in words(term))
        for one, text in texts.items()
        if words(term) and all(holds(text, word) for word in words(term))
    }
    for one, text in texts.items():
        index.remove(one, text)
    assert not index._ids
    assert not index._words


def rank(text, wanted):
    found = [word for word in words(text) if wanted in word]
    return 3 if wanted in found else 2 if any(w.startswith(wanted) for w in found) else 1


WORDS = st.lists(st.sampled_from(["ab", "abc", "abcabc", "bca", "ΣΑΣ", "x"]), max_size=3).map(
    " ".join
)
TIMES = st.none() | st.integers(0, 40).map(
    lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
)


class Changes(RuleBasedStateMachine):
    """Any changes of events, with the index asked after each."""

    events = Bundle("events")
    categories = Bundle("categories")

    def __init__(self):
        super().__init__()
        self.database = ZODB.DB(None)
        self.connection = self.database.open(transaction.TransactionManager())
        self.context = using(self.connection)
        self.context.__enter__()
        self.catalogue = catalogue(self.connection)
        self.ids = count()

    def teardown(self):
        self.context.__exit__(None, None, None)
        self.connection.transaction_manager.abort()
        self.connection.close()
        self.database.close()

    @rule(target=categories, parent=st.none() | categories)
    def add_category(self, parent):
        category = Category(f"c{next(self.ids)}")
        self.catalogue.add_category(category, parent)
        return category

    @rule(target=events, title=WORDS, start=TIMES, hours=st.integers(0, 9), where=categories)
    def add_event(self, title, start, hours, where):
        event = Conference(str(next(self.ids)), title)
        event.setDates(start, start and start + timedelta(hours=hours))
        self.catalogue.add_event(event, where)
        return event

    @rule(event=events, title=WORDS)
    def rename(self, event, title):
        event.setTitle(title)

    @rule(event=events, start=TIMES, end=TIMES)
    def reschedule(self, event, start, end):
        if start is None or end is None or start <= end:
            event.setDates(start, end)

    @rule(event=events, where=categories)
    def move(self, event, where):
        self.catalogue.move_event(event, where)

    @rule(event=consumes(events))
    def remove(self, event):
        self.catalogue.remove_event(event)

    @rule(event=events, title=WORDS)
    def abort_a_change(self, event, title):
        self.connection.transaction_manager.commit()
        event.setTitle(title)
        self.connection.transaction_manager.abort()

    @rule(category=categories, start=TIMES, end=TIMES)
    def ask_by_date(self, category, start, end):
        expected = [
            event
            for event in self.catalogue.events.values()
            if category in event.getOwner().getCategoryPath() and overlaps(event, start, end)
        ]
        expected.sort(key=by_start)
        found = list(self.catalogue.index.between(category.getId(), start, end))
        assert found == [event.getId() for event in expected]

    @invariant()
    def search_finds_what_a_walk_finds(self):
        for term in ("ab", "c", "ab x", "bcab", "cabca", "ABC x", "σας", ""):
            found = self.catalogue.index.search(term)
            assert set(found) == {
                event.getId()
                for event in self.catalogue.events.values()
                if term and all(holds(event.getTitle(), word) for word in words(term))
            }
            assert len(found) == len(set(found))


def holds(title, wanted):
    return any(wanted in word for word in words(title))


def overlaps(event, start, end):
    begins = event.getStartDate() or event.getEndDate()
    ends = event.getEndDate() or begins
    if begins is None:
        return start is None and end is None
    return (start is None or ends >= start) and (end is None or begins <= end)


def by_start(event):
    begins = event.getStartDate() or event.getEndDate()
    return (begins.timestamp() if begins else UNDATED, natural(event.getId()))


TestChanges = Changes.TestCase
TestChanges.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
