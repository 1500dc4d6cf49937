"""The same finding in several runs is one line: what is found, where, and each run's evidence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.text import slugify

from webapp.diagnosis.finding import Advice, Finding, Severity


@dataclass(frozen=True)
class FindingPlace:
    """A stage and a condition, with a finding for each seed."""

    stage: str
    condition: str
    findings: tuple[Finding, ...]

    @property
    def name(self) -> str:
        """'grpo, mul_tokens', as far as it is about one of each."""
        return ", ".join(filter(None, (self.stage, self.condition)))

    @property
    def numbered(self) -> tuple[Finding, ...]:
        """Those that are of one seed."""
        return tuple(one for one in self.findings if one.seed is not None)

    @property
    def where(self) -> str:
        """'grpo, mul_tokens, seeds 0, 1, 2'."""
        seeds = [str(one.seed) for one in self.numbered]
        written = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}" if seeds else ""
        return ", ".join(filter(None, (self.name, written)))


@dataclass(frozen=True)
class FindingGroup:
    """Findings of one kind, severity and headline."""

    findings: tuple[Finding, ...]

    @property
    def kind(self) -> str:
        """Which rule."""
        return self.findings[0].kind

    @property
    def key(self) -> str:
        """What stays while figures change: its place on a page."""
        return slugify(f"{self.kind} {self.severity.word} {self.findings[0].topic}")

    @property
    def severity(self) -> Severity:
        """Of all of them."""
        return self.findings[0].severity

    @property
    def headline(self) -> str:
        """A single finding's own; what they have in common where they are several."""
        first = self.findings[0]
        if len({one.headline for one in self.findings}) == 1:
            return first.headline
        names = list(dict.fromkeys(one.named for one in self.findings if one.named))
        return f"{first.topic}: {', '.join(names)}" if names else first.topic

    @property
    def places(self) -> list[FindingPlace]:
        """Stage by stage and condition by condition, in the order in which they were found."""
        found: dict[tuple[str, str], list[Finding]] = {}
        for one in self.findings:
            found.setdefault((one.stage, one.condition), []).append(one)
        return [FindingPlace(*key, tuple(findings)) for key, findings in found.items()]

    @property
    def where(self) -> str:
        """Every place, in words."""
        return "; ".join(filter(None, (place.where for place in self.places)))

    @property
    def onset(self) -> str:
        """'from step 30', 'from step 25 to 48 on' where the runs differ; empty where none has one."""
        steps = sorted(one.onset for one in self.findings if one.onset is not None)
        if not steps:
            return ""
        return f"from step {steps[0]:,}" + (f" to {steps[-1]:,} on" if steps[-1] != steps[0] else "")

    @property
    def readings(self) -> list[str]:
        """What they are consistent with, each once, and what is not shown by them."""
        return list(dict.fromkeys(f"{one.reading} {one.not_shown}" for one in self.findings))

    @property
    def advice(self) -> list[Advice]:
        """What to try, each once."""
        every = [
            advice for one in self.findings for advice in one.advice
        ]  # with lists in it, so not a dict's keys
        return [advice for place, advice in enumerate(every) if advice not in every[:place]]


def grouped(findings: Iterable[Finding]) -> list[FindingGroup]:
    """The groups in the order of their first findings, so the worst first where these are."""
    found: dict[tuple[str, Severity, str], list[Finding]] = {}
    for one in findings:
        found.setdefault((one.kind, one.severity, one.topic), []).append(one)
    return [FindingGroup(tuple(group)) for group in found.values()]


def report_lines(group: FindingGroup) -> tuple[str, Sequence[str]]:
    """A group as a report tells it: one line, and a line of evidence a run where there are several."""
    onset = f", {group.onset}" if group.onset else ""
    where = f" ({group.where}{onset})" if group.where else ""
    line = f"{group.severity.word.capitalize()}: {group.headline}{where}."
    if len(group.findings) == 1:
        return f"{line} {group.findings[0].evidence}", ()
    return line, [f"{one.where}: {one.evidence}" for one in group.findings]
