"""Texts as models write them at their worst, and rollouts that have them, with tokens and without."""

import random
import re
from collections.abc import Iterable

from training.process.journal import OF_TOKENS
from webapp.telemetry.models import Rollout

LONG = "long text of many words, " * 4_000 + "and its end"
ODD = {
    "html": "<script>alert(1)</script> & <b>bold</b> \"'",
    "arabic": "عدد التفاحات هو ٥٦\n#### 56",
    "hebrew and numbers": "7 × 8 = 56 תפוחים (שבע)",
    "override": "safe \u202etxt.exe\u202d \u2066isolated\u2069\u2069\u2069 end",
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd "
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f \u2764\ufe0f 1\ufe0f\u20e3",
    "persian": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "piled marks": "z" + "\u0301\u0302\u0303" * 40 + "algo e\u0301",
    "controls": "bell\x07 back\x08space\x1b[31mred\x1b[0m line\r\nend\x7f\x85",
    "unseen": "zero\u200bwidth\ufeff soft\u00adhyphen no\u00a0break \U000e0041\U000e0042",
    "replaced": "caf\ufffd \ufffd\ufffd",
    "tabs": "a\tb\t\tc",
    "one word": "pneumono" * 400,
    "many lines": "line\n" * 400,
    "long": LONG,
    "empty": "",
}


def give_tokens(rollouts: Iterable[Rollout]) -> None:
    """Give each rollout but the long ones the tokens that training would have recorded of it."""
    found = [one for one in rollouts if len(one.completion) < 1_000]
    for one in found:
        draw = random.Random(one.completion)
        one.pieces = [*re.findall(r"\s?\S{1,4}|\s", one.completion), "<eos>"]
        one.logprobs = [round(-draw.expovariate(2), 4) for _ in one.pieces]
        one.trainer_logprobs = [round(min(0, value + draw.gauss(0, 0.06)), 4) for value in one.logprobs]
        one.entropies = [round(draw.expovariate(2), 4) for _ in one.pieces]
        one.learnt = [not one.hit_limit] * len(one.pieces)
    Rollout.objects.bulk_update(found, OF_TOKENS)


def write_odd_texts(rollouts: Iterable[Rollout], first: int = 0) -> None:
    """Let the completions be ODD's, from one of its places on."""
    texts = list(ODD.values())
    changed = list(rollouts)
    for place, one in enumerate(changed, first):
        one.completion = texts[place % len(texts)]
    Rollout.objects.bulk_update(changed, ["completion"])
