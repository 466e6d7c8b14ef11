"""The look of all figures of the course: one palette, one font chain, one background.

The colours are those of Okabe and Ito ("Color Universal Design", 2008,
https://jfly.uni-koeln.de/color/), which stay apart for colour-blind readers.  Colour never
carries a meaning alone: every series also has its own line style, marker or hatch, so that a
grey print says the same.  The background is a solid near-white, so that a figure reads the same
on JupyterLab's light and dark themes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import matplotlib
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font

from course_utils.engines.protocol import NextToken, ScoredToken, Token
from course_utils.errors import OptionError

BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
VERMILION = "#D55E00"
SKY = "#56B4E9"
PURPLE = "#CC79A7"
YELLOW = "#F0E442"
INK = "#1A1A1A"
GREY = "#767676"
PALE = "#D9D9D9"
BACKGROUND = "#FCFCFA"


@dataclass(frozen=True)
class Series:
    """How the n-th series of a figure is drawn: in colour, and without it."""

    colour: str
    line: str
    marker: str
    hatch: str

    @property
    def as_line(self) -> dict:
        """What ``axes.plot`` is given."""
        return {"color": self.colour, "linestyle": self.line, "marker": self.marker}

    @property
    def as_bar(self) -> dict:
        """What ``axes.bar`` and ``axes.barh`` are given."""
        return {"color": self.colour, "hatch": self.hatch, "edgecolor": BACKGROUND}


SERIES = (
    Series(BLUE, "-", "o", ""),
    Series(ORANGE, "--", "s", "///"),
    Series(GREEN, "-.", "^", "..."),
    Series(VERMILION, ":", "D", "xxx"),
    Series(PURPLE, (0, (5, 1, 1, 1, 1, 1)), "v", "\\\\\\"),
    Series(SKY, (0, (8, 2)), "P", "++"),
    Series(INK, (0, (1, 3)), "X", "oo"),
)

# Fonts with Chinese characters that Linux, Windows and macOS bring, best first.
_CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "Noto Sans CJK JP",
    "PingFang SC",
    "Microsoft YaHei",
    "Hiragino Sans GB",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "SimHei",
    "Heiti TC",
    "STHeiti",
    "Arial Unicode MS",
)


def series(index: int) -> Series:
    """The look of the ``index``-th series; after the last it starts again."""
    return SERIES[index % len(SERIES)]


@lru_cache(maxsize=1)
def font_families() -> tuple[str, ...]:
    """DejaVu Sans (it comes with matplotlib) and, where one is installed, a Chinese font."""
    installed = set(font_manager.fontManager.get_font_names())
    chinese = [name for name in _CHINESE_FONTS if name in installed]
    return ("DejaVu Sans", *chinese[:1])


@lru_cache(maxsize=1)
def _drawable() -> frozenset[int]:
    """The code points that the font chain can draw."""
    points: set[int] = set()
    for family in font_families():
        path = font_manager.findfont(font_manager.FontProperties(family=family))
        points.update(FT2Font(path).get_charmap())
    return frozenset(points)


def use_house_style() -> None:
    """Make matplotlib draw in the course's style from here on (also plain pyplot figures)."""
    logging.getLogger("matplotlib.font_manager").addFilter(_is_worth_saying)
    matplotlib.rcParams.update(
        {
            "font.family": list(font_families()),
            "font.size": 11,
            "axes.titlesize": 12.5,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.titlepad": 10,
            "axes.labelcolor": INK,
            "axes.edgecolor": GREY,
            "axes.facecolor": BACKGROUND,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.prop_cycle": matplotlib.cycler(
                color=[s.colour for s in SERIES], linestyle=[s.line for s in SERIES]
            ),
            "figure.facecolor": BACKGROUND,
            "figure.dpi": 110,
            "figure.constrained_layout.use": True,
            "figure.constrained_layout.w_pad": 0.1,
            "figure.constrained_layout.h_pad": 0.08,
            "figure.titleweight": "bold",
            "savefig.facecolor": BACKGROUND,
            "grid.color": PALE,
            "grid.linewidth": 0.8,
            "hatch.linewidth": 0.7,
            "legend.frameon": False,
            "lines.linewidth": 2,
            "lines.markersize": 5,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            # A token such as "$x$" is shown as it is, not typeset.
            "text.parse_math": False,
        }
    )


def _is_worth_saying(record: logging.LogRecord) -> bool:
    """Chinese fonts often come without bold letters; regular ones do in a heading."""
    return "Failed to find font weight" not in record.getMessage()


def new_figure(
    width: float = 7.0,
    height: float = 3.5,
    rows: int = 1,
    columns: int = 1,
    *,
    title: str = "",
    **options,
):
    """A figure in house style and its axes, as ``(figure, axes)``; sizes in inches.

    ``axes`` is one Axes, or an array of them for more than one row or column.  ``title`` stands
    above all of them.  ``options`` go to ``Figure.subplots`` (``sharex``, ``sharey``,
    ``width_ratios``).  The figure is unknown to pyplot, so nothing shows it twice and nothing needs
    closing.
    """
    use_house_style()
    figure = Figure(figsize=(width, height))
    if title:
        figure.suptitle(drawable(title), x=0.02, ha="left")
    return figure, figure.subplots(rows, columns, **options)


def need(drawn: object, problem: str, remedy: str) -> None:
    """Raises OptionError, in these words, where there is nothing to draw."""
    if not drawn:
        raise OptionError(problem, remedy)


def frame(
    axes: Axes,
    *,
    title: str = "",
    panel: str = "",
    rows: Iterable[str] = (),
    grid: Literal["x", "y", "both"] | None = None,
    percent: str = "",
    **settings,
) -> None:
    """Say what stands around a chart's marks; ``settings`` as for ``Axes.set``.

    title: of a chart that stands alone; panel: of one among several.
    rows: the names of rows 0, 1, ... which run downwards.
    grid: the lines to draw.  percent: the axes whose numbers are shares, "x", "y" or "xy".
    """
    axes.set(**settings)
    if title:
        axes.set_title(drawable(title))
    if panel:
        axes.set_title(drawable(panel), fontsize=10.5)
    if names := [drawable(name) for name in rows]:
        axes.set_yticks(range(len(names)), names)
        axes.yaxis.set_inverted(True)
    if grid:
        axes.grid(axis=grid)
    for axis in percent:
        getattr(axes, f"{axis}axis").set_major_formatter(as_percent)


def as_percent(share: float, _position: object = None) -> str:
    """A share as the label of a tick: ``axis.set_major_formatter(as_percent)``."""
    return f"{100 * share:.0f}%"


def visible(token: Token | NextToken | ScoredToken | str | bytes) -> str:
    """A token as one line of readable text, with spaces and line breaks made visible.

    A space becomes ``␣``, a line break ``⏎``, a tab ``⇥``.  A token that holds only part of a
    character, as happens in Chinese, is shown as its bytes: ``⟨E4 BD⟩``.  Vocabularies are padded
    with tokens that stand for no text; such a one is shown by its number: ``⟨token 151700⟩``.
    """
    if isinstance(token, NextToken | ScoredToken):
        token = token.token
    data = token.data if isinstance(token, Token) else token
    if isinstance(data, bytes):
        try:
            data = data.decode("utf-8")
        except UnicodeDecodeError:
            return "⟨" + data.hex(" ").upper() + "⟩"
    if not data:
        return f"⟨token {token.id}⟩" if isinstance(token, Token) else "⟨empty⟩"
    for character, sign in ((" ", "␣"), ("\n", "⏎"), ("\t", "⇥"), ("\r", "␍")):
        data = data.replace(character, sign)
    return "".join(c if c.isprintable() else f"⟨U+{ord(c):04X}⟩" for c in data)


def drawable(text: str) -> str:
    """The text with every character that no installed font has written as ``⟨U+4F60⟩``."""
    points = _drawable()
    return "".join(c if ord(c) in points or c == "\n" else f"⟨U+{ord(c):04X}⟩" for c in text)


def note_missing_fonts(figure: Figure, *texts: str) -> None:
    """Say once, under the figure, why some characters are shown as numbers (if any are)."""
    if any(drawable(text) != text for text in texts):
        figure.supxlabel(
            "⟨U+…⟩ stands for a character that no installed font has; "
            "install “Noto Sans CJK SC” to see it.",
            fontsize=8,
            color=GREY,
        )
