"""The commands of tokens: `indico_export token ...`."""

from __future__ import annotations

from argparse import Namespace

from ZODB.Connection import Connection

from export.auth.tokens import SCOPES, ApiToken, tokens
from export.cli.parser import Commands, Told, add_noun, add_secret, add_verb, listed, named
from export.errors import CredentialException

HEADS = (
    *("id", "user", "name", "scopes", "created", "blocked", "revoked"),
    *("uses", "last_use", "from"),
)


def add_commands(commands: Commands) -> None:
    """Add the commands of tokens; TOKEN is its id as `list` shows it, or its text."""
    found = add_noun(commands, "token", "bearer tokens")
    create = add_verb(found, "create", "make a token, which is shown this once", _create)
    take = add_verb(found, "import", "take a token over from elsewhere", _create)
    for verb in (create, take):
        verb.add_argument("--user", required=True, help="whom the token acts as")
        verb.add_argument("--name", required=True, help="what it is for")
        verb.add_argument(
            *("--scope", "--scopes"),
            dest="scopes",
            action="extend",
            nargs="+",
            required=True,
            metavar="SCOPE",
            help=f"one or more of {', '.join(SCOPES)}",
        )
        which = verb.add_mutually_exclusive_group(required=verb is take)
        add_secret(which, "--token", "the text of a token taken over", default="")
        which.add_argument(
            "--digest", default="", help="the SHA-256 of its text in hexadecimal, as Indico has it"
        )
    add_verb(found, "list", "show all tokens, and how they are used", _list)
    add_verb(found, "block", "let a token open nothing", _block, "token")
    add_verb(found, "unblock", "let a blocked token be used again", _unblock, "token")
    add_verb(found, "reset", "give a token another text; the old one ends", _reset, "token")
    add_verb(found, "revoke", "end a token for ever", _revoke, "token")


def _create(options: Namespace, connection: Connection) -> Told:
    scopes = [scope for word in options.scopes for scope in word.split(",") if scope]
    token, text = tokens(connection).create(
        options.user, options.name, scopes, options.token, options.digest
    )
    if options.token or options.digest:
        text = f"the token {token.name!r} of {token.user} is taken over\nid {token.id}"
        return Told(text, _facts(token))
    return _shown_once(token, text)


def _shown_once(token: ApiToken, text: str) -> Told:
    return Told(f"token {text}\nid {token.id}", {**_facts(token), "token": text})


def _list(options: Namespace, connection: Connection) -> Told:
    return listed(HEADS, [_row(token) for token in tokens(connection)])


def _facts(token: ApiToken) -> dict[str, object]:
    return named(HEADS, _row(token))


def _row(token: ApiToken) -> tuple[object, ...]:
    use = token.usage
    return (
        *(token.id, token.user, token.name, " ".join(sorted(token.scopes)), token.created),
        *(token.blocked, token.revoked, use.count, use.last, use.address),
    )


def _block(options: Namespace, connection: Connection) -> Told:
    token = _named(options, connection)
    token.blocked = True
    return Told(f"the token {token.name!r} of {token.user} is blocked", _facts(token))


def _unblock(options: Namespace, connection: Connection) -> Told:
    token = _named(options, connection)
    token.blocked = False
    return Told(f"the token {token.name!r} of {token.user} can be used", _facts(token))


def _reset(options: Namespace, connection: Connection) -> Told:
    token = _named(options, connection)
    return _shown_once(token, tokens(connection).reset(token))


def _revoke(options: Namespace, connection: Connection) -> Told:
    token = _named(options, connection)
    tokens(connection).revoke(token)
    return Told(f"the token {token.name!r} of {token.user} is revoked", _facts(token))


def _named(options: Namespace, connection: Connection) -> ApiToken:
    all_tokens = tokens(connection)
    by_id = (token for token in all_tokens if token.id == options.token)
    found = all_tokens.find(options.token) or next(by_id, None)
    if found is None:
        raise CredentialException("there is no such token; `indico_export token list` shows all")
    return found
