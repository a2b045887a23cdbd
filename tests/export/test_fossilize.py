"""Fossils of objects: which method becomes which member, and how it is converted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.fossilize import (
    Fossilizable,
    IFossil,
    InvalidFossilException,
    NonFossilizableException,
    addFossil,
    fossilize,
    fossilizes,
)


class ISimpleUserFossil(IFossil):
    def getId(self): ...

    def getName(self): ...

    getName.convert = lambda x: x.upper()


class IComplexUserFossil(IFossil):
    def getId(self): ...

    getId.name = "identityNumber"

    def getFriends(self): ...

    getFriends.result = ISimpleUserFossil


class ISimpleGroupFossil(IFossil):
    def getId(self): ...

    def getGroupName(self): ...


class ISomeFossil(IFossil):
    pass


class User(Fossilizable):
    fossilizes(ISimpleUserFossil, IComplexUserFossil)

    def __init__(self, id, name, friends=()):
        self.id = id
        self.name = name
        self.friends = friends

    def getId(self):
        return self.id

    def getName(self):
        return self.name

    def getFriends(self):
        return self.friends


@fossilizes(ISimpleGroupFossil)
class Group(Fossilizable):
    def getId(self):
        return 5

    def getGroupName(self):
        return "family"


JOHN = {"id": 1, "name": "JOHN", "_type": "User", "_fossil": "simpleUserFossil"}
BOB = {"id": 2, "name": "BOB", "_type": "User", "_fossil": "simpleUserFossil"}
FAMILY = {"id": 5, "groupName": "family", "_type": "Group", "_fossil": "simpleGroupFossil"}


def test_an_object_shows_the_fields_of_its_fossil():
    assert User(1, "john").fossilize(ISimpleUserFossil) == JOHN


def test_a_result_tag_fossilizes_the_value():
    lisa = User(3, "lisa", [User(1, "john"), User(2, "bob")])
    assert lisa.fossilize(IComplexUserFossil) == {
        "identityNumber": 3,
        "friends": [JOHN, BOB],
        "_type": "User",
        "_fossil": "complexUserFossil",
    }


@pytest.mark.parametrize(
    "argument",
    [
        None,
        {User: ISimpleUserFossil, Group: ISimpleGroupFossil},
        {"User": ISimpleUserFossil, "Group": ISimpleGroupFossil},
        {f"{__name__}.User": ISimpleUserFossil, f"{__name__}.Group": ISimpleGroupFossil},
        {Fossilizable: None},
    ],
)
def test_each_way_to_name_the_fossil_of_a_class_gives_the_same(argument):
    assert fossilize([User(1, "john"), Group()], argument) == [JOHN, FAMILY]


def test_a_subclass_inherits_the_default_and_shows_its_own_name():
    class Guest(User):
        pass

    assert fossilize(Guest(1, "john")) == {**JOHN, "_type": "Guest"}


def test_a_fossil_names_itself_with_a_tagged_value():
    from zope.interface import taggedValue

    class INamedFossil(IFossil):
        taggedValue("fossil", "conferenceMetadata")

    assert fossilize(1j, INamedFossil) == {"_type": "complex", "_fossil": "conferenceMetadata"}


def test_has_and_is_are_kept_and_other_methods_need_a_name():
    class IHouseFossil(IFossil):
        def hasChildren(self): ...

        def isMarried(self): ...

        def needs_accommodation(self): ...

        needs_accommodation.name = "requiresAcc"

    class House:
        def hasChildren(self):
            return False

        def isMarried(self):
            return True

        def needs_accommodation(self):
            return True

    assert fossilize(House(), IHouseFossil) == {
        "hasChildren": False,
        "isMarried": True,
        "requiresAcc": True,
        "_type": "House",
        "_fossil": "houseFossil",
    }
    IHouseFossil.get("needs_accommodation").setTaggedValue("name", None)
    with pytest.raises(InvalidFossilException, match="needs_accommodation"):
        fossilize(House(), IHouseFossil)


def test_a_tag_changed_at_run_time_takes_effect():
    class IChangingFossil(ISimpleUserFossil):
        def getId(self): ...

    IChangingFossil.get("getId").setTaggedValue("name", "outer.number")
    assert fossilize(User(1, "john"), IChangingFossil)["outer"] == {"number": 1}


def test_tags_receive_the_keywords_of_the_call():
    class ITaggedFossil(IFossil):
        def getId(self): ...

        getId.convert = lambda value, factor=1: value * factor

        def getName(self): ...

        getName.onlyIf = "named"

        def getTwice(self): ...

        getTwice.produce = lambda user: user.id * 2

        def getFriends(self): ...

        getFriends.result = ISimpleUserFossil
        getFriends.filterBy = "access"

    user = User(3, "lisa", [User(1, "john"), User(2, "bob")])
    shown = fossilize(user, ITaggedFossil, factor=10, filters={"access": lambda one: one.id == 1})
    assert shown == {
        "id": 30,
        "twice": 6,
        "friends": [JOHN],
        "_type": "User",
        "_fossil": "taggedFossil",
    }
    with pytest.raises(LookupError, match="access"):
        fossilize(user, ITaggedFossil)


def test_a_fossil_must_be_named_as_one():
    class IWrong(IFossil):
        pass

    with pytest.raises(InvalidFossilException, match="IWrong"):
        fossilize(User(1, "john"), IWrong)


def test_an_object_without_a_fossil_is_refused():
    with pytest.raises(NonFossilizableException, match="object"):
        fossilize(object())
    with pytest.raises(NonFossilizableException, match="dictionary"):
        fossilize(User(1, "john"), {Group: ISimpleGroupFossil})


def test_fossils_can_be_added_to_an_existing_class():
    class Late:
        name = "late"

    addFossil(Late, ISomeFossil)
    assert fossilize(Late()) == {"_type": "Late", "_fossil": "someFossil"}


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@given(plain)
def test_plain_structures_pass_unchanged(value):
    assert fossilize(value, ISomeFossil) == value


def test_tuples_sets_and_generators_become_lists():
    assert fossilize([4, (4, 5, 6), {1}, (n for n in (7,))]) == [4, [4, 5, 6], [1], [7]]
