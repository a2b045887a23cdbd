"""The process beside the daemon that delivers changes as soon as they are committed."""

from __future__ import annotations

import json
import sys

from daemon.process.kept_process import KeptProcess
from scheduler.runtime.application import Application
from scheduler.store.database_uri import URI_VARIABLE
from scheduler.values.command_value import ENVIRONMENT
from scheduler.worker.log_forwarding import levels_here

NOTHING = Application()


class LivesyncProcess(KeptProcess):
    """The process `indico_livesync follow` on the database at *uri*, kept alive until it is closed.

    It is a process of its own, so that making records does not slow down the one that serves
    the database.
    """

    def __init__(self, uri: str, application: Application = NOTHING) -> None:
        options = ["--database", f"{ENVIRONMENT}{URI_VARIABLE}", "follow", "--until-eof"]
        options += ["--log-levels", json.dumps(levels_here())]
        options += ["--application", json.dumps(application), "--log-to"]
        command = [sys.executable, "-P", "-m", "livesync.cli.main", *options]
        # In the environment: the list of processes would show a password in an argument.
        super().__init__("livesync", command, {URI_VARIABLE: uri})
