"""The visit: who asks for what, and the snapshot or transaction that answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Request
from ZODB import DB
from ZODB.Connection import Connection

from daemon.console.panel import Panel
from export.auth.browser_sessions import COOKIE, csrf_token_of
from export.people.roles import Role, roles
from export.people.user import Avatar

if TYPE_CHECKING:
    from daemon.console.page import Action, ConsolePage


@dataclass(frozen=True)
class Visit:
    """One request to the console, by somebody who was let in."""

    request: Request
    database: DB
    connection: Connection
    """The snapshot of a page, or the transaction of an action."""

    user: Avatar | None
    """None where nobody has to log in yet."""

    role: Role
    health: Callable[[], str]
    """Returns the fault of the daemon; empty if it is healthy."""

    panels: Sequence[Panel] = ()
    """Further tables of the overview."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    """The parameters of the address."""

    faults: Mapping[str, str] = field(default_factory=dict)
    """The faults of the form that was sent, by the names of its fields."""

    told: str = ""
    """The sentence of the last action."""

    secret: str = ""
    """A text of the last action for the user alone."""

    is_live: bool = False
    """Whether the page keeps up with the database; not one that answers a form."""

    @property
    def query(self) -> MultiDict[str, str]:
        """The parameters behind the question mark."""
        return self.request.args

    @property
    def form(self) -> MultiDict[str, str]:
        """The fields of the form that was sent; none on a page that was asked for."""
        return self.request.form

    @property
    def is_open(self) -> bool:
        """Whether nobody has to log in, because there was no admin yet."""
        return self.user is None

    @property
    def can_log_in(self) -> bool:
        """Whether there is somebody who may act here once they have logged in."""
        return any(True for _ in roles(self.connection))

    @property
    def login_address(self) -> str:
        """The address of the log-in that leads back to this page."""
        return f"/login?next={quote(self.request.full_path.rstrip('?'))}"

    @property
    def csrf_token(self) -> str:
        """The token by which a form shows that it comes from this session."""
        cookie = self.request.cookies.get(COOKIE, "")
        return csrf_token_of(cookie) if cookie and self.user is not None else ""

    def may(self, what: ConsolePage | Action | Role | str) -> bool:
        """Say whether this user may see or do it; *what* is a page, an action or a role."""
        if isinstance(what, str):
            what = Role.named(what)
        needed = what if isinstance(what, Role) else what.role
        return self.role >= needed

    def after(self, **more: Any) -> Visit:
        """Return this visit with some of it replaced."""
        return replace(self, **more)
