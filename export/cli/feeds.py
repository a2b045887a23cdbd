"""The commands of feeds: `indico_export feed ...`."""

from __future__ import annotations

from argparse import Namespace

from ZODB.Connection import Connection

from export.auth.feeds import Feed, feeds
from export.cli.parser import Commands, Told, add_noun, add_verb, listed, named
from export.errors import CredentialException

HEADS = ("id", "user", "address", "created", "uses", "last_use", "from")


def add_commands(commands: Commands) -> None:
    """Add the commands of feeds; FEED is an id as `list` shows it, its key or its address."""
    found = add_noun(commands, "feed", "persistent addresses, each with a key of its own")
    create = add_verb(
        found, "create", "make a persistent address; its key opens nothing else", _create, "address"
    )
    create.add_argument("--user", required=True, help="whom the address acts as")
    add_verb(found, "list", "show all feeds, and how they are used", _list)
    add_verb(found, "show", "print the address of a feed with its key", _show, "feed")
    add_verb(found, "revoke", "let an address open nothing any more", _revoke, "feed")


def _create(options: Namespace, connection: Connection) -> Told:
    feed = feeds(connection).create(options.user, options.address)
    return Told(f"feed {feed.address}\nid {feed.id}", _with_key(feed))


def _list(options: Namespace, connection: Connection) -> Told:
    return listed(HEADS, [_row(feed) for feed in feeds(connection)])


def _row(feed: Feed) -> tuple[object, ...]:
    use = feed.usage
    return (
        *(feed.id, feed.user, feed.shown_address, feed.created),
        *(use.count, use.last, use.address),
    )


def _show(options: Namespace, connection: Connection) -> Told:
    feed = _named(options, connection)
    return Told(feed.address, _with_key(feed))


def _with_key(feed: Feed) -> dict[str, object]:
    return {**named(HEADS, _row(feed)), "address": feed.address}


def _revoke(options: Namespace, connection: Connection) -> Told:
    feed = _named(options, connection)
    facts = named(HEADS, _row(feed))
    feeds(connection).revoke(feed)
    return Told(f"the feed {feed.id} of {feed.user} is gone", facts)


def _named(options: Namespace, connection: Connection) -> Feed:
    text = options.feed.rpartition("ak=")[2]
    by_id = (feed for feed in feeds(connection) if feed.id == options.feed)
    found = feeds(connection).find(text) or next(by_id, None)
    if found is None:
        raise CredentialException("there is no such feed; `indico_export feed list` shows all")
    return found
