"""How well does a model read off chains of one to eight turns? Counts, by length."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from course_utils.nano.experiments import chains_task
from course_utils.nano.experiments.chains_corpus import prompt
from course_utils.nano.experiments.chains_sampling import Sampler, texts
from course_utils.nano.experiments.chains_task import Chain, Verdict
from course_utils.nano.model import Transformer

LENGTHS = tuple(range(1, chains_task.ROWS + 1))
CHAINS = 128
"""Chains of each length in an exam."""

ROOM = 60
"""Tokens of the longest right reply, and some to spare."""


def sampler(model: Transformer, chains: int = CHAINS, prompt_tokens: int = 62) -> Sampler:
    """What draws the replies of an exam; a model can take many with one."""
    return Sampler(model, len(LENGTHS) * chains, prompt_tokens, ROOM)


def examine(
    drawing: Sampler,
    *,
    exam: str = "exam",
    ask: Callable[[Chain], list[int]] = prompt,
    begun: Callable[[Chain], str] = lambda chain: "",
    temperature: float = 1.0,
    seed: int = 0,
) -> list[dict]:
    """One reply to each chain; a row for each length, with counts.

    ``ask`` gives the prompt, and ``begun`` what it has written of the thought already.

    ``right``; ``worked``, with a thought; ``right_worked``; ``sound``, right and with every line of
    the thought right; ``tokens``, mean length of a reply.
    """
    each = drawing.rows // len(LENGTHS)
    chains = [chain for steps in LENGTHS for chain in chains_task.exam(steps, each, exam)]
    samples = drawing.draw([ask(c) for c in chains], seed=seed, temperature=temperature)
    replies = zip(chains, texts(samples), strict=True)
    verdicts = [chains_task.judge(c, begun(c) + text) for c, text in replies]
    lengths = samples.lengths.tolist()
    rows = []
    for number, steps in enumerate(LENGTHS):
        mine = slice(number * each, (number + 1) * each)
        tokens = round(sum(lengths[mine]) / each, 1)
        rows.append({"length": steps} | counts(verdicts[mine]) | {"tokens": tokens})
    return rows


def counts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many replies there are, and of each kind."""
    return {
        "asked": len(verdicts),
        "right": sum(v.right for v in verdicts),
        "worked": sum(v.worked for v in verdicts),
        "right_worked": sum(v.right and v.worked for v in verdicts),
        "sound": sum(v.sound for v in verdicts),
    }


def many(
    drawing: Sampler,
    *,
    lengths: Sequence[int] = (2, 4, 6, 8),
    chains: int = 8,
    replies: int = 256,
    ask: Callable[[Chain], list[int]] = prompt,
) -> list[dict]:
    """Many replies to each chain, for pass@k: a row with counts for each chain."""
    problems = [c for steps in lengths for c in chains_task.exam(steps, chains, "many")]
    repeated = [c for c in problems for _ in range(replies)]
    verdicts: list[Verdict] = []
    for start in range(0, len(repeated), drawing.rows):
        some = repeated[start : start + drawing.rows]
        some += repeated[: drawing.rows - len(some)]  # a last batch is filled up, and cut again
        replied = texts(drawing.draw([ask(c) for c in some], seed=start))
        verdicts += [chains_task.judge(c, t) for c, t in zip(some, replied, strict=True)]
    return [
        {"length": c.steps, "chain": number % chains}
        | counts(verdicts[number * replies : (number + 1) * replies])
        for number, c in enumerate(problems)
    ]


def accuracy(rows: Sequence[dict], lengths: Sequence[int], what: str = "right") -> float:
    """Share of replies of this kind, over the chains of these lengths."""
    mine = [row for row in rows if row["length"] in lengths]
    return sum(row[what] for row in mine) / sum(row["asked"] for row in mine)
