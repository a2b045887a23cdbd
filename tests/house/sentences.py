"""Check the sentences of the project: `python -m tests.house.sentences` lists what breaks a rule.

The rules: a sentence names its subject, uses the glossary's words, and a log line carries the
id of the task, agent, process or file that it is about.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HOME = Path(__file__).parents[2]
PACKAGES = ("scheduler", "export", "livesync", "daemon")

OPENING = re.compile(
    r"(?:^|(?<=[.:;!?]\s)|(?<=\n\n))"
    r"(What|Who|Whoever|Whatever|Whichever|Whose|Of (?:what|whom|those|two)|"
    r"Nothing that|Nobody who|One that|Those that|Those who|That which|"
    r"So (?:often|long|many|much)|Let)\b"
)
WORDS = re.compile(
    r"\b(office|warden|heirs?|fights?|fought|couriers?|what-if|whatif|rehearsals?|"
    r"goes for|go for|at the most|of no use|"
    r"(?:is|are|was|were|be|been) told (?:of|from|apart)|there is none|there was none)\b",
    re.IGNORECASE,
)
# Log lines of a process as a whole, which has its id in the log's own prefix.
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


class Finding(NamedTuple):
    """A sentence that breaks a rule."""

    file: Path
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(HOME)}:{self.line}: {self.rule}: {self.text}"


def findings() -> list[Finding]:
    """Return all findings in the packages, the documents and the README."""
    files = [file for name in PACKAGES for file in sorted((HOME / name).rglob("*.py"))]
    found = [each for file in files for each in of_code(file)]
    documents = [
        HOME / "README.md",
        HOME / "CONTRIBUTING.md",
        *sorted((HOME / "docs").glob("*.md")),
    ]
    return found + [each for file in documents for each in of_document(file)]


def of_code(file: Path) -> Iterator[Finding]:
    """Yield the findings in the docstrings, comments and log lines of *file*."""
    source = file.read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            if isinstance(node.value.value, str):
                yield from _of_text(file, node.lineno, inspect.cleandoc(node.value.value))
        elif isinstance(node, ast.Call):
            yield from _of_log_line(file, node)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield from _of_text(file, token.start[0], token.string.lstrip("# "))


def of_document(file: Path) -> Iterator[Finding]:
    """Yield the findings in the paragraphs of *file*, which is in Markdown."""
    in_code = False
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if line.startswith("```"):
            in_code = not in_code
        elif not in_code and not line.startswith(("#", "|")):
            yield from _of_text(file, number, line.lstrip("-*> "), opens=False)


def _of_text(file: Path, line: int, text: str, *, opens: bool = True) -> Iterator[Finding]:
    for rule, pattern in (("opening", OPENING), ("word", WORDS)):
        if rule == "opening" and not opens:
            continue
        for match in pattern.finditer(text.strip()):
            sentence = text.strip()[match.start() : match.start() + 70].replace("\n", " ")
            yield Finding(file, line + text[: match.start()].count("\n"), rule, sentence)


def _of_log_line(file: Path, call: ast.Call) -> Iterator[Finding]:
    match call:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="log"), attr=level),
            args=[ast.Constant(value=str(message)), *_],
        ) if level in LEVELS:
            yield from _of_text(file, call.lineno, message)
            if "%" not in message:
                yield Finding(file, call.lineno, "log line without an id", message)


def main() -> int:
    """Print the findings; return 1 where there are any."""
    found = findings()
    for finding in found:
        sys.stderr.write(f"{finding}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
