"""The calls that safe_python knows, each with bounded time and memory."""

import ast
import math
from collections.abc import Callable, Mapping
from typing import Any

from training.programs.worked import Term, leaf

LONGEST_LIST = 100


class Refused(Exception):
    """A program lies outside the safe subset; the text is the short reason that is counted."""


def name_of(func: ast.expr) -> str:
    """The name of a called function as in CALLS; what is not known there is refused when called."""
    match func:
        case ast.Name(id=name) if name not in _MATH_ONLY:
            return name
        case ast.Attribute(value=ast.Name("math"), attr=name) if name in _MATH_ONLY:
            return name
        case _:
            raise Refused("call")


def call(name: str, arguments: list[Term]) -> Term:
    """Call a known function. Raises Refused."""
    if name not in CALLS:
        raise Refused("call")
    return CALLS[name](*arguments)


def number(term: Term) -> Term:
    """The term, when it is a number (True and False count as 1 and 0, as in Python)."""
    if not isinstance(term.value, int | float):
        raise Refused("no number")
    return term if term.is_number else leaf(int(term.value))


def negative(term: Term) -> Term:
    """The term with the other sign."""
    value = -number(term).value
    return leaf(value) if not term.operands else Term(value, "-", (leaf(0), term))


def item(values: Any, place: Any) -> Any:
    """values[place]; no slices."""
    if not isinstance(values, list | range) or type(place) is not int:
        raise Refused("subscript")
    return values[place]


def bounded_length(values: list[Any] | range) -> int:
    """The length, when it is within the bound."""
    if len(values) > LONGEST_LIST:
        raise Refused("too long")
    return len(values)


def bounded_list(values: list[Any]) -> list[Any]:
    """The list, when it is flat and within the bound."""
    if any(isinstance(value, list | range) for value in values):
        raise Refused("nested list")
    bounded_length(values)
    return values


def _sum(values: Term) -> Term:
    terms = tuple(number(leaf(value)) for value in _listed(values))
    total = sum(term.value for term in terms)
    return Term(total, "+", terms) if len(terms) > 1 else leaf(total)


def _extreme(name: str, choose: Callable[[list[Any]], Any]) -> Callable[..., Term]:
    def extreme(*arguments: Term) -> Term:
        terms = [leaf(value) for value in _listed(arguments[0])] if len(arguments) == 1 else list(arguments)
        return Term(choose([number(term).value for term in terms]), name, tuple(map(number, terms)))

    return extreme


def _rounded(value: Term, digits: Term | None = None) -> Term:
    if digits is None:
        return Term(round(number(value).value), "round", (value,))
    if abs(number(digits).value) > 15:
        raise Refused("too large")
    return Term(round(number(value).value, digits.value), "round", (value, digits))


def _of_number(name: str, function: Callable[[Any], Any]) -> Callable[[Term], Term]:
    return lambda term: Term(function(number(term).value), name, (number(term),))


def _int(term: Term) -> Term:
    """int() cuts off decimals; where there are none, nothing happens that a text would say."""
    value = int(number(term).value)
    return Term(value, term.operation, term.operands) if value == term.value else Term(value, "int", (term,))


def _float(term: Term) -> Term:
    return Term(float(number(term).value), term.operation, term.operands)


def _range(*bounds: Term) -> Term:
    values = range(*(bound.value for bound in bounds))
    bounded_length(values)
    return leaf(values)


def _listed(term: Term) -> list[Any]:
    if not isinstance(term.value, list | range):
        raise Refused("no list")
    return list(term.value)


CALLS: Mapping[str, Callable[..., Term]] = {
    "int": _int,
    "float": _float,
    "round": _rounded,
    "abs": _of_number("abs", abs),
    "min": _extreme("min", min),
    "max": _extreme("max", max),
    "sum": _sum,
    "len": lambda term: leaf(len(_listed(term))),
    "range": _range,
    "list": lambda term: leaf(_listed(term)),
    "ceil": _of_number("ceil", math.ceil),
    "floor": _of_number("floor", math.floor),
    "sqrt": _of_number("sqrt", math.sqrt),
}
_MATH_ONLY = {"ceil", "floor", "sqrt"}
NAMES = {*CALLS, "math"} - _MATH_ONLY  # a program must not give these another meaning
