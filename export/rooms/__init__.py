"""Rooms and their reservations, slots and schedules."""
