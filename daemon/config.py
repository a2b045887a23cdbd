"""The daemon's settings: one TOML file, checked once at the door."""

from __future__ import annotations

import logging
import math
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from daemon.errors import ConfigurationException
from daemon.setting_sources import in_environment, merged, written_in
from export.errors import ExportConfigurationException
from export.settings import ExportSettings as ExportSettings
from scheduler.errors import SchedulerConfigurationException
from scheduler.runtime.mail_message import address_of
from scheduler.runtime.smtp import MailServer
from scheduler.settings import Settings as SchedulerSettings
from scheduler.values.duration import period
from scheduler.values.options import check_known

DAY = 86400
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_FORMATS = ("text", "json")


@dataclass(frozen=True)
class Web:
    """The web front end; without a proxy before it, leave it on 127.0.0.1."""

    host: str = "127.0.0.1"
    """The address it listens on."""

    port: int = 8080
    """The port; where it is taken, one of the next twenty. 0 for any that is free."""

    processes: int = 1
    """How many processes answer requests to the export: the daemon, and further ones beside it."""

    threads: int = 4
    """How many requests are answered at a time."""

    connections: int = 300
    """How many connections are open at a time; of more, those that wait longest are closed."""

    header_seconds: float = 10.0
    """How long the header of a request may take to come."""

    body_seconds: float = 60.0
    """How long its body may take."""

    trusted_proxy: str = ""
    """The address of the proxy that is believed how a request came to it; empty for none."""


@dataclass(frozen=True)
class Pack:
    """How the database is kept from growing by its history; seconds, or texts such as "7d"."""

    every: float = 7 * DAY
    """How often it is packed; "forever" for never."""

    keep_history: float = 7 * DAY
    """How much of the history is kept."""


@dataclass(frozen=True)
class LiveSync:
    """The settings of the agents."""

    push: bool = False
    """Whether a process of its own delivers to them as soon as something is committed."""


@dataclass(frozen=True)
class Alerts:
    """The recipients of alerts, and the limits; times are seconds, or texts such as "15m"."""

    command: str = ""
    """A command that gets the alert on its standard input; empty for none."""

    mail: str = ""
    """The address that the alert is mailed to, by the server of $SCHEDULER_MAIL; empty for none."""

    lag: float = 900
    """How old the oldest change before an active agent may be."""

    every: float = 600
    """How long after an alert the next is sent; it has all that is new by then."""


@dataclass(frozen=True)
class Log:
    """The log: its file, level, form and size."""

    level: str = "INFO"
    """The least level that is written: DEBUG, INFO, WARNING, ERROR or CRITICAL."""

    file: str = "var/relay.log"
    """The file of a daemon in the background; in the foreground it writes to stderr."""

    format: str = "text"
    """The form of a line: text, or json."""

    config: str = ""
    """A file that configures Python's `logging` in place of these settings; empty for none."""

    max_size: float = 20
    """The MB at which the file is begun anew."""

    keep: int = 9
    """How many older ones are kept beside it."""


SECTIONS = ("scheduler", "livesync", "export", "web", "pack", "alerts", "log")


@dataclass(frozen=True)
class Config:
    """All settings of the daemon."""

    database: str = ""
    """The URI of the database; empty for $SCHEDULER_DATABASE, else the embedded one."""

    key_file: str = ""
    """The file with the key that encrypts stored secrets; empty for $SCHEDULER_SECRET_KEY_FILE."""

    scheduler: SchedulerSettings = field(
        default_factory=lambda: SchedulerSettings(multitask_mode="processes")
    )
    livesync: LiveSync = field(default_factory=LiveSync)
    export: ExportSettings = field(default_factory=ExportSettings)
    web: Web = field(default_factory=Web)
    pack: Pack = field(default_factory=Pack)
    alerts: Alerts = field(default_factory=Alerts)
    log: Log = field(default_factory=Log)

    @classmethod
    def load(cls, file: str | Path | None) -> Config:
        """Return the settings of the environment over those of *file*, if one is given.

        Raises ConfigurationException naming what is wrong, and where.
        """
        values = {} if file is None else written_in(file)
        if file is not None:
            cls.read(file)
        given = given_in_environment()
        try:
            return cls.of(merged(values, given))
        except ConfigurationException as error:
            raise ConfigurationException(f"the environment: {error}") from error

    @classmethod
    def read(cls, file: str | Path) -> Config:
        """Return the settings in the TOML *file* alone; raises ConfigurationException naming it."""
        try:
            return cls.of(written_in(file))
        except ConfigurationException as error:
            prefix = f"the configuration {file}: "
            text = str(error).removeprefix(prefix)
            raise ConfigurationException(f"{prefix}{text}") from error

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Config:
        """Return the settings that *values* ask for, a table with a table for each section.

        Raises ConfigurationException naming the culprit and what is known.
        """
        _check_names(values, cls, "")
        sections = {name: values.get(name, {}) for name in SECTIONS}
        for name, section in sections.items():
            if not isinstance(section, Mapping):
                raise ConfigurationException(f"{name} is {section!r}; it must be a [{name}] table")
        return cls(
            database=_text(values.get("database", ""), "database"),
            key_file=_text(values.get("key_file", ""), "key_file"),
            scheduler=_scheduler(sections["scheduler"]),
            livesync=_livesync(sections["livesync"]),
            export=_export(sections["export"]),
            web=_web(sections["web"]),
            pack=_pack(sections["pack"]),
            alerts=_alerts(sections["alerts"]),
            log=_log(sections["log"]),
        )


def given_in_environment() -> dict[str, Any]:
    """Return the settings of the environment, as a file has them; ConfigurationException."""
    return in_environment(asdict(Config()))


def _scheduler(values: Mapping[str, Any]) -> SchedulerSettings:
    try:
        return SchedulerSettings.of({"multitask_mode": "processes", **values})
    except SchedulerConfigurationException as error:
        raise ConfigurationException(f"[scheduler] {error}") from error


def _livesync(values: Mapping[str, Any]) -> LiveSync:
    _check_names(values, LiveSync, "[livesync] ")
    livesync = LiveSync(**values)
    if not isinstance(livesync.push, bool):
        raise ConfigurationException(
            f"[livesync] push is {livesync.push!r}; it must be true or false"
        )
    return livesync


def _export(values: Mapping[str, Any]) -> ExportSettings:
    try:
        return ExportSettings.of(values)
    except ExportConfigurationException as error:
        raise ConfigurationException(f"[export] {error}") from error


def _web(values: Mapping[str, Any]) -> Web:
    _check_names(values, Web, "[web] ")
    web = Web(**values)
    _text(web.host, "[web] host")
    _text(web.trusted_proxy, "[web] trusted_proxy")
    for name in ("header_seconds", "body_seconds"):
        seconds = getattr(web, name)
        if type(seconds) not in (int, float) or not 0 < seconds <= DAY:
            raise ConfigurationException(
                f"[web] {name} is {seconds!r}; it must be a number of seconds above 0"
            )
    numbers = (
        *(("port", 0, 65535), ("processes", 1, 64), ("threads", 1, 1000)),
        ("connections", 10, 100_000),
    )
    for name, least, most in numbers:
        value = getattr(web, name)
        if type(value) is not int or not least <= value <= most:
            raise ConfigurationException(
                f"[web] {name} is {value!r}; it must be a whole number from {least} to {most}"
            )
    return web


def _pack(values: Mapping[str, Any]) -> Pack:
    _check_names(values, Pack, "[pack] ")
    periods = _periods(values, "[pack]")
    if periods.get("every") == 0:
        raise ConfigurationException("[pack] every is 0; it must be longer, or 'forever' for never")
    return Pack(**periods)


def _alerts(values: Mapping[str, Any]) -> Alerts:
    _check_names(values, Alerts, "[alerts] ")
    texts = {name: values[name] for name in ("command", "mail") if name in values}
    times = {name: value for name, value in values.items() if name not in texts}
    numbers: dict[str, Any] = {**_periods(times, "[alerts]")}
    alerts = Alerts(**texts, **numbers)
    _text(alerts.command, "[alerts] command")
    try:
        shlex.split(alerts.command)
        if _text(alerts.mail, "[alerts] mail"):
            address_of(alerts.mail)
            MailServer.configured()
    except (ValueError, SchedulerConfigurationException) as error:
        raise ConfigurationException(f"[alerts] {error}") from error
    return alerts


def _periods(values: Mapping[str, Any], section: str) -> dict[str, float]:
    periods = {}
    for name, value in values.items():
        try:
            periods[name] = period(value)
        except ValueError as error:
            raise ConfigurationException(f"{section} {name}: {error}") from error
    return periods


def _log(values: Mapping[str, Any]) -> Log:
    _check_names(values, Log, "[log] ")
    log = Log(**values)
    _text(log.file, "[log] file")
    _text(log.config, "[log] config")
    if log.format not in LOG_FORMATS:
        raise ConfigurationException(f"[log] format is {log.format!r}; it must be text or json")
    if type(log.max_size) not in (int, float) or not 0.01 <= log.max_size < math.inf:
        raise ConfigurationException(
            f"[log] max_size is {log.max_size!r}; it must be a number of MB from 0.01"
        )
    if type(log.keep) is not int or log.keep < 1:
        raise ConfigurationException(
            f"[log] keep is {log.keep!r}; it must be a whole number from 1"
        )
    level_number(log.level)
    return log


def level_number(level: Any) -> int:
    """Return the number of the logging level named *level*; raises ConfigurationException."""
    if level not in LEVELS:
        raise ConfigurationException(
            f"[log] level is {level!r}; it must be one of {', '.join(LEVELS)}"
        )
    return logging.getLevelNamesMapping()[level]


def _check_names(values: Mapping[str, Any], section: type[Any], where: str) -> None:
    try:
        check_known(values, [each.name for each in fields(section)], ConfigurationException)
    except ConfigurationException as error:
        raise ConfigurationException(f"{where}{error}") from None


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ConfigurationException(f"{name} is {value!r}; it must be a text")
    return value
