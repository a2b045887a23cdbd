"""The visibility of imported parts: no part is seen by more people than at its source.

A source tells it by flags and by the list `allowed`. It gives that list to managers only, and an
empty one both for an open part and for one that nobody is named for; such a part inherits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from export.imports.node import Node
from export.model.access import Protected, Protection

CLOSED = (
    *("hasAnyProtection", "isProtected", "is_protected", "protected", "isPrivate", "is_private"),
    *("private", "isRestricted", "is_restricted", "restricted", "unpublished", "isDraft"),
    "is_draft",
)
"""Flags that close a part where they are set."""

PUBLISHED = ("isPublished", "is_published", "published", "isPublic", "is_public", "public")
"""Flags that close a part where they are there and not set."""

MODES = ("protection", "protection_mode", "effective_protection_mode", "visibility_mode")
CLOSED_MODES = {"protected", "restricted", "private", "confidential", "unpublished", "draft"}
NO = {"", "0", "false", "no", "none", "null", "off"}


@dataclass(frozen=True)
class AccessRule:
    """The access rule of a restricted part: users by e-mail address, groups by id."""

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def __and__(self, other: AccessRule) -> AccessRule:
        """Return the rule for those whom both rules name."""
        return AccessRule(self.users & other.users, self.groups & other.groups)


RuleOrNone = AccessRule | None
"""The rule of an object; None where everybody may see it."""


def rule_of(node: Node) -> RuleOrNone:
    """Return the rule that *node* tells; None where it tells none. Raises ImportRefused."""
    allowed = node.node("allowed")
    users = frozenset(allowed.ids("users")) if allowed is not None else frozenset()
    groups = frozenset(allowed.ids("groups")) if allowed is not None else frozenset()
    is_closed = bool(users or groups) or is_closed_by_flag(node.data)
    return AccessRule(users, groups) if is_closed else None


def is_closed_by_flag(data: dict[str, Any]) -> bool:
    """Say whether a flag of *data* closes the part."""
    return (
        any(_is_set(data.get(name)) for name in CLOSED)
        or any(data.get(name) is not None and not _is_set(data[name]) for name in PUBLISHED)
        or any(str(data.get(name, "")).lower() in CLOSED_MODES for name in MODES)
    )


def _is_set(value: Any) -> bool:
    return value.strip().lower() not in NO if isinstance(value, str) else bool(value)


@dataclass
class Visibility:
    """The rules of an event's parts, and how many parts the source tells nothing of."""

    rules: list[tuple[Protected, AccessRule]] = field(default_factory=list)
    untold: Counter[str] = field(default_factory=Counter)

    def close(self, part: Protected, rule: RuleOrNone, above: RuleOrNone) -> RuleOrNone:
        """Close *part* by *rule*, unless *above* names the same; return the rule that holds."""
        if rule is None:
            self.untold[type(part).__name__.lower()] += 1
            return above
        if rule != above or rule == AccessRule():
            part.setProtection(Protection.RESTRICTED)
            self.rules.append((part, rule))
        return rule


def untold_in_words(untold: Counter[str]) -> str:
    """Return a sentence about the parts that a source tells nothing of."""
    parts = ", ".join(
        f"{count} {kind}{'s' if count != 1 else ''}" for kind, count in sorted(untold.items())
    )
    return f"the source does not tell who may see {parts}: each inherits that from its owner"
