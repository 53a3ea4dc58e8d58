"""Durable documents with versions and watch."""
