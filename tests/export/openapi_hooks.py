"""Rules of the export that OpenAPI cannot tell schemathesis."""

from __future__ import annotations

import schemathesis

MOST = {"contributions": 500, "subcontributions": 500, "sessions": 100, "reservations": 10}


@schemathesis.hook
def filter_case(context, case):
    """The highest limit is that of the detail level: OpenAPI has one for all of them."""
    query = case.query or {}
    limit = str(query.get("limit", ""))
    most = MOST.get(str(query.get("detail")), 100_000)
    return not limit.isdecimal() or int(limit) <= most
