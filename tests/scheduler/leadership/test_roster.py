"""Who is at work is noted in the office; a paused scheduler starts nothing.

Covers `scheduler.dispatch.worker_report`.
"""

from __future__ import annotations

import socket

import pytest

from scheduler import nowutc
from scheduler.leadership.roster import roster_of
from tests.scheduler.harness import running
from tests.scheduler.sample_long import Wait
from tests.scheduler.sample_tasks import Count


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_the_worker_of_a_long_task_is_seen(view, database, tmp_path, mode):
    go = tmp_path / "go"
    with running(database, multitask_mode=mode, workers=2):
        view.until(lambda: len(roster_of(view.connection).workers) == 2)
        task = view.enqueue(Wait(nowutc(), str(go)))

        def posts():
            return [post for post in roster_of(view.connection).workers if post.tid]

        (post,) = view.until(posts)
        assert post.tid == task.getId()
        go.touch()
        view.until_counts(finished=1)
    assert task.getAttempts()[0].worker == post.worker
    view.refresh()
    assert roster_of(view.connection).workers == ()


def test_a_paused_scheduler_starts_nothing_and_goes_on_when_resumed(view, database):
    with running(database):
        view.client.pause()
        view.commit()
        view.until(view.client.isPaused)
        view.enqueue(Count(nowutc()))
        view.until_counts(waiting=1)
    with running(database):
        view.enqueue(Count(nowutc()))
        view.until_counts(waiting=2)  # over the restart, too
        assert "count" not in view.root
        view.client.resume()
        view.commit()
        view.until_counts(finished=2)
    assert view.root["count"] == 2


def test_who_leads_is_noted_without_a_name_server(view, database, monkeypatch):
    def ask(*_):
        raise AssertionError("a name server may not answer for many seconds")

    for name in ("getfqdn", "gethostbyaddr", "gethostbyname_ex", "getaddrinfo"):
        monkeypatch.setattr(socket, name, ask)
    with running(database):
        view.until(lambda: view.status()["hostname"] == socket.gethostname())
