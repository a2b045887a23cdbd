"""Who asks: keys, tokens, sessions, secrets, usage."""
