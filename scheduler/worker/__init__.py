"""The work of a worker on its claims: runner, attempt, guard, outcome, process."""
