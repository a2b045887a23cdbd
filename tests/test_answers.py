"""Each command of the three programs answers a program: with one JSON document.

Covers `daemon.cli.parser`, `export.cli.parser`, `scheduler.values.console`.
"""

from __future__ import annotations

import io
import json
import logging
from datetime import datetime

import pytest
import transaction
from cryptography.fernet import Fernet

from daemon.cli import main as scheduler_main
from export.cli import main as export_main
from livesync import ActionWrapper, SyncManager
from livesync.cli import main as livesync_main
from scheduler import Client, nowutc
from scheduler.store import connect, open_database, transact
from scheduler.tasks import OneShotTask
from tests.commands import PARSERS, commands
from tests.daemon.sample_tasks import Bad, Beat, Good
from tests.export.planting import plant
from tests.livesync.agents_for_tests import Target, targets
from tests.livesync.stand_ins import Note
from tests.places import ROOT
from tests.waiting import wait_for

PROGRAMS = {
    "indico_scheduler": scheduler_main.main,
    "indico_livesync": livesync_main.main,
    "indico_export": export_main.main,
}
WITHOUT_ANSWER = {"demo", "follow"}
LETTER = "tests.livesync.stand_ins.Note:bad"

# By its name, how a command is given where it takes arguments; in an order that makes sense.
SCHEDULER = {
    "start": "start --config relay.toml",
    "check": "check",
    "reload": "reload",
    "show task": "show task {good}",
    "show flow": "show flow {good}",
    "blame": "blame {good}",
    "undo": "undo {good}",
    "cmd retry": "cmd retry {bad}",
    "cmd restart": "cmd restart {good}",
    "cmd pause": "cmd pause {later}",
    "cmd resume": "cmd resume {later}",
    "cmd move": "cmd move {later} --to 2h",
    "cmd prioritize": "cmd prioritize {later} --to 3",
    "cmd cancel_flow": "cmd cancel_flow {later}",
    "cmd cancel": "cmd cancel --all --state waiting --dry-run",
    "cmd backfill": "cmd backfill {beat} --since 1h",
    "cmd signal": "cmd signal paid --payload 4711",
    "run": "run {counting}",
    "cmd delete": "cmd delete {later}",
    "restart": "restart --config relay.toml",
    "stop": "stop",
    "db backup": "db backup backups",
    "db restore": "db restore backups -f",
    "db copy": "db copy file://{folder}/var/relay.fs file://{folder}/copy.fs",
}
LIVESYNC = {
    "list": "list --from 1",
    "agent add": "agent add folder --type folder --set folder={folder}/feed",
    "agent edit": "agent edit folder --every 5",
    "agent activate": "agent activate folder",
    "agent pause": "agent pause folder",
    "agent resume": "agent resume folder",
    "agent run": "agent run a",
    "agent simulate": "agent simulate folder",
    "agent retry": "agent retry folder",
    "agent rewind": "agent rewind folder start",
    "agent export": "agent export folder --yes",
    "agent verify": "agent verify folder",
    "agent add_task": "agent add_task folder",
    "agent deactivate": "agent deactivate folder",
    "agent remove": "agent remove folder --yes",
    "dead show": f"dead show a {LETTER}",
    "dead retry": "dead retry a --all",
    "dead drop": f"dead drop a {LETTER}",
    "watch": "watch tests.livesync.shop:Book",
    "unwatch": "unwatch tests.livesync.shop:Book",
    "destroy": "destroy --yes",
}
EXPORT = {
    "import": "import {export}/small_event.json",
    "user create": "user create 7 --login ann --email ann@example.org",
    "user password": "user password ann",
    "user role": "user role ann viewer",
    "user block": "user block ann",
    "user unblock": "user unblock ann",
    "group create": "group create staff",
    "group add": "group add staff 7",
    "group remove": "group remove staff 7",
    "right grant": "right grant 7 access event/137346",
    "right revoke": "right revoke 7 access event/137346",
    "right protect": "right protect event/137346 restricted",
    "right list": "right list event/137346",
    "group delete": "group delete staff",
    "key create": "key create --user 7",
    "key import": "key import --user 7 --key 11111111-2222-3333-4444-555555555555",
    "key block": "key block 7",
    "key unblock": "key unblock 7",
    "key persistent": "key persistent 7 yes",
    "key revoke": "key revoke 7",
    "token create": "token create --user 7 --name mine --scope read:everything",
    "token import": "token import --user 7 --name old --scope read:everything --token indp_1234",
    "token block": "token block {token}",
    "token unblock": "token unblock {token}",
    "token reset": "token reset {token}",
    "token revoke": "token revoke {token}",
    "feed create": "feed create --user 7 /export/event/137346.ics",
    "feed show": "feed show {feed}",
    "feed revoke": "feed revoke {feed}",
    "location create": "location create Here --timezone Europe/Zurich",
    "location change": "location change Here --timezone UTC",
    "room create": "room create Here 901 --building 1 --floor 2 --number 3",
    "room change": "room change 901 --name Hall",
    "room close": "room close 901 2026-12-24 2026-12-25",
    "room reopen": "room reopen 901 2026-12-24 2026-12-25",
    "room block": "room block 901 --by 7 2027-12-24 2027-12-25",
    "room unblock": "room unblock 901 2027-12-24 2027-12-25",
    "room book": "room book 901 2099-12-24T10:00 2099-12-26T11:00 --for Ann --reason X --pending",
    "room show": "room show 901",
    "reservation confirm": "reservation confirm {booked}",
    "reservation exclude": "reservation exclude {booked} 2099-12-25",
    "reservation move": "reservation move {booked} 2099-11-24T10:00 2099-11-24T11:00",
    "reservation change": "reservation change {booked} --reason Lecture",
    "reservation reject": "reservation reject {booked} full",
    "reservation cancel": "reservation cancel {booked}",
    "registrant add": "registrant add 137346 --email ada@example.org",
    "registrant import": "registrant import 137346 people.csv",
    "registrant list": "registrant list 137346",
    "registrant check-in": "registrant check-in 137346 0",
    "registrant check-out": "registrant check-out 137346 0",
    "registrant remove": "registrant remove 137346 0",
    "room delete": "room delete 901",
    "location delete": "location delete Here",
}


class Counting(OneShotTask):
    """Prints something, and changes something."""

    def run(self):
        print("one more")
        root = self._p_jar.root()
        root["count"] = root.get("count", 0) + 1


@pytest.fixture(autouse=True, scope="module")
def root_logger_of_its_own():
    """The commands configure where this process logs to; the next module is spared that."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("SCHEDULER_DATABASE", f"file://{tmp_path}/var/relay.fs")
    monkeypatch.setenv("SCHEDULER_SECRET_KEY", Fernet.generate_key().decode())
    monkeypatch.setattr("sys.stdin", io.StringIO("open sesame\n"))
    (tmp_path / "relay.toml").write_text("[web]\nport = 0\n[scheduler]\nworkers = 1\n")
    return tmp_path


@pytest.fixture
def answer(capsys):
    """Run a command with --json; return the document that it prints."""

    def run(program, line):
        capsys.readouterr()
        assert PROGRAMS[program]([*line.split(), "--json"]) == 0, (line, capsys.readouterr().err)
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def refusal(capsys):
    """Run a command with --json that is refused; return its exit status, and what it says."""

    def run(program, line):
        capsys.readouterr()
        status = PROGRAMS[program]([*line.split(), "--json"])
        said = capsys.readouterr()
        assert said.out == ""
        return status, json.loads(said.err)

    return run


@pytest.mark.parametrize("program", PARSERS)
def test_each_command_with_an_answer_gives_it_as_json(program):
    missing = {
        command.name
        for command in commands(program)
        if "--json" not in command.parser._option_string_actions
    }
    assert missing <= WITHOUT_ANSWER


def test_each_command_of_the_scheduler_answers(place, answer):
    numbers = enqueue(place)
    found = {"start": answer("indico_scheduler", SCHEDULER["start"])}
    assert set(found["start"]) == {"pid", "url"}
    try:
        wait_for(lambda: has_run(answer), what="the end of two tasks")
        found |= told("indico_scheduler", SCHEDULER, answer, folder=place, **numbers)
    finally:
        scheduler_main.main(["stop", "-f"])
    assert found["cmd pause"] == {"number": 1, "tasks": [numbers["later"]]}
    assert found["run"] == {"task": numbers["counting"]}
    assert found["stop"] == {"stopped": True}
    assert found["db backup"]["file"].endswith(".fs")
    assert found["db copy"]["differences"] == []
    assert datetime.fromisoformat(found["db copy"]["until"]).tzinfo is not None
    assert found["config defaults"]["web"]["port"] == 8080


def test_each_command_of_the_feed_answers(place, answer):
    target = targets["a"] = Target()
    target.troubles["bad"] = ValueError("bad it is")
    type_of_agent = "tests.livesync.agents_for_tests:TargetAgent"
    answer("indico_livesync", f"agent a add --type {type_of_agent} --set tries=1")
    with connect() as connection:
        for name in ("good", "bad"):
            note = connection.root()[name] = Note(name)
            change = ActionWrapper(100, note, ["data_changed"], name)
            SyncManager.getDBInstance(connection).add(100, change)
        transaction.commit()
    answer("indico_livesync", "agent a run")
    found = told("indico_livesync", LIVESYNC, answer, folder=place)
    targets.clear()
    assert found["agent pause"]["state"] == "paused"
    assert found["dead retry"] == {"agent": "a", "names": [LETTER]}
    assert set(found["agent export"]) == {"records", "position"}


def test_each_command_of_the_export_answers(place, answer):
    database = open_database()
    transact(database, plant)
    database.close()
    (place / "people.csv").write_text("email,surname\neve@example.org,Eve\n")
    found = told("indico_export", EXPORT, answer, export=ROOT / "tests" / "export")
    assert found["user create"]["login"] == "ann"
    assert found["key block"]["blocked"] is True
    assert found["token create"]["token"] != found["token reset"]["token"]
    assert found["reservation cancel"]["state"] == "cancelled"


@pytest.mark.parametrize(
    ("program", "line", "status"),
    [
        ("indico_scheduler", "show task 4711", 1),
        ("indico_scheduler", "stop", 255),
        ("indico_livesync", "agent nobody pause", 1),
        ("indico_livesync", "destroy", 1),
        ("indico_export", "user block nobody", 1),
    ],
)
def test_an_error_is_json_on_stderr(place, refusal, program, line, status):
    enqueue(place)
    found = refusal(program, line)
    assert found[0] == found[1]["status"] == status
    assert found[1]["error"]


def test_a_database_that_is_missing_is_told_as_json(place, refusal):
    for program, line in (("indico_scheduler", "show status"), ("indico_livesync", "agents")):
        status, said = refusal(program, line)
        assert status == said["status"] == 1
        assert str(place) in said["error"]


def enqueue(place):
    """Enqueue tasks that will end, fail and wait; return their numbers by their names."""
    now = nowutc()
    later = now.replace(year=now.year + 1)
    with connect() as connection:
        tasks = {
            "good": Counting(now),
            "bad": Bad(now, str(place / "remedy")),
            "later": Good(later),
            "counting": Counting(later),
            "beat": Beat(3600),
        }
        Client(connection).enqueueAll(tasks.values())
        transaction.commit()
        return {name: task.getId() for name, task in tasks.items()}


def has_run(answer):
    facts = answer("indico_scheduler", "show status")
    return facts["finished"] and facts["failed"]


def told(program, lines, answer, **values):
    """Return by the name of each command of *program* what it answers, in the order of *lines*."""
    names = [each.name for each in commands(program) if each.name not in WITHOUT_ANSWER]
    assert set(lines) <= set(names)
    found = {}
    for name in [*(name for name in lines if name != "start"), *names]:
        if name in found or name == "start":
            continue
        found[name] = answer(program, lines.get(name, name).format(**values))
        values |= made_by(name, found[name])
    return found


def made_by(name, answer):
    """Return the ids of what the command *name* has made, for those behind it."""
    kept = {
        "token create": "token",
        "token reset": "token",
        "feed create": "feed",
        "room book": "booked",
    }
    return {kept[name]: answer["id"]} if name in kept else {}
