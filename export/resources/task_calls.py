"""Tasks of other languages: `/api/tasks/...` enqueues calls, and tells what has become of them."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from ZODB.utils import u64

from export.auth import caller
from export.errors import (
    MalformedBody,
    MalformedRequest,
    NotFree,
    UnknownResource,
)
from export.http.question import Question
from export.http.result import Pending
from export.model.repeated_calls import repeated_calls
from export.resource import ANYTHING, Resource
from scheduler import SchedulerModule, nowutc
from scheduler.runtime.origin import enqueued_by
from scheduler.states import ENDED, TASK_STATUS_FINISHED, WORDS
from scheduler.store.encryption import recognitions
from scheduler.tasks import BaseTask
from scheduler.tasks.function import CALLED_BY_HTTP
from scheduler.tasks.http_call import WrongArguments, as_json, checked_arguments
from scheduler.tasks.naming import name_of
from scheduler.values.masking import hidden
from scheduler.values.shown import shown

ADDRESS = "/api/tasks"
KEY_LENGTH = 255


def call(question: Question) -> Pending:
    """Enqueue a call of a declared function; the body has its arguments, by name.

    With the header `Idempotency-Key` a repeated call enqueues nothing, for a day. `Prefer: wait=10`
    waits for the result, for at most so many seconds.
    """
    request, user = question.request, str(question.user)
    name = question.arguments["name"]
    function = CALLED_BY_HTTP.get(name)
    if function is None:
        raise UnknownResource(f"No function {name!r} is declared with http=True")
    body = request.json
    if not isinstance(body, dict):
        raise MalformedBody("The body is not a JSON object with the arguments by name")
    key = request.idempotency_key
    if len(key) > KEY_LENGTH:
        raise MalformedRequest(f"An Idempotency-Key has at most {KEY_LENGTH} characters")
    digests = recognitions(json.dumps([name, body], sort_keys=True).encode())
    found = repeated_calls().find(user, key) if key else None
    if found is not None and found[1] not in digests:
        raise NotFree("This Idempotency-Key was used for another call")
    number = found[0] if found is not None else _enqueue(question, function, body)
    if key and found is None:
        repeated_calls().keep(user, key, number, digests[0], nowutc())
    return _told(number, question.request.root)


def look(question: Question) -> Pending:
    """Return the state of a task that the caller has enqueued here, and its result.

    `Prefer: wait=10` waits for its end, for at most so many seconds.
    """
    number = int(question.arguments["number"])
    task = _found(number)
    origin = None if task is None else task.getOrigin()
    if origin is None or origin.user != question.user or f"{ADDRESS}/" not in origin.request:
        raise UnknownResource(f"You have enqueued no task {number} here, or it is gone")
    return _told(number, question.request.root)


def _enqueue(question: Question, function: Any, body: dict[str, Any]) -> int:
    try:
        arguments = checked_arguments(function.function, body)
    except WrongArguments as error:
        raise MalformedRequest(str(error)) from None
    at = f"POST {question.request.path}"
    with enqueued_by(user=str(question.user), request=at):
        try:
            task = function.enqueue(**arguments)
        except TypeError as error:
            raise MalformedRequest(str(error)) from None
    return int(u64(task._p_oid))


def _told(number: int, root: str) -> Pending:
    task = _found(number)
    if task is None:
        raise UnknownResource(f"Task {number} is gone")
    has_ended = task.getStatus() in ENDED
    address = f"{root}{ADDRESS}/{number}"
    data = {
        "id": number,
        "function": name_of(task),
        "state": WORDS[task.getStatus()],
        "created": task.getCreatedOn().isoformat(),
        "ended": _date(task.getEndedOn()) if has_ended else None,
        "address": address,
    }
    if task.getStatus() == TASK_STATUS_FINISHED:
        data["result"] = _result(task.getResult())
    elif has_ended and task.getAttempts():
        data["message"] = hidden(task.getAttempts()[-1].message)
    return Pending(
        data,
        {"Location": address},
        200 if has_ended else 202,
        awaited=None if has_ended else number,
        again=partial(_told, number, root),
    )


def _found(number: int) -> BaseTask | None:
    try:
        return SchedulerModule.getDBInstance().getTaskById(number)
    except KeyError:
        return None


def _date(date: Any) -> str | None:
    return None if date is None else date.isoformat()


def _result(value: Any) -> Any:
    try:
        return as_json(value)
    except (TypeError, ValueError):
        return shown(value)


SCOPES = ANYTHING | {"tasks"}

CALL = Resource(
    "task_call",
    (f"{ADDRESS}/<id:name>",),
    call,
    SCOPES,
    method="POST",
    door=caller.token_only,
    body={"type": "object", "properties": {}},
    is_pending=True,
)
TASK = Resource(
    "task",
    (f"{ADDRESS}/<digits:number>",),
    look,
    SCOPES,
    door=caller.token_only,
    is_pending=True,
)
