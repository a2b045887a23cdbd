"""Each module with logic has its test, or is named in the docstring of the file that covers it."""

from __future__ import annotations

import ast
import re

from tests.house.sentences import PACKAGES
from tests.places import ROOT

TESTS = ROOT / "tests"
NAMED = re.compile(rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+)+)`")


def modules():
    """Yield the modules that define a function or a class."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            if any(map(has_logic, ast.parse(file.read_text()).body)):
                yield file.relative_to(ROOT).with_suffix("")


def has_logic(node):
    return isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)


def named():
    """Return the modules that docstrings of test files name."""
    files = [*TESTS.rglob("test_*.py")]
    docstrings = (ast.get_docstring(ast.parse(file.read_text())) or "" for file in files)
    return {name for docstring in docstrings for name in NAMED.findall(docstring)}


def has_test(module):
    return (TESTS / module.with_name(f"test_{module.name}")).with_suffix(".py").exists()


def test_each_module_has_its_test_or_is_named_by_another():
    covered = named()
    missing = [
        dotted
        for module in modules()
        for dotted in [".".join(module.parts).removesuffix(".__init__")]
        if not has_test(module) and dotted not in covered
    ]
    assert missing == [], (
        "each needs tests/<package>/<room>/test_<name>.py, or its name in the docstring of the "
        f"test file that covers it, in backquotes: {', '.join(missing)}"
    )


def test_the_modules_that_test_files_name_are_there():
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    parts = (file.relative_to(ROOT).with_suffix("").parts for file in files)
    there = {".".join(each).removesuffix(".__init__") for each in parts}
    assert named() - there == set()


def test_a_disk_is_full_only_for_processes_that_keep_no_bytecode():
    limit = "RLIMIT_" + "FSIZE"
    files = [file for file in TESTS.rglob("*.py") if limit in file.read_text()]
    assert files == [TESTS / "full_disk.py"]
