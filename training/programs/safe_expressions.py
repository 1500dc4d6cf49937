"""Evaluates Python expressions over the syntax tree: numbers, flat lists, known calls; bounded in every way."""

import ast
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from training.programs import safe_calls
from training.programs.safe_calls import Refused
from training.programs.worked import Term, leaf

MOST_STEPS = 3_000  # evaluated nodes of the syntax tree
DEEPEST = 40  # nested expressions and blocks
LARGEST = 10**15  # of any number on the way
LARGEST_EXPONENT = 50


class BoundedEvaluation:
    """Variables, and what is left of the bounds."""

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {}
        self.steps = 0
        self.depth = 0

    def count(self) -> None:
        """Count one step of work. Raises Refused when it is one too many."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Refused("too many steps")

    def deeper(self) -> None:
        """Enter an expression or a block; whoever calls this takes the depth back."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise Refused("too deep")

    def items(self, node: ast.expr) -> Iterator[Any]:
        """The values that a loop goes through, as Python does: a list that grows meanwhile is followed."""
        values = self.value_of(node).value
        if not isinstance(values, list | range):
            raise Refused("loop")
        for item in values:
            self.count()
            yield item

    def set(self, name: str, value: Any) -> None:
        """Give a variable its value; the names of known functions keep their meaning."""
        if name in safe_calls.NAMES or name.startswith("__"):
            raise Refused("name")
        self.variables[name] = value

    def checked(self, value: Any) -> Any:
        """The value, when it is of a known type and not too large."""
        if type(value) in (int, float) and not abs(value) <= LARGEST:  # also nan
            raise Refused("too large")
        if value is None or isinstance(value, complex):
            raise Refused("no number")
        return value

    def value_of(self, node: ast.expr) -> Term:
        """The value of an expression, with how it was computed. Raises Refused."""
        self.count()
        self.deeper()
        try:
            term = self.expression(node)
        except (ArithmeticError, TypeError, ValueError, IndexError):
            raise Refused("fails") from None  # it would in Python too
        self.depth -= 1
        self.checked(term.value)
        return term

    def expression(self, node: ast.expr) -> Term:
        match node:
            case ast.Constant(value=bool() | int() | float() | str() as value):
                return leaf(value)
            case ast.Name(id=name):
                if name not in self.variables:
                    raise Refused("name")
                return leaf(self.variables[name])
            case ast.BinOp(left=left, op=op, right=right):
                return _binary(op, self.value_of(left), self.value_of(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return safe_calls.negative(self.value_of(operand))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return safe_calls.number(self.value_of(operand))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return leaf(not self.value_of(operand).value)
            case ast.BoolOp(op=op, values=values):
                return self.either(isinstance(op, ast.Or), values)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                return leaf(self.compare(left, ops, comparators))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.value_of(body if self.value_of(test).value else orelse)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return leaf(safe_calls.bounded_list([self.value_of(item).value for item in items]))
            case (
                ast.ListComp(elt=item, generators=[generator])
                | ast.GeneratorExp(elt=item, generators=[generator])
            ):
                return leaf(self.comprehension(item, generator))
            case ast.Subscript(value=values, slice=place):
                return leaf(safe_calls.item(self.value_of(values).value, self.value_of(place).value))
            case ast.Attribute(value=ast.Name("math"), attr="pi") if "math" not in self.variables:
                return leaf(math.pi)
            case ast.Call(func=func, args=args, keywords=[]):
                return safe_calls.call(safe_calls.name_of(func), [self.value_of(a) for a in args])
            case _:
                raise Refused(type(node).__name__)

    def either(self, is_or: bool, values: list[ast.expr]) -> Term:
        for value in values:
            term = self.value_of(value)
            if bool(term.value) == is_or:
                break
        return term

    def compare(self, left: ast.expr, ops: list[ast.cmpop], comparators: list[ast.expr]) -> bool:
        first = self.value_of(left).value
        for op, node in zip(ops, comparators, strict=True):
            second = self.value_of(node).value
            if type(op) not in _COMPARISONS:
                raise Refused(type(op).__name__)
            if not _COMPARISONS[type(op)](first, second):
                return False
            first = second
        return True

    def comprehension(self, item: ast.expr, generator: ast.comprehension) -> list[Any]:
        if not isinstance(generator.target, ast.Name) or generator.is_async:
            raise Refused("comprehension")
        name, found, outer = generator.target.id, [], dict(self.variables)
        for value in self.items(generator.iter):
            self.set(name, value)
            if all(self.value_of(test).value for test in generator.ifs):
                found.append(self.value_of(item).value)
        self.variables = outer  # the loop's name ends with it
        return safe_calls.bounded_list(found)


def _binary(op: ast.operator, left: Term, right: Term) -> Term:
    """Apply an operator to two numbers; lists and texts have none."""
    a, b = safe_calls.number(left).value, safe_calls.number(right).value
    match op:
        case ast.Add():
            return Term(a + b, "+", (left, right))
        case ast.Sub():
            return Term(a - b, "-", (left, right))
        case ast.Mult():
            return Term(a * b, "×", (left, right))
        case ast.Div():
            return Term(a / b, "/", (left, right))
        case ast.FloorDiv():
            if a // b != math.floor(a / b):
                raise Refused("float")  # 1 // 0.1 is 9: no text says that
            divided = Term(a // b, "/", (left, right))
            return divided if a % b == 0 else Term(a // b, "floor", (Term(a / b, "/", (left, right)),))
        case ast.Mod():
            return Term(a % b, "mod", (left, right))
        case ast.Pow() if abs(b) <= LARGEST_EXPONENT:
            return Term(a**b, "^", (left, right))
        case _:
            raise Refused("too large" if isinstance(op, ast.Pow) else type(op).__name__)


_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
