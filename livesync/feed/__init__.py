"""The manager of the feed, its agents, subscriptions and waits."""
