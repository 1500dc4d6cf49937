"""A model behind an OpenAI-compatible API as the teacher: chat completions, one request a sample (no torch)."""

import asyncio
import os
import random
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import httpx

from training.data.example import Example, question_in
from training.teacher import Answer, TeacherError
from training.teacher.budget import Budget
from training.teacher.cache import Cache
from training.teacher.config import EndpointSettings, SolutionSettings
from training.teacher.replies import RUBBISH, HttpReply, TryAgain, answer as read_answer, within_limit

MOST_WAIT = 60.0  # seconds between two tries that the endpoint did not ask for
LOOK = 0.2  # seconds between looks at whether to stop, or at what another run is asking
MOST_BYTES = 4_000_000  # of a reply
SECRET_LENGTH = 8  # characters; servers that need no key are often given a short word
GRACE = 3.0  # seconds that requests under way get to be answered when the stage ends: they are paid


class EndpointTeacher:
    """Asks many things at once and hands the answers out in order."""

    def __init__(
        self,
        endpoint: EndpointSettings,
        settings: SolutionSettings,
        cache: Cache,
        stop_if_asked: Callable[[], None],
    ) -> None:
        self.endpoint, self.settings = endpoint, settings
        self.cache, self.stop_if_asked = cache, stop_if_asked
        self.name = f"{endpoint.model} at {endpoint.base_url}"
        self.key = _key(endpoint.key_variable)

    def answers(self, problems: Sequence[Example]) -> Generator[list[Answer], None, None]:
        """Yield each problem's samples, in order; fewer problems when the budget is spent and when_spent is train."""
        with asyncio.Runner() as runner:
            asking = _Asking(self, problems)
            runner.run(asking.begin())
            try:
                for number in range(len(problems)):
                    found = runner.run(asking.problem(number))
                    if found is None:
                        return
                    yield found
            finally:
                runner.run(asking.end())


class _Asking:
    """One pass over the problems: what is under way, and what came of it."""

    def __init__(self, teacher: EndpointTeacher, problems: Sequence[Example]) -> None:
        self.teacher, self.endpoint, self.settings = teacher, teacher.endpoint, teacher.settings
        self.problems = problems
        self.budget = Budget(self.endpoint, self.settings.max_new_tokens)
        self.answers_by_sample: dict[tuple[int, int], Answer] = {}
        self.answered = 0  # samples, for messages
        self.spent_at: int | None = None  # the first problem that the budget does not reach for
        self.failure: BaseException | None = None
        self.not_before = 0.0  # while the endpoint limits requests, nothing is sent
        self.tasks: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        """Start asking."""
        headers = {"Authorization": f"Bearer {self.teacher.key}"} if self.teacher.key else {}
        self.client = httpx.AsyncClient(
            headers=headers,
            timeout=self.endpoint.timeout,
            limits=httpx.Limits(max_connections=self.endpoint.concurrency),
            trust_env=False,  # settings alone say where requests go and with which key
        )
        self.slots = asyncio.Semaphore(self.endpoint.concurrency)
        self.changed, self.ending = asyncio.Event(), asyncio.Event()
        self.feeder = asyncio.create_task(self._feed())

    async def problem(self, number: int) -> list[Answer] | None:
        """The samples of a problem; None when the budget does not reach for it and that is no failure."""
        keys = [(number, sample) for sample in range(self.settings.samples)]
        while not all(key in self.answers_by_sample for key in keys):
            self.teacher.stop_if_asked()
            if self.failure is not None:
                raise self._explained(self.failure)
            if self.feeder.done() and (error := self.feeder.exception()) is not None:
                raise error
            if self.spent_at is not None and number >= self.spent_at:
                if self.endpoint.when_spent == "fail":
                    raise self._spent(number)
                return None
            await self._change()
        return [self.answers_by_sample.pop(key) for key in keys]

    async def end(self) -> None:
        """Give requests under way a moment to be answered and kept, and end the others."""
        self.ending.set()
        self.feeder.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=GRACE)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(self.feeder, *self.tasks, return_exceptions=True)
        await self.client.aclose()

    async def _feed(self) -> None:
        """Ask problem after problem, as far as slots and budget allow."""
        for number, problem in enumerate(self.problems):
            while not self.budget.reserve(number, problem, self.settings.samples):
                if not self.tasks:
                    self.spent_at = number
                    self.changed.set()
                    return
                await self._change()
            for sample in range(self.settings.samples):
                await self.slots.acquire()
                if self.failure is not None:
                    return
                task = asyncio.create_task(self._sample(number, sample))
                self.tasks.add(task)
                task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self.slots.release()
        error = None if task.cancelled() else task.exception()  # asked of every task: else asyncio logs it
        self.failure = self.failure or error
        self.changed.set()

    async def _sample(self, number: int, sample: int) -> None:
        messages = [{"role": "user", "content": question_in(self.problems[number].prompt)}]
        if self.endpoint.instructions:
            messages.insert(0, {"role": "system", "content": self.endpoint.instructions})
        asked = {
            "endpoint": self.endpoint.base_url,
            "model": self.endpoint.model,
            "messages": messages,
            "temperature": self.settings.temperature,
            self.endpoint.token_limit: self.settings.max_new_tokens,
        }
        answer = await self._answer(asked, {**asked, "sample": sample}, self.problems[number])
        answer = within_limit(answer, self.settings.max_new_tokens)
        self.budget.settle(number, sample, answer)
        self.answers_by_sample[number, sample] = answer
        self.answered += 1

    async def _answer(self, request: dict[str, Any], asked: dict[str, Any], problem: Example) -> Answer:
        """From the cache, else from the endpoint; what another run is asking at this moment is waited for."""
        cache = self.teacher.cache
        while (known := cache.get(asked)) is None:
            if cache.claim(asked):
                try:
                    if (known := cache.get(asked)) is not None:
                        break
                    answer = await self._paid(request, problem)
                    cache.put(asked, asdict(answer))
                    return answer
                finally:
                    cache.release(asked)
            await self._wait(LOOK)
        answer = replace(Answer(**known), cached=True)
        return replace(answer, cost=self.budget.price(answer.tokens_in, answer.tokens_out))

    async def _paid(self, request: dict[str, Any], problem: Example) -> Answer:
        """Ask until there is an answer. Raises TeacherError when there will be none."""
        body = {name: value for name, value in request.items() if name != "endpoint"}
        for attempt in range(self.endpoint.tries):
            while (pause := self.not_before - time.monotonic()) > 0:
                await self._wait(pause)
            try:
                answer = await self._asked_once(body)
            except TryAgain as again:
                if again.wait > self.endpoint.longest_wait:
                    text = f"asks to be left alone for {again.wait:,.0f} s"
                    raise TeacherError(
                        f"{again.why} and {text}, more than longest_wait; {again.advice}"
                    ) from None
                if attempt == self.endpoint.tries - 1:
                    raise TeacherError(f"{again.why}, {self.endpoint.tries} times; {again.advice}") from None
                wait = max(again.wait, min(self.endpoint.first_wait * 2**attempt, MOST_WAIT))
                wait *= 1 + random.random() / 10  # those that failed together need not come back together
                if again.limited:
                    self.not_before = max(self.not_before, time.monotonic() + wait)
                else:
                    await self._wait(wait)
            else:
                counted = answer.tokens_in >= 0 and answer.tokens_out >= 0
                if not counted:  # an endpoint that does not say is taken to have read and written the most
                    most_in = self.budget.most_in(problem.prompt)
                    answer = replace(answer, tokens_in=most_in, tokens_out=self.settings.max_new_tokens)
                return replace(answer, cost=self.budget.price(answer.tokens_in, answer.tokens_out))
        raise AssertionError("the last try returns or raises")

    async def _asked_once(self, body: dict[str, Any]) -> Answer:
        assert self.endpoint.base_url and self.endpoint.model
        address, content = f"{self.endpoint.base_url}/chat/completions", bytearray()
        try:
            async with (
                asyncio.timeout(self.endpoint.timeout),  # httpx's own begins anew with every byte
                self.client.stream("POST", address, json=body) as reply,
            ):
                async for part in reply.aiter_bytes():
                    content += part
                    if len(content) > MOST_BYTES:
                        raise TryAgain(f"answers with more than {MOST_BYTES:,} bytes", RUBBISH)
        except (TimeoutError, httpx.TimeoutException):
            why = f"gave no answer within {self.endpoint.timeout:g} s"
            raise TryAgain(why, "see that it runs, raise timeout or lower concurrency") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            why = f"cannot be reached ({self._without_key(str(error)) or type(error).__name__})"
            raise TryAgain(why, "see that it runs, and that base_url is right") from None
        text = self._without_key(content.decode("utf-8", "replace"))
        whole = HttpReply(reply.status_code, reply.headers, text)
        return read_answer(whole, key_variable=self.endpoint.key_variable, model=self.endpoint.model)

    def _without_key(self, text: str) -> str:
        """Nothing that an endpoint says may bring the key into an answer, a message or a log."""
        key = self.teacher.key
        return text.replace(key, "…") if key and len(key) >= SECRET_LENGTH else text

    def _explained(self, failure: BaseException) -> BaseException:
        """A teacher's failure with its address and what was answered; others as they are."""
        if not isinstance(failure, TeacherError):
            return failure
        return TeacherError(f"the teacher at {self.endpoint.base_url} {failure}; {self._kept()}")

    def _spent(self, number: int) -> TeacherError:
        reached = f"reaches for {number:,} of {len(self.problems):,} problems"
        advice = "raise it, ask less, or set when_spent to train"
        return TeacherError(f"the budget of {self.budget} {reached}; {advice}; {self._kept()}")

    def _kept(self) -> str:
        return f"{self.answered:,} answers are kept and not asked again"

    async def _change(self) -> None:
        """Wait until something was answered, or a moment."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.changed.wait(), LOOK)
        self.changed.clear()

    async def _wait(self, seconds: float) -> None:
        """Sleep; when the stage ends meanwhile, so does what waits here."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ending.wait(), seconds)
            raise asyncio.CancelledError


def _key(variable: str | None) -> str | None:
    """The key, from the environment. Raises TeacherError when it is not there, or is none."""
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise TeacherError(
            f"{variable} is not set where the worker runs; put the key there and start it again"
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise TeacherError(f"{variable} holds characters that no key has; put the key alone there")
    return key
