"""Messages of imports name the cause; the exit status says whether anything was left out.

Covers `export.imports.node`.
"""

from __future__ import annotations

import gzip
import json

import pytest
from icalendar import Calendar
from werkzeug.test import Client

from export.app import make_app
from export.cli.main import main
from export.model.catalogue import catalogue
from scheduler.store import connect, open_database
from tests.places import SMALL_EVENT

HEAD = "BEGIN:VCALENDAR\nVERSION:2.0\nX-WR-TIMEZONE:UTC\n"
EVENT = "BEGIN:VEVENT\nUID:{0}\nSUMMARY:{0}\nDTSTART:20260601T100000\n{1}END:VEVENT\n"


@pytest.fixture
def run(tmp_path, capsys):
    """What imports a text with some options, and returns status, output and errors."""

    def run(content, *options):
        file = tmp_path / "source"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        status = main(["import", str(file), *options, "--database", f"file://{tmp_path}/data.fs"])
        shown = capsys.readouterr()
        errors = shown.err.replace(f"{file}: ", "").replace("indico_export: ", "")
        return status, shown.out.splitlines(), errors.splitlines()

    run.uri = f"file://{tmp_path}/data.fs"
    return run


@pytest.mark.parametrize("options", [(), ("--strict",)])
def test_notes_alone_end_with_0(run, options):
    series = EVENT.format("a", "RRULE:FREQ=DAILY\nATTENDEE:mailto:a@example.org\n")
    status, out, err = run(f"{HEAD}{series}END:VCALENDAR\n", *options)
    assert (status, len(out)) == (0, 1)
    assert [line.partition(":")[0] for line in err] == ["note", "note"]


def test_a_calendar_with_many_derived_ids_has_no_problem(run):
    events = "".join(EVENT.format(f"{number}@example.org", "") for number in range(89))
    status, out, err = run(f"{HEAD}{events}END:VCALENDAR\n")
    assert (status, len(out), err) == (0, 89, [])


def test_an_import_that_leaves_one_thing_out_ends_with_1_and_has_all_else(run):
    text = f"{HEAD}{EVENT.format('a', '')}{EVENT.format('b', 'DTEND:soon' + chr(10))}END:VCALENDAR"
    status, out, err = run(text)
    assert (status, len(out)) == (1, 1)
    assert err[0].startswith("line 9: DTEND cannot be read")
    assert err[1] == "1 problem; everything else was imported"


def test_with_strict_one_thing_left_out_is_nothing_imported(run):
    text = f"{HEAD}{EVENT.format('a', '')}{EVENT.format('b', 'DTEND:soon' + chr(10))}END:VCALENDAR"
    status, out, err = run(text, "--strict")
    assert (status, out) == (1, [])
    assert err[-1] == "1 problem; nothing was imported"
    with connect(run.uri) as connection:
        assert len(catalogue(connection).events) == 0


@pytest.mark.parametrize(
    "options", [["--timezone", "Mars"], ["--category", "../x"], ["--nonsense"], ["--replace=x"]]
)
def test_wrong_usage_ends_with_2(run, options):
    with pytest.raises(SystemExit) as ended:
        run("", *options)
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("", "it is empty"),
        ("hello", "it is none of the kinds that are known"),
        ("<!DOCTYPE html><html><body>Log in</body></html>", "it is a page for people (HTML)"),
        (gzip.compress(b"BEGIN:VCALENDAR", mtime=0), "it is compressed (gzip); unpack it first"),
        (
            '{"message": "You may not", "_type": "HTTPAPIError"}',
            "it is an error that an Indico answered: You may not",
        ),
        ('{"results": [{"_type": "RegFormRegistrantBasic", "id": "1"}]}', "results[0] is no event"),
        ('{"results": []}', "there is nothing in it"),
        ('{"other": 1}', "results is missing"),
        ('{"schedule": {}}', "schedule.conference is None"),
        ('{"results": [', "it is not JSON: Expecting value"),
        (f"{HEAD}{EVENT.format('a', '')[:-11]}", "line 4: BEGIN:VEVENT has no END"),
        (f"{HEAD}BEGIN:VTODO\nUID:1\nEND:VTODO\nEND:VCALENDAR", "line 4: VTODO is no event"),
        (f"{HEAD}END:VCALENDAR", "there is nothing in it"),
    ],
)
def test_a_source_with_nothing_to_import_is_told_with_its_cause(run, content, cause):
    status, out, err = run(content)
    assert (status, out) == (1, [])
    assert err[0].startswith(cause)
    assert err[-1].endswith("nothing was imported")


def test_a_path_that_is_no_file_is_told_without_a_traceback(run, tmp_path, capsys):
    (tmp_path / "folder").mkdir()
    paths = [str(tmp_path / name) for name in ("folder", "missing", "zero\0")]
    assert main(["import", *paths, "--database", run.uri]) == 1
    err = capsys.readouterr().err
    assert "Is a directory" in err
    assert "No such file" in err
    assert "Traceback" not in err


TEXT = "Contact <jane@example.org> if a < b & c > d, &amp; <b>no tag</b>"


def test_a_text_of_a_calendar_is_the_same_text_in_every_answer(run):
    status, _, _ = run(f"{HEAD}{EVENT.format('a', f'DESCRIPTION:{TEXT}{chr(10)}')}END:VCALENDAR")
    assert status == 0
    database = open_database(run.uri)
    client = Client(make_app(database, {"base_url": "https://indico.server"}))
    (event,) = client.get("/export/categ/0.json").json["results"]
    (shown,) = Calendar.from_ical(client.get("/export/categ/0.ics").data).walk("VEVENT")
    feed = client.get("/export/categ/0.atom").text
    database.close()
    assert event["description"] == TEXT
    assert shown["DESCRIPTION"].startswith(f"{TEXT}\n\n")
    assert '<summary type="text">Contact &lt;jane@example.org&gt; if a' in feed


def test_a_text_survives_from_one_installation_to_the_next(run):
    answer = json.loads(SMALL_EVENT.read_bytes())
    answer["results"][0]["description"] = "Contact <jane@example.org> if a < b<br>and <p>more</p>"
    run(json.dumps(answer))
    database = open_database(run.uri)
    calendar = Client(make_app(database)).get("/export/event/77.ics").text.replace("\r\n ", "")
    database.close()
    assert "DESCRIPTION:Contact <jane@example.org> if a < band more\\n" in calendar
