"""The answers that reference 5.3.2 prints: every key and every value of them is there.

Addresses are those of the release that this project follows. Detail sessions has one object
for each slot, so its type and id differ from the printed ones.

Covers `export.fossils.conference`, `export.fossils.contribution`, `export.fossils.material`,
`export.fossils.person`, `export.fossils.session`.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from export.model.access import Protection
from export.model.contribution import SubContribution
from export.model.person import ContributionParticipation, SlotChair
from tests.export.planting import change, get

URL = "/export/event/137346.json?tz=Europe/Zurich&pretty=yes"


def date(day, time):
    return {"date": f"2011-06-{day}", "tz": "Europe/Zurich", "time": time}


def talk(number, title, start, end, minutes, session=None, **more):
    return {
        "startDate": date(*start),
        "_type": "Contribution",
        "endDate": date(*end),
        "description": "",
        "title": title,
        "track": None,
        "duration": minutes,
        "session": session,
        "location": "CERN",
        "_fossil": "contributionMetadata",
        "type": None,
        "id": number,
        "room": None,
    } | more


def event(fossil, **more):
    return {
        "category": "TEST Category",
        "startDate": date(23, "08:00:00"),
        "_type": "Conference",
        "endDate": date(24, "18:00:00"),
        "description": "",
        "title": "Export Test",
        "url": "https://indico.server/event/137346/",
        "room": None,
        "_fossil": fossil,
        "timezone": "Europe/Zurich",
        "type": "meeting",
        "id": "137346",
        "location": "CERN",
    } | more


WITH_SUBS = {"_fossil": "contributionMetadataWithSubContribs", "subContributions": []}


def talks(**more):
    return [
        talk("0", "d1c1", (23, "08:00:00"), (23, "08:20:00"), 20, **more),
        talk("1", "d1c2", (23, "08:20:00"), (23, "08:40:00"), 20, **more),
        talk("2", "d2c1", (24, "12:00:00"), (24, "14:00:00"), 120, **more),
    ]


def talk_in_session(**more):
    return talk("3", "d2s1c1", (24, "14:00:00"), (24, "14:20:00"), 20, "d2s1", **more)


def period(start, end):
    return {"_fossil": "period", "endDT": date(*end), "startDT": date(*start), "_type": "Period"}


SESSION = {
    "startDate": date(24, "14:00:00"),
    "_type": "SessionSlot",
    "room": "",
    "numSlots": 1,
    "color": "#EEE0EF",
    "material": [],
    "isPoster": False,
    "sessionConveners": [],
    "location": "CERN",
    "address": "",
    "_fossil": "sessionMetadata",
    "title": "d2s1",
    "textColor": "#1D041F",
    "contributions": [talk_in_session(**WITH_SUBS)],
    "id": "0-0",
}
PERIODS = [
    period((23, "08:00:00"), (23, "08:40:00")),
    period((24, "12:00:00"), (24, "15:00:00")),
]


def assert_holds(shown, documented, where="results"):
    """Every documented key and value is shown; further keys may be."""
    if isinstance(documented, dict):
        for key, value in documented.items():
            assert key in shown, f"{where}.{key} is missing"
            assert_holds(shown[key], value, f"{where}.{key}")
    elif isinstance(documented, list):
        assert len(shown) == len(documented), where
        for number, pair in enumerate(zip(shown, documented, strict=True)):
            assert_holds(*pair, f"{where}[{number}]")
    else:
        assert (type(shown), shown) == (type(documented), documented), where


@pytest.mark.parametrize(
    ("parameters", "documented"),
    [
        ("occ=yes", event("conferenceMetadata", occurrences=PERIODS)),
        (
            "detail=contributions",
            event("conferenceMetadataWithContribs", contributions=[*talks(), talk_in_session()]),
        ),
        (
            "detail=subcontributions",
            event(
                "conferenceMetadataWithSubContribs",
                contributions=[*talks(**WITH_SUBS), talk_in_session(**WITH_SUBS)],
            ),
        ),
        (
            "detail=sessions",
            event(
                "conferenceMetadataWithSessions",
                contributions=talks(**WITH_SUBS),
                sessions=[SESSION],
            ),
        ),
    ],
)
def test_each_detail_answers_all_that_is_documented(planted, parameters, documented):
    assert_holds(get(planted, f"{URL}&{parameters}"), [documented])


def test_a_slot_shows_its_session_its_event_and_its_conveners(planted, database):
    chair = SlotChair("1", "Ada", "Byron", "London", "ada@example.org", "Dr")

    def convene(event):
        event.getSessionSlotList()[0].conveners = (chair,)

    change(database, convene)
    ((slot,),) = (one["sessions"] for one in get(planted, f"{URL}&detail=sessions"))
    person = {
        "id": "1",
        "title": "Dr",
        "firstName": "Ada",
        "familyName": "Byron",
        "name": "Dr Ada Byron",
        "fullName": "Dr Byron, Ada",
        "affiliation": "London",
        "_type": "SlotChair",
        "_fossil": "conferenceParticipation",
    }
    assert_holds(
        slot,
        {
            "slotTitle": "",
            "inheritLoc": True,
            "inheritRoom": True,
            "url": "https://indico.server/event/137346/session/0/",
            "conveners": [person],
            "sessionConveners": [person],
            "session": {
                "id": "0",
                "title": "d2s1",
                "description": "",
                "material": [],
                "numSlots": 1,
                "color": "#EEE0EF",
                "textColor": "#1D041F",
                "startDate": date(24, "14:00:00"),
                "endDate": date(24, "15:00:00"),
                "location": "CERN",
                "room": "",
                "roomFullname": "",
                "address": "",
                "sessionConveners": [person],
                "isPoster": False,
                "url": "https://indico.server/event/137346/session/0/",
                "_type": "Session",
                "_fossil": "session",
            },
            "conference": {
                "id": "137346",
                "title": "Export Test",
                "type": "meeting",
                "description": "",
                "location": "CERN",
                "room": None,
                "address": None,
                "timezone": "Europe/Zurich",
                "startDate": date(23, "08:00:00"),
                "endDate": date(24, "18:00:00"),
                "adjustedStartDate": date(23, "08:00:00"),
                "adjustedEndDate": date(24, "18:00:00"),
                "_type": "Conference",
                "_fossil": "conference",
            },
        },
    )
    assert "email" not in slot["conveners"][0]


def test_subcontributions_are_shown_inside_their_contribution(planted, database):
    def divide(event):
        part = SubContribution("5", "A part")
        part.duration = timedelta(minutes=5)
        part.speakers = (ContributionParticipation("1", "Ada", "Byron"),)
        event.contributions["0"].addSubContribution(part)

    change(database, divide)
    (shown,) = get(planted, f"{URL}&detail=subcontributions")
    (part,) = shown["contributions"][0]["subContributions"]
    assert_holds(
        part,
        {
            "id": "5",
            "title": "A part",
            "duration": 5,
            "_type": "SubContribution",
            "_fossil": "subContributionMetadata",
        },
    )
    assert part["speakers"][0]["fullName"] == "BYRON, Ada"
    assert "startDate" not in part
    assert (
        "subContributions" not in get(planted, f"{URL}&detail=contributions")[0]["contributions"][0]
    )


def test_a_protected_session_closes_its_contributions(planted, database):
    change(database, lambda event: event.sessions["0"].setProtection(Protection.RESTRICTED))

    for detail in ("contributions", "subcontributions", "sessions"):
        answer = planted.get(f"{URL}&detail={detail}")
        assert "d2s1" not in answer.text
        assert len(answer.json["results"][0]["contributions"]) == 3


def test_an_open_contribution_does_not_tell_the_title_of_its_protected_session(planted, database):
    def protect(event):
        event.sessions["0"].setTitle("Secret plans")
        event.sessions["0"].setProtection(Protection.RESTRICTED)
        event.contributions["3"].setProtection(Protection.PUBLIC)

    change(database, protect)
    for detail in ("contributions", "sessions"):
        answer = planted.get(f"{URL}&detail={detail}")
        assert "Secret" not in answer.text
        assert answer.json["results"][0]["contributions"][-1]["title"] == "d2s1c1"
        assert answer.json["results"][0]["contributions"][-1]["session"] is None
