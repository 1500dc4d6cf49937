"""Runs small Python functions as TinyGSM has them, over the syntax tree: never by exec, and bounded in every way.

Known are assignments, arithmetic, comparisons, lists of numbers, `if`, `for`, `while`, and the calls in
safe_calls. Everything else raises Refused, and so does what goes beyond the bounds: nothing that a program says
can take more than a few milliseconds or some kilobytes.
"""

import ast
import warnings
from dataclasses import dataclass
from typing import Any

from training.programs import safe_calls
from training.programs.safe_calls import Refused
from training.programs.safe_expressions import BoundedEvaluation
from training.programs.worked import Term

__all__ = ["Refused", "Solution", "calculate", "run"]

LONGEST_SOURCE = 6_000  # characters
MOST_LINES = 40  # of worked text; more are loops, which teach nothing
LONGEST_LINE = 300  # characters


@dataclass(frozen=True)
class Solution:
    """What a program computed."""

    question: str  # its docstring; "" when it has none
    lines: tuple[str, ...]  # `bags = 3 × 7 = 21`
    value: int | float


def run(source: str) -> Solution:
    """Run the one function without parameters that `source` defines. Raises Refused."""
    function = _function(_parsed(source))
    program = _Program()
    try:
        program.block(ast.get_docstring(function, clean=False) is not None, function.body)
    except _Return as returned:
        value = program.checked(returned.term.value)
        if type(value) not in (int, float):
            raise Refused("no number") from None
        return Solution((ast.get_docstring(function) or "").strip(), tuple(program.lines), value)
    except (_Break, _Continue):
        raise Refused("syntax") from None  # outside of loops
    raise Refused("no result")


def calculate(expression: str) -> Term:
    """Evaluate one arithmetic expression, e.g. `( 76.0 - 25.0 )`. Raises Refused."""
    body = _parsed(expression.strip()).body
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        raise Refused("syntax")
    return _Program().value_of(body[0].value)


def _parsed(source: str) -> ast.Module:
    if len(source) > LONGEST_SOURCE:
        raise Refused("too long")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in questions
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: thousands of brackets
        raise Refused("syntax") from None


def _function(module: ast.Module) -> ast.FunctionDef:
    found = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    if len(found) != 1:
        raise Refused("no function")
    for node in module.body:
        if node is not found[0]:
            _check_import(node)
    arguments = found[0].args
    if found[0].decorator_list or any(value for _, value in ast.iter_fields(arguments)):
        raise Refused("parameters")
    return found[0]


def _check_import(node: ast.stmt) -> None:
    if isinstance(node, ast.Import) and [(a.name, a.asname) for a in node.names] == [("math", None)]:
        return
    raise Refused("import" if isinstance(node, ast.Import | ast.ImportFrom) else type(node).__name__)


class _Return(Exception):
    def __init__(self, term: Term) -> None:
        self.term = term


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _Program(BoundedEvaluation):
    """The state of one execution, and the worked lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def block(self, has_docstring: bool, body: list[ast.stmt]) -> None:
        for statement in body[1:] if has_docstring else body:
            self.count()
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=[target], value=value):
                self.assign(target, value)
            case ast.AnnAssign(target=ast.Name() as target, value=ast.expr() as value):
                self.assign(target, value)
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                self.assign(ast.Name(name), ast.BinOp(ast.Name(name), op, value))
            case ast.If(test=test, body=body, orelse=orelse):
                self.nested(body if self.value_of(test).value else orelse)
            case ast.For(target=ast.Name(id=name), iter=iterated, body=body, orelse=[]):
                for item in self.items(iterated):
                    self.set(name, item)
                    if not self.goes_on(body):
                        break
            case ast.While(test=ast.Constant()):
                raise Refused("endless loop")
            case ast.While(test=test, body=body, orelse=[]):
                while self.value_of(test).value and self.goes_on(body):
                    self.count()
            case ast.Expr(value=ast.Call(func=ast.Attribute(ast.Name(name), "append"), args=[item])):
                self.append(name, self.value_of(item).value)
            case ast.Return(value=ast.expr() as value):
                if not isinstance(value, ast.Name | ast.Constant):
                    self.assign(ast.Name("result"), value)
                    value = ast.Name("result")
                raise _Return(self.value_of(value))
            case ast.Break():
                raise _Break
            case ast.Continue():
                raise _Continue
            case ast.Pass():
                pass
            case _:
                _check_import(node)

    def nested(self, body: list[ast.stmt]) -> None:
        self.deeper()
        self.block(False, body)
        self.depth -= 1

    def goes_on(self, body: list[ast.stmt]) -> bool:
        """Run a loop's body once; False after break."""
        depth = self.depth
        try:
            self.nested(body)
        except _Break:
            return False
        except _Continue:
            pass
        finally:
            self.depth = depth
        return True

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        match target:
            case ast.Name(id=name):
                term = self.value_of(value)
                self.set(name, term.value)
                if term.is_number and not isinstance(value, ast.Name):
                    self.write(f"{name.strip('_').replace('_', ' ')} = {term.worked()}")
            case ast.Tuple(elts=names) if isinstance(value, ast.Tuple) and len(names) == len(value.elts):
                frozen = [self.value_of(item) for item in value.elts]  # a, b = b, a
                for name_node, term in zip(names, frozen, strict=True):
                    if not isinstance(name_node, ast.Name):
                        raise Refused("assignment")
                    self.set(name_node.id, term.value)
            case _:
                raise Refused("assignment")

    def write(self, line: str) -> None:
        if len(self.lines) == MOST_LINES or len(line) > LONGEST_LINE:
            raise Refused("too much text")
        self.lines.append(line)

    def append(self, name: str, item: Any) -> None:
        values = self.variables.get(name)
        if not isinstance(values, list) or isinstance(item, list | range):
            raise Refused("append")
        values.append(item)
        safe_calls.bounded_length(values)
