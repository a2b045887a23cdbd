"""Answers that are kept until something changes that they were made from."""
