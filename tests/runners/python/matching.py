"""Holds an outcome against what a scenario expects."""

import json
import re

OPERATORS = {"len", "contains", "items", "at_least", "at_most", "matches", "not", "missing"}


def mismatch(expected, actual, at=""):
    """What differs, or None. Records compare by the fields named, lists in full."""
    if is_operator(expected, actual):
        return first(operator(op, arg, actual, at) for op, arg in expected.items())
    if isinstance(expected, dict) and isinstance(actual, dict):
        return first(mismatch(value, actual.get(key), f"{at}.{key}") for key, value in expected.items())
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return f"{at}: expected {len(expected)} items, saw {len(actual)}: {short(actual)}"
        return first(mismatch(want, have, f"{at}.{i}") for i, (want, have) in enumerate(zip(expected, actual)))
    if expected == actual and isinstance(expected, bool) == isinstance(actual, bool):
        return None
    return f"{at}: expected {short(expected)}, saw {short(actual)}"


def is_operator(table, actual) -> bool:
    """A table is an operator when all its keys are, and the outcome is no record that might have such a field."""
    if not isinstance(table, dict) or not table or not OPERATORS.issuperset(table):
        return False
    return not isinstance(actual, dict) or "not" in table or isinstance(table.get("missing"), bool)


def operator(op, arg, actual, at):
    if op == "len" and isinstance(actual, (list, str)):
        return mismatch(arg, len(actual), f"{at}.len")
    if op == "items" and isinstance(actual, list):
        return first(mismatch(arg, item, f"{at}.{i}") for i, item in enumerate(actual))
    number = isinstance(actual, (int, float)) and not isinstance(actual, bool)
    good = {
        "contains": lambda: arg in actual if isinstance(actual, str) else isinstance(actual, list) and any(mismatch(arg, i) is None for i in actual),
        "at_least": lambda: number and actual >= arg,
        "at_most": lambda: number and actual <= arg,
        "matches": lambda: isinstance(actual, str) and re.search(arg, actual) is not None,
        "not": lambda: mismatch(arg, actual) is not None,
        "missing": lambda: (actual is None) == arg,
    }.get(op, lambda: False)()
    return None if good else f"{at}: expected {op} {short(arg)}, saw {short(actual)}"


def first(found):
    return next((what for what in found if what), None)


def short(value) -> str:
    """A value for a message: whole, unless it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 600 else text[:600] + "…"
