"""OpenSearchAgent: it indexes records in OpenSearch or Elasticsearch, in bulk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from livesync.agents.http import IS_NOT_ABOUT_RECORDS, WANTS_IT_LATER, Answer, HttpAgent, HttpTarget
from livesync.agents.target import Items, Send, TargetItem
from livesync.errors import AgentExecutionException, Overloaded, PartialFailure, TargetFault
from livesync.records.document import json_bytes
from livesync.records.reduction import Record

PATH = "/_bulk"
NOT_FOUND = 404


class OpenSearchAgent(HttpAgent):
    """Puts records into *index* of the server at *url*, and takes deleted ones out.

    A record's document has the record's id. Of a batch that was taken in part the records
    that the server refuses for good are shown. Where it has no room for one, or refuses it for a
    reason that concerns all (a block, a missing index), the whole batch is sent again later.
    """

    def __init__(
        self,
        aid: str,
        name: str,
        description: str,
        updateTime: int,
        access: Any = None,
        url: str | None = None,
        *,
        index: str = "livesync",
        batch_size: int = 1000,
    ) -> None:
        super().__init__(aid, name, description, updateTime, access, url, batch_size=batch_size)
        self._index = index

    def _prepare(self, record: Record) -> bytes:
        # Names that begin with _ are the server's own: it may refuse a document that has some.
        shown = self.told(record)
        return json_bytes({name: shown[name] for name in shown if not name.startswith("_")})

    @contextmanager
    def _sender(self) -> Iterator[Send]:
        with self._connected() as target:
            yield partial(_index, target, self._index)


def _index(target: HttpTarget, index: str, items: Items) -> None:
    body = b"".join(_action(index, item) for item in items)
    answer = target.post(body, {"Content-Type": "application/x-ndjson"}, PATH)
    outcomes = _outcomes(answer, len(items))
    if outcomes is None:
        raise AgentExecutionException(
            f"the server did not answer as to a bulk of {len(items)} records, but: "
            f"{target.quote(answer)}"
        )
    _judge(items, outcomes)


def _action(index: str, item: TargetItem) -> bytes:
    """Return the lines that put *item* into *index*, or take it out."""
    about = {"_index": index, "_id": item.identity}
    if item.is_deleted:
        return json_bytes({"delete": about}) + b"\n"
    return json_bytes({"index": about}) + b"\n" + item.content + b"\n"


def _outcomes(answer: Answer, count: int) -> list[dict[str, Any]] | None:
    """Return what became of each of *count* items; None if *answer* does not say."""
    try:
        results = json.loads(answer.content)["items"]
        outcomes = [next(iter(result.values())) for result in results]
        is_whole = len(outcomes) == count and all(int(one["status"]) for one in outcomes)
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration, RecursionError):
        return None
    return outcomes if is_whole else None


def _judge(items: Items, outcomes: list[dict[str, Any]]) -> None:
    refused: dict[int, str] = {}
    for place, (item, outcome) in enumerate(zip(items, outcomes, strict=True)):
        status = int(outcome["status"])
        if status < 300 or (item.is_deleted and status == NOT_FOUND):
            continue
        if status in WANTS_IT_LATER or status >= 500:
            raise Overloaded(f"the server has no room for {item.obj_id!r}: {_reason(outcome)}")
        if status in IS_NOT_ABOUT_RECORDS:
            raise TargetFault(f"the server does not take {item.obj_id!r}: {_reason(outcome)}")
        refused[place] = _reason(outcome)
    if refused:
        raise PartialFailure(f"the server refused {len(refused)} of {len(items)}", refused)


def _reason(outcome: dict[str, Any]) -> str:
    error = outcome.get("error")
    shown = f"{error.get('type')}: {error.get('reason')}" if isinstance(error, dict) else str(error)
    return f"{outcome['status']} {shown[:200]}"
