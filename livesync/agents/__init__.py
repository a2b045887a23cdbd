"""Agents ready to use, one file for each kind of target."""
