"""The sample: a category and a conference, agents that follow them, and tasks that work on them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from ZODB.Connection import Connection

from export.model.catalogue import catalogue
from export.model.category import Category
from export.model.conference import Conference
from export.model.contribution import Contribution
from export.people.roles import Role, roles
from export.people.user import Avatar, users
from livesync import SyncManager
from livesync.agents.folder import FolderAgent
from livesync.agents.webhook import WebhookAgent
from scheduler import Client, nowutc
from scheduler.store import current
from scheduler.tasks import OneShotTask

EVENT = "1"
FIRST_TALK = "0"
OPERATOR = "demo"
GRANULARITY = 0.05
DESCRIBED_AFTER = 3
BEGIN = datetime(2027, 6, 14, 9, 0, tzinfo=UTC)
SLOT = timedelta(minutes=20)
TALKS = (
    "Objects that outlive their process",
    "One commit for the work and its record",
    "What a change feed must never lose",
    "Conflicts, and how not to have them",
    "A worker is killed: what happens next",
    "Clocks, zones and rules that recur",
    "Exporting what people may see",
    "Packing without stopping",
)


class DescribeEvent(OneShotTask):
    """A task that writes its date into the description of the sample event."""

    def run(self) -> None:
        """Change the description; the change is recorded with the run itself."""
        event = catalogue(current()).event(EVENT)
        if event is not None:
            event.setDescription(f"Described by a task at {nowutc():%H:%M:%S} UTC")


class ThankSponsor(OneShotTask):
    """A task that writes into the first talk who sponsors it, as the file *sponsor* says.

    It fails as long as there is no such file: a failure to look at, to mend and to retry.
    """

    maxTries = 1  # noqa: N815 (a documented name)

    def __init__(self, startDateTime: datetime, sponsor: str) -> None:
        super().__init__(startDateTime)
        self.sponsor = sponsor

    def run(self) -> str:
        """Change the description of the talk; return the name."""
        file = Path(self.sponsor)
        if not file.exists():
            raise LookupError(
                f"nobody knows who sponsors the first talk: write the name into {file}, and retry"
            )
        name = file.read_text(encoding="utf-8").strip()
        event = catalogue(current()).event(EVENT)
        talk = None if event is None else event.getContributionById(FIRST_TALK)
        if talk is not None:
            talk.update(description=f"Sponsored by {name}")
        self.getLogger().info("the first talk is sponsored by %s", name)
        return name


def is_planted(connection: Connection) -> bool:
    """Say whether the sample's agents are in the database."""
    return "folder" in SyncManager.getDBInstance(connection).getAllAgents()


def plant(connection: Connection, folder: Path, url: str) -> None:
    """Put the sample in: agents for *folder* and *url*, the event, and the tasks.

    The event of a database that has one with this id stays as it is.
    """
    manager = SyncManager.getDBInstance(connection)
    manager.setGranularity(min(GRANULARITY, manager.getGranularity()))
    for agent in (
        FolderAgent("folder", "Files of MARCXML", "", 1, folder=folder, format="marcxml"),
        WebhookAgent("webhook", "The small receiver", "", 1, url=url),
    ):
        manager.registerNewAgent(agent)
        agent.preActivate(0)
        agent.setActive(True)
    connection.savepoint()
    if catalogue(connection).event(EVENT) is None:
        _plant_event(connection)
    soon = nowutc() + timedelta(seconds=DESCRIBED_AFTER)
    sponsor = str(folder.parent / "sponsor.txt")
    Client(connection).enqueueAll([DescribeEvent(soon), ThankSponsor(soon, sponsor)])


def let_in(connection: Connection, password: str) -> None:
    """Make OPERATOR, who may act in the console, or give them a new *password*."""
    known = users(connection)
    user = known.find(OPERATOR)
    if user is None:
        user = Avatar(OPERATOR, "Demo", login=OPERATOR)
        known.add(user)
        roles(connection).give(user.id, Role.OPERATOR)
    user.set_password(password)


def retarget(connection: Connection, url: str) -> None:
    """Set the target of the webhook agent to *url*."""
    agent = SyncManager.getDBInstance(connection).getAllAgents().get("webhook")
    if isinstance(agent, WebhookAgent) and agent.url != url:
        agent.url = url


def webhook_url(connection: Connection) -> str:
    """Return the URL that the webhook agent sends to; empty if no such agent is registered."""
    agent = SyncManager.getDBInstance(connection).getAllAgents().get("webhook")
    return agent.url if isinstance(agent, WebhookAgent) else ""


def _plant_event(connection: Connection) -> None:
    home = catalogue(connection)
    category = home.category("10")
    if category is None:
        category = Category("10", "Conferences")
        home.add_category(category)
    event = Conference(EVENT, "Days of the Object Database", "A sample, to try things on")
    home.add_event(event, category)
    event.setDates(BEGIN, BEGIN + timedelta(days=2))
    event.update(location="Main building", room="Auditorium")
    for number, title in enumerate(TALKS):
        talk = Contribution(str(number), title)
        event.addContribution(talk)
        talk.setDates(BEGIN + number * SLOT, BEGIN + (number + 1) * SLOT)
        talk.update(duration=SLOT)
