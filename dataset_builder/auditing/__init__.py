"""Auditing a table of scores before anything is built of it."""
