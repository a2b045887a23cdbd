"""Each extra that is missing is named in one sentence, where what needs it is asked for.

Covers `scheduler.values.extras`, `daemon.web.export_part`, `daemon.cli.deferred`,
`daemon.cli.arguments`, `scheduler.values.deferred_names`.
"""

import os
import subprocess
import sys
import tomllib

import pytest

import livesync
import scheduler
from scheduler.values.extras import EXTRAS, extra_needed, missing_extra
from tests.places import ROOT

BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {packages!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
"""
MISSING = [package for packages in EXTRAS.values() for package in packages]
# What each asks for, and the extra that its sentence names.
DOORS = {
    "import export.app": "export",
    "import livesync.agents.invenio": "export",
    "import livesync.agents.cernsearch": "export",
    "import livesync.agents.postgres": "postgres",
    "import livesync.monitoring.opentelemetry": "otel",
    "import livesync.monitoring.sentry": "sentry",
    "import daemon.pyramid": "pyramid",
    "import daemon.zope": "zope",
    "from scheduler.store import open_database; open_database('postgresql://a@b/c')": "postgres",
    "from scheduler import Scheduler; "
    "Scheduler(database='memory://', multitask_mode='dask').run()": "dask",
    "from daemon.watches.code_watch import CodeWatch; CodeWatch(None)": "reload",
    "from scheduler.runtime.application import Application; "
    "Application((), ('livesync.monitoring.sentry:SentryHooks',)).load()": "sentry",
    "from livesync.agents.folder import FolderAgent; "
    "FolderAgent('a', '', '', 1, folder='.', format='marcxml')": "export",
    "from livesync.cli.agent_types import agent_class; agent_class('invenio')": "export",
}
COMMAND = "import zodb_relay; sys.argv[1:] = {}; sys.exit(zodb_relay.export())"
TRY_EACH = """
for door in {doors!r}:
    try:
        exec(door)
    except Exception as error:
        print(error)
    else:
        print("nothing")
"""
WITHOUT = """
import sys, transaction
from daemon.cli.main import main as scheduler
from livesync.cli.main import main as livesync
from livesync import SyncManager
from livesync.watching import watch
from scheduler import Client
from scheduler.store import connect
with connect() as connection:
    Client(connection).call(len, "abc")
    transaction.commit()
assert scheduler(["show", "spool"]) == 0
import daemon.service
assert livesync(["agent", "hook", "add", "--type", "webhook", "--set", "url=http://localhost"]) == 0
assert livesync(["agents"]) == 0
"""


def run(code, folder, packages):
    return subprocess.run(
        [sys.executable, "-P", "-c", BLOCK.format(packages=packages) + code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/etc", "SCHEDULER_DATABASE": ""},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    """Return by its door what is raised there, where no extra is installed."""
    folder = tmp_path_factory.mktemp("bare")
    code = TRY_EACH.format(doors=list(DOORS))
    done = run(code, folder, MISSING)
    assert done.returncode == 0, done.stderr
    return dict(zip(DOORS, done.stdout.splitlines(), strict=True))


@pytest.mark.parametrize("door", DOORS)
def test_what_needs_an_extra_names_it(sentences, door):
    assert f" is missing: install zodb-relay[{DOORS[door]}]" in sentences[door]


def test_tasks_and_the_feed_need_no_extra(tmp_path):
    done = run(WITHOUT, tmp_path, MISSING)
    assert done.returncode == 0, done.stderr
    assert "len" in done.stdout


def test_a_command_whose_extra_is_missing_says_so_in_one_line(tmp_path):
    (tmp_path / "event.json").write_text("{}")
    done = run(COMMAND.format(["import", "event.json"]), tmp_path, ["icalendar"])
    assert done.returncode == 1
    assert done.stderr == "indico_export: icalendar is missing: install zodb-relay[export]\n"


def test_an_admin_is_made_where_only_the_console_is_installed(tmp_path):
    missing = sorted(set(EXTRAS["export"]) - {"werkzeug"})
    code = "import io; sys.stdin = io.StringIO('secret\\n')\n"
    code += COMMAND.format(["user", "create", "ann", "--role", "admin", "--password"])
    done = run(code, tmp_path, missing)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("user ann, login ")


ASK = """
from daemon.web.export_part import export_part
from export.settings import ExportSettings
said = []
part = export_part(None, ExportSettings())
(body,) = part({"REQUEST_METHOD": "GET"}, lambda *line: said.append(line))
print(said[0][0], body.decode())
"""


def test_a_daemon_without_the_export_answers_that_it_is_not_installed(tmp_path):
    done = run(ASK, tmp_path, EXTRAS["export"])
    assert done.stdout.startswith("501 Not Implemented the export is not served here: ")
    assert "is missing: install zodb-relay[export]" in done.stdout


def test_a_fault_that_is_no_missing_extra_stays_as_it_is():
    assert missing_extra(ImportError("of something else", name="something")) == ""
    with pytest.raises(ImportError, match="of something else"), extra_needed():
        raise ImportError("of something else", name="something")


def test_the_extras_are_those_that_can_be_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert set(extras) - {"all", "dev", "docs"} == set(EXTRAS)
    (everything,) = extras["all"]
    assert everything == f"zodb-relay[{','.join(sorted(EXTRAS))}]"
    assert "zodb-relay[all,docs]" in extras["dev"]


def test_a_look_imports_nothing_that_it_does_not_need(tmp_path):
    slow = ["httpx", "lxml", "icalendar", "werkzeug", "rich", "export.app", "livesync.agent"]
    slow += ["scheduler.dispatch.dispatcher", "scheduler.executors.processes"]
    code = f"import daemon.cli.main, daemon.cli.show; print(set({slow!r}) & set(sys.modules))"
    done = run(code, tmp_path, [])
    assert done.stdout == "set()\n", done.stderr


def test_a_name_that_a_package_does_not_have_is_no_attribute():
    with pytest.raises(AttributeError, match="module 'scheduler' has no attribute 'Nothing'"):
        _ = scheduler.Nothing
    assert not hasattr(livesync, "Nothing")
    assert livesync.SyncManager.__name__ == "SyncManager"
