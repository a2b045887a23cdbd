"""The server that the benchmark of the export asks: one process on one core.

`python -m tests.bench.export_server URI` prints its port, and ends when its input does; it keeps
no answers.
"""

from __future__ import annotations

import logging
import os
import sys
import threading

import waitress.server

from export.app import make_app
from scheduler.store import open_database


def main(uri):
    logging.disable(logging.ERROR)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    database = open_database(uri)
    export = make_app(database, {"answer_cache": 0})

    def application(environ, start):
        if environ["PATH_INFO"] != "/constant":
            return export(environ, start)
        start("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
        return [b"{}"]

    server = waitress.server.create_server(application, host="127.0.0.1", port=0)
    threading.Thread(target=server.run, daemon=True).start()
    sys.stdout.write(f"{server.effective_port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    database.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
