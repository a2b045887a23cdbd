"""The commands of users: `indico_export user ...`."""

from __future__ import annotations

import getpass
import sys
from argparse import Namespace

from ZODB.Connection import Connection

from export.cli.parser import Commands, Told, add_noun, add_verb, listed, named
from export.errors import CredentialException
from export.people.roles import Role, roles
from export.people.user import Avatar, users

HEADS = ("id", "login", "name", "email", "blocked", "role")
ROLES = tuple(map(str, Role))


def add_commands(commands: Commands) -> None:
    """Add the commands of users; USER is an id or a login."""
    found = add_noun(commands, "user", "users")
    create = add_verb(found, "create", "take a user in", _create, "id")
    for name in ("first-name", "family-name", "email", "login", "affiliation"):
        create.add_argument(f"--{name}", default="")
    create.add_argument("--role", choices=ROLES, default="none", help="the role in the console")
    create.add_argument(
        "--password", action="store_true", help="let them log in with a password, read from stdin"
    )
    add_verb(found, "list", "show all users", _list)
    add_verb(found, "password", "set a password, read from stdin", _password, "user")
    role = add_verb(found, "role", "set the role in the console", _role, "user")
    role.add_argument("role", choices=ROLES)
    add_verb(found, "block", "let keys, tokens and password open nothing", _block, "user")
    add_verb(found, "unblock", "let a blocked user in again", _unblock, "user")


def _create(options: Namespace, connection: Connection) -> Told:
    user = Avatar(options.id, options.first_name, options.family_name, options.email, options.login)
    user.affiliation = options.affiliation
    users(connection).add(user)
    if options.password:
        user.set_password(_asked())
    if options.role != str(Role.NONE):
        roles(connection).give(user.id, Role.named(options.role))
    return Told(f"user {user.id}, login {user.login}", _facts(user, connection))


def _list(options: Namespace, connection: Connection) -> Told:
    return listed(HEADS, [_row(user, connection) for user in users(connection)])


def _role(options: Namespace, connection: Connection) -> Told:
    user = _named(options, connection)
    roles(connection).give(user.id, Role.named(options.role))
    text = f"{user.login} has the role {options.role} in the console"
    return Told(text, _facts(user, connection))


def _password(options: Namespace, connection: Connection) -> Told:
    user = _named(options, connection)
    user.set_password(_asked())
    return Told(f"{user.login} can log in with the new password", _facts(user, connection))


def _block(options: Namespace, connection: Connection) -> Told:
    user = _named(options, connection)
    user.blocked = True
    return Told(f"{user.login} is blocked", _facts(user, connection))


def _unblock(options: Namespace, connection: Connection) -> Told:
    user = _named(options, connection)
    user.blocked = False
    return Told(f"{user.login} may enter", _facts(user, connection))


def _facts(user: Avatar, connection: Connection) -> dict[str, object]:
    return named(HEADS, _row(user, connection))


def _row(user: Avatar, connection: Connection) -> tuple[object, ...]:
    role = str(roles(connection).of(user.id))
    return user.id, user.login, user.getName(), user.email, user.blocked, role


def _asked() -> str:
    text = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not text:
        raise CredentialException("a password cannot be empty")
    return text


def _named(options: Namespace, connection: Connection) -> Avatar:
    found = users(connection).find(options.user) or users(connection).find_by_login(options.user)
    if found is None:
        raise CredentialException(f"there is no user {options.user!r}")
    return found
