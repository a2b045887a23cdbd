"""What a worker does with its claims: runner, attempt, guard, outcome, process."""
