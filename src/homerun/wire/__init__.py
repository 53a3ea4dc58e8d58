"""Protocols without policy: bytes and JSON to messages and back."""
