"""The lists of the reference tell what the code has, and what documents name is there."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from livesync.delivery import status
from scheduler import states
from tests.commands import commands
from tests.docs import reference
from tests.places import ROOT

DOCS = ROOT / "docs"
SOURCES = [
    *(file for package in reference.PACKAGES for file in sorted((ROOT / package).rglob("*.py"))),
    ROOT / "etc" / "zodb_relay.py",
]
CHANGING = (
    r"\.\.\.|object 0x2e|\b[A-Z]{1,5}\b|'scheduler'|8080|shop\.Order|lxml|a scheduler on"
    r"|zodb-relay|be read: Too"
)
"""The parts of messages in documents that are not the same each time."""

NAMED = re.compile(r"(indico_(?:scheduler|livesync|export)) ([a-z]\w+(?: [\w-]+)*)")


@cache
def constants():
    """Return all texts in the code, one after the other."""
    nodes = (node for file in SOURCES for node in ast.walk(ast.parse(file.read_text())))
    found = (node.value for node in nodes if isinstance(node, ast.Constant))
    return "\n".join(text for text in found if isinstance(text, str))


@pytest.mark.parametrize("name", reference.TEXTS)
def test_the_list_is_that_of_the_code(name):
    assert (DOCS / name).read_text() == reference.TEXTS[name](), (
        "write it anew: python -m tests.docs.reference"
    )


def test_the_document_has_each_state_of_tasks():
    row = r"^\| ?(\w*) \| `(\w+)` \| (\d) \| `(\w\w)` \| .* \| (.*) \|$"
    rows = re.findall(row, text("states"), re.MULTILINE)
    words = {"": 0} | {word: number for number, word in states.WORDS.items()}
    assert len(rows) == len(states.MOVES)
    for word, constant, number, letters, after in rows:
        assert getattr(states, constant) == words[word] == int(number)
        assert states.status(int(number)) == letters
        moves = {words[each.replace("none", "")] for each in after.split(", ")}
        assert moves == states.MOVES[int(number)]
    assert {word for word in states.STATES if f"| {word} |" not in text("states")} == set()


def test_the_document_has_each_state_of_agents():
    values = [each for name, each in vars(status).items() if name.isupper() and name != "MINUTE"]
    values = [each for each in values if isinstance(each, str) and each.islower()]
    assert len(values) == 9
    assert [value for value in values if f"| {value} |" not in text("states")] == []


@pytest.mark.parametrize("document", sorted(DOCS.glob("*.md")), ids=lambda path: path.stem)
def test_each_command_that_a_document_names_is_there(document):
    assert [words for words in commands_in(document.read_text()) if not is_command(*words)] == []


def test_each_command_that_the_code_names_is_there():
    assert [words for words in commands_in(constants()) if not is_command(*words)] == []


def test_each_message_of_the_page_about_trouble_is_one_of_the_code():
    symptoms = re.findall(r"^\| ([^|]*) \|", text("trouble"), re.MULTILINE)
    quoted = [each for symptom in symptoms for each in re.findall(r"`([^`]+)`", symptom)]
    assert len(quoted) > 20
    known = constants()
    assert [each for each in quoted if longest_part(each) not in known] == []


def text(name):
    return (DOCS / f"{name}.md").read_text()


def commands_in(text):
    return [(program, words.split()) for program, words in NAMED.findall(text)]


def is_command(program, words):
    """Say whether *words* begin with a command of *program*, or are the beginning of some."""
    known = [each.words for each in commands(program)]
    if words[0] == "agent":  # followed by its id and the verb, in either order
        verbs = {"COMMAND"} | {each[1] for each in known if each[0] == "agent"}
        return len(words) < 3 or not verbs.isdisjoint(words[1:3])
    return any(each[: len(words)] == tuple(words[: len(each)]) for each in known)


def longest_part(message):
    """Return the longest part of *message* that is the same each time."""
    parts = re.split(CHANGING, message)
    return max(parts, key=len).strip(" :,([)]")
