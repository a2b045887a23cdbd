"""The settings of the daemon.

Covers `daemon.errors`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from daemon.config import Config
from daemon.errors import ConfigurationException

SAMPLE = Path(__file__).parents[2] / "etc" / "relay.toml"
SECTIONS = ("scheduler", "livesync", "export", "web", "pack", "log")


def uncommented():
    return re.sub(r"^# (\w+ = )", r"\1", SAMPLE.read_text(), flags=re.MULTILINE)


def test_the_sample_file_says_the_defaults():
    assert Config.read(SAMPLE) == Config()


def test_the_sample_file_holds_every_setting_with_its_default(tmp_path):
    values = tomllib.loads(uncommented())
    for section in SECTIONS:
        known = [field.name for field in fields(getattr(Config(), section))]
        assert list(values[section]) == known
    del values["scheduler"]["dask_scheduler"]  # the only one that is nothing by default
    assert Config.of(values) == Config()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"databse": "x"}, "unknown option 'databse'; did you mean 'database'"),
        ({"livesync": {"push": 1}}, r"\[livesync\] push is 1; it must be true or false"),
        ({"web": {"prt": 1}}, r"\[web\] unknown option 'prt'; did you mean 'port'"),
        ({"log": {"size": 1}}, r"\[log\] unknown option 'size'"),
        ({"scheduler": {"workers": 0}}, r"\[scheduler\] workers is 0"),
        ({"export": {"timezone": "Mars"}}, r"\[export\] timezone is 'Mars'"),
        ({"web": {"port": 70000}}, r"\[web\] port is 70000"),
        ({"web": {"threads": True}}, r"\[web\] threads is True"),
        ({"web": {"host": 1}}, r"\[web\] host is 1"),
        ({"web": 8080}, r"web is 8080; it must be a \[web\] table"),
        ({"pack": {"every": "weekly"}}, r"\[pack\] every: 'weekly' is no period"),
        ({"pack": {"every": 0}}, r"\[pack\] every is 0"),
        ({"pack": {"often": 1}}, r"\[pack\] unknown option 'often'"),
        ({"log": {"level": "LOUD"}}, "level is 'LOUD'"),
        ({"log": {"level": 20}}, "level is 20"),
        ({"database": 1}, "database is 1"),
    ],
)
def test_a_setting_of_no_use_is_named(values, message):
    with pytest.raises(ConfigurationException, match=message):
        Config.of(values)


def test_a_file_that_is_missing_or_no_toml_is_named(tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text("[web")
    for file in (broken, tmp_path / "missing.toml"):
        with pytest.raises(ConfigurationException, match=file.name):
            Config.read(file)
