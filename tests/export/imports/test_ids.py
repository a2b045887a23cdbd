"""Imported events and the ids of this installation's own, which nothing takes or replaces."""

from __future__ import annotations

import json

import pytest

from export.cli.main import main
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.model.contribution import Contribution
from scheduler.store import connect, open_database, transact

OWN = ("77", "camp", "2026", "_", "4", "x")


@pytest.fixture
def uri(tmp_path):
    """A database with events of this installation."""
    uri = f"file://{tmp_path / 'data.fs'}"
    database = open_database(uri)

    def plant(connection):
        for number in OWN:
            event = Conference(number, f"own {number}")
            catalogue(connection).add_event(event)
            event.addContribution(Contribution("1", "own talk"))

    transact(database, plant)
    database.close()
    return uri


def run(uri, source, *options):
    return main(["import", str(source), *options, "--database", uri])


def titles(uri):
    """The titles of all events, by id; those of this installation must be as they were."""
    with connect(uri) as connection:
        found = {key: event.getTitle() for key, event in catalogue(connection).events.items()}
        for number in OWN:
            assert found.pop(number) == f"own {number}"
            assert len(catalogue(connection).event(number).contributions) == 1
        return found


def calendar(*uids):
    events = (
        f"BEGIN:VEVENT\nUID:{uid}\nSUMMARY:{uid}\nDTSTART:20260601T100000Z\nEND:VEVENT\n"
        for uid in uids
    )
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{''.join(events)}END:VCALENDAR\n"


def schedule(acronym, title, **more):
    conference = {"acronym": acronym, "title": title, "time_zone_name": "UTC", "days": [], **more}
    return json.dumps({"schedule": {"conference": conference}})


def answer(number, title, host="other.example.org"):
    url = f"https://{host}/export/event/{number}.json"
    dates = {"date": "2026-06-01", "time": "10:00:00", "tz": "UTC"}
    event = {"id": number, "title": title, "startDate": dates, "endDate": dates}
    return json.dumps({"url": url, "results": [event]})


FOREIGN = {
    "uid of another Indico": calendar("indico-event-77@other.example.org"),
    "uid that is an id": calendar("77", "x"),
    "answer": answer(77, "foreign"),
    "answer without an address": json.dumps(
        {"results": [json.loads(answer("77", "x"))["results"][0]]}
    ),
    "acronym that is an id": schedule("2026", "foreign"),
    "acronym": schedule("camp", "foreign"),
    "acronym without letters": schedule("大会", "foreign"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_file_takes_and_replaces_no_own_event(uri, tmp_path, kind):
    file = tmp_path / "foreign"
    file.write_text(FOREIGN[kind])
    assert run(uri, file) == 0
    there = titles(uri)
    assert there
    assert run(uri, file) == 1
    assert run(uri, file, "--replace") == 0
    assert titles(uri) == there


@pytest.mark.parametrize("replace", [[], ["--replace"]])
def test_a_file_of_the_own_domain_replaces_no_own_event(uri, tmp_path, replace):
    file = tmp_path / "own.ics"
    file.write_text(calendar("indico-event-77@own.example.org", "indico-event-78@own.example.org"))
    assert run(uri, file, "--domain", "OWN.example.org", *replace) == 0
    assert titles(uri)["78"] == "indico-event-78@own.example.org"
    assert len(titles(uri)) == 2


def test_an_id_of_the_own_domain_is_kept_by_the_setting_of_the_environment(
    uri, tmp_path, monkeypatch
):
    monkeypatch.setenv("EXPORT_DOMAIN", "own.example.org")
    file = tmp_path / "own.ics"
    file.write_text(calendar("indico-event-78@own.example.org", "indico-event-79@example.org"))
    assert run(uri, file) == 0
    found = titles(uri)
    assert "78" in found
    assert "79" not in found


def test_events_of_two_servers_and_schedules_never_collide(uri, tmp_path):
    texts = [
        *(answer(88, "a", host) for host in ("a.example.org", "b.example.org")),
        *(schedule(name, name) for name in ("大会", "会議", "a-b", "a.b", "a b", "a_b")),
        *(schedule("same", f"y{year}", start=f"{year}-01-01") for year in (2025, 2026)),
    ]
    files = [tmp_path / str(number) for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    for options in ([], ["--replace"], ["--replace"]):
        for file in files:
            assert run(uri, file, *options) == 0
        assert len(titles(uri)) == len(texts)


@pytest.mark.parametrize("bad", ["../../etc/passwd", " 7 ", "a.b", "x" * 500, "é", "a/b", "1-2"])
def test_an_id_that_no_address_reaches_is_mapped_to_one(uri, tmp_path, client, capsys, bad):
    told = json.loads(answer(bad, "foreign"))
    part = {"id": bad, "title": "part", "startDate": None, "endDate": None, "duration": 1}
    told["results"][0]["contributions"] = [part]
    told["results"][0]["categoryId"] = bad
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(told))
    assert run(uri, file) == 0
    assert "which no address can have" in capsys.readouterr().err
    ((number, _),) = titles(uri).items()
    with connect(uri) as connection:
        event = catalogue(connection).event(number)
        names = [number, *event.contributions, event.getOwner().getId()]
    assert all(name.isascii() and name.replace("_", "").isalnum() for name in names)
