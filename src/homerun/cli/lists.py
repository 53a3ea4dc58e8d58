"""Lists and pairs on the command line, as gcloud writes them."""

from __future__ import annotations

import re

import click


def split_list(text: str) -> list[str]:
    """`a,b,c`; or another delimiter in front, as gcloud allows: `^;^a;b,c`. Empty text is the empty list."""
    delimiter = ","
    if match := re.match(r"\^([^^]+)\^", text):
        delimiter, text = match[1], text[match.end() :]
    return text.split(delimiter) if text else []


def split_pairs(text: str, flag: str) -> dict[str, str]:
    """`K=V,…`."""
    pairs: dict[str, str] = {}
    for item in split_list(text):
        key, separator, value = item.partition("=")
        if not separator or not key:
            raise click.BadParameter(f"{item!r} is not of the form KEY=VALUE", param_hint=flag)
        pairs[key] = value
    return pairs
