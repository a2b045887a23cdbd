"""Records as MARCXML.

Covers `livesync.records.marc.parts`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from defusedxml import ElementTree

from livesync import ActionWrapper
from livesync.records.marc.parts import with_parts
from livesync.records.marcxml import NAMESPACE, collection
from livesync.records.reduction import STATUS_CHANGED, STATUS_CREATED, STATUS_DELETED
from tests.livesync.stand_ins import Category, Conference, Contribution, Person, SubContribution


@pytest.fixture
def tree():
    event = Conference("1", Category("c", Category("0")), title="Talks & <more>\x0b")
    SubContribution("3", Contribution("2", event, title="A talk"), title="A part")
    return event


def fields(text, number=0):
    """Return {tag with indicators: [{code: value}, ...]} of one record of a collection."""
    record = ElementTree.fromstring(text).findall(f"{{{NAMESPACE}}}record")[number]
    found = {}
    for field in record.findall(f"{{{NAMESPACE}}}datafield"):
        name = (field.get("tag") + field.get("ind1") + field.get("ind2")).replace(" ", "_")
        found.setdefault(name, []).append({sub.get("code"): sub.text for sub in field})
    return found


def test_marcxml_of_an_event(tree):
    tree.start = datetime(2026, 3, 1, 9, 30, 59, tzinfo=UTC)
    text = collection([(tree, "1", STATUS_CREATED)])
    found = fields(text)

    assert "<leader>00000nmm  2200000uu 4500</leader>" in text
    assert found["245__"] == [{"a": "Talks & <more> "}]
    assert found["111__"][0]["9"] == "2026-03-01T09:30:00Z"
    assert found["111__"][0]["g"] == "1"
    assert found["650_7"] == [{"a": "0:c"}]
    assert found["980__"] == [{"a": "INDICOSEARCH.PUBLIC"}]
    assert found["970__"] == [{"a": "INDICO.1"}]
    assert found["6531_"] == [{"a": None}]
    assert found["5060_"] == [{"a": None}]


def test_marcxml_of_a_contribution(tree):
    contribution = tree.getContributionList()[0]
    contribution.duration = timedelta(minutes=90)
    contribution.authors = [Person("Ada", "Byron"), Person("Emmy", "Noether")]
    contribution.speakers = [Person("Ada", "Byron")]
    found = fields(collection([(contribution, "1.2", STATUS_CHANGED)]))

    assert found["035__"] == [{"a": "INDICO.1.2"}, {"a": "1.2", "9": "Indico"}]
    assert found["300__"] == [{"a": "1:30:00"}]
    assert found["100__"] == [{"a": "Byron Ada", "e": "Speaker"}]
    assert found["700__"] == [{"a": "Noether Emmy", "e": "Author"}]
    assert found["61124"] == [{"a": "Talks & <more> "}]
    assert found["962__"] == [{"b": "INDICO.1"}]


def test_marcxml_of_a_subcontribution(tree):
    sub = tree.getContributionList()[0].getSubContributionList()[0]
    found = fields(collection([(sub, "1.2.3", STATUS_CHANGED)]))

    assert found["245__"] == [{"a": "A part"}]
    assert found["111__"] == [{"g": "1"}]
    assert found["970__"] == [{"a": "INDICO.1.2.3"}]


def test_marcxml_of_what_is_deleted():
    assert fields(collection([(None, "1.2", STATUS_DELETED)])) == {
        "970__": [{"a": "INDICO.1.2"}],
        "980__": [{"c": "DELETED"}],
    }


def test_an_object_that_is_gone_without_a_deletion_is_left_out(tree):
    contribution = tree.getContributionList()[0]
    contribution.detach()
    text = collection(
        [(None, "7", STATUS_CHANGED), (contribution, "1.2", STATUS_CHANGED), (None, "8", 1)]
    )

    assert len(ElementTree.fromstring(text)) == 1


def test_of_a_protected_object_the_access_list_is_told(tree):
    tree._protected = True
    found = fields(collection([(tree, "1", STATUS_CHANGED)]))

    assert found["980__"] == [{"a": "INDICOSEARCH.PRIVATE"}]
    assert "5060_" not in found


def test_a_change_of_an_owner_that_its_parts_tell_is_a_change_of_theirs():
    event = Conference("1", Category("c", Category("0")), title="Talks")
    contribution = Contribution("2", event)
    SubContribution("3", contribution)
    news = [
        (1, ActionWrapper(100, event, ["title_changed"], "1")),
        (2, ActionWrapper(200, contribution, ["data_changed"], "1.2")),
    ]
    ids = [(position, action.getObjectId()) for position, action in with_parts(news)]
    assert ids == [(1, "1"), (1, "1.2"), (1, "1.2.3"), (2, "1.2"), (2, "1.2.3")]


def test_lines_end_in_cr_and_lf_after_each_tag_and_texts_keep_theirs(tree):
    tree._title = "\nTalks >\nand\r\nmore"
    text = collection([(tree, "1", STATUS_CREATED)])

    assert ">\n" not in text.replace(">\r\n", "")
    assert fields(text)["245__"] == [{"a": "\nTalks >\nand\r\nmore"}]
