r"""Whether `x`, `×` or `\times` between two digits multiplies. Sizes are written with them, too: a 3 x 4 grid.

What decides is in decision 003. In doubt it does not multiply.
"""

import re

from training.text.whole_expressions import Surroundings, equation_holds, surroundings

CROSS = ("x", "×", r"\times")
SIZE_AFTER = re.compile(  # 3*3 grid, 5*7" photo, $3 \times 3$-matrix
    r"""["”″'’′]?\$?-?[ \t]*(?:grid|matri(?:x|ce)|array|table|board|photo|print|kernel|filter|image|tile|puzzle|pixel"""
    r"|inch|feet|foot|[cm]?m)(?:e?s)?\b"
)
_ONE_THING_BEFORE = re.compile(  # each 2x4 = 8 feet
    r"\b(?:an?|the|each|every|one|my|our|your|his|her|their)[ \t]+(?P<formula>\$?)\Z", re.IGNORECASE
)
_ENDS = re.compile(r"(?:[ \t]*(?:\$|\\[)\]]|[)\]}]))*[ \t]*(?:[.,;:!?](?!\d)|\n|\Z)")
_SENTENCE_ENDS = re.compile(r"(?:[ \t]*(?:\$|\\[)\]]|\)))*[ \t]*(?:[.;!?](?!\d)|\n|\Z)")  # no list of sizes
_WORD_AFTER = re.compile(r"[ \t]*\$?[ \t]*(?:[A-Za-z\"”″'’′]|-[A-Za-z])")
_GOES_ON = re.compile(r"\$?[ \t]+(?:to|and|which|then|for)\b")  # Multiply 6 x 9 to get
_CALCULATES_BEFORE = re.compile(
    r"\b(?:multipl(?:y|ying)|comput(?:e|ing)|calculat(?:e|ing)|evaluat(?:e|ing)|work(?:ing)?[ \t]+out|product[ \t]+of)"
    r"[ \t]+[$(]*\Z",
    re.IGNORECASE,
)
_REASONS_BEFORE = re.compile(  # So we need 6 × 9.
    r"\b(?:so|then|thus|hence|therefore),?[ \t]+(?:I|we|you|he|she|they)[ \t]+(?:needs?|gets?|do|does)[ \t]+\$?\Z",
    re.IGNORECASE,
)
_AMOUNT_BEFORE = re.compile(  # total = 6 x 9; but product size = 6 x 9
    r"\b(?:total|sum|product|area|volume|perimeter|distance|cost|price|amount|number|answer|result|profit|revenue|income|earnings"
    r"|money)(?:[ \t]+(?!size|dimension|format|shape)[a-z]+){0,3}?[ \t]*=[ \t]*\$?\Z",
    re.IGNORECASE,
)
_UNKNOWN_BEFORE = re.compile(r"(?<![\w\\])[A-Za-z][ \t]*=[ \t]*\Z")  # n = 6 × 9
_SHAPE_BEFORE = re.compile(r"(?:[x×]|\\times)[ \t]*[A-Za-z][ \t]*=[ \t]*\Z")  # H × W = 3 × 4
_NEVER_MEASURED = re.compile(  # things that have no length and width: a book may be 6 × 9
    r"\$?[ \t]+(?:dollars|cents|euros|seconds|minutes|hours|days|weeks|months|years|people|persons|students|children|kids"
    r"|girls|boys|apples|oranges|bananas|pears|peaches|lemons|grapes|strawberries|eggs|cookies|candies|marbles|coins)\b"
)


def multiplies(
    text: str, product: re.Match[str], result: re.Match[str] | None, before: str, *, summed: bool
) -> bool:
    """Whether a cross multiplies; `before` is what stands before it, `summed`: an operator is there."""
    one_thing = _ONE_THING_BEFORE.search(before)
    sized = one_thing is not None and not one_thing["formula"]
    if result is not None and result["number"]:
        alone = not result["unit"].strip() and _ENDS.match(text, result.end("number")) is not None
        if result["equals"][0] in "=e" or (summed and not sized):
            if not sized or alone:  # each 3 x 4 = 12
                return True
        elif alone and not sized and result["number"] == str(int(product[1]) * int(product[3])):
            return True  # 3 x 4 is 12; not so "2 x 4 is 8 feet long", which measures
    if one_thing:
        return False
    start, end = product.span()
    if text == product[0] or equation_holds(text, start, end):
        return True
    around = surroundings(text, start, end)
    return not around.stated and (
        _calculates(text, end, product[2], before) or _beside_operator(text, around, product[2])
    )


def _calculates(text: str, end: int, sign: str, before: str) -> bool:
    """Whether the words around it say so."""
    is_letter = sign.strip() == "x"
    if sign == "x" or SIZE_AFTER.match(text, end):
        return False  # 4x4 in words is a size
    ends = _ENDS.match(text, end) is not None
    if _CALCULATES_BEFORE.search(before):
        return ends or _GOES_ON.match(text, end) is not None
    if _AMOUNT_BEFORE.search(before):
        return ends or not is_letter
    if is_letter:
        return False
    if _UNKNOWN_BEFORE.search(before):
        return ends and not _SHAPE_BEFORE.search(before)
    if _REASONS_BEFORE.search(before):
        return _SENTENCE_ENDS.match(text, end) is not None
    return _NEVER_MEASURED.match(text, end) is not None


def _beside_operator(text: str, around: Surroundings, sign: str) -> bool:
    """Whether it is an operand of +, - or / with a number or a bracket on the operator's other side."""
    if around.operator == "" or around.glued or SIZE_AFTER.match(text, around.end):
        return False
    is_letter, word = sign.strip() == "x", _WORD_AFTER.match(text, around.end) is not None
    if is_letter and word:
        return False
    if around.in_brackets:
        return True  # (3 × 4) - 2
    if sign == "x":
        return False  # 2x4 + 2x6 may be timber
    if around.operator in "+÷":
        return True
    # 60 - 6 × 9; neither 3 × 3 / 2 nor 3 × 3 - 64, which are a kernel with its stride, or its filters
    return (
        around.operator == "-"
        and around.leads
        and not is_letter
        and _ENDS.match(text, around.end) is not None
    )
