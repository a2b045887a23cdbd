"""A further process of the front end, beside the daemon."""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import asdict

from daemon.config import Web
from daemon.process.kept_process import KeptProcess
from export.settings import ExportSettings
from scheduler.runtime.application import Application
from scheduler.store.database_uri import URI_VARIABLE
from scheduler.worker.log_forwarding import levels_here


class WebProcess(KeptProcess):
    """A process that answers requests to the export at *listening*, the daemon's own socket.

    It is started afresh, opens the database at *uri* itself, and passes all other requests on to
    the daemon, which listens at the path *daemon*.
    """

    def __init__(
        self,
        uri: str,
        listening: socket.socket,
        daemon: str,
        web: Web,
        export: ExportSettings,
        application: Application,
    ) -> None:
        told = {
            "listening": listening.fileno(),
            "daemon": daemon,
            "web": asdict(web),
            "export": asdict(export),
            "levels": levels_here(),
            "application": application,
        }
        super().__init__(
            "the front end",
            [sys.executable, "-P", "-m", "daemon.web.further_process"],
            {URI_VARIABLE: uri},
            first=f"{json.dumps(told)}\n".encode(),
            descriptors=(listening.fileno(),),
        )
