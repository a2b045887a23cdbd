"""Benchmarks: `python -m tests.bench [name ...]`; each figure next to the raw commit rate."""
