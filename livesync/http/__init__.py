"""The feed within WSGI applications."""
