"""The commands of keys: `indico_export key ...`."""

from __future__ import annotations

from argparse import Namespace

from ZODB.Connection import Connection

from export.auth.api_keys import ApiKey, key_ring
from export.cli.parser import Commands, Told, add_noun, add_secret, add_verb, listed, named
from export.errors import CredentialException

HEADS = ("user", "key", "created", "blocked", "persistent", "uses", "last_use", "from", "request")


def add_commands(commands: Commands) -> None:
    """Add the commands of keys; KEY is a key, or whose it is."""
    keys = add_noun(commands, "key", "API keys")
    create = add_verb(keys, "create", "make a key; an old one ends", _create)
    take = add_verb(keys, "import", "take a key over from elsewhere; an old one ends", _create)
    for verb, is_needed in ((create, False), (take, True)):
        verb.add_argument("--user", required=True, help="whom the key acts as")
        verb.add_argument("--persistent", action="store_true", help="may sign without a timestamp")
        add_secret(verb, "--key", "a key taken over", required=is_needed, default="")
        add_secret(verb, "--secret", "its secret", default="")
    add_verb(keys, "list", "show all keys, and how they are used", _list)
    add_verb(keys, "block", "let a key open nothing", _block, "key")
    add_verb(keys, "unblock", "let a blocked key be used again", _unblock, "key")
    persistent = add_verb(keys, "persistent", "say if it may sign for ever", _persist, "key")
    persistent.add_argument("allowed", choices=("yes", "no"))
    add_verb(keys, "revoke", "end a key for ever", _revoke, "key")


def _create(options: Namespace, connection: Connection) -> Told:
    key = key_ring(connection).create(options.user, options.persistent, options.key, options.secret)
    if options.key and options.secret:
        return Told(f"the key {key.hint} of {key.user} is taken over", _facts(key))
    facts = {**_facts(key), "key": key.key, "secret": key.secret}
    return Told(f"key {key.key}\nsecret {key.secret}", facts)


def _list(options: Namespace, connection: Connection) -> Told:
    return listed(HEADS, [_row(key) for key in key_ring(connection)])


def _facts(key: ApiKey) -> dict[str, object]:
    return named(HEADS, _row(key))


def _row(key: ApiKey) -> tuple[object, ...]:
    use = key.usage
    return (
        *(key.user, key.hint, key.created, key.blocked, key.persistent_allowed),
        *(use.count, use.last, use.address, use.request),
    )


def _block(options: Namespace, connection: Connection) -> Told:
    key = _named(options, connection)
    key.blocked = True
    return Told(f"the key of {key.user} is blocked", _facts(key))


def _unblock(options: Namespace, connection: Connection) -> Told:
    key = _named(options, connection)
    key.blocked = False
    return Told(f"the key of {key.user} can be used", _facts(key))


def _persist(options: Namespace, connection: Connection) -> Told:
    key = _named(options, connection)
    key.persistent_allowed = options.allowed == "yes"
    return Told(f"the key of {key.user} may sign for ever: {options.allowed}", _facts(key))


def _revoke(options: Namespace, connection: Connection) -> Told:
    key = _named(options, connection)
    facts = _facts(key)
    key_ring(connection).revoke(key)
    return Told(f"the key of {key.user} is gone", facts)


def _named(options: Namespace, connection: Connection) -> ApiKey:
    ring = key_ring(connection)
    found = ring.find(options.key) or ring.of(options.key)
    if found is None:
        raise CredentialException(f"there is no key {options.key!r}, and no user with one")
    return found
