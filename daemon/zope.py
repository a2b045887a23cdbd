"""The glue for Zope and Plone: tasks have the site, the user and the addresses of the request.

`hooks = ["daemon.zope:ZopeHooks"]` in the settings of the daemon, and `scheduler.hooks.add(
ZopeHooks())` in the web application.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scheduler.hooks import Hooks
from scheduler.store import current
from scheduler.tasks.handle import TaskHandle
from scheduler.values.extras import extra_needed

with extra_needed():
    import Zope2
    from AccessControl.SecurityManagement import (
        getSecurityManager,
        newSecurityManager,
        noSecurityManager,
    )
    from Acquisition import aq_parent
    from Testing.makerequest import makerequest
    from zope.component.hooks import getSite, setSite
    from zope.globalrequest import clearRequest, getRequest, setRequest

if TYPE_CHECKING:
    from scheduler.tasks.base import BaseTask

CONFIGURATION = "ZOPE_CONFIG"  # Zope's own name for it
SITE, USER, REQUEST = "zope.site", "zope.user", "zope.request"

_starting = threading.Lock()
_at_work = threading.local()


class ZopeHooks(Hooks):
    """Notes with a task in which site and request, and for whom, it was enqueued; sets that up.

    Around an attempt there are `getSite()`, the user of `getSecurityManager()`, and a request, so
    that `getPhysicalPath()` and `absolute_url()` of what `object_at` returns are those of the web
    application. Where $ZOPE_CONFIG names a zope.conf, a worker starts Zope with it before its first
    attempt: products and ZCML are loaded.
    """

    def on_enqueue(self, task: BaseTask) -> None:
        """Note site, user and request of the present thread with *task*."""
        site, user, request = getSite(), getSecurityManager().getUser(), getRequest()
        if site is not None and hasattr(site, "getPhysicalPath"):
            task.setHeader(SITE, "/".join(site.getPhysicalPath()))
        if user is not None and user.getId():
            folder = aq_parent(user)
            path = folder.getPhysicalPath() if folder is not None else ("", "acl_users")
            task.setHeader(USER, json.dumps(["/".join(path), user.getId()]))
        if request is not None:
            task.setHeader(REQUEST, json.dumps(_address_of(request)))
            origin = task.getOrigin()
            at = f"{request.method} {request.get('PATH_INFO', '')}"
            name = (user and user.getId()) or origin.user
            TaskHandle(task).note_origin(origin._replace(user=name, request=at))

    @contextmanager
    def around_attempt(self, task: BaseTask) -> Iterator[None]:
        """Set up site, user and request as they were when *task* was enqueued."""
        _start_zope()
        headers = task.getHeaders()
        application = current().root().get("Application")
        if application is None:
            yield  # no database of Zope
            return
        application = makerequest(application)
        request = application.REQUEST
        request.other["PARENTS"] = [application]
        _be_at(request, json.loads(headers.get(REQUEST, "null")))
        setRequest(request)
        _at_work.application = application
        try:
            _log_in(application, json.loads(headers.get(USER, "null")))
            setSite(object_at(headers[SITE]) if SITE in headers else None)
            yield
        finally:
            _at_work.application = None
            setSite(None)
            noSecurityManager()
            clearRequest()
            request.close()


def object_at(path: str | Sequence[str]) -> Any:
    """Return the object at *path* (of `getPhysicalPath()`), wrapped, inside an attempt.

    Raises RuntimeError outside of one, KeyError where there is no such object.
    """
    application = getattr(_at_work, "application", None)
    if application is None:
        raise RuntimeError("object_at works inside an attempt, with the hook daemon.zope:ZopeHooks")
    parts = path.split("/") if isinstance(path, str) else list(path)
    return application.unrestrictedTraverse([part for part in parts if part])


def _start_zope() -> None:
    with _starting:
        if os.environ.get(CONFIGURATION) and Zope2.DB is None:
            # In a thread, whose transaction is not that of an attempt: the start commits.
            with ThreadPoolExecutor(1) as pool:
                pool.submit(Zope2.startup_wsgi).result()


def _address_of(request: Any) -> dict[str, Any]:
    root = request.other.get("VirtualRootPhysicalPath", ("",))
    script = request._script  # noqa: SLF001 (Zope gives it in no other way)
    return {"server": request.get("SERVER_URL"), "root": list(root), "script": list(script)}


def _be_at(request: Any, address: dict[str, Any] | None) -> None:
    if address is not None:
        request.other["SERVER_URL"] = address["server"]
        request.setVirtualRoot(address["script"])
        request.other["VirtualRootPhysicalPath"] = tuple(address["root"])


def _log_in(application: Any, user: list[str] | None) -> None:
    if user is None:
        noSecurityManager()
        return
    folder = application.unrestrictedTraverse([part for part in user[0].split("/") if part])
    found = folder.getUserById(user[1])
    if found is None:
        raise LookupError(f"there is no user {user[1]!r} in {user[0]} any more")
    newSecurityManager(None, found.__of__(folder))
