"""Imported events: each kind of source, and all that is kept of it.

Covers `export.imports.source`, `export.imports.indico.event_answer`,
`export.imports.indico.materials`.
"""

import contextlib
import json
import os
import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import ZODB
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client

from export.app import make_app
from export.errors import ImportRefused
from export.imports.loader import NothingLoaded, load
from export.imports.node import Node
from export.imports.source import items_of, of_answer
from export.model import listeners
from export.model.catalogue import catalogue
from scheduler.store import transact
from tests.places import ROOT, SMALL_EVENT

LIVE = Path(os.environ.get("LIVE_EXPORT", ROOT.parent / "shared/data/indico_event_acat2024.json"))
FILES = [SMALL_EVENT, *([LIVE] if LIVE.exists() else [])]
DOCUMENTED = (
    *("id", "title", "description", "startDate", "endDate", "timezone", "type"),
    *("location", "room", "category", "url"),
)
TALK = (
    *("id", "title", "description", "startDate", "endDate", "duration", "location", "room"),
    *("type", "track", "session", "url", "keywords", "material"),
    *("speakers", "primaryauthors", "coauthors"),
)


def problems_of(database, file, **how):
    return [problem for done in load(database, items_of(file), **how) for problem in done.problems]


def instants(value):
    if isinstance(value, dict) and set(value) == {"date", "time", "tz"}:
        moment = datetime.fromisoformat(f"{value['date']}T{value['time']}")
        return moment.replace(tzinfo=ZoneInfo(value["tz"]))
    return value


def same(got, wanted):
    for person, original in zip(got, wanted, strict=True):
        assert {key: person[key] for key in original} == original


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_imported_event_is_exported_with_the_values_that_went_in(database, client, file):
    assert problems_of(database, file) == []
    (original,) = json.loads(file.read_bytes())["results"]
    (event,) = client.get(f"/export/event/{original['id']}.json?detail=contributions").json[
        "results"
    ]
    same(event.pop("chairs"), original.pop("chairs"))
    talks = {talk["id"]: talk for talk in event.pop("contributions")}
    for name in DOCUMENTED:
        assert instants(event[name]) == instants(original[name]), name
    assert len(talks) == len(original["contributions"])
    for wanted in original["contributions"]:
        for name in TALK:
            if name in ("speakers", "primaryauthors", "coauthors"):
                same(talks[wanted["id"]][name], wanted[name])
            else:
                assert instants(talks[wanted["id"]][name]) == instants(wanted[name]), name


@pytest.mark.skipif(not LIVE.exists(), reason="needs a live Indico's answer")
def test_every_key_of_a_live_answer_comes_back_with_its_value(database, client):
    assert problems_of(database, LIVE) == []
    (original,) = json.loads(LIVE.read_bytes())["results"]
    (event,) = client.get(
        f"/export/event/{original['id']}.json?detail=contributions&tz=Europe/Zurich"
    ).json["results"]
    order = {talk["id"]: number for number, talk in enumerate(original["contributions"])}
    event["contributions"].sort(key=lambda talk: order[talk["id"]])
    original["categoryId"] = str(original["categoryId"])
    assert differences(original, event) == []


def differences(wanted, got, where="event"):
    """Where *got* is not as *wanted*; it may say more. Instants may be in another zone."""
    if isinstance(wanted, dict) and isinstance(got, dict) and "tz" not in wanted:
        return [
            found
            for key in wanted.keys() - {"_deprecated"}
            for found in differences(wanted[key], got.get(key, "missing"), f"{where}.{key}")
        ]
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        return [
            found
            for number, pair in enumerate(zip(wanted, got, strict=True))
            for found in differences(*pair, f"{where}[{number}]")
        ]
    return [] if instants(wanted) == instants(got) else [(where, wanted, got)]


@pytest.mark.parametrize(
    ("change", "message", "left"),
    [
        (lambda event: event.pop("title"), r"results\[0\]\.title is missing", None),
        (lambda event: event.update(startDate=3), r"startDate is 3", None),
        (lambda event: event.update(title="\ud83d"), r"title has half a character in it", None),
        (
            lambda event: event.update(allowed={"users": [], "groups": ["a", None]}),
            r"results\[0\]\.allowed\.groups\[1\] is None",
            None,
        ),
        (lambda event: event.update(timezone="Mars"), "no zone 'Mars'", None),
        (lambda event: event.update(contributions=3), "contributions is 3", None),
        (
            lambda event: event["contributions"][1].update(duration="x"),
            r"results\[0\]\.contributions\[1\]\.duration is 'x'",
            ["1"],
        ),
        (
            lambda event: event["contributions"][0]["startDate"].update(date="2011-99-01"),
            r"contributions\[0\]\.startDate is no date",
            ["2"],
        ),
        (
            lambda event: event["contributions"].append(None),
            r"contributions\[2\] is None",
            ["1", "2"],
        ),
        (
            lambda event: event["contributions"][1].update(id="1"),
            r"contributions\[1\]: two parts have the id '1'",
            ["1"],
        ),
    ],
)
def test_a_bad_part_is_told_by_position_and_left_out(database, tmp_path, change, message, left):
    answer = json.loads(SMALL_EVENT.read_bytes())
    change(answer["results"][0])
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(answer))
    with pytest.raises(NothingLoaded) as refused:
        list(load(database, items_of(bad), strict=True))
    assert transact(database, lambda c: len(catalogue(c).events)) == 0
    (problem,) = problems_of(database, bad)
    assert [problem] == refused.value.problems
    assert problem.startswith(str(bad))
    assert re.search(message, problem)
    assert transact(database, talks) == left


def talks(connection):
    event = catalogue(connection).event("77")
    return None if event is None else sorted(event.contributions)


def test_the_rest_of_the_events_goes_in(database, tmp_path):
    answer = json.loads(SMALL_EVENT.read_bytes())
    answer["results"] = [{**answer["results"][0], "id": number} for number in (1, None, 3)]
    some = tmp_path / "some.json"
    some.write_text(json.dumps(answer))
    (problem,) = problems_of(database, some)
    assert "results[1].id is None" in problem
    assert transact(database, lambda c: sorted(catalogue(c).events)) == ["1", "3"]


def test_categories_are_made_as_the_answer_tells_about_them(database, client, tmp_path):
    answer = json.loads(SMALL_EVENT.read_bytes())
    steps = [("0", "Home"), ("3", "Courses"), ("5", "Schools")]
    path = [{"id": number, "name": name} for number, name in steps]
    answer["additionalInfo"] = {
        "eventCategories": [{"categoryId": "5", "path": [*path, {"visibility": {"name": "x"}}]}]
    }
    answer["results"][0]["visibility"] = {"id": "3", "name": "Courses"}
    told = tmp_path / "told.json"
    told.write_text(json.dumps(answer))
    assert problems_of(database, told) == []
    shown = client.get("/export/categ/3.json").json
    (known,) = shown["additionalInfo"]["eventCategories"]
    assert [step.get("name") for step in known["path"]][:3] == ["Home", "Courses", "Schools"]
    assert shown["results"][0]["visibility"] == {"id": "3", "name": "Courses"}


def test_answers_of_this_export_can_be_imported_with_their_sessions(planted, tmp_path):
    answer = planted.get("/export/event/137346.json?detail=sessions&tz=Europe/Zurich")
    saved = tmp_path / "saved.json"
    saved.write_bytes(answer.data)
    copy = ZODB.DB(None)
    assert problems_of(copy, saved) == []
    again = Client(make_app(copy, {"base_url": "https://indico.server"})).get(
        "/export/event/137346.json?detail=sessions&tz=Europe/Zurich"
    )
    assert differences(answer.json["results"], again.json["results"]) == []
    copy.close()


def test_an_import_announces_the_event_and_each_contribution(database):
    class Listener:
        def __init__(self):
            self.heard = []

        def created(self, obj, owner):
            self.heard.append(obj.getUniqueId() if hasattr(obj, "getUniqueId") else obj.getId())

    listener = Listener()
    listeners.subscribe(listener)
    try:
        assert problems_of(database, SMALL_EVENT) == []
    finally:
        listeners.unsubscribe(listener)
    assert listener.heard == ["5", "77", "77.1", "77.1.0", "77.2", "0"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(st.data())
def test_an_answer_with_anything_anywhere_is_read_or_refused(data):
    answer = json.loads(SMALL_EVENT.read_bytes())
    holder, key = data.draw(st.sampled_from(list(places(answer))))
    holder[key] = data.draw(json_values)
    with contextlib.suppress(ImportRefused):
        for item in of_answer(Node.of(answer, "")):
            item.make()


def places(value):
    for key, member in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(member, dict | list):
            yield from places(member)
