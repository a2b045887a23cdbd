"""Opening a database changes nothing that concerns the whole process."""

import sys

from scheduler.store import open_database


def test_opening_an_embedded_database_keeps_the_interval_of_thread_switches(tmp_path):
    before = sys.getswitchinterval()
    open_database(f"file://{tmp_path}/data.fs").close()
    assert sys.getswitchinterval() == before
