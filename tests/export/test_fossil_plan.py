"""The rules of reference chapter 1 and of its tags, one by one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from persistent.list import PersistentList
from persistent.mapping import PersistentMapping
from zope.interface import Interface

from export.fossilize import (
    Fossilizable,
    IFossil,
    InvalidFossilException,
    NonFossilizableException,
    addFossil,
    clearCache,
    fossilize,
    fossilizes,
)


class INameFossil(IFossil):
    """The name alone."""

    def getName(self): ...


class IDogFossil(IFossil):
    def getName(self): ...

    def getOwner(self): ...

    getOwner.result = INameFossil


class Animal(Fossilizable):
    fossilizes(INameFossil)

    def __init__(self, name, owner=None):
        self.name = name
        self.owner = owner
        self.asked = 0

    def getName(self):
        self.asked += 1
        return self.name

    def getOwner(self):
        return self.owner


class Dog(Animal):
    fossilizes(IDogFossil, INameFossil)


def shown(name, kind="Animal"):
    return {"name": name, "_type": kind, "_fossil": "nameFossil"}


def test_documented_parameters_can_be_named():
    class Cat:
        def getName(self):
            return "tom"

    addFossil(klazz=Cat, fossils=[INameFossil])
    assert fossilize(target=Cat(), interfaceArg=None, useAttrCache=False) == shown("tom", "Cat")
    rex = Dog("rex")
    assert rex.fossilize(interfaceArg=INameFossil, useAttrCache=True) == shown("rex", "Dog")
    made = Fossilizable.fossilize_obj(
        obj=rex, interfaceArg=INameFossil, useAttrCache=False, mapClassType={"Dog": "Animal"}
    )
    assert made == shown("rex")
    assert Fossilizable.fossilizeIterable(
        target=[rex, Dog("pluto")],
        interface=INameFossil,
        useAttrCache=False,
        filterBy=lambda dog: dog.name == "rex",
    ) == [shown("rex", "Dog")]
    Fossilizable.clearCache()
    clearCache()


def test_a_class_that_declares_its_own_fossils_uses_the_first_of_them():
    assert fossilize(Dog("rex", Animal("ann"))) == {
        "name": "rex",
        "owner": shown("ann"),
        "_type": "Dog",
        "_fossil": "dogFossil",
    }


def test_a_class_implements_the_fossils_it_declares():
    assert IDogFossil.implementedBy(Dog)
    assert INameFossil.providedBy(Dog("rex"))


def test_several_declarations_in_one_class_body_add_up():
    class Bird(Animal):
        fossilizes(IDogFossil)
        fossilizes(INameFossil)

    assert fossilize(Bird("tweety"))["_fossil"] == "dogFossil"
    assert INameFossil.implementedBy(Bird)


def test_a_fossil_added_later_comes_after_the_declared_ones():
    class Fish(Fossilizable):
        fossilizes(INameFossil)
        name = "nemo"

        def getName(self):
            return self.name

        def getOwner(self):
            return None

    addFossil(Fish, IDogFossil)
    assert fossilize(Fish())["_fossil"] == "nameFossil"
    assert fossilize(Fish(), IDogFossil)["owner"] is None


def test_the_bare_root_of_fossils_is_nobodys_default():
    class Ghost(Fossilizable):
        fossilizes(IFossil)

    with pytest.raises(NonFossilizableException, match="Ghost"):
        fossilize(Ghost())


def test_an_interface_that_is_no_fossil_is_refused():
    class IForeignFossil(Interface):
        def getName(self): ...

    with pytest.raises(InvalidFossilException, match="IForeignFossil"):
        fossilize(Animal("rex"), IForeignFossil)


def test_a_dictionary_finds_the_nearest_class_first():
    choice = {Animal: INameFossil, "Dog": IDogFossil}
    assert fossilize(Dog("rex"), choice)["_fossil"] == "dogFossil"
    assert fossilize(Dog("rex"), {Animal: INameFossil})["_fossil"] == "nameFossil"
    assert fossilize(Dog("rex"), {"Animal": INameFossil})["_fossil"] == "nameFossil"


def test_a_dictionary_knows_a_class_in_a_function_by_module_and_name():
    class Cat(Animal):
        pass

    for name in (f"{__name__}.Cat", f"{__name__}.{Cat.__qualname__}", f"{__name__}.Animal"):
        assert fossilize(Cat("tom"), {name: INameFossil}) == shown("tom", "Cat")


def test_an_inherited_method_that_is_declared_again_loses_its_tags():
    class IBaseFossil(IFossil):
        def getName(self): ...

        getName.name = "called"

        def getOwner(self): ...

        getOwner.name = "master"

    class IDerivedFossil(IBaseFossil):
        def getName(self): ...

    assert fossilize(Animal("rex", "ann"), IDerivedFossil) == {
        "name": "rex",
        "master": "ann",
        "_type": "Animal",
        "_fossil": "derivedFossil",
    }


def test_a_getter_keeps_the_case_behind_its_first_letter():
    class Page:
        def getURL(self):
            return "/"

    class IPageFossil(IFossil):
        def getURL(self): ...

    assert fossilize(Page(), IPageFossil)["uRL"] == "/"


def test_an_attribute_is_a_field_by_its_own_name():
    class IAttributeFossil(IFossil):
        def owner(self): ...

        def name(self): ...

        name.name = "called"

    dog = fossilize(Dog("rex", "ann"), IAttributeFossil)
    assert (dog["owner"], dog["called"]) == ("ann", "rex")


@pytest.mark.parametrize("name", ["_type", "_fossil", "_type.inner"])
def test_a_field_cannot_take_a_reserved_name(name):
    class IReservedFossil(IFossil):
        def getName(self): ...

        getName.name = name

    with pytest.raises(InvalidFossilException, match="_type"):
        fossilize(Animal("rex"), IReservedFossil)


def test_a_method_named_after_a_reserved_name_is_refused():
    class IReservedFossil(IFossil):
        def get_type(self): ...

    class Thing:
        def get_type(self):
            return 1

    with pytest.raises(InvalidFossilException, match="_type"):
        fossilize(Thing(), IReservedFossil)


def test_dotted_names_share_the_dictionaries_they_nest_in():
    class IFileFossil(IFossil):
        def getName(self): ...

        getName.name = "file.name"

        def getOwner(self): ...

        getOwner.name = "file.owner.name"

    assert fossilize(Animal("a.txt", "ann"), IFileFossil)["file"] == {
        "name": "a.txt",
        "owner": {"name": "ann"},
    }


def test_a_value_without_a_result_tag_is_left_as_it_is():
    class IRawFossil(IFossil):
        def getOwner(self): ...

    owner = Animal("ann")
    assert fossilize(Dog("rex", owner), IRawFossil)["owner"] is owner


def test_convert_comes_after_result_and_gets_the_keywords_it_names():
    class IConvertedFossil(IFossil):
        def getOwner(self): ...

        getOwner.result = INameFossil
        getOwner.convert = lambda owner, suffix="", *, prefix="": f"{prefix}{owner['name']}{suffix}"

    dog = Dog("rex", Animal("ann"))
    assert fossilize(dog, IConvertedFossil, suffix="!", prefix=">", other=1)["owner"] == ">ann!"
    assert fossilize(dog, IConvertedFossil)["owner"] == "ann"


def test_keywords_and_renamed_classes_reach_nested_objects():
    class IInnerFossil(IFossil):
        def getName(self): ...

        getName.onlyIf = "named"

    class IOuterFossil(IFossil):
        def getOwner(self): ...

        getOwner.result = IInnerFossil

    dog = Dog("rex", Animal("ann"))
    inner = fossilize(dog, IOuterFossil, named=True, mapClassType={"Animal": "Person"})["owner"]
    assert inner == {"name": "ann", "_type": "Person", "_fossil": "innerFossil"}
    assert "name" not in fossilize(dog, IOuterFossil)["owner"]


def test_a_default_fossil_can_be_asked_for_by_a_result_of_none():
    class IPackFossil(IFossil):
        def getOwner(self): ...

        getOwner.result = None

    dog = Dog("rex", [Dog("pluto"), Animal("tom")])
    assert [one["_fossil"] for one in fossilize(dog, IPackFossil)["owner"]] == [
        "dogFossil",
        "nameFossil",
    ]


def test_structures_keep_their_shape_and_plain_values_their_type():
    rex = Animal("rex")
    moment = datetime(2011, 6, 23, tzinfo=UTC)
    target = {
        1: [rex, (rex, {"deep": rex})],
        ("a", 2): PersistentList([rex]),
        None: PersistentMapping({"x": rex}),
        "plain": [moment, b"bytes", "text", 1.5, None, True],
    }
    assert fossilize(target, INameFossil) == {
        1: [shown("rex"), [shown("rex"), {"deep": shown("rex")}]],
        ("a", 2): [shown("rex")],
        None: {"x": shown("rex")},
        "plain": [moment, b"bytes", "text", 1.5, None, True],
    }


def test_an_iterable_fossilizable_is_an_object():
    class Pack(Animal):
        def __iter__(self):
            return iter(())

    assert fossilize(Pack("wolves"), INameFossil) == shown("wolves", "Pack")


class Wrapper:
    """As lists of old are stored: an object around one, and nothing else."""

    def __init__(self, members):
        self.members = members


class IWrapperFossil(IFossil):
    def members(self): ...


def test_an_object_that_only_wraps_a_list_is_that_list():
    wrapped = Wrapper([Animal("Rex"), [Animal("Tom")]])
    assert fossilize(wrapped, INameFossil) == [shown("Rex"), [shown("Tom")]]
    assert fossilize(wrapped) == [shown("Rex"), [shown("Tom")]]


def test_a_wrapper_of_a_list_is_an_object_where_the_fossil_suits_it():
    expected = {"members": [1, 2], "_type": "Wrapper", "_fossil": "wrapperFossil"}
    assert fossilize(Wrapper([1, 2]), IWrapperFossil) == expected
    assert fossilize(Wrapper([1, 2]), {Wrapper: IWrapperFossil}) == expected


@pytest.mark.parametrize("only", [3, "text", {"a": 1}])
def test_an_object_with_one_attribute_that_is_no_list_wraps_nothing(only):
    with pytest.raises(NonFossilizableException):
        fossilize(Wrapper(only))


def test_a_complex_number_is_an_object_as_any_other():
    class IEmptyFossil(IFossil):
        pass

    assert fossilize([1j], {complex: IEmptyFossil}) == [
        {"_type": "complex", "_fossil": "emptyFossil"}
    ]
    with pytest.raises(NonFossilizableException):
        fossilize(1j)


def test_an_error_of_a_getter_reaches_the_caller(caplog):
    class Broken:
        def getName(self):
            raise ZeroDivisionError("no name")

    with pytest.raises(ZeroDivisionError, match="no name"):
        fossilize(Broken(), INameFossil)
    assert "Problem fossilizing" in caplog.text


def test_a_tag_changed_at_run_time_takes_effect_at_the_next_call():
    class IChangedFossil(IFossil):
        def getName(self): ...

    class IDerivedFossil(IChangedFossil):
        pass

    rex = Animal("rex")
    assert "name" in fossilize(rex, IDerivedFossil)
    IChangedFossil.get("getName").setTaggedValue("name", "called")
    assert fossilize(rex, IChangedFossil)["called"] == "rex"
    assert fossilize(rex, IDerivedFossil)["called"] == "rex"
    IChangedFossil.get("getName").setTaggedValue("convert", str.upper)
    assert fossilize(rex, IDerivedFossil)["called"] == "REX"


@pytest.mark.parametrize("wrong", [Animal("Ann"), "IDogFossil", [IDogFossil], 7, Animal])
def test_a_class_given_for_a_fossil_that_is_none_is_named(wrong):
    with pytest.raises(NonFossilizableException) as raised:
        Dog("Rex").fossilize(wrong, INameFossil)
    assert f"interfaceArg is an object of class {type(wrong).__name__}" in str(raised.value)
    assert "Dog" not in str(raised.value)
