"""The weaknesses of the reference's scheduler, each with the tests that show it is gone."""

from __future__ import annotations

SHOWN_BY = {
    # Instructions.
    "an instruction taken out and lost in a crash": [
        "test_an_aborted_draining_consumes_nothing",
        "test_each_transfer_is_made_once_whichever_process_is_shot",
    ],
    "a bad instruction that stops the scheduler": [
        "test_instructions_that_make_no_sense_stop_nobody",
        "test_an_unknown_operation_is_refused_to_whoever_asks",
    ],
    "a half-done instruction that is stored": [
        "test_a_task_enqueued_twice_is_run_once",
        "test_a_task_that_cannot_be_queued_keeps_no_key",
    ],
    "a deletion that misses a task just given to a worker": [
        "test_a_dequeued_running_task_is_let_end",
        "test_a_dequeued_running_periodic_task_does_not_come_back",
    ],
    "deleted tasks that stay in state QD": [
        "test_a_dequeued_task_is_not_run",
        "test_an_ended_task_can_be_deleted",
    ],
    "a moved task whose date and place in the queue disagree": [
        "test_moving_changes_nothing_before_the_scheduler_has_taken_it_up",
        "test_a_moved_task_is_run_once",
        "test_a_moved_task_can_be_dequeued",
        "test_a_task_whose_date_its_owner_changed_is_still_found_in_the_queue",
        "test_a_waiting_periodic_task_can_be_moved",
    ],
    "clients that write the scheduler's own shelves": [
        "test_other_instructions_are_true_and_stand_in_the_spool",
        "test_a_failed_task_is_started_by_an_instruction",
    ],
    "a stale shutdown that stops the next scheduler": [
        "test_a_shutdown_meant_for_an_earlier_scheduler_stops_nobody",
        "test_instructions_behind_a_shutdown_are_there_for_the_next_scheduler",
    ],
    # Start, stop and recovery.
    "left-overs of a dead scheduler that are skipped, or filed as failed": [
        "test_all_that_a_dead_scheduler_had_given_out_is_run",
    ],
    "work that was committed before a crash and is done again": [
        "test_a_run_committed_before_its_scheduler_died_counts_and_is_not_repeated",
    ],
    "workers of a killed scheduler that work on beside their successors": [
        "test_workers_end_with_their_killed_daemon",
    ],
    "a task that is on no shelf between two commits": [
        "test_a_killed_scheduler_costs_no_task_and_repeats_none",
    ],
    "a shutdown that abandons what is running": [
        "test_a_shutdown_waits_for_what_is_running",
        "test_a_task_longer_than_a_shutdown_waits_is_run_again_and_counts_once",
    ],
    "two schedulers of one database": ["test_a_second_scheduler_of_a_database_is_refused"],
    "a running flag that outlives its scheduler": [
        "test_a_state_left_by_a_dead_scheduler_does_not_stop_the_next_one",
        "test_a_process_is_not_taken_for_gone_because_the_clock_was_set",
    ],
    # Conflicts.
    "a conflict that commits one half of a move": [
        "test_a_unit_of_work_is_done_again_after_a_conflict",
    ],
    "conflicts without end that are reported as a success": ["test_the_last_conflict_is_raised"],
    "a conflict while preparing that fails the run": [
        "test_a_run_whose_preparation_meets_a_conflict_is_done_again",
        "test_a_run_that_meets_a_conflict_is_done_again",
    ],
    "one record for running list, flag, host and pid": [
        "test_clients_read_the_status_and_enqueue_while_it_changes_without_a_conflict",
    ],
    "a spool that is one object, with pairs that cannot be merged": [
        "test_threads_enqueue_while_the_spool_is_drained",
        "test_processes_enqueue_while_the_spool_is_drained",
    ],
    "equal instructions that conflict": ["test_two_equal_instructions_at_once_do_not_conflict"],
    "changes recorded in one bin that conflict": [
        "test_additions_to_the_same_fresh_bin_merge",
        "test_additions_to_a_bin_of_many_leaves_merge",
        "test_preparing_a_bin_and_adding_to_it_merge",
    ],
    "pruning that conflicts with recording": [
        "test_8_processes_record_without_conflict_and_nothing_is_lost",
    ],
    "pointers that share a record": ["test_pointers_of_two_agents_move_at_once"],
    "edits of a task that collide with its run": [
        "test_an_edit_of_a_task_that_is_at_work_is_kept_and_seen_by_its_run",
    ],
    "an end of a periodic run that writes all occurrences anew": [
        "test_the_hundredth_end_of_a_periodic_run_writes_no_more_than_the_tenth",
    ],
    # Runs.
    "expired tasks that are run": [
        "test_an_expired_task_is_terminated_and_never_counted_as_finished",
    ],
    "a failed run that commits what it had done, and sends its mail": [
        "test_a_failed_run_leaves_nothing_but_its_record",
        "test_a_run_that_is_rolled_back_sends_nothing",
    ],
    "a delay that uses up a try and keeps a worker waiting": [
        "test_a_delay_is_no_failed_try_and_leaves_nothing",
    ],
    "retries that keep a worker waiting, and are forgotten by a restart": [
        "test_a_task_that_waits_for_its_next_try_keeps_no_worker",
        "test_tries_are_counted_on_after_a_restart",
    ],
    "waits that do not grow": ["test_waits_grow_are_bounded_and_left_to_chance_in_part"],
    "a crash that looks like a failure": [
        "test_a_task_that_kills_its_worker_fails_and_the_others_are_run",
        "test_an_exit_ends_the_run_only",
    ],
    "tearDown that is never called": ["test_a_task_is_torn_down_once"],
    "a worker that writes on when its task was given up": [
        "test_a_task_taken_from_its_worker_has_no_effect_any_more",
        "test_a_run_over_its_hard_limit_is_terminated",
    ],
    "a watch on workers that is left to chance": [
        "test_a_killed_worker_is_noticed_within_seconds",
        "test_a_run_over_its_hard_limit_is_terminated",
    ],
    "any number of workers": ["test_no_more_tasks_are_run_at_a_time_than_there_are_workers"],
    "no record of what went wrong": [
        "test_a_failed_run_leaves_nothing_but_its_record",
        "test_a_run_that_succeeds_is_recorded_too",
    ],
    "two databases that are committed one after the other": [
        "test_effects_and_finished_mark_are_one_commit",
    ],
    "a task that is run by hand beside the scheduler": [
        "test_run_runs_a_task_here_and_leaves_its_state",
    ],
    # Recurring tasks.
    "a terminated periodic task that never runs again": [
        "test_a_periodic_task_goes_on_after_a_run_over_its_limit",
        "test_a_terminated_task_can_be_started_again",
    ],
    "a task that should not come back and stays on the running list": [
        "test_a_task_that_does_not_come_back_leaves_no_shelf_but_its_occurrence",
    ],
    "an exhausted rule that lingers on no shelf": [
        "test_the_last_date_of_a_rule_ends_the_task",
        "test_a_rule_without_dates_ends_the_task_that_is_enqueued",
    ],
    "unique tasks that are not": ["test_a_unique_task_is_admitted_once"],
    "rules that are walked from their beginning": [
        "test_an_old_rule_is_not_walked_from_its_beginning",
    ],
    "rules that are pickled": ["test_a_schedule_is_stored_as_plain_values"],
    "occurrences that grow with each run": [
        "test_so_many_ended_runs_are_kept_and_their_numbers_go_on",
        "test_occurrences_go_and_their_task_goes_on",
    ],
    # Order, time and growth.
    "tasks and occurrences that cannot be compared": [
        "test_an_occurrence_stands_behind_its_task_and_before_the_next_one",
        "test_none_stands_before_every_task",
    ],
    "times that depend on the host's zone": ["test_the_zone_of_the_host_does_not_matter"],
    "times that end in 2038": [
        "test_every_second_from_1970_to_9999_works",
        "test_a_task_due_after_2038_waits",
    ],
    "shelves that are never pruned": [
        "test_old_tasks_go_and_others_stay",
        "test_of_too_many_the_oldest_go",
    ],
    "a track that only grows": [
        "test_without_agents_old_changes_go",
        "test_changes_that_every_agent_has_had_go_after_a_while",
        "test_a_record_survives_the_removal_of_its_object",
    ],
    "lists without pages": ["test_tasks_are_shown_by_state_by_class_and_page_by_page"],
    # Tasks that are shipped, and those whose class is gone.
    "tasks whose class has gone that break the lists": [
        "test_a_task_without_class_is_set_aside_and_taken_back_with_its_class",
    ],
    "reminders of events that are gone": [
        "test_of_an_event_that_has_begun_nobody_is_reminded",
    ],
    "callers of what is gone, and dates that are always None": [
        "test_the_tasks_names_are_where_they_should_be",
        "test_an_occurrence_is_stored_with_times_and_the_next_date_set",
    ],
    "tasks that end themselves and vanish": [
        "test_a_waiting_task_that_is_cancelled_is_not_run",
        "test_a_cancelled_task_can_be_started_again",
    ],
}
