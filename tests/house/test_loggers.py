"""The loggers of the process in which the tests run."""

from __future__ import annotations

import logging


def test_a_logger_may_be_made_while_all_are_looked_at():
    for number, _ in enumerate(logging.root.manager.loggerDict.values()):
        logging.getLogger(f"tests.made.{number}")
