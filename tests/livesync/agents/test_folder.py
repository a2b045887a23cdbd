"""The folder agent: files of records."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from defusedxml import ElementTree

from livesync.agents.folder import FolderAgent
from livesync.agents.target import TargetItem


def test_batches_are_written_as_numbered_files(tree, register, commit, tmp_path):
    folder = tmp_path / "out"
    agent = register(FolderAgent("folder", "Folder", "", 60, folder=folder, batch_size=3))
    assert agent.run(None) is True
    agent.acknowledge()
    commit()
    assert agent.run(None) is True

    files = sorted(folder.iterdir())
    assert [file.name for file in files] == ["000000.json", "000001.json"]
    records = [record for file in files for record in json.loads(file.read_text())["records"]]
    assert {record["id"]: record["status"] for record in records} == {
        "1": "created",
        "1.2": "created",
        "1.2.3": "created",
        "9": "deleted",
    }


def test_the_folder_agent_goes_on_behind_the_files_that_are_there(tree, register, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "000041.xml").write_text("")
    (tmp_path / "out" / "readme.txt").write_text("")
    register(
        FolderAgent("folder", "Folder", "", 60, folder=tmp_path / "out", format="marcxml")
    ).run(None)

    written = (tmp_path / "out" / "000042.xml").read_text()
    assert len(ElementTree.fromstring(written)) == 4


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match="json, marcxml"):
        FolderAgent("folder", "Folder", "", 60, folder=tmp_path, format="doc")


def test_several_that_write_at_once_take_nothing_from_each_other(tmp_path):
    def write(name):
        agent = FolderAgent(name, "Folder", "", 60, folder=tmp_path)
        with agent._sender() as send:
            for number in range(20):
                send([TargetItem("", "", False, None, json.dumps(f"{name}{number}").encode())])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, "abcd"))

    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [f"{number:06}.json" for number in range(80)]
    written = {json.loads(file.read_text())["records"][0] for file in files}
    assert written == {f"{name}{number}" for name in "abcd" for number in range(20)}
