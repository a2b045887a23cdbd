"""When a recurring task is due: rules, cron expressions, intervals."""
