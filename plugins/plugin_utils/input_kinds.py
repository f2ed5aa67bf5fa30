# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The types that values of inputs have, and how a user writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

Fault = tuple[str, str]
"""What is wrong with a value, and what to write."""


class Kind(NamedTuple):
    """What a type of input accepts, and how it is written."""

    accepts: Callable[[Any], bool]
    wording: str
    name: str


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_list_of(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


# By the annotation of the field, which the postponed evaluation of annotations keeps as text.
KINDS: dict[str, Kind] = {
    "str": Kind(lambda value: isinstance(value, str), "write one text, in quotes where it looks like a number", "text"),
    "bool": Kind(lambda value: isinstance(value, bool), "write true or false without quotes", "boolean"),
    "int": Kind(_is_int, "write a whole number without quotes", "whole number"),
    "int | None": Kind(_is_int, "write a whole number without quotes", "whole number"),
    "int | str": Kind(lambda value: _is_int(value) or isinstance(value, str), "write a whole number or a percentage", "whole number or percentage"),
    "float": Kind(lambda value: _is_int(value) or isinstance(value, float), "write a number without quotes", "number"),
    "list[str]": Kind(lambda value: _is_list_of(value, str), "write a list of texts, such as [a, b]", "list of texts"),
    "list[dict[str, str]]": Kind(lambda value: _is_list_of(value, dict), "write a list of mappings", "list of mappings"),
    "list[dict[str, Any]]": Kind(lambda value: _is_list_of(value, dict), "write a list of mappings", "list of mappings"),
    "dict[str, Any]": Kind(lambda value: isinstance(value, dict), "write a mapping, such as {name: value}", "mapping"),
}


def shown(value: object) -> str:
    """A value and what it is, as the message about it says it."""
    words = {"str": "the text", "bool": "the boolean", "int": "the number", "float": "the number", "list": "the list", "dict": "the mapping"}
    return f"{words.get(type(value).__name__, 'the value')} {json.dumps(value, default=str)}"
