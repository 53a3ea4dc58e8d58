"""Decisions in virtual time: `(event, now)` in, commands out. Nothing here awaits, reads a clock, or logs."""
