"""The registry: the classes of agents by name, and agents made and changed from settings.

A class is an entry point of the group `zodb_relay.agents`, or is named `module:Class`. Its
settings are the further parameters of its constructor, those of `livesync.delivery.settings`, and
those of its filter (`livesync.records.change_filter`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from importlib.metadata import entry_points
from typing import Any

from livesync.delivery.push_agent import PushSyncAgent
from livesync.delivery.settings import DeliverySettings
from livesync.errors import AgentSettingException
from livesync.records.change_filter import ChangeFilter, words
from scheduler.store.encryption import unseal
from scheduler.store.missing_class import reason_of
from scheduler.values.named_object import named_object

ENTRY_POINTS = "zodb_relay.agents"
BASIC = ("aid", "name", "description", "updateTime", "access")
# Attributes that hold delivery state; not editable as settings.
STATE = {"_delivery_state", "_manager"}
TRUE, FALSE = {"yes", "true", "1", "on"}, {"no", "false", "0", "off"}


def agent_class(name: str) -> type[PushSyncAgent]:
    """Return the class of agents of this *name*; raises AgentSettingException."""
    found = _loaded(name if ":" in name else _installed(name))
    if not isinstance(found, type) or not issubclass(found, PushSyncAgent):
        raise AgentSettingException(f"{name} is no class of agents that push")
    return found


def options_of(kind: type[PushSyncAgent]) -> dict[str, inspect.Parameter]:
    """Return the settings that agents of class *kind* have of their own."""
    parameters = inspect.signature(kind).parameters.items()
    return {name: parameter for name, parameter in parameters if name not in BASIC}


def make(
    kind: type[PushSyncAgent],
    aid: str,
    basic: Mapping[str, Any],
    settings: Mapping[str, str],
) -> PushSyncAgent:
    """Return a new agent *aid*; *settings* are texts. Raises AgentSettingException."""
    options, delivery, wanted = _sorted(kind, settings)
    agent = _made(kind, aid, basic, options)
    agent.delivery_state.settings = _with(agent.delivery_state.settings, delivery)
    if wanted:
        agent.filter = replace(agent.filter, **wanted)
    return agent


def edit(agent: PushSyncAgent, basic: Mapping[str, Any], settings: Mapping[str, str]) -> None:
    """Give *agent* other settings, as its constructor would; raises AgentSettingException."""
    kind = type(agent)
    options, delivery, wanted = _sorted(kind, settings)
    new_settings = _with(agent.delivery_state.settings, delivery)
    known = {name: _value(agent, name) for name in options_of(kind)}
    known = {name: value for name, value in known.items() if value is not None}
    before = _made(kind, agent.getId(), _basic(agent), known)
    after = _made(kind, agent.getId(), {**_basic(agent), **basic}, {**known, **options})
    for name, value in vars(after).items():
        if name not in STATE and value != vars(before).get(name):
            setattr(agent, name, value)
    agent.delivery_state.settings = new_settings
    if wanted:
        agent.filter = replace(agent.filter, **wanted)


def _installed(name: str) -> str:
    known = {entry.name: entry.value for entry in entry_points(group=ENTRY_POINTS)}
    if name not in known:
        raise AgentSettingException(
            f"there is no type of agents {name!r}; there are: {', '.join(sorted(known))}; "
            "or give module:Class"
        )
    return known[name]


def _loaded(name: str) -> Any:
    try:
        return named_object(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise AgentSettingException(f"{name} cannot be loaded: {reason_of(error)}") from error


def _sorted(
    kind: type[PushSyncAgent], settings: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return the values of *settings*: options of *kind*, delivery settings, and its filter."""
    own, general = options_of(kind), {field.name: field for field in fields(DeliverySettings)}
    filters = [field.name for field in fields(ChangeFilter)]
    options, delivery, wanted = {}, {}, {}
    for name, text in settings.items():
        if name in own:
            options[name] = _read(name, text, own[name].annotation, own[name].default)
        elif name in general:
            delivery[name] = _read(name, text, general[name].type, general[name].default)
        elif name in filters:
            wanted[name] = words(text)
        else:
            known = ", ".join([*own, *general, *filters])
            raise AgentSettingException(f"{kind.__name__} has no setting {name!r}; it has: {known}")
    return options, delivery, wanted


def _read(name: str, text: str, annotation: Any, default: Any) -> Any:
    kinds: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "bool": _truth}
    if type(default) in (bool, int, float):
        annotation = type(default).__name__ if annotation != "float" else annotation
    try:
        return kinds.get(str(annotation), str)(text)
    except ValueError:
        raise AgentSettingException(
            f"{name} is {text!r}: it must be of type {annotation}"
        ) from None


def _truth(text: str) -> bool:
    if text.lower() not in TRUE | FALSE:
        raise ValueError(text)
    return text.lower() in TRUE


def _made(
    kind: type[PushSyncAgent], aid: str, basic: Mapping[str, Any], options: Mapping[str, Any]
) -> PushSyncAgent:
    missing = [
        name
        for name, parameter in options_of(kind).items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        and name not in options
    ]
    if missing:
        raise AgentSettingException(f"{kind.__name__} needs the setting {missing[0]!r}")
    try:
        return kind(aid, **basic, **options)
    except (ValueError, TypeError, ImportError) as error:
        raise AgentSettingException(str(error)) from error


def _with(delivery: DeliverySettings, values: Mapping[str, Any]) -> DeliverySettings:
    try:
        return replace(delivery, **values)
    except ValueError as error:
        raise AgentSettingException(str(error)) from error


def _basic(agent: PushSyncAgent) -> dict[str, Any]:
    return {
        "name": agent.getName(),
        "description": agent.getDescription(),
        "updateTime": agent.update_time,
        "access": agent.access,
    }


def _value(agent: PushSyncAgent, name: str) -> Any:
    is_public = isinstance(getattr(type(agent), name, None), property)
    value = getattr(agent, name if is_public else f"_{name}", None)
    return unseal(value) if isinstance(value, bytes) else value
