"""Deferred commands: a module is imported with the call of its command, so all begin sooner."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from scheduler.values.extras import extra_needed

if TYPE_CHECKING:
    from daemon.config import Config


@dataclass(frozen=True)
class DeferredCommand:
    """The command *name* of *module*; two of the same command are equal."""

    module: str
    name: str

    def __call__(self, options: argparse.Namespace, config: Config) -> int:
        """Import the module, and run the command; return its exit status."""
        with extra_needed():
            module = import_module(self.module)
        status: int = getattr(module, self.name)(options, config)
        return status


class DeferredModule:
    """Stands for *module*: each attribute is the deferred command of that name."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> DeferredCommand:
        return DeferredCommand(self._module, name)
