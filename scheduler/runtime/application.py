"""The application's modules and hooks that the settings name, loaded when a process starts."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import NamedTuple

from scheduler.errors import SchedulerConfigurationException
from scheduler.runtime.hook_registry import REGISTRY
from scheduler.settings import Settings
from scheduler.store.missing_class import EXITS, reason_of


class Application(NamedTuple):
    """The names of what a process of the application loads."""

    imports: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> Application:
        """Return what *settings* name."""
        return cls(tuple(settings.imports), tuple(settings.hooks))

    def load(self) -> list[ModuleType]:
        """Import the modules, and return them; register the hooks.

        Raises SchedulerConfigurationException naming what cannot be loaded.
        """
        modules = [_imported(name) for name in self.imports]
        REGISTRY.load(self.hooks)
        return modules


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    except (Exception, *EXITS) as error:
        raise SchedulerConfigurationException(
            f"imports names {name!r}, which cannot be imported ({reason_of(error)}): install "
            "it where the scheduler runs, or put its folder on the PYTHONPATH"
        ) from error
