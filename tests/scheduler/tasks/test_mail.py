"""Mail, sent to a real server in this process.

Covers `scheduler.tasks.alarm`.
"""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest

from scheduler import TaskFilter, nowutc
from scheduler.errors import SchedulerConfigurationException
from scheduler.runtime.smtp import MailServer
from scheduler.tasks import SendMailTask
from scheduler.tasks.mail import MailDelivery
from scheduler.tasks.retry import Retry
from tests.scheduler.harness import running

both_modes = pytest.mark.parametrize("mode", ["threads", "processes"])


def mail(*to, start=None):
    task = SendMailTask(start or nowutc())
    task.setToAddrList(to or ("ada@example.org",))
    task.setSubject("News")
    task.setText("There is news.")
    return task


@both_modes
def test_a_mail_is_sent_once(view, database, inbox, mode):
    task = mail("Ada <ada@example.org>", "bob@example.org")
    task.addCcAddr("cy@example.org")
    view.enqueue(task)
    with running(database, multitask_mode=mode):
        view.until_counts(finished=2)

    (envelope,), (message,) = inbox.envelopes, inbox.messages
    assert envelope.rcpt_tos == ["ada@example.org", "bob@example.org", "cy@example.org"]
    assert message["From"] == "events@example.org"
    assert message["To"] == "Ada <ada@example.org>, bob@example.org"
    assert message["Cc"] == "cy@example.org"
    assert message["Subject"] == "News"
    assert message.get_content().strip() == "There is news."
    sent = [
        attempt.sent for each in view.client.select(TaskFilter()) for attempt in each.getAttempts()
    ]
    recipients = "ada@example.org, bob@example.org, cy@example.org"
    assert sorted(sent) == [(), (f"mail 'News' to {recipients}",)]


def test_names_subject_and_text_may_be_in_any_script(view, database, inbox):
    task = mail("Jürgen Zoë <j@example.org>")
    task.setSubject("Übung für Zoë 漢字")
    task.setText("Grüße, 漢字")
    view.enqueue(task)
    with running(database):
        view.until_counts(finished=2)
    (message,) = inbox.messages
    assert message["Subject"] == "Übung für Zoë 漢字"
    assert message["To"].addresses[0].display_name == "Jürgen Zoë"
    assert message.get_content().strip() == "Grüße, 漢字"


class FailAfterwards(SendMailTask):
    """Fails once behind the sending."""

    maxTries = 2
    retries = {ValueError: Retry(first=0.01)}

    def run(self, check=True):
        super().run(check)
        if not self.getAttempts():
            raise ValueError("after it was sent")


def test_a_run_that_is_rolled_back_sends_nothing(view, database, inbox):
    task = FailAfterwards(nowutc())
    task.addToAddr("ada@example.org")
    view.enqueue(task)
    with running(database):
        view.until_counts(finished=2)
    assert len(task.getAttempts()) == 2
    assert len(inbox.envelopes) == 1


def test_each_try_to_send_has_the_same_message_id(view, database, inbox):
    tries = []
    inbox.data_answers = ["451 try later"]
    original = inbox.handle_DATA

    async def watch(server, session, envelope):
        tries.append(message_from_bytes(envelope.content, policy=policy.default)["Message-ID"])
        return await original(server, session, envelope)

    inbox.handle_DATA = watch
    view.enqueue(mail())
    with running(database):
        view.until_counts(finished=2)
    assert len(tries) == 2
    assert len(set(tries)) == 1


def test_two_mails_have_two_message_ids(view, database, inbox):
    view.enqueue(mail(), mail())
    with running(database):
        view.until_counts(finished=4)
    assert len({message["Message-ID"] for message in inbox.messages}) == 2


def test_a_mail_refused_for_now_is_sent_again_to_those_addresses_alone(view, database, inbox):
    inbox.answers["bob@example.org"] = ["450 mailbox busy"]
    view.enqueue(mail("ada@example.org", "bob@example.org"))
    with running(database):
        view.until_counts(finished=3)
    assert [each.rcpt_tos for each in inbox.envelopes] == [["ada@example.org"], ["bob@example.org"]]


def test_an_address_refused_for_good_is_told_by_the_result(view, database, inbox):
    inbox.answers["nobody@example.org"] = ["550 no such user"]
    view.enqueue(mail("ada@example.org", "nobody@example.org"))
    with running(database):
        view.until_counts(finished=2)
    (delivery,) = deliveries(view)
    assert delivery.getResult() == ["nobody@example.org: 550 no such user"]


def test_a_mail_that_everybody_refuses_fails_at_once(view, database, inbox):
    inbox.answers["nobody@example.org"] = ["550 no such user"]
    view.enqueue(mail("nobody@example.org"))
    with running(database, task_max_tries=5):
        view.until_counts(finished=1, failed=1)
    (delivery,) = deliveries(view)
    assert [attempt.message for attempt in delivery.getAttempts()] == [
        "MailRefused: nobody@example.org: 550 no such user"
    ]


def test_while_the_server_is_down_the_mail_waits(view, database, server):
    server.stop()  # nobody listens there now
    view.enqueue(mail())
    with running(database):
        view.until(lambda: [d for d in deliveries(view) if d.getAttempts()])
        assert "MailNotSent" in deliveries(view)[0].getAttempts()[0].message
        view.until(
            lambda: view.counts() in ({"finished": 1, "waiting": 1}, {"finished": 1, "running": 1})
        )


def test_without_a_mail_server_the_delivery_says_what_to_set(view, database, monkeypatch):
    monkeypatch.delenv("SCHEDULER_MAIL", raising=False)
    task = mail()
    task.setFromAddr("me@example.org")
    monkeypatch.setattr(MailDelivery, "maxTries", 1)
    view.enqueue(task)
    with running(database):
        view.until_counts(finished=1, failed=1)
    assert "set $SCHEDULER_MAIL" in deliveries(view)[0].getAttempts()[0].message


def test_a_mail_to_nobody_ends_without_one(view, database, inbox):
    view.enqueue(SendMailTask(nowutc()))
    with running(database):
        view.until_counts(finished=1)
    assert inbox.envelopes == []


def deliveries(view):
    view.refresh()
    return [task for task in all_tasks(view) if isinstance(task, MailDelivery)]


def all_tasks(view):
    return view.client._module.getTaskIndex().values()


@pytest.mark.parametrize("subject", ["News\nBcc: all@example.org", "News\r\n"])
def test_a_subject_with_a_line_break_is_refused(subject):
    with pytest.raises(ValueError, match="line break"):
        mail().setSubject(subject)


@pytest.mark.parametrize("address", ["nobody", "a@b\nBcc: c@d", "Name <>", "a@b\0"])
def test_a_text_that_is_no_address_is_refused(address):
    with pytest.raises(ValueError, match="is no mail address"):
        mail().addToAddr(address)


def test_an_empty_address_is_passed_over_and_one_twice_kept_once():
    task = mail("ada@example.org", "", "ada@example.org", " ")
    assert task.getToAddrList() == ["ada@example.org"]
    task.removeToAddr("ada@example.org")
    assert task.getToAddrList() == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mail.example.org", "must begin with smtp://"),
        ("smtp://", "names no host"),
        ("smtp://host:port", "cannot be read"),
        ("smtp://host?colour=red", "unknown option colour"),
        ("smtp://host?password_file=/no/such/file", "password_file cannot be read"),
    ],
)
def test_a_url_of_no_use_is_refused_without_being_shown(url, message):
    with pytest.raises(SchedulerConfigurationException, match=message):
        MailServer.of(url)


def test_a_password_is_read_from_its_file_and_not_shown(tmp_path):
    (tmp_path / "secret").write_text("hush\n")
    server = MailServer.of(f"smtps://me@host?password_file={tmp_path}/secret")
    assert (server.user, server.password, server.port) == ("me", "hush", 465)
    assert "hush" not in repr(server) + str(server)
