"""The commands of users: `indico_export user ...`."""

from __future__ import annotations

import getpass
import sys
from argparse import Namespace

from ZODB.Connection import Connection

from export.cli.parser import Commands, add_list, add_noun, add_verb, listed
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
    add_list(found, "show all users", _list)
    add_verb(found, "password", "set a password, read from stdin", _password, "user")
    role = add_verb(found, "role", "set the role in the console", _role, "user")
    role.add_argument("role", choices=ROLES)
    add_verb(found, "block", "let keys, tokens and password open nothing", _block, "user")
    add_verb(found, "unblock", "let a blocked user in again", _unblock, "user")


def _create(options: Namespace, connection: Connection) -> str:
    user = Avatar(options.id, options.first_name, options.family_name, options.email, options.login)
    user.affiliation = options.affiliation
    users(connection).add(user)
    if options.password:
        user.set_password(_asked())
    if options.role != str(Role.NONE):
        roles(connection).give(user.id, Role.named(options.role))
    return f"user {user.id}, login {user.login}"


def _list(options: Namespace, connection: Connection) -> str:
    rows = ((*_shown(user), str(roles(connection).of(user.id))) for user in users(connection))
    return listed(options, HEADS, rows)


def _role(options: Namespace, connection: Connection) -> str:
    user = _named(options, connection)
    roles(connection).give(user.id, Role.named(options.role))
    return f"{user.login} has the role {options.role} in the console"


def _password(options: Namespace, connection: Connection) -> str:
    user = _named(options, connection)
    user.set_password(_asked())
    return f"{user.login} can log in with the new password"


def _block(options: Namespace, connection: Connection) -> str:
    user = _named(options, connection)
    user.blocked = True
    return f"{user.login} is blocked"


def _unblock(options: Namespace, connection: Connection) -> str:
    user = _named(options, connection)
    user.blocked = False
    return f"{user.login} may enter"


def _shown(user: Avatar) -> tuple[str, str, str, str, bool]:
    return user.id, user.login, user.getName(), user.email, user.blocked


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
