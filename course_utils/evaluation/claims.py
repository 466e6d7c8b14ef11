"""Does what the article says hold? Its claims, the sources, and what can be computed of each.

The answer key is ``claims.toml`` beside this file: the claims of an article on QwQ-32B in our own
words and in its order, each with some of the article's, a verdict, primary sources and what remains
uncertain.  Where a claim can be worked out, a function below does so from the catalogue and the
published scores.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from course_utils.errors import OptionError
from course_utils.evaluation.leads import RELEASE, release_leads
from course_utils.evaluation.published import SourceError, find, load_results
from course_utils.evaluation.statistics import problems_needed

CLAIMS_FILE = Path(__file__).with_name("claims.toml")

Verdict = Literal["holds", "misleading", "wrong", "cannot be known"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

LONGEST_QUOTE = 20
"""Words of the article beside a claim: enough to see what it says, too few to replace it."""


@dataclass(frozen=True)
class Source:
    """Something a reader can open."""

    title: str
    url: str


@dataclass(frozen=True)
class Claim:
    """One claim and its answer key. ``uncertain`` is empty where nothing remains open.

    ``entry`` is the place in the article; a sentence that says several things has several claims.
    ``quote``: some of the article's own words, empty where we have none; ``compared`` says whether
    they were compared with the page, or come from notes on it.
    """

    number: int
    entry: str
    says: str
    quote: str
    compared: bool
    verdict: Verdict
    explanation: str
    uncertain: str
    sources: tuple[Source, ...]
    computation: str | None

    def compute(self) -> dict[str, str] | None:
        """What can be worked out of this claim, as label and value; None if nothing can."""
        return None if self.computation is None else COMPUTATIONS[self.computation]()


@dataclass(frozen=True)
class ScoreCard:
    """How a reader's votes compare with the answer key."""

    right: tuple[int, ...]
    wrong: tuple[int, ...]
    unanswered: tuple[int, ...]

    def __str__(self) -> str:
        voted = len(self.right) + len(self.wrong)
        if not voted:
            return f"No votes yet: {len(self.unanswered)} claims wait for yours."
        left = f", {len(self.unanswered)} not voted on yet" if self.unanswered else ""
        return f"{len(self.right)} of {voted} votes agree with the answer key{left}."


def load_claims(path: str | Path = CLAIMS_FILE) -> list[Claim]:
    """All claims by number. Raises SourceError for one without a source to open or a verdict."""
    try:
        entries = tomllib.loads(Path(path).read_text(encoding="utf-8")).get("claim", [])
    except OSError as error:
        raise OptionError(
            f"The file {path} cannot be read: {error.strerror}.", "Give the path of a TOML file."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise SourceError(f"{Path(path).name} is not valid TOML: {error}.", "Correct it.") from None
    claims = [_claim(entry, Path(path).name) for entry in entries]
    numbers = [claim.number for claim in claims]
    if len(set(numbers)) != len(numbers):
        raise SourceError(f"{Path(path).name} numbers two claims alike.", "Give each its own.")
    return sorted(claims, key=lambda claim: claim.number)


def score_card(claims: Sequence[Claim], votes: Mapping[int, str | None]) -> ScoreCard:
    """Compare votes (claim number to verdict, None for no vote yet) with the answer key."""
    for number, vote in votes.items():
        if vote is not None and vote not in VERDICTS:
            raise OptionError(
                f"The vote on claim {number} is {vote!r}.", f"Vote one of: {', '.join(VERDICTS)}."
            )
    right, wrong, unanswered = [], [], []
    for claim in claims:
        vote = votes.get(claim.number)
        pile = unanswered if vote is None else right if vote == claim.verdict else wrong
        pile.append(claim.number)
    return ScoreCard(tuple(right), tuple(wrong), tuple(unanswered))


def _claim(entry: dict, file: str) -> Claim:
    where = f"{file}, claim {entry.get('number', '?')}"
    missing = {"number", "entry", "says", "verdict", "explanation"} - entry.keys()
    if missing:
        raise SourceError(f"{where} has no {sorted(missing)[0]}.", "Add it.")
    if entry["verdict"] not in VERDICTS:
        raise SourceError(
            f"{where} has the verdict {entry['verdict']!r}.", f"Use one of: {', '.join(VERDICTS)}."
        )
    sources = tuple(
        Source(str(s.get("title", "")), str(s.get("url", ""))) for s in entry.get("sources", [])
    )
    if not sources or not all(s.title and s.url.startswith("https://") for s in sources):
        raise SourceError(
            f"{where} has no source that a reader can open.", "Add a title and a link, or drop it."
        )
    quote = entry.get("quote", "")
    if len(quote.split()) > LONGEST_QUOTE:
        raise SourceError(
            f"{where} quotes {len(quote.split())} words of the article.",
            f"Quote {LONGEST_QUOTE} at most, and say the rest in your own.",
        )
    computation = entry.get("computation")
    if computation is not None and computation not in COMPUTATIONS:
        raise SourceError(
            f"{where} names the computation {computation!r}, which does not exist.",
            f"Use one of: {', '.join(COMPUTATIONS)}.",
        )
    return Claim(
        number=entry["number"],
        entry=entry["entry"],
        says=entry["says"],
        quote=quote,
        compared=bool(entry.get("compared", False)),
        verdict=entry["verdict"],
        explanation=entry["explanation"],
        uncertain=entry.get("uncertain", ""),
        sources=sources,
        computation=computation,
    )


def r1_parameters() -> dict[str, str]:
    """DeepSeek-R1's parameters, counted tensor by tensor from its config."""
    count = _architecture("deepseek-r1").parameters
    return {
        "counted from the config": f"{count:,}",
        "the article's figure": f"{6710 * 10**9:,}",
        "ratio": f"{6710e9 / count:.1f}",
    }


def maths_and_coding() -> dict[str, str]:
    """QwQ-32B against each rival of its release figure on AIME 2024 and LiveCodeBench.

    Each lead is judged among all comparisons of the figure (``release_leads``).
    """
    leads = release_leads(load_results())
    rows = {}
    for lead in leads:
        if lead.benchmark in ("AIME 2024", "LiveCodeBench"):
            ours, theirs = lead.scores
            rows[f"{lead.benchmark}: QwQ-32B {ours} against {lead.second} {theirs}"] = (
                f"QwQ-32B is better with probability {lead.probability:.2f}; "
                f"among {len(leads)} comparisons: {lead.verdict}"
            )
    needed = problems_needed(
        _announced("QwQ-32B", "AIME 2024") / 100, _announced("DeepSeek-R1", "AIME 2024") / 100
    )
    rows["problems needed to tell the two AIME scores apart, one answer each"] = (
        f"{needed:,}, of which AIME has 30"
    )
    return rows


def livebench_editions() -> dict[str, str]:
    """QwQ-32B and DeepSeek-R1 on LiveBench's own board, edition by edition."""
    results = find(load_results(), benchmark="LiveBench", published_by="LiveBench")
    rows = {}
    for version in sorted({result.version for result in results}):
        scores = {r.model: r.score for r in results if r.version == version}
        if {"QwQ-32B", "DeepSeek-R1"} <= scores.keys():
            qwq, r1 = scores["QwQ-32B"], scores["DeepSeek-R1"]
            ahead = "QwQ-32B" if qwq > r1 else "DeepSeek-R1"
            rows[f"edition {version}"] = (
                f"QwQ-32B {qwq:.2f}, DeepSeek-R1 {r1:.2f}: {ahead} leads by {abs(qwq - r1):.2f}"
            )
    return rows


def which_benchmark() -> dict[str, str]:
    """Which benchmark has the scores 73.1 and 71.6 that the article gives to LiveCodeBench?"""
    rows = {}
    for benchmark in ("LiveCodeBench", "LiveBench"):
        rows[benchmark] = (
            f"QwQ-32B {_announced('QwQ-32B', benchmark)}, "
            f"DeepSeek-R1 {_announced('DeepSeek-R1', benchmark)}"
        )
    return rows


def distillation_against_rl() -> dict[str, str]:
    """AIME 2024 scores of 32 B models by how they were trained, as their own makers measured."""
    results = load_results()
    trained = {
        "reinforcement learning on the base, by DeepSeek": "Qwen2.5-32B-Zero (RL by DeepSeek)",
        "reinforcement learning on the base, Open-Reasoner-Zero": "Open-Reasoner-Zero-32B",
        "reinforcement learning on the base, DAPO": "DAPO-Qwen-32B",
        "distillation from DeepSeek-R1": "R1-Distill-Qwen-32B",
        "cold start and reinforcement learning, by Qwen": "QwQ-32B",
    }
    return {
        how: f"{find(results, model=model, benchmark='AIME 2024', metric='pass@1')[0].score}"
        for how, model in trained.items()
    }


def memory_and_work() -> dict[str, str]:
    """What the two models need to be stored, and for one token."""
    from course_utils.model_files.quantisation import weight_bytes

    qwq, r1 = _architecture("qwq-32b"), _architecture("deepseek-r1")
    stored = {"QwQ-32B": weight_bytes(qwq, "Q4_K_M"), "DeepSeek-R1": weight_bytes(r1, "Q4_K_M")}
    rows = {f"{m}: weights in 4 bits (Q4_K_M)": f"{b / 1e9:.0f} GB" for m, b in stored.items()}
    rows["memory, DeepSeek-R1 to QwQ-32B"] = f"{stored['DeepSeek-R1'] / stored['QwQ-32B']:.1f} to 1"
    for place, context in {"at the start of a text": 0, "after 8,192 tokens": 8192}.items():
        ours, theirs = qwq.flops_per_token(context) / 1e9, r1.flops_per_token(context) / 1e9
        rows[f"QwQ-32B: work per token, {place}"] = f"{ours:.0f} billion operations"
        rows[f"DeepSeek-R1: work per token, {place}"] = f"{theirs:.0f} billion operations"
        rows[f"work, DeepSeek-R1 to QwQ-32B, {place}"] = f"{theirs / ours:.2f} to 1"
    return rows


COMPUTATIONS = {
    function.__name__: function
    for function in (
        r1_parameters,
        maths_and_coding,
        livebench_editions,
        which_benchmark,
        distillation_against_rl,
        memory_and_work,
    )
}


def _architecture(name: str):
    from course_utils.model_files.catalogue import find_model

    return find_model(name).architecture


def _announced(model: str, benchmark: str) -> float:
    (result,) = find(
        [r for r in load_results() if r.source == RELEASE],
        model=model,
        benchmark=benchmark,
    )
    return result.score
