"""The console without a browser: a page as text."""

from __future__ import annotations

from werkzeug.test import Client

from daemon.console.application import Console

HERE = {"REMOTE_ADDR": "127.0.0.1"}


def page_of(database, path="/", **options):
    """Return the HTML of the page at *path*, as somebody on this machine sees it."""
    console = Console(database, **options)
    try:
        answer = Client(console).get(path, environ_overrides=HERE)
        assert answer.status_code == 200, answer.text
        return answer.text
    finally:
        console.close()
