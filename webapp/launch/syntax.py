"""YAML's syntax errors in plain words: what is open or out of place, on which line, and what to do."""

import re

import yaml

CLOSES = {"[": ("list", "]"), "{": ("mapping", "}")}
STARTS = {  # what cannot begin a value → what to do
    "\t": "this line is indented by a tab; indent it by spaces, two a level",
    "@": "a text that begins with @ stands in quotes; write '@…'",
    "`": "a text that begins with ` stands in quotes; write '`…'",
    "%": "a text that begins with % stands in quotes; write '%…'",
}


def in_words(error: yaml.MarkedYAMLError) -> tuple[str, int]:
    """What is wrong and what to do, and the line where; lines count from 1, 0: none in particular."""
    context, problem = error.context or "", error.problem or ""
    at = _line(error.problem_mark)
    begun = _line(error.context_mark) or at
    if "flow sequence" in context or "flow mapping" in context:
        return _open_bracket("[" if "sequence" in context else "{", problem, begun, at), begun
    if "quoted scalar" in context:
        return _quoted(problem, begun, at)
    if "simple key" in context:
        return "this line is no setting; write name: value, with a colon and a space", begun
    if "block mapping" in context or "block collection" in context:
        return _indented(context, problem, begun, at), at
    return _by_problem(context, problem, begun, at)


def _by_problem(context: str, problem: str, begun: int, at: int) -> tuple[str, int]:
    """What only the second half of YAML's words tells."""
    if "mapping values are not allowed" in problem:
        return (
            "a colon stands where none can: put a text that holds a colon and a space in quotes, and begin each setting on "
            "a line of its own, below the others of its level"
        ), at
    if "sequence entries are not allowed" in problem or "mapping keys are not allowed" in problem:
        return "an item of a list cannot begin here; begin it on a line of its own, below the other items", at
    if found := re.search(r"found character '(\\?.)' that cannot start", problem):
        sign = "\t" if found[1] == "\\t" else found[1]
        return STARTS.get(sign, f"a value cannot begin with {sign}; put it in quotes"), at
    if "expected the node content" in problem:
        return "a value is missing before the sign that stands here; write one, or take the sign out", at
    if found := re.search(r"undefined alias '(.+?)'", problem):
        return f"*{found[1]} stands for nothing: no part above is marked &{found[1]}", at
    if found := re.search(r"duplicate anchor '(.+?)'", context + problem):
        return f"&{found[1]} marks two parts; call one of them otherwise", at
    if "block mapping start" in problem:
        return (
            "this line begins farther left than the first one; let all settings of a level begin at one place",
            at,
        )
    if "unhashable" in problem:
        return "a setting's name is a single word", at
    if "single document" in context or "document start" in problem:
        return "the text goes on after its end; a recipe is one document, without --- or ... between", at
    if "merging" in problem:
        return "<<: takes a mapping, as *name of a part that is marked &name", at
    if "block scalar" in context:
        return "after > or | the text begins on the next line; write nothing else on this one", at
    if "tag" in context or "tag" in problem:
        return "a word that begins with ! is no value of a recipe; put it in quotes or leave it out", at
    if "anchor" in context or "alias" in context:
        return (
            "after & or * a name follows, of letters and digits; put a text that begins so in quotes",
            begun,
        )
    return f"this cannot be read ({' '.join(filter(None, (context, problem)))})", at


def _open_bracket(opens: str, problem: str, begun: int, at: int) -> str:
    what, closes = CLOSES[opens]
    if "stream end" in problem:
        met = " before the text ends"
    else:
        met = f" where line {at} begins something else" if at != begun else " on this line"
    return f"the {what} that opens with {opens} is not closed{met}; put {closes} at its end, and a comma between its items"


def _quoted(problem: str, begun: int, at: int) -> tuple[str, int]:
    if "escape" in problem:
        return "in a text in \" a \\ begins a special character; write \\\\ for one, or put the text in '", at
    return "the text in quotes that begins here is not closed; put the same quote at its end", begun


def _indented(context: str, problem: str, begun: int, at: int) -> str:
    what = "items of the list" if "collection" in context else "settings"
    if "'-'" in problem or "block entry" in problem:
        return f"an item of a list stands among the {what} that begin in line {begun}; indent it below its setting"
    return f"this line does not stand below the {what} that begin in line {begun}; indent it by as many spaces as they are"


def _line(mark: object) -> int:
    return mark.line + 1 if isinstance(mark, yaml.Mark) else 0
