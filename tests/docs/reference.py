"""The lists of commands and errors: `python -m tests.docs.reference` writes them anew."""

from __future__ import annotations

import inspect
from importlib import import_module

from tests.commands import PARSERS, commands, options
from tests.places import ROOT

PACKAGES = ("scheduler", "livesync", "export", "daemon")
COMMANDS = """# Commands

Three programs: `indico_scheduler` runs the daemon, looks at tasks and directs them;
`indico_livesync` looks after the change feed and its agents; `indico_export` fills the catalogue
and says who may see it. What their exit statuses mean is told in [Running
it](operations.md#start-look-stop), and so is what `--json` prints.

Each takes `--version` and `--completion SHELL`; each command `--help`, `--json` and `--database
URI`, and those of `indico_scheduler` also `--config FILE`, `-p` (run tasks in worker processes)
and `-f` (carry the command out although it is refused). In place of a value, `@FILE` names a file
with it, `@env:VARIABLE` a variable, and `-` is a line of standard input.
"""
ERRORS = """# Errors

What a call can raise. Each package has a root from which its errors derive; each error names the
culprit and the remedy in its text.
"""
EVERYWHERE = {"help", "json", "database", "config", "fork_processes", "force"}


def commands_text():
    """Return the document about commands."""
    parts = [COMMANDS]
    for program in PARSERS:
        parts.append(f"## {program}\n")
        parts += [_command(program, command) for command in commands(program)]
    return "\n".join(parts)


def errors_text():
    """Return the document about errors."""
    parts = [ERRORS]
    for package in PACKAGES:
        module = import_module(f"{package}.errors")
        rows = [_error(kind) for kind in vars(module).values() if _is_own(kind, module)]
        head = f"## {module.__name__}\n\n| error | is a | meaning |\n| --- | --- | --- |"
        parts.append("\n".join([head, *rows, ""]))
    return "\n".join(parts)


def _command(program, command):
    told = [each for each in options(command.parser) if each.dest not in EVERYWHERE]
    arguments = [_shown(each) for each in told if not each.option_strings]
    words = [program, *command.words, *arguments]
    if command.words[0] == "agent":  # it is written as `agent AGENT_ID COMMAND`
        words[2:4] = reversed(words[2:4])
    lines = [f"### {' '.join(words)}", "", _sentence(command.about), ""]
    rows = [f"| {_names(each)} | {_meaning(each)} |" for each in told if _tells(each)]
    if rows:
        lines += ["| argument | meaning |", "| --- | --- |", *rows, ""]
    return "\n".join(lines)


def _shown(action):
    name = action.metavar or action.dest.upper()
    return {"*": f"[{name} ...]", "+": f"{name} ...", "?": f"[{name}]"}.get(action.nargs, name)


def _tells(action):
    return bool(action.option_strings or action.help or action.choices)


def _names(action):
    if not action.option_strings:
        return f"`{action.metavar or action.dest.upper()}`".replace("|", "\\|")
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    if isinstance(action.choices, list | tuple) and action.metavar is None:
        value = ""
    return ", ".join(f"`{name}{value}`" for name in action.option_strings)


def _meaning(action):
    choices = ", ".join(f"`{each}`" for each in action.choices or ())
    needed = "needed" if action.option_strings and action.required else ""
    told = "" if choices and action.metavar is not None else choices
    parts = [action.help or "", told, needed]
    return "; ".join(part.replace("|", "\\|") for part in parts if part)


def _sentence(text):
    return f"{text[0].upper()}{text[1:]}."


def _is_own(kind, module):
    return inspect.isclass(kind) and kind.__module__ == module.__name__


def _error(kind):
    bases = ", ".join(f"`{base.__name__}`" for base in kind.__bases__)
    meaning = " ".join(inspect.cleandoc(kind.__doc__).split())
    return f"| `{kind.__name__}` | {bases} | {meaning} |"


TEXTS = {"commands.md": commands_text, "errors.md": errors_text}

if __name__ == "__main__":
    for name, text in TEXTS.items():
        (ROOT / "docs" / name).write_text(text())
