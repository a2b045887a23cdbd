"""`indico_livesync agents`, `agent ...`, `dead ...`: what an operator does."""

from __future__ import annotations

import io
import json
from datetime import datetime

import pytest
import transaction

from livesync import ActionWrapper, SyncManager
from livesync.cli import main
from livesync.errors import AgentSettingException
from scheduler import nowutc
from scheduler.store import connect, transact
from scheduler.store.position import is_token
from tests.livesync.agents_for_tests import TargetAgent
from tests.livesync.stand_ins import Note

TARGET = "tests.livesync.agents_for_tests:TargetAgent"


@pytest.fixture
def uri(tmp_path, monkeypatch):
    uri = f"file://{tmp_path}/cli.fs"
    monkeypatch.setenv("SCHEDULER_DATABASE", uri)
    with connect() as connection:
        SyncManager.getDBInstance().registerNewAgent(TargetAgent("a", "Agent A", "", 60))
        record(connection, 1, "good", "bad")
    return uri


def record(connection, position, *names):
    manager = SyncManager.getDBInstance(connection)
    for name in names:
        note = connection.root().setdefault(name, Note(name))
        manager.add(position * 100, ActionWrapper(position * 100, note, ["data_changed"], name))
    transaction.commit()


@pytest.fixture
def run(uri, capsys):
    """Run a command; return its status, what it printed, and what it complained of."""

    def run(line):
        try:
            status = main.main(line.split())
        except SystemExit as stop:
            status = stop.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def as_json(result):
    status, out, err = result
    assert status == 0, err
    return json.loads(out)


def test_agents_tell_how_they_stand(run, target):
    (agent,) = as_json(run("agents --json"))

    assert agent["id"] == "a"
    assert agent["state"] == "registered"
    assert agent["position"] is None
    assert agent["lag_records"] == 2
    assert agent["lag_seconds"] > 10**9
    assert agent["last_error"] is None


def test_agents_are_shown_in_a_table(run, target):
    target.troubles["bad"] = ConnectionError("the target is down")
    run("agent a activate")
    run("agent a run")
    _, out, _ = run("agents")

    assert out.splitlines()[0].split() == (
        [
            "ID",
            "STATE",
            "POSITION",
            "LAG",
            "SECONDS",
            "WAITING",
            "DEAD",
            "DELIVERED",
            "LAST",
            "RUN",
            "LAST",
            "ERROR",
        ]
    )
    assert "failing" in out
    assert "ConnectionError: the target is down" in out


def test_a_run_delivers_what_is_new(run, target):
    delivered = as_json(run("agent a run --json"))

    assert delivered == {"outcome": "up to date", "records": 2, "reason": ""}
    assert sorted(target.taken) == ["bad", "good"]
    assert run("agent a run")[1] == "up to date: 0 records\n"


def test_a_run_goes_up_to_a_position(run, target, uri):
    with connect() as connection:
        record(connection, 5, "later")
    run("agent a run --till 3")

    assert sorted(target.taken) == ["bad", "good"]
    assert as_json(run("agents --json"))[0]["position"] == 3


def test_the_command_may_stand_before_or_behind_the_agent(run, target):
    assert run("agent run a")[0] == 0
    assert run("agent a run")[0] == 0


def test_a_failed_run_says_why(run, target):
    target.troubles["bad"] = ConnectionError("the target is down")

    status, _, err = run("agent a run")
    assert status == 1
    assert err == "indico_livesync: agent 'a' failed: ConnectionError: the target is down\n"


def test_an_agent_is_added_with_settings_and_edited(run, target, tmp_path):
    line = f"agent add f --type folder --name Files --set folder={tmp_path} --set parallel=2"
    assert run(line) == (
        0,
        "agent f is registered; activate it when its target is ready\n",
        "",
    )
    assert run("agent f edit --set format=marcxml --set linger=30 --description new")[0] == 0
    with connect():
        agent = SyncManager.getDBInstance().getAgent("f")
        assert (agent.getName(), agent.getDescription()) == ("Files", "new")
        assert (agent._folder, agent._format) == (str(tmp_path), "marcxml")
        assert (agent.delivery_state.settings.parallel, agent.delivery_state.settings.linger) == (
            2,
            30,
        )


def test_an_agent_is_told_of_what_its_filter_says(run, target, tmp_path):
    line = f"agent add f --type folder --set folder={tmp_path} --set types=event,contribution"
    assert run(f"{line} --set categories=0 --set classes=Conference")[0] == 0
    run("agent f activate")
    agents = {one["id"]: one for one in as_json(run("agents --json"))}
    assert agents["f"]["filter"] == "types=contribution,event classes=Conference categories=0"
    assert run("agent f edit --set classes= --set types=")[1] == (
        "agent f is changed; bring its target in line: agent f verify --repair\n"
    )
    agents = {one["id"]: one for one in as_json(run("agents --json"))}
    assert agents["f"]["filter"] == "categories=0"
    assert agents["a"]["filter"] == ""


@pytest.mark.parametrize(
    ("line", "culprit"),
    [
        ("agent add b --type folder --set folder=x --set types=evnt", "no type 'evnt'"),
        ("agent add b --type folder --set folder=x --set categories=9", "no category '9'"),
        ("agent add b --type nonsense", "no type of agents 'nonsense'"),
        ("agent add b --type nowhere:Agent", "cannot be loaded"),
        ("agent add b --type json:JSONDecoder", "no class of agents"),
        ("agent add b --type folder --set folder=x --set batch_size=0", "batch_size is 0"),
        ("agent add b --type folder", "needs the setting 'folder'"),
        ("agent add b --type folder --set folder=x --set wings=2", "no setting 'wings'"),
        ("agent add b --type folder --set folder=x --set format=pdf", "format is 'pdf'"),
        ("agent add b --type folder --set folder=x --set parallel=many", "parallel is 'many'"),
        ("agent add b --type folder --set folder=x --set parallel=0", "parallel is 0"),
        (f"agent add a --type {TARGET}", "registered already"),
        ("agent edit a", "nothing to change"),
        ("agent nobody run", "no agent 'nobody'"),
        ("agent nobody activate", "no agent 'nobody'"),
        ("agent a rewind nowhere", "no position 'nowhere'"),
        ("agent a rewind 99", "no position '99'"),
        ("dead show a nothing", "no dead letter 'nothing'"),
        ("dead retry a nothing", "no dead letter 'nothing'"),
        ("dead list nobody", "no agent 'nobody'"),
    ],
)
def test_a_command_that_cannot_be_done_is_told_with_its_culprit(run, target, line, culprit):
    status, out, err = run(line)

    assert (status, out) == (1, "")
    assert err.startswith("indico_livesync: ")
    assert culprit in err


@pytest.mark.parametrize(
    "line",
    [
        "agent",
        "agent a",
        "agent a fly",
        "agent a add_task --interval 0",
        "agent add b --type folder --set nonsense",
        "dead",
        "dead retry a",
        "list --from yesterday",
    ],
)
def test_wrong_usage_ends_with_2(run, line):
    status, _, err = run(line)

    assert status == 2
    assert "error:" in err


def test_an_agent_goes_through_its_states(run, target):
    def state():
        return as_json(run("agents --json"))[0]["state"]

    run("agent a activate")
    assert state() == "not run"
    run("agent a pause")
    assert state() == "paused"
    assert run("agent a run")[:2] == (1, "paused: 0 records\n")
    run("agent a resume")
    run("agent a run")
    assert state() == "active"
    run("agent a deactivate")
    assert state() == "registered"


def test_the_last_run_of_an_agent_is_shown(run, target):
    run("agent a activate")
    assert as_json(run("agents --json"))[0]["last_run"] is None
    assert "never" in run("agents")[1]
    before = nowutc().replace(microsecond=0)
    run("agent a run")

    assert datetime.fromisoformat(as_json(run("agents --json"))[0]["last_run"]) >= before
    assert "never" not in run("agents")[1]


@pytest.mark.parametrize("aid", ["", "  ", "a\nb", "a\x1b[31m", "a\x00", "a\u202eb", "\ud800"])
def test_an_id_that_does_not_show_in_a_line_is_refused(database, aid):
    def register(connection):
        SyncManager.getDBInstance(connection).registerNewAgent(TargetAgent(aid, "A", "", 1))

    with pytest.raises(AgentSettingException, match="is no id of an agent"):
        transact(database, register)


def test_an_agent_may_begin_now(run, target, uri):
    assert run("agent a activate --skip")[0] == 0
    with connect() as connection:
        record(connection, 1, "later")
    run("agent a run")

    assert target.taken == ["later"]


def test_a_rewound_agent_delivers_again(run, target):
    run("agent a run")
    assert run("agent a rewind start") == (0, "agent a stands at start\n", "")
    run("agent a run")

    assert sorted(target.taken) == ["bad", "bad", "good", "good"]


def test_an_agent_is_removed_after_asking(run, target, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run("agent a remove")[0] == 1
    assert run("agent a remove --yes")[0] == 0
    assert as_json(run("agents --json")) == []


@pytest.fixture
def dead(run, target):
    run("agent a edit --set tries=1")
    target.troubles["bad"] = ValueError("bad it is")
    run("agent a run")


NAME = "tests.livesync.stand_ins.Note:bad"


def test_dead_letters_are_listed_with_their_reason(run, dead):
    (letter,) = as_json(run("dead list --json"))

    assert letter["agent"] == "a"
    assert letter["name"] == NAME
    assert letter["reason"] == "ValueError: bad it is"
    assert letter["tries"] == 1
    assert "ValueError: bad it is" in run("dead list a")[1]
    assert as_json(run(f"dead show a {NAME} --json")) == letter
    assert "reason:    ValueError: bad it is" in run(f"dead show a {NAME}")[1]


@pytest.mark.parametrize("which", [NAME, "--all"])
def test_a_dead_letter_is_sent_again_when_somebody_says_so(run, target, dead, which):
    del target.troubles["bad"]
    assert run(f"dead retry a {which}")[1] == "1 dead letters are sent again with the next run\n"
    run("agent a run")

    assert target.taken == ["good", "bad"]
    assert as_json(run("dead list --json")) == []


def test_a_dropped_letter_is_gone(run, target, dead):
    assert run(f"dead drop a {NAME}")[1] == "1 dead letters are dropped\n"
    assert run("dead list")[1] == "no dead letters\n"


def test_an_agent_that_waits_is_tried_again_at_once(run, target):
    target.troubles["bad"] = ConnectionError("down")
    run("agent a activate")
    for _ in range(3):
        run("agent a run")
    assert as_json(run("agents --json"))[0]["next_try"] is not None
    assert run("agent a retry")[0] == 0
    assert as_json(run("agents --json"))[0]["next_try"] is None


def test_the_track_is_listed_as_json(run):
    first = as_json(run("list --json"))[0]
    assert len(first.pop("transaction")) == 16
    assert is_token(first.pop("token"))
    assert first == {
        "position": 1,
        "timestamp": 100,
        "id": "bad",
        "kind": "tests.livesync.stand_ins.Note",
        "actions": ["data_changed"],
    }


def test_destroy_asks_nothing_when_told_so(run):
    assert run("destroy --yes")[:2] == (0, "")
    assert as_json(run("agents --json")) == []


def test_how_long_changes_are_kept_is_shown_and_set(run):
    kept = as_json(run("retention --json"))
    assert kept == {"keep": 7 * 86400, "cut_off": 30 * 86400, "most": 1_000_000}
    assert run("retention --keep 12h --most 5")[0] == 0
    assert as_json(run("retention --json")) == {**kept, "keep": 43200, "most": 5}
    assert run("retention --keep soon")[0] == 2
    assert run("retention --most -1")[0] == 1
