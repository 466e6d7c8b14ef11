"""What does reward do to models that can, and to models that cannot yet? The chains, drawn.

All draw rows of the committed tables (``course_utils.nano.experiments.chains_tables``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import comb
from statistics import mean

from matplotlib.figure import Figure

from course_utils.nano.experiments import chains_tables
from course_utils.nano.experiments.chains_tables import SHORT, Threshold, share
from course_utils.teaching import style

Rows = Sequence[Mapping]
SPANS = {"1 to 3 turns": (1, 2, 3), "4 turns": (4,), "5 turns": (5,), "6 to 8": (6, 7, 8)}
"""Lengths of chains: worked in what was read, rewarded only, and two spans of neither."""

SEVERAL = (2, 3, 4)
"""Turns on which the arms are compared: ``sft`` shows no working of a single turn."""

ARMS = {
    "bare": "read only",
    "prompted": "read only, best of 12 prompts",
    "rl": "read, then rewarded",
}


def points(rows: Rows, lengths: Sequence[int] = SHORT) -> list[dict]:
    """Sound answers of each run over some lengths, at temperature 1, as rows.

    ``how`` is "bare" or "prompted" for base models, else the arm.
    """
    found = []
    for how, prompt in (("bare", "bare"), ("prompted", None)):
        for (arm, size, seed, tokens), exam in chains_tables.best(rows, prompt=prompt).items():
            if how == "prompted" and arm != "pretrained":
                continue
            found.append(
                {
                    "how": how if arm == "pretrained" else arm,
                    "size": size,
                    "seed": seed,
                    "reading_tokens": tokens,
                    "parameters": exam[0]["parameters"],
                    "total_flops": exam[0]["total_flops"],
                    "sound": share(exam, lengths=lengths),
                }
            )
    return found


def threshold_chart(thresholds: Sequence[Threshold], bar: float) -> Figure:
    """Sound answers after reward, against those of the base asked plainly, and prompted.

    ``bar``: the share of sound answers, asked plainly, that is to tell which bases reward lifts.
    """
    figure, panels = style.new_figure(
        8.6, 4.2, 1, 2, sharey=True, title="When does reward make a base reason?"
    )
    sizes = list(dict.fromkeys(point.size for point in thresholds))
    for index, size in enumerate(sizes):
        mine, look = [p for p in thresholds if p.size == size], style.series(index)
        options = {"color": look.colour, "marker": look.marker, "ls": "", "ms": 8, "alpha": 0.85}
        after = [p.after for p in mine]
        panels[0].plot([p.before for p in mine], after, label=size, **options)
        panels[1].plot([p.prompted for p in mine], after, label=size, **options)
    below = sum(p.before < bar for p in thresholds)
    panels[0].axvline(bar, color=style.INK, linestyle=":", linewidth=1.6, zorder=0)
    panels[0].text(bar + 0.003, 0.25, f"the bar: {bar:.0%}", va="center", fontsize=9.5)
    panels[0].text(bar + 0.003, 0.02, f"left of it: {below} bases", va="center", fontsize=9.5)
    style.frame(
        panels[0],
        xlim=(-0.01, None),
        xticks=[0, 0.05, 0.1, 0.15],
        xlabel="base, asked plainly: sound answers",
        ylabel="after reward: sound answers",
    )
    panels[1].plot([0, 1], [0, 1], color=style.INK, linestyle="--", linewidth=1.2, zorder=0)
    panels[1].text(0.5, 0.42, "no gain over a prompt", ha="left", va="top", fontsize=9.5)
    panels[1].set_xlabel("base, with the best of 12 prompts")
    for axes in panels:
        style.frame(axes, grid="both", percent="xy", ylim=(-0.03, 1.05))
    panels[0].legend(title="parameters", loc="center right")
    return figure


def describe_thresholds(thresholds: Sequence[Threshold], bar: float) -> str:
    """Alt text for ``threshold_chart``."""
    parts = [
        f"{p.size} seed {p.seed}: base {p.before:.1%}, prompted {p.prompted:.0%}, "
        f"after reward {p.after:.0%}"
        for p in sorted(thresholds, key=lambda p: p.before)
    ]
    return (
        "Two scatter plots of reinforced models, sound answers; a dotted line at "
        f"{bar:.0%} of the base's. " + "; ".join(parts) + "."
    )


def equal_computing_chart(rows: Rows, lengths: Sequence[int] = (4,)) -> Figure:
    """Sound answers of every seed against all computing spent: base models with their best prompt,
    and reinforced ones (stars)."""
    figure, axes = style.new_figure(8.6, 4.6)
    found = points(rows, lengths)
    for index, size in enumerate(dict.fromkeys(p["size"] for p in found)):
        look = style.series(index)
        for how, marker, marked in (("prompted", look.marker, 6), ("rl", "*", 15)):
            mine = [p for p in found if (p["how"], p["size"]) == (how, size)]
            axes.plot(
                # Side by side, so that equal seeds do not hide one another.
                [p["total_flops"] * (1 + 0.05 * (p["seed"] - 2)) for p in mine],
                [p["sound"] for p in mine],
                ls="",
                marker=marker,
                ms=marked,
                color=look.colour,
                alpha=0.85,
                markeredgecolor=style.INK if how == "rl" else look.colour,
                label=size if how == "prompted" else None,
            )
    style.frame(
        axes,
        title="Chains of four turns: what does the same compute buy?",
        grid="both",
        percent="y",
        xscale="log",
        xticks=[3e12, 1e13, 3e13, 1e14],
        xticklabels=["3e12", "1e13", "3e13", "1e14"],
        ylim=(-0.05, 1.07),
        xlabel="operations, reading and reward together",
        ylabel="sound answers, 4 turns",
    )
    axes.minorticks_off()
    sizes = axes.get_legend_handles_labels()
    axes.legend(*sizes, title="parameters", loc="center left", bbox_to_anchor=(0.0, 0.6))
    ways = [
        axes.plot([], [], color=style.INK, ls="", marker="o")[0],
        axes.plot([], [], color=style.INK, ls="", marker="*", ms=13)[0],
    ]
    names = [ARMS["prompted"], ARMS["rl"]]
    figure.legend(ways, names, loc="outside lower center", ncols=2)
    return figure


def describe_equal_computing(rows: Rows, lengths: Sequence[int] = (4,)) -> str:
    """Alt text for ``equal_computing_chart``: means over the seeds, at some lengths."""
    found, parts = points(rows, lengths), []
    for p in sorted(found, key=lambda p: (p["parameters"], p["reading_tokens"])):
        key = (p["size"], p["reading_tokens"])
        same = [q for q in found if (q["size"], q["reading_tokens"]) == key]
        ways = {how: [q["sound"] for q in same if q["how"] == how] for how in ARMS}
        said = ", ".join(f"{ARMS[how]} {mean(v):.0%}" for how, v in ways.items() if v)
        parts.append(f"{key[0]} after {key[1] / 1e6:.1f} million tokens: {said}")
    turns = " to ".join(dict.fromkeys(str(end) for end in (min(lengths), max(lengths))))
    return f"Sound answers, {turns} turns. " + "; ".join(dict.fromkeys(parts)) + "."


Arms = Mapping[str, Mapping[int, float]]
"""Sound answers by arm and seed."""


def arms(
    rows: Rows, size: str, reading_tokens: int, lengths: Sequence[int] = SEVERAL
) -> dict[str, dict[int, float]]:
    """Sound answers of all arms that begin at one size and reading, by arm and seed.

    Arms are the ``how`` of ``points``; "longer" is the base that read one unit more, prompted.
    """
    found: dict[str, dict[int, float]] = {}
    unit = chains_tables.UNIT
    for p in points(rows, lengths):
        if p["size"] != size:
            continue
        if p["reading_tokens"] == reading_tokens:
            found.setdefault(p["how"], {})[p["seed"]] = p["sound"]
        elif (p["how"], p["reading_tokens"]) == ("prompted", reading_tokens + unit):
            found.setdefault("longer", {})[p["seed"]] = p["sound"]
    return found


def arms_chart(panels: Mapping[str, Arms], names: Mapping[str, str]) -> Figure:
    """What one unit of computing makes of the same bases, by arm: a mark for each seed.

    panels: what ``arms`` gives, by title; names: arms and their labels, from the top down.
    """
    figure, all_axes = style.new_figure(
        9.2,
        1.8 + 0.36 * len(names),
        1,
        len(panels),
        sharey=True,
        squeeze=False,
        title="What does reward add to imitation?",
    )
    for axes, (title, found) in zip(all_axes[0], panels.items(), strict=True):
        for row, how in enumerate(names):
            look, mine = style.series(row), list(found.get(how, {}).values())
            # Side by side, so that equal marks do not hide one another.
            rows = [row + 0.2 * (place - (len(mine) - 1) / 2) for place in range(len(mine))]
            axes.plot(mine, rows, ls="", marker=look.marker, color=look.colour, ms=7, alpha=0.85)
            if not mine:
                axes.text(0.5, row, "not run", ha="center", va="center", color=style.GREY)
        style.frame(
            axes, panel=title, grid="both", percent="x", xlim=(-0.08, 1.08), xticks=[0, 0.5, 1]
        )
        axes.tick_params(axis="x", labelsize=8)  # "50%" and "100%" beside one another
    style.frame(all_axes[0][0], rows=names.values(), ylim=(len(names) - 0.5, -0.5))
    all_axes[0][len(panels) // 2].set_xlabel("sound answers, 2 to 4 turns")
    return figure


def describe_arms(panels: Mapping[str, Arms], names: Mapping[str, str]) -> str:
    """Alt text for ``arms_chart``: every mark."""
    parts = []
    for title, found in panels.items():
        for how, label in names.items():
            marks = ", ".join(f"{share:.0%}" for share in found.get(how, {}).values())
            parts.append(f"{title.replace(chr(10), ' ')}, {label}: {marks or 'not run'}")
    return "Sound answers of each seed, 2 to 4 turns. " + "; ".join(parts) + "."


def pass_at_k(n: int, right: int, k: int) -> float:
    """The probability that one of k of n replies is right (Chen et al., arXiv 2107.03374)."""
    return 1 - comb(n - right, k) / comb(n, k)


def sound_at_k(rows: Rows, k: int, estimate: Callable[[int, int, int], float] = pass_at_k) -> float:
    """The mean over chains of pass@k, counting sound answers."""
    return mean(estimate(row["asked"], row["sound"], k) for row in rows)


def tries(rows: Rows, size: str, length: int) -> dict[str, dict[int, list[dict]]]:
    """Rows of many replies to chains of one size and length, by way of asking and by seed."""
    ways = {
        "base, asked plainly": ("pretrained", "bare"),
        "base, asked for its working": ("pretrained", "request"),
        "reinforced": ("rl", "bare"),
    }
    found: dict[str, dict[int, list[dict]]] = {}
    for name, way in ways.items():
        for row in rows:
            if (row["size"], row["length"]) == (size, length) and (
                row["arm"],
                row["prompt"],
            ) == way:
                found.setdefault(name, {}).setdefault(row["seed"], []).append(row)
    return found


def pass_at_k_chart(
    rows: Rows,
    size: str,
    lengths: Sequence[int],
    ks: Sequence[int],
    estimate: Callable[[int, int, int], float] = pass_at_k,
) -> Figure:
    """pass@k counting sound answers, a panel for each length; thin lines are single seeds.

    ``estimate(n, c, k)``: the probability that one of k of n replies is right, c of the n being so.
    """
    figure, panels = style.new_figure(
        9.0, 3.6, 1, len(lengths), sharey=True, title="Did reward teach, or elicit?"
    )
    for axes, length in zip(panels, lengths, strict=True):
        for index, (name, seeds) in enumerate(tries(rows, size, length).items()):
            look = style.series(index)
            curves = [[sound_at_k(mine, k, estimate) for k in ks] for mine in seeds.values()]
            for curve in curves:
                axes.plot(ks, curve, color=look.colour, linewidth=0.8, alpha=0.6, linestyle="-")
            middle = [mean(at) for at in zip(*curves, strict=True)]
            axes.plot(
                ks,
                middle,
                color=look.colour,
                linestyle=look.line,
                marker=look.marker,
                label=name,
            )
        axes.set_xscale("log", base=2)
        style.frame(
            axes,
            panel=f"{length} turns",
            grid="both",
            percent="y",
            xticks=ks[::2],
            xticklabels=ks[::2],
            ylim=(-0.03, 1.05),
            xlabel="k, replies to a chain",
        )
    panels[0].set_ylabel("pass@k, sound answers")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def describe_pass_at_k(rows: Rows, size: str, lengths: Sequence[int], ks: Sequence[int]) -> str:
    """Alt text for ``pass_at_k_chart``: means over the seeds at the ends."""
    parts = []
    for length in lengths:
        for name, seeds in tries(rows, size, length).items():
            first, last = (mean(sound_at_k(m, k) for m in seeds.values()) for k in (ks[0], ks[-1]))
            parts.append(f"{length} turns, {name}: {first:.0%} to {last:.0%}")
    return f"pass@k for k from {ks[0]} to {ks[-1]}. " + "; ".join(parts) + "."
