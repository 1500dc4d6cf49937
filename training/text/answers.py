"""The final answer of a completion: finding it, and comparing it with the reference (no torch)."""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Literal, NamedTuple

from training.text import scratchpad
from training.text.numbers import CURRENCY, Number, normalised, number_at, numbers, plain

Rule = Literal["mark", "boxed", "words", "last_number", "none"]
RULES: dict[str, str] = {
    "mark": "behind the mark ####",
    "boxed": r"in the last \boxed{…}",
    "words": "behind “the answer is”",
    "last_number": "the last number",
    "none": "no number at all",
}  # how a final answer was found, in the order in which they are tried


class AnswerReading(NamedTuple):
    """What a completion answers."""

    final_answer: str | None  # normalised; None: what stands where the answer belongs is no number
    rule: Rule


_OPENING = rf"(?:[\s*_`\"'“”‘’(\[{{>|~≈→=:,{CURRENCY}]|<(?!MUL_)|->|\\(?:boxed|fbox)\s*\{{|[A-Za-z]\s*=)*[-+]?[\s{CURRENCY}]*"  # before a number
_DIRECTLY = re.compile(_OPENING)
_SOON = re.compile(  # with some words before it, none of which denies it
    rf"(?:[\s,*_`\"'“(\[{{]*(?!(?:not|never|no|nor)\b)[^\W\d_]+(?:'[a-z]+)?[,:]?(?=[\s*_`\"'“(\[{{{CURRENCY}])){{0,8}}{_OPENING}",
    re.IGNORECASE,
)
_MARK = re.compile(r"#{4,}")
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_VERB = r"(?:is|was|equals|becomes|(?:would|should|must|will)\s+be|comes\s+to)\b"
_WORDS = re.compile(
    rf"\banswer(?:(?:\s+(?:to|for|of)(?:\s+[^\W\d]+){{1,6}}?)?[\s*_]*{_VERB}|[\s*_]*[:=]|(?<=final answer)[*_]*\s*\n)",
    re.IGNORECASE,
)
_NEXT_TURN = re.compile(
    r"^[ \t]*(?:User|Human|Question|Q):|<\|(?:endoftext|im_end|eot_id)\|>|</s>", re.MULTILINE
)
_SECOND_THOUGHT = re.compile(
    r"(?:^|[.!?,;:\n—-])[\s*_]*(?:(?:but|oh|or|hmm|um)\b[,.]?\s+)?(?:no\b[,.!:]?\s*)?"
    r"(?:\b(?:wait|actually|correction|oops|scratch\s+that|i\s+meant?|rather(?!\s+than)|sorry)\b|(?<=no,)|(?<=no, ))",
    re.IGNORECASE,
)
_RIGHT_BEHIND = re.compile(rf"[\s,.!:]*(?:(?:no|so|then)\b[\s,.!:]*)*{_OPENING}", re.IGNORECASE)
_RESTATED = re.compile(  # "it should be 6", "that's 6", "the total is 6", "it is not 5 but 6"
    rf"\b(?:(?:it|that|this|the\s+(?:[^\W\d]+\s+)?(?:answer|total|result|sum|number|amount|value))(?:\s+{_VERB}|['’]s\b)"
    rf"|should\s+(?:be|have\s+been)\b)(?:\s+not\s+[{CURRENCY}]?[\d.,]+\s+but)?",
    re.IGNORECASE,
)
_EQUATION_BEHIND = re.compile(rf"=+[\s{CURRENCY}*_]*(?=[-\d.<\\])")
_CONFIRMED = re.compile(
    r"(?<!\bnot )(?<!n't )\b(?:(?:re|double)?[- ]?check(?:s|ed|ing)?|verif(?:y|ies|ied)|confirm(?:s|ed)?|right|correct|same|makes\s+sense)\b",
    re.IGNORECASE,
)
_REASON = re.compile(r"\b(?:as|because|since)\b", re.IGNORECASE)
_UNITS = rf"[)\]}}\s%{CURRENCY}*_]*(?P<units>(?:[ \t][^\W\d_]+){{0,4}}?)[)\]}}\s%{CURRENCY}*_]*?"
_AFTER = rf"[\s(\[{{*_{CURRENCY}]*"
_OPERATOR = re.compile(rf"{_UNITS}(?:[-+*/×÷^]|(?<![A-Za-z])x|(?<=[ \t]):(?=[ \t])){_AFTER}")  # 3 : 4, too
_UNREAD = (  # words, units and signs that are not worked out; no clause of its own, nor brackets around one
    rf"(?:[ \t)\]}}%{CURRENCY}*_/+×÷^]|-(?![ \t]+[A-Za-z])|\b(?:times|plus|minus|by|of)[ \t]*\("
    r"|(?<![^\W\d_])(?!(?:as|because|since|so|but|or|which|where|while|when|if|then|that|for|from|after|not)\b"
    r"|(?:with|at|given|using)[ \t]+[A-Za-z]\b)[^\W\d_]+|(?<=[A-Za-z])\^\{?\d\}?)*"
)
_NAMED = r"(?:[A-Za-z][ \t]*=+[ \t]*)"
_EQUALS = re.compile(rf"{_UNREAD}(?:=+>?|→|\bequals\b){_AFTER}(?:{_NAMED}{_AFTER})?")
_UNREAD_PART = re.compile(_UNREAD)
_NEXT_STEP = re.compile(
    rf"(?:[A-Za-z]\b)?{_UNITS}[,;]\s*(?:(?:and|so|then|thus|hence)\b,?\s*)*(?P<named>{_NAMED})?{_AFTER}"
)
_MEASURE = r"[ \t]*(?:years?|months?|weeks?|days?|hours?|hrs?|h|minutes?|mins?|seconds?|dollars?|cents?|pounds?|lbs?|ounces?|oz|yards?|feet|foot|ft|inch(?:es)?|met(?:er|re)s?|m|cm)\b"
_COMPOUND = re.compile(rf"{_MEASURE},?[ \t]+(?:and[ \t]+)?")  # 1 hour 30 minutes
_MEASURED = re.compile(_MEASURE)
_MOST_STATEMENTS = 8  # of second thoughts
_LONGEST_BOX = 200  # characters
_BETWEEN = 60  # characters between two numbers of one expression, at most


def read_answer(text: str) -> AnswerReading:
    """Return the final answer of a completion, and the rule that found it.

    The number behind the first `####`, else in the last `\\boxed{}`, else behind the last "answer is", else the last
    number. What stands in a scratchpad is no answer, nor what follows where the next question begins. A worked
    expression has the value of its last side; one that is not worked out is none.
    """
    text = scratchpad.parts(text).answer
    if found := _NEXT_TURN.search(text):
        text = text[: found.start()]
    text = plain(text)
    for rule, stated in _STATED.items():
        if statement := stated(text):
            return AnswerReading(None if statement.value is None else normalised(statement.value), rule)
    last = _last(text)
    return AnswerReading(None, "none") if last is None else AnswerReading(normalised(last), "last_number")


def extract_answer(text: str) -> str | None:
    """Return the final answer of a completion, normalised: `1234`, `-0.5`, or `1/3` where no decimals say it; or None."""
    return read_answer(text).final_answer


def same_number(a: str | None, b: str | None) -> bool:
    """Whether two written numbers have the same value; False when one is missing or no number."""
    first, second = value(a), value(b)
    return first is not None and first == second


def value(written: str | None) -> Fraction | None:
    """Return the value of a written number, in any notation that an answer may have; None when it is anything else."""
    text = plain(written or "").strip().rstrip(".")
    found = list(numbers(text))
    if (
        len(found) != 1
        or found[0].ordinal
        or text[: found[0].start].strip(f"+{CURRENCY} ")
        or text[found[0].end :].strip("% ")
    ):
        return None
    return found[0].value


class _Statement(NamedTuple):
    """What a completion states where its answer belongs."""

    value: Fraction | None  # None: no number
    end: int  # where it ends in the text


def _marked(text: str) -> _Statement | None:
    """The value behind the first mark that a number follows; a later one's where a second thought stands between."""
    taken: _Statement | None = None
    for mark in _MARK.finditer(text):
        if number := _number_after(text, mark.end(), _DIRECTLY):
            if taken is not None and not _SECOND_THOUGHT.search(text[taken.end : mark.start()]):
                break
            taken = _worked(text, number)
    return taken


def _boxed(text: str) -> _Statement | None:
    """The value in the last box that has a number."""
    for box in reversed(list(_BOXED.finditer(text))):
        inside = text[box.end() : _closing(text, box.end())]
        if number := next(numbers(inside), None):
            return _worked(inside, number)
    return None


def _closing(text: str, start: int) -> int:
    """Where the brace closes that opened before `start`; at most `_LONGEST_BOX` further on."""
    depth, end = 1, min(len(text), start + _LONGEST_BOX)
    for place in range(start, end):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place
    return end


def _said(text: str) -> _Statement | None:
    """The value behind the last words that state an answer; that of a second thought which states another one."""
    for words in reversed(list(_WORDS.finditer(text))):
        if number := _number_after(text, words.end(), _SOON):
            stated = _worked(text, number)
            return _second_thought(text, stated.end) or stated
    return None


def _second_thought(text: str, start: int) -> _Statement | None:
    """What a second thought behind a place states; None where there is none, or it confirms what was said.

    The last number that is said to be it, or stands right behind the word of doubt. An equation without such words
    counts, too, unless it checks something: "Wait, I can verify: 18 / 2 = 9".
    """
    thoughts = [start + found.end() for found in _SECOND_THOUGHT.finditer(text[start:])]
    if not thoughts:
        return None
    right_behind = _valued(text, thoughts, _RIGHT_BEHIND)
    restated = _valued(text, [found.end() for found in _RESTATED.finditer(text, thoughts[0])], _DIRECTLY)
    stated = max((one for one in (right_behind, restated) if one), key=lambda one: one.end, default=None)
    if _CONFIRMED.search(text, thoughts[0]) is None:
        places = [found.end() for found in _EQUATION_BEHIND.finditer(text, thoughts[0])]
        equation = _valued(text, places, _DIRECTLY)
        if equation is not None and (stated is None or not _REASON.search(text, stated.end, equation.end)):
            return equation if stated is None or stated.end < equation.end else stated
    return stated


def _valued(text: str, places: list[int], opening: re.Pattern[str]) -> _Statement | None:
    """What stands behind the last of the places that has a value behind it; the last few are looked at."""
    for place in reversed(places[-_MOST_STATEMENTS:]):
        if number := _number_after(text, place, opening):
            statement = _worked(text, number)
            if statement.value is not None:
                return statement
    return None


_STATED: dict[Rule, Callable[[str], _Statement | None]] = {"mark": _marked, "boxed": _boxed, "words": _said}


def _last(text: str, start: int = 0) -> Fraction | None:
    """The last number of a text; what is written like one and is none, and 3rd, are passed over."""
    for number in reversed(list(numbers(text, start))):
        if number.value is not None and not number.ordinal:
            return number.value
    return None


def _number_after(text: str, place: int, opening: re.Pattern[str]) -> Number | None:
    """The number that follows a place behind an opening."""
    found = opening.match(text, place)
    return None if found is None else number_at(text, found.end())


def _worked(text: str, first: Number) -> _Statement:
    """What begins with a number, to the end of its line.

    6 * 7 = 42 is 42, as is 42 = 6 * 7; 6 * 7 alone has none. Behind a comma another such step may follow. What is not
    worked out, 3/4 of 20 or 5 plus 6, is what it is said to equal, and without that its first number.
    """
    sides, end = _Sides(first), first.end
    done: _Statement | None = None  # a step before this one
    read: _Statement | None = None  # what there was before a part that is not worked out
    line = text[:stop] if (stop := text.find("\n", first.end)) >= 0 else text
    for number in numbers(line, first.end):
        between = line[end : number.start]
        if len(between) > _BETWEEN:
            break
        if _EQUALS.fullmatch(between):
            sides.numbers.append([number])
            read = None
        elif (sign := _OPERATOR.fullmatch(between)) or (not between.strip() and line[number.start] == "-"):
            sides.numbers[-1].append(number)
            sides.has_units = sides.has_units or bool(sign and sign["units"])
        elif _COMPOUND.fullmatch(between) and _MEASURED.match(line, number.end):
            sides.numbers[-1].append(number)
            sides.has_units = True
        elif sides.is_equation and read is None and (step := _NEXT_STEP.fullmatch(between)):
            sides, done = _Sides(number, named=bool(step["named"])), _Statement(sides.value, end)
        elif _UNREAD_PART.fullmatch(between):
            read = read or _stated(sides, done, end)
            sides.numbers[-1].append(number)
        else:
            break
        end = number.end
    return read or _stated(sides, done, end)


def _stated(sides: "_Sides", done: _Statement | None, end: int) -> _Statement:
    """The value of an expression, or of the step before it where it is no equation."""
    return done if done is not None and not sides.is_equation else _Statement(sides.value, end)


class _Sides:
    """An expression's sides, each with its numbers."""

    def __init__(self, first: Number, *, named: bool = False) -> None:
        self.numbers = [[first]]
        self.named = named  # x = 5
        self.has_units = False  # "5 apples - 3 left" is no subtraction that was left undone

    @property
    def is_equation(self) -> bool:
        """Whether something is said to equal something."""
        return self.named or len(self.numbers) > 1

    @property
    def value(self) -> Fraction | None:
        """The last side's that is one number."""
        alone = [side[0].value for side in self.numbers if len(side) == 1]
        if alone:
            return alone[-1]
        return self.numbers[0][0].value if self.has_units else None
