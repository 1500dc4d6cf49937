"""What an endpoint's replies mean: an answer, a reason to try again, or the end (no torch)."""

import email.utils
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from training.teacher import Answer, TeacherError

SHOWN = 160  # characters of a reply in a message
TOKEN_CHARACTERS = 16  # the mean of a text is 4 or less, of indented code somewhat more
AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
NO_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


class TryAgain(Exception):
    """The same request may succeed later; `wait` is how long the endpoint asks to be left alone, in seconds."""

    def __init__(self, why: str, advice: str, wait: float = 0.0, limited: bool = False) -> None:
        self.why, self.advice, self.wait, self.limited = why, advice, wait, limited
        super().__init__(why)


@dataclass(frozen=True)
class HttpReply:
    """A reply of an endpoint."""

    status: int
    headers: Mapping[str, str]
    text: str


def answer(reply: HttpReply, *, key_variable: str | None, model: str) -> Answer:
    """The answer in a reply; without token counts in it they are -1. Raises TryAgain or TeacherError."""
    if reply.status != 200:
        _refused(reply, key_variable, model)
    try:
        body = json.loads(reply.text)
    except ValueError:
        raise TryAgain(f"answers with something that is not JSON: {_shown(reply.text)}", RUBBISH) from None
    try:
        choice = body["choices"][0]
        text = choice["message"]["content"]
        ended = choice.get("finish_reason") == "stop"
        usage = body.get("usage") or {}
        tokens_in, tokens_out = (
            int(usage.get(name) or -1) for name in ("prompt_tokens", "completion_tokens")
        )
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        raise TryAgain(f"answers without a choice and its message: {_shown(reply.text)}", RUBBISH) from None
    if not isinstance(text, str | None):
        raise TryAgain(f"answers with a message that is no text: {_shown(reply.text)}", RUBBISH)
    text = text or ""
    return Answer(text, ended, tokens_in, tokens_out)


def within_limit(answer: Answer, tokens: int) -> Answer:
    """The answer, cut as at its limit when no text of so many tokens is so long: an endpoint may not know of limits."""
    longest = tokens * TOKEN_CHARACTERS
    return answer if len(answer.text) <= longest else replace(answer, text=answer.text[:longest], ended=False)


RUBBISH = "check that base_url is the address of an OpenAI-compatible API; it often ends in /v1"


def _refused(reply: HttpReply, key_variable: str | None, model: str) -> None:
    """Raise what a status other than 200 means."""
    text, code = _error(reply.text)
    match reply.status:
        case 401 | 403 if key_variable is None:
            advice = "put it into a variable MULBERRY_KEY_… of the worker and name that in key_variable"
            raise TeacherError(f"asks for a key ({reply.status}); {advice}")
        case 401 | 403:
            advice = f"put a valid one into {key_variable} where the worker runs and start the worker again"
            raise TeacherError(f"rejects the key ({reply.status}: {text}); {advice}")
        case 402 | 429 if reply.status == 402 or code in NO_CREDIT:
            raise TeacherError(f"has no credit left ({reply.status}: {text}); top the account up")
        case 404:
            raise TeacherError(f"knows no such page or model {model!r} (404: {text}); fix base_url or model")
        case 429:
            advice = "lower concurrency, or wait until its limit is over"
            raise TryAgain(
                f"limits requests (429: {text})", advice, _retry_after(reply.headers), limited=True
            )
        case status if status in AGAIN:
            wait = _retry_after(reply.headers)
            raise TryAgain(f"answers with an error of its own ({status}: {text})", "look at its log", wait)
        case status if 200 <= status < 400:
            raise TeacherError(f"answers {status} and not 200: {text}; {RUBBISH}")
        case status:
            raise TeacherError(f"refuses the request ({status}: {text}); fix the teacher's settings")


def _error(text: str) -> tuple[str, str]:
    """The message and the code of an error's body, whatever its form."""
    try:
        body: Any = json.loads(text)
    except ValueError:
        return _shown(text), ""
    error = body.get("error", body.get("detail", body)) if isinstance(body, dict) else body
    if isinstance(error, dict):
        return _shown(str(error.get("message", error))), str(error.get("code") or error.get("type") or "")
    return _shown(str(error)), ""


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return (f"{line[:SHOWN]}…" if len(line) > SHOWN else line) or "nothing"


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds, from a number or a date; 0 where neither is given."""
    value = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0
