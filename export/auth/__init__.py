"""Authentication: keys, tokens, feeds, browser sessions, and the record of their use."""
