"""What do the committed runs of notebook 03 say? Their rows as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

from course_utils.intervals import Interval, over_seeds
from course_utils.nano.experiments import chains_tables, objectives
from course_utils.nano.experiments.chains_tables import UNIT
from course_utils.nano.experiments.runs import SEEDS
from course_utils.teaching.figures.chains import SPANS, Arms, points, tries
from course_utils.teaching.figures.policy import averaged
from course_utils.teaching.seeds import in_points, verdict

Rows = Sequence[Mapping]
Seeds = dict[int, float]
"""What each seed came to."""


def objective_at(runs: Rows, variant: str, column: str, steps: Sequence[int]) -> Seeds:
    """The mean of a column over some steps, by seed; ``runs``: rows of ``objectives``."""
    mine = [row for row in runs if row["variant"] == variant]
    seeds = dict.fromkeys(row["seed"] for row in mine)
    return {s: averaged([r for r in mine if r["seed"] == s], column, steps) for s in seeds}


def objective_lines(runs: Rows) -> list[str]:
    """Each objective: reward early and late, how often the sum is worked, greedy accuracy at the
    end; and how far its late reward is ahead of its parent's, the objective that it changes, with
    an interval over seeds.  The last line names those that are ahead or behind at a confidence so
    high that all the comparisons hold together at 95% (Bonferroni)."""
    early, late, end = range(8, 13), range(31, 41), [objectives.STEPS]
    columns = (("reward", early), ("reward", late), ("works", late), ("accuracy", end))
    lines = [
        f"{'':18}{'reward, batch':>13}{'works':>7}{'greedy':>8}  reward 31-40, against its",
        f"{'':18}{'8-12':>6}{'31-40':>7}{'31-40':>7}{'at 40':>8}  {'parent':11}  in points",
    ]
    for variant in objectives.VARIANTS:
        values = [mean(objective_at(runs, variant, *c).values()) for c in columns]
        line = f"{variant:18}{values[0]:>6.0%}{values[1]:>7.1%}{values[2]:>7.1%}{values[3]:>8.1%}"
        if variant in objectives.PARENTS:
            parent = objectives.PARENTS[variant]
            change = in_points(objective_lead(runs, variant, parent), 1).replace(" points", "")
            line += f"  {parent:11}  {change}"
        lines.append(line)
    told = (
        f"different from its parent even when all {len(objectives.PARENTS)} intervals hold at once"
    )
    return [*lines, f"{told}: {settled(runs)}"]


def settled(runs: Rows) -> str:
    """The objectives whose intervals leave out 0 even when all of them have to hold at once."""
    strict = 1 - 0.05 / len(objectives.PARENTS)
    leads = {v: objective_lead(runs, v, p, strict) for v, p in objectives.PARENTS.items()}
    told = [v for v, lead in leads.items() if verdict(lead) != "cannot tell"]
    return ", ".join(told) or "none"


def objective_lead(runs: Rows, variant: str, other: str, confidence: float = 0.95) -> Interval:
    """How much more reward a variant earns in batches 31 to 40, with its interval over seeds."""
    ours, theirs = (objective_at(runs, v, "reward", range(31, 41)) for v in (variant, other))
    return over_seeds(ours, theirs, confidence)


def practice_lines(bases: Sequence[chains_tables.Threshold], log: Rows) -> list[str]:
    """What reward drew from each of these bases, and how often it thought at first and at last."""
    drew = chains_tables.practice(log)
    names = ("drawn", "right", "with a thought", "sound")
    lines = [f"{'':20}" + "".join(f"{name:>{_wide(name)}}" for name in names) + "   first  last"]
    for p in bases:
        run = drew[p.size, p.seed, p.reading_tokens]
        counts = (run.drawn, run.right, run.worked, run.sound)
        lines.append(
            f"{_named(p):20}"
            + "".join(f"{n:>{_wide(name)},}" for n, name in zip(counts, names, strict=True))
            + f"{run.first:>8.0%}{run.last:>6.0%}"
        )
    return lines


def told_lines(bases: Sequence[chains_tables.Threshold], rows: Rows) -> list[str]:
    """What each of these bases does with the best of twelve prompts before any reward: the share of
    replies with a thought, and of sound ones, drawn and greedily, over the bar's chains."""
    lines = [f"{'':20}{'with a thought':>16}{'sound':>8}{'sound, greedily':>18}"]
    drawn, greedy = (chains_tables.best(rows, temperature=t, prompt=None) for t in (1, 0))
    for p in bases:
        run = "pretrained", p.size, p.seed, p.reading_tokens
        shares = (
            chains_tables.share(drawn[run], chains_tables.SHORT, "worked"),
            chains_tables.share(drawn[run], chains_tables.SHORT),
            chains_tables.share(greedy[run], chains_tables.SHORT),
        )
        told = (f"{share:>{n}.0%}" for share, n in zip(shares, (16, 8, 18), strict=True))
        lines.append(f"{_named(p):20}" + "".join(told))
    return lines


def _named(base: chains_tables.Threshold) -> str:
    return f"{base.size} seed {base.seed}, {base.reading_tokens // UNIT} units"


def _wide(name: str) -> int:
    return max(9, len(name) + 2)


Run = tuple[str, str, int]
"""Size, way ("prompted" or an arm), units read."""


def sound(rows: Rows, lengths: Sequence[int]) -> dict[Run, Seeds]:
    """Sound answers over some lengths, by run and seed."""
    found: dict[Run, Seeds] = {}
    for p in points(rows, lengths):
        run = p["size"], p["how"], p["reading_tokens"] // UNIT
        found.setdefault(run, {})[p["seed"]] = p["sound"]
    return found


def sound_lines(rows: Rows, runs: Sequence[Run]) -> list[str]:
    """Sound answers of each seed, a line for each run and a column for each of ``SPANS``."""
    spans = {name: sound(rows, lengths) for name, lengths in SPANS.items()}
    lines = [f"{'seeds 1, 2, 3':29}" + "".join(f"{name:17}" for name in SPANS)]
    for run in runs:
        size, how, units = run
        line = f"{size}, {units} units, {'reward' if how == 'rl' else 'best prompt':12}"
        for found in spans.values():
            shares = [found.get(run, {}).get(seed) for seed in SEEDS]
            told = " ".join("   -" if share is None else f"{share:4.0%}" for share in shares)
            line += f"  {told} "
        lines.append(line.rstrip())
    return lines


def lead_lines(rows: Rows, pairs: Sequence[tuple[Run, Run]], lengths: Sequence[int]) -> list[str]:
    """How far one run is ahead of another on chains of these lengths, seed by seed.

    Three seeds in common have an interval; of fewer each seed is told, and no verdict given.
    """
    found, lines = sound(rows, lengths), []
    for one, other in pairs:
        names = (
            f"{size} {'reward' if how == 'rl' else 'prompt'} ({units})"
            for size, how, units in (one, other)
        )
        common = sorted(found[one].keys() & found[other].keys())
        if len(common) < len(SEEDS):
            each = ", ".join(f"{100 * (found[one][s] - found[other][s]):+.0f}" for s in common)
            seeds = "seed" if len(common) == 1 else "seeds"
            told = f"{each} points: no interval from {len(common)} {seeds}"
        else:
            lead = over_seeds(found[one], found[other])
            told = f"{in_points(lead)}, {len(common)} seeds: {verdict(lead)}"
        lines.append(f"{' - '.join(names):35} {told}")
    return lines


def same_base_lines(
    tables: Mapping[str, Rows],
    bar: float,
    lengths: Sequence[int] = (4,),
    prompts: Mapping[str, Rows] | None = None,
) -> list[str]:
    """What the best of twelve prompts and what reward made of each base above the bar.

    ``tables``: rows of ``chains`` by where they were run.  ``bar``: a base's share of sound answers
    to chains of one to four turns, from which on it is above.  Shares in the columns are of chains
    of ``lengths``, drawn at temperature 1 and greedily.  ``prompts``: all twelve on validation
    chains, greedily, by the same names where they were kept; *any of 12* is the one that does
    best on chains of ``lengths``, whereas the best prompt was chosen on all lengths.  The last
    lines count those above ``REACHED``, and those where reward is ahead by more than ``CLEARLY``.
    """
    lines = [
        f"{'':29}{'best prompt':>16}{'any of 12':>11}{'reward':>17}",
        f"{'':29}{'drawn':>8}{'greedy':>8}{'greedy':>11}{'drawn':>9}{'greedy':>8}",
    ]
    drawn, greedy = [], []
    for place, rows in tables.items():
        above = [p for p in chains_tables.thresholds(rows) if p.before >= bar]
        exams = {
            t: [chains_tables.best(rows, temperature=t, prompt=how) for how in (None, "bare")]
            for t in (1, 0)
        }
        for p in above:
            run = p.size, p.seed, p.reading_tokens
            for found, (asked, after) in zip((drawn, greedy), exams.values(), strict=True):
                both = asked["pretrained", *run], after["rl", *run]
                found.append([chains_tables.share(exam, lengths) for exam in both])
            name = f"{place} {_named(p)}".strip()
            best = _best_of_twelve((prompts or {}).get(place, ()), run, lengths)
            lines.append(
                f"{name:29}{drawn[-1][0]:>8.0%}{greedy[-1][0]:>8.0%}"
                f"{'-' if best is None else f'{best:.0%}':>11}"
                f"{drawn[-1][1]:>9.0%}{greedy[-1][1]:>8.0%}"
            )
    by_prompt = sum(prompt > REACHED for prompt, _ in drawn)
    by_reward = sum(reward > REACHED for _, reward in drawn)
    ahead, sure = (
        sum(reward > prompt + CLEARLY for prompt, reward in found) for found in (drawn, greedy)
    )
    return [
        *lines,
        f"of {len(drawn)} bases, above {REACHED:.0%}: {by_prompt} with a prompt, {by_reward} with "
        f"reward",
        f"reward is more than {100 * CLEARLY:.0f} points ahead with {ahead}, greedily with {sure}",
    ]


def _best_of_twelve(rows: Rows, run: tuple[str, int, int], lengths: Sequence[int]) -> float | None:
    """The largest share of sound answers that any prompt got of chains of these lengths."""
    prompts: dict[str, list[Mapping]] = {}
    for row in rows:
        if (row["size"], row["seed"], row["reading_tokens"]) == run:
            prompts.setdefault(row["prompt"], []).append(row)
    return max((chains_tables.share(some, lengths) for some in prompts.values()), default=None)


LIFTED, ALONE = 0.85, 0.05
"""From this share of sound answers on, reward has lifted a base; up to that one, left it alone."""


def rule_lines(
    first: Sequence[chains_tables.Threshold], again: Sequence[chains_tables.Threshold], bar: float
) -> list[str]:
    """Did the bar, which was put between bases of ``first``, foretell what reward did to ``again``?

    A line for each base of ``again``; then how many came as foretold, and how many of them lay in
    the gap into which the bar was put, where it could have failed most easily.  The bar foretells
    all or nothing, so a base that comes out in between is none that it foretold.
    """
    lines, right = [], 0
    for p in again:
        expected = "lifted" if p.before >= bar else "left alone"
        came = "lifted" if p.after >= LIFTED else "in between" if p.after > ALONE else "left alone"
        right += expected == came
        lines.append(
            f"{p.size} seed {p.seed}: sound {p.before:5.1%} before, so expected {expected}; "
            f"{p.after:4.0%} after: {came}"
        )
    low = max(p.before for p in first if p.before < bar)
    high = min(p.before for p in first if p.before >= bar)
    inside = sum(low < p.before < high for p in again)
    return [
        *lines,
        f"as the bar predicted: {right} of {len(again)} bases; "
        f"in its gap, from {low:.1%} to {high:.1%}: {inside}",
    ]


REACHED = 0.7
"""Above this share of sound answers, an arm is said to solve chains."""

CLEARLY = 0.05
"""Beyond this difference of shares, of 128 chains each, one way is said to be ahead of another."""


def arm_lines(found: Arms, names: Mapping[str, str], seeds: Sequence[int]) -> list[str]:
    """Sound answers of each arm for these seeds, and how many of them reach ``REACHED``."""
    lines = []
    for how, name in names.items():
        mine = [found.get(how, {}).get(seed) for seed in seeds]
        done = [share for share in mine if share is not None]
        if not done:
            lines.append(f"  {name:30}not run")
            continue
        told = " ".join("   -" if share is None else f"{share:4.0%}" for share in mine)
        reach = sum(share > REACHED for share in done)
        lines.append(f"  {name:30}{told}   above {REACHED:.0%}: {reach} of {len(done)}")
    return lines


def tries_lines(rows: Rows, size: str, lengths: Sequence[int]) -> list[str]:
    """How many of many replies are sound, by length of the chain, way of asking, and seed."""
    lines = []
    for length in lengths:
        lines.append(f"{length} turns, sound replies among all:")
        for name, seeds in tries(rows, size, length).items():
            counts = (
                f"seed {seed}: {sum(r['sound'] for r in mine):,} of "
                f"{sum(r['asked'] for r in mine):,}"
                for seed, mine in seeds.items()
            )
            lines.append(f"  {name:28}" + ";  ".join(counts))
    return lines


def change_lines(shares: Mapping[str, Mapping[str, Seeds]], pairs: Sequence) -> list[str]:
    """The change from one stage to another in each area, seed by seed.

    ``shares``: by stage, area and seed; ``pairs``: (later, earlier) stages.
    """
    lines = []
    for later, earlier in pairs:
        lines.append(f"{later}, minus {earlier}:")
        for area, ours in shares[later].items():
            theirs = shares[earlier][area]
            each = " ".join(f"{100 * (ours[seed] - theirs[seed]):+4.0f}" for seed in ours)
            lines.append(f"  {area:8} {each} by seed; {in_points(over_seeds(ours, theirs), 1)}")
    return lines
