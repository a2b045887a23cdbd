"""What the livesync of the reference did wrong, and the tests that show it is done right here.

`SHOWN_BY` names each weakness with its tests, by subject; those that stand nowhere else follow
below.
"""

from __future__ import annotations

import pytest
import transaction

from livesync import SyncManager
from livesync.agents.webhook import WebhookAgent
from livesync.cli import main
from scheduler.store import connect
from tests.reference.shown_by import missing

SHOWN_BY = {
    # What is recorded.
    "a change that is committed behind a pointer": [
        "test_a_change_stamped_first_and_committed_last_is_delivered",
        "test_each_agent_gets_every_change_in_one_order_whoever_is_killed",
    ],
    "requests that collide over one bin": [
        "test_additions_to_the_same_fresh_bin_merge",
        "test_additions_of_equal_elements_merge_to_one",
        "test_8_processes_record_without_conflict_and_nothing_is_lost",
    ],
    "changes outside of requests that are not recorded": [
        "test_a_commit_records_what_it_makes_and_changes",
        "test_lifecycle_events_are_recorded",
    ],
    "an object without id that breaks the request": ["test_an_object_without_id_breaks_nothing"],
    "a request that fails and is recorded": ["test_a_request_that_fails_records_nothing"],
    "an exclusion that holds for one level only": [
        "test_objects_in_an_excluded_category_or_below_are_excluded",
        "test_an_event_that_is_moved_to_where_changes_are_ignored_is_deleted_and_comes_back",
    ],
    "subclasses that are not recognised": [
        "test_a_right_concerns_the_object_or_its_owner",
    ],
    "an access controller without owner": ["test_an_access_controller_stands_for_its_owner"],
    "records that keep deleted objects alive": [
        "test_a_record_survives_the_removal_of_its_object",
    ],
    # The track.
    "an order that depends on the memory": [
        "test_ids_of_different_types_can_be_ordered",
        "test_elements_that_cannot_be_compared_stop_nobody",
    ],
    "positions that are treated unlike others": [
        "test_a_stretch_excludes_where_it_starts_and_includes_where_it_ends",
        "test_a_pointer_may_start_at_position_0",
        "test_position_0_is_a_position_like_any_other",
        "test_preparing_a_bin_that_is_there_keeps_what_is_in_it",
    ],
    "a tree that changes while it is read": [
        "test_a_set_track_can_be_added_to_while_it_is_read",
    ],
    "pointers that collide": ["test_pointers_of_two_agents_move_at_once"],
    "a track that only grows": [
        "test_changes_that_every_agent_has_had_go_after_a_while",
        "test_a_dead_agent_is_not_waited_for",
        "test_without_agents_old_changes_go",
    ],
    "a reset that orphans agents, or takes them too": [
        "test_a_reset_of_the_track_keeps_agents_and_gives_them_pointers",
        "test_destroy_of_the_track_keeps_agents",
    ],
    # Agents and their runs.
    "the rest of a bin that pre-activation loses": [
        "test_a_pre_activated_agent_gets_what_is_recorded_from_then_on",
    ],
    "an agent that replaces another without a word": ["test_an_agent_id_is_taken_once"],
    "an instance that is not there at first": [
        "test_the_instance_of_a_database_is_always_the_same",
    ],
    "an empty track that fails the task": ["test_the_task_can_be_run_on_an_empty_track"],
    "an agent that starves the others": [
        "test_a_failing_agent_stops_no_other",
        "test_an_agent_that_fails_or_hangs_stops_no_other",
    ],
    "failures that nobody is told": [
        "test_the_task_tells_whose_target_failed",
        "test_a_failed_run_returns_none_and_keeps_the_reason",
        "test_agents_are_shown_in_a_table",
    ],
    "a window that is sent all over again, without a pause": [
        "test_batches_that_were_taken_before_a_failure_are_not_sent_again",
        "test_after_a_kill_one_batch_is_sent_again_at_the_most",
        "test_after_a_failure_the_agent_waits_longer_and_longer",
    ],
    "an acknowledgement of what was not delivered, or backwards": [
        "test_an_acknowledgement_covers_what_its_run_delivered_and_no_more",
        "test_an_acknowledgement_never_moves_back",
    ],
    "one record that spoils its batch": [
        "test_a_record_that_cannot_be_sent_keeps_back_nothing_but_itself",
        "test_any_id_comes_out_as_it_went_in",
        "test_a_record_that_cannot_be_told_is_refused_alone",
    ],
    # What a change means for others.
    "parts that keep the old data of what they belong to": [
        "test_a_change_of_an_owner_that_its_parts_tell_is_a_change_of_theirs",
    ],
    "contributions that keep the access of their session": [
        "test_access_to_a_session_concerns_its_contributions",
    ],
    "what is restored and sent as deleted": [
        "test_an_object_that_is_deleted_and_put_back_later_is_there",
    ],
    "a cascade that fills the memory": [
        "test_however_much_lies_below_a_category_it_does_not_fill_the_memory",
    ],
    # Targets.
    "what is restricted and told in public": [
        "test_of_a_protected_object_the_access_list_is_told",
        "test_of_what_is_restricted_the_public_is_told_that_it_is_there",
    ],
    "requests that are malformed": [
        "test_records_are_posted_as_a_form_with_basic_credentials",
        "test_a_boundary_that_is_in_a_record_is_not_used",
        "test_any_mail_library_reads_the_form",
    ],
    "targets that hang": [
        "test_a_target_that_does_not_answer_properly_is_a_failure_that_names_it",
    ],
    "batches of any size": [
        "test_a_batch_of_many_megabytes_is_sent_in_parts",
        "test_a_record_of_50_megabytes_is_refused_and_the_others_sent",
    ],
    "passwords that are shown": ["test_user_and_password_are_used_but_never_shown"],
    # The command line.
    "a status of 0 for what was refused or failed": [
        "test_a_refused_export_sends_nothing",
        "test_a_failed_export_says_why_and_moves_nothing",
        "test_a_command_that_cannot_be_done_is_told_with_its_culprit",
    ],
}


def test_each_weakness_is_shown_by_tests_that_there_are():
    assert missing(SHOWN_BY) == set()


@pytest.fixture
def secretive(tmp_path, monkeypatch):
    """A database with an agent whose settings nobody is to see, and a run of it that failed."""
    monkeypatch.setenv("SCHEDULER_DATABASE", f"file://{tmp_path}/data.fs")
    with connect():
        url = "http://user:pass-phrase@127.0.0.1:9/hook?token=query-token"
        agent = WebhookAgent("hook", "Hook", "", 60, url=url, secret="signing-key")
        manager = SyncManager.getDBInstance()
        manager.registerNewAgent(agent)
        manager.add(100, "a change")
        transaction.commit()


@pytest.mark.parametrize(
    "line", ["agents", "agents --json", "agent hook run", "agent hook edit --name New", "dead list"]
)
def test_no_command_shows_the_secrets_of_an_agent(secretive, capsys, caplog, line):
    main.main(["agent", "hook", "run"])
    main.main(line.split())
    captured = capsys.readouterr()
    shown = captured.out + captured.err + caplog.text

    assert "hook" in shown or line == "dead list"
    for secret in ("pass-phrase", "query-token", "signing-key"):
        assert secret not in shown


def test_a_task_is_not_enqueued_for_an_agent_that_is_not_there(secretive, capsys):
    assert main.main(["agent", "nobody", "add_task"]) == 1
    assert "no agent 'nobody'" in capsys.readouterr().err


def test_a_new_agent_sees_with_nobodys_eyes(secretive, tmp_path):
    assert main.main(f"agent add f --type folder --set folder={tmp_path}".split()) == 0
    with connect():
        assert SyncManager.getDBInstance().getAgent("f").access is None
