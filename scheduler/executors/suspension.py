"""Suspension: whether a process was stopped from outside, and does not go on by itself."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import psutil


def is_suspended(pid: int) -> bool:
    """Say whether process *pid* was stopped by a signal, or its control group was frozen.

    A process that waits, or computes in C, is not. False for one that is gone.
    """
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED or _is_frozen(pid)
    except psutil.Error:
        return False


def _is_frozen(pid: int) -> bool:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return False
    return any(_is_group_frozen(*line.split(":", 2)[1:]) for line in lines)


def _is_group_frozen(controllers: str, path: str) -> bool:
    if not controllers:
        return "frozen 1" in _read("", f"{path}/cgroup.events")
    return "freezer" in controllers.split(",") and "FROZEN" in _read(
        "freezer", f"{path}/freezer.state"
    )


def _read(controller: str, file: str) -> str:
    for mount in _mounts(controller):
        try:
            return Path(f"{mount}/{file}").read_text()
        except OSError:
            continue
    return ""


@cache
def _mounts(controller: str) -> list[str]:
    """Return where the hierarchy of *controller* is mounted, "" for that of version 2."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return []
    return [
        where
        for _, where, kind, options, *_ in mounts
        if (kind == "cgroup2" and not controller)
        or (kind == "cgroup" and controller in options.split(","))
    ]
