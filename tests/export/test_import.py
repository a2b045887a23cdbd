import json
import os
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from export.cli import main
from export.errors import ImportRefused
from export.imports.indico import import_event, read_file
from export.model import listeners
from export.model.catalogue import catalogue
from scheduler.store import transact

SMALL = Path(__file__).with_name("small_event.json")
ROOT = Path(__file__).parents[2]
LIVE = Path(os.environ.get("LIVE_EXPORT", ROOT.parent / "shared/data/indico_event_acat2024.json"))
FILES = [SMALL, *([LIVE] if LIVE.exists() else [])]
DOCUMENTED = (
    *("id", "title", "description", "startDate", "endDate", "timezone", "type"),
    *("location", "room", "category", "url"),
)
TALK = (
    *("id", "title", "description", "startDate", "endDate", "duration", "location", "room"),
    *("type", "track", "session", "url", "keywords", "material"),
    *("speakers", "primaryauthors", "coauthors"),
)


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
    transact(database, lambda c: import_event(catalogue(c), read_file(file)) and None)
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda event: event.pop("title"), r"results\[0\]\.title is missing"),
        (lambda event: event.update(startDate=3), r"startDate is 3"),
        (
            lambda event: event["contributions"][1].update(duration="x"),
            r"contributions\[1\]\.duration is 'x'",
        ),
        (
            lambda event: event["contributions"][0]["startDate"].update(date="2011-99-01"),
            r"contributions\[0\]\.startDate is no date",
        ),
        (lambda event: event["contributions"].append(None), r"contributions\[2\] is None"),
        (lambda event: event["contributions"][1].update(id="1"), "two parts have the id '1'"),
        (lambda event: event.update(timezone="Mars"), "no zone 'Mars'"),
        (lambda event: event.update(sessions=[{}]), "detail=contributions"),
    ],
)
def test_a_bad_file_is_refused_by_position_and_leaves_nothing(database, tmp_path, change, message):
    answer = json.loads(SMALL.read_bytes())
    change(answer["results"][0])
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(answer))
    with pytest.raises(ImportRefused, match=message):
        transact(database, lambda c: import_event(catalogue(c), read_file(bad)))
    assert transact(database, lambda c: len(catalogue(c).events)) == 0


def test_an_import_announces_the_event_and_each_contribution(database):
    class Listener:
        def __init__(self):
            self.heard = []

        def created(self, obj, owner):
            self.heard.append(obj.getUniqueId() if hasattr(obj, "getUniqueId") else obj.getId())

    listener = Listener()
    listeners.subscribe(listener)
    try:
        transact(database, lambda c: import_event(catalogue(c), read_file(SMALL)) and None)
    finally:
        listeners.unsubscribe(listener)
    assert listener.heard == ["5", "77", "77.1", "77.1.0", "77.2", "0"]


def test_the_command_imports_once_and_replaces_when_told(tmp_path, capsys):
    uri = f"file://{tmp_path / 'data.fs'}"
    assert main(["import", str(SMALL), "--database", uri]) == 0
    assert "imported event 77" in capsys.readouterr().out
    assert main(["import", str(SMALL), "--database", uri]) == 1
    assert "--replace" in capsys.readouterr().err
    assert main(["import", str(SMALL), "--database", uri, "--replace"]) == 0


def test_the_command_says_in_one_line_what_is_wrong(tmp_path, capsys):
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    assert main(["import", str(bad), "--database", f"file://{tmp_path / 'data.fs'}"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
