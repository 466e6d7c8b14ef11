"""Does a policy use what it is told? Its guesses in one episode, and policies side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from matplotlib.figure import Figure

from course_utils.agents.guessing import GUESSES, HIGHER, LOWER
from course_utils.errors import OptionError
from course_utils.intervals import clipped, over_seeds, wilson_interval
from course_utils.teaching import style

Turns = Sequence[tuple[str, str]]
"""An episode as (guess, answer) of each turn."""


@dataclass(frozen=True)
class PolicyScore:
    """A policy's measured shares of success and mean turns: one of each for every seed.

    ``episodes`` of each measurement; None where the numbers are exact.
    """

    success: Sequence[float]
    turns: Sequence[float]
    episodes: int | None = None

    def interval(self) -> tuple[float, float]:
        """Of success, at 95 %: over several seeds Student's, of one Wilson's; exact: a point."""
        if len(self.success) > 1:
            found = clipped(over_seeds(dict(enumerate(self.success))))
            return found.low, found.high
        if self.episodes is None:
            return self.success[0], self.success[0]
        return wilson_interval(round(self.success[0] * self.episodes), self.episodes)


def policy_scores(
    rows: Sequence[Mapping], names: Mapping[str, tuple[str, str]]
) -> dict[str, PolicyScore]:
    """The score of each policy in rows such as those of ``runs/guessing-policies.csv``.

    names: a label to (policy, decoding); a row whose decoding is "exact" needs no interval.
    Raises OptionError for a policy that has no row.
    """
    scores = {}
    for label, (policy, decoding) in names.items():
        mine = [r for r in rows if (r["policy"], r["decoding"]) == (policy, decoding)]
        if not mine:
            raise OptionError(
                f"There is no row for {policy!r}, {decoding!r}.",
                f"There are: {', '.join(dict.fromkeys(r['policy'] for r in rows)) or 'none'}.",
            )
        scores[label] = PolicyScore(
            success=[r["success"] for r in mine],
            turns=[r["turns"] for r in mine],
            episodes=None if decoding == "exact" else int(mine[0]["episodes"]),
        )
    return scores


def guess_chart(
    games: Mapping[str, Turns],
    low: int,
    high: int,
    secret: int,
    *,
    title: str = "How does it look for the number?",
) -> Figure:
    """One episode played several times, a panel each: guesses by turn, and what is still possible.

    games: a name, such as "before any reward", to the turns; the shaded band is what the answers
    have left, from ``low`` to ``high`` at first.
    """
    style.need(games, "There is no game to draw.", "Play one, and give its turns.")
    figure, axes = style.new_figure(
        7.8, 3.4, 1, len(games), sharey=True, squeeze=False, title=title
    )
    for axis, (name, turns) in zip(axes[0], games.items(), strict=True):
        bottom, top, guesses = low, high, []
        for turn, (action, told) in enumerate(turns, start=1):
            axis.fill_between([turn - 0.5, turn + 0.5], bottom, top, color=style.PALE, linewidth=0)
            if not action.isdigit():
                break
            guess = int(action)
            guesses.append(guess)
            if told.startswith(HIGHER):
                bottom = max(bottom, guess + 1)
            elif told.startswith(LOWER):
                top = min(top, guess - 1)
        places = range(1, len(guesses) + 1)
        axis.plot(places, guesses, color=style.BLUE, marker="o", markersize=6)
        axis.axhline(secret, color=style.VERMILION, linestyle="--", linewidth=1.5)
        if guesses and guesses[-1] == secret:
            axis.plot(len(guesses), secret, "*", color=style.GREEN, markersize=16, zorder=3)
        style.frame(
            axis,
            panel=name,
            xlim=(0.5, GUESSES + 0.5),
            xticks=range(1, GUESSES + 1),
            xlabel="guess",
        )
    axes[0][0].set_ylabel("number")
    return figure


def describe_guesses(games: Mapping[str, Turns], secret: int) -> str:
    """Alt text for ``guess_chart``."""
    parts = []
    for name, turns in games.items():
        # An action that is no number may be any text, of many lines.
        guesses = ", ".join(action if action.isdigit() else "no number" for action, _ in turns)
        found = bool(turns) and turns[-1][0] == str(secret)
        parts.append(f"{name}: {guesses} ({'found' if found else 'not found'})")
    return f"Guesses at {secret}. " + "; ".join(parts) + "."


def policy_chart(
    policies: Mapping[str, PolicyScore], *, title: str = "Does it use what it is told?"
) -> Figure:
    """Success (left) and mean turns (right) of each policy; small marks are single seeds."""
    style.need(policies, "There is no policy to draw.", "Measure some.")
    figure, axes = style.new_figure(
        7.8, 1.3 + 0.5 * len(policies), 1, 2, sharey=True, width_ratios=(3, 2), title=title
    )
    for row, score in enumerate(policies.values()):
        look = style.series(row)
        low, high = score.interval()
        centre = mean(score.success)
        axes[0].errorbar(
            centre,
            row,
            xerr=[[max(0.0, centre - low)], [max(0.0, high - centre)]],
            color=look.colour,
            marker=look.marker,
            markersize=9,
            capsize=4,
        )
        axes[1].plot(mean(score.turns), row, color=look.colour, marker=look.marker, markersize=9)
        for axis, values in zip(axes, (score.success, score.turns), strict=True):
            if len(values) > 1:
                axis.plot(values, [row] * len(values), ls="", marker="|", ms=14, color=style.INK)
    style.frame(
        axes[0], rows=policies, grid="x", percent="x", xlim=(-0.03, 1.03), xlabel="episodes won"
    )
    style.frame(axes[1], grid="x", xlim=(3.5, GUESSES + 0.3), xlabel="mean guesses")
    return figure


def describe_policies(policies: Mapping[str, PolicyScore]) -> str:
    """Alt text for ``policy_chart``."""
    parts = []
    for name, score in policies.items():
        low, high = score.interval()
        parts.append(
            f"{name.replace(chr(10), ' ')}: {mean(score.success):.0%} won "
            f"({low:.0%} to {high:.0%}), {mean(score.turns):.1f} guesses"
        )
    return "Share of episodes won and mean number of guesses. " + "; ".join(parts) + "."
