"""Figures on the page, for everyone to read: with a caption and alt text.

matplotlib's own output has no alt text, and nbconvert writes "No description has been provided
for this image".  Here a figure becomes an HTML ``<figure>`` that carries its alt text with it,
also through an export, beside a plain text that stays the same on every machine.
"""

from __future__ import annotations

import base64
import html
import io
import re
import sys

from IPython.display import display

from course_utils.errors import OptionError


class OnPage:
    """Something to show in a notebook: rich as ``html``, and as stable plain ``text``."""

    def __init__(self, html: str, text: str):
        self.html = html
        self.text = text

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


# *words*, but neither the signs of "2*3*4" nor those of "*args, **kwargs".
_EMPHASIS = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*]*[^\s*])\*(?![\w*])")


def prose_html(text: str) -> str:
    """A line of text as HTML, its `backticks` as code and its *asterisks* as emphasis.

    The words inherit the theme's colour.
    """
    parts = html.escape(text).split("`")
    return "".join(
        f"<code>{part}</code>" if i % 2 else _EMPHASIS.sub(r"<em>\1</em>", part)
        for i, part in enumerate(parts)
    )


def show(figure, caption: str, alt: str) -> None:
    """Display a matplotlib figure with its caption and alt text, and close it.

    caption: what the reader should see in it, one or two sentences, printed below.
    alt: what the figure shows, for a reader who cannot see it.
    Raises OptionError when either is empty.
    """
    display(figure_on_page(figure, caption, alt))


def figure_on_page(figure, caption: str, alt: str) -> OnPage:
    """What ``show`` displays, as an object."""
    for name, value in (("caption", caption), ("alt", alt)):
        if not isinstance(value, str) or not value.strip():
            raise OptionError(
                f"This figure has no {name}.",
                f'Give one: show(figure, caption="...", alt="..."); {_PURPOSE[name]}',
            )
    image = image_html(figure, alt)
    return OnPage(
        f'<figure style="margin: 0.5em 0">{image}'
        f'<figcaption style="max-width: 46em; font-style: italic">{prose_html(caption)}'
        "</figcaption></figure>",
        f"Figure: {caption}\n[{alt}]",
    )


_PURPOSE = {
    "caption": "the caption says what to see in it.",
    "alt": "the alt text says what it shows to a reader who cannot see it.",
}


def image_html(figure, alt: str) -> str:
    """The figure as an ``<img>`` with alt text; the figure is closed."""
    if figure.get_layout_engine() is not None:
        # Laying out once and then drawing saves one of the two drawings that savefig makes.
        figure.get_layout_engine().execute(figure)
        figure.set_layout_engine("none")
    png = io.BytesIO()
    # Without the Software entry, the same matplotlib writes the same bytes.
    figure.savefig(png, format="png", dpi=110, metadata={"Software": None})
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)
    data = base64.b64encode(png.getvalue()).decode("ascii")
    return (
        f'<img alt="{html.escape(alt, quote=True)}" style="max-width: 100%; height: auto" '
        f'src="data:image/png;base64,{data}">'
    )
