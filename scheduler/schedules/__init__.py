"""Schedules of recurring tasks: rules, cron expressions, intervals."""
