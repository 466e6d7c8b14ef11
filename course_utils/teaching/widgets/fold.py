"""Parts of a widget that fold, by mouse and keyboard, without being redrawn: ``<details>``.

ipywidgets' own accordion does not listen to the keyboard, and a ``<details>`` whose HTML is
replaced with every token would fold again under the reader.  So the ``<details>`` here is never
changed; a style sheet hides what stands below it while it is folded.
"""

from __future__ import annotations

import html

import ipywidgets

# Where a browser does not know :has(), the content is always in sight.
_STYLE = (
    "<style>.course-fold:has(> .course-fold-head details:not([open])) > .course-fold-content "
    "{ display: none !important }</style>"
)


class Fold(ipywidgets.VBox):
    """A title that shows or hides ``content``; ``beside`` stands next to the title, in sight.

    Nothing but the reader opens or closes it.
    """

    def __init__(
        self,
        title: str,
        content: ipywidgets.Widget,
        *,
        beside: ipywidgets.Widget | None = None,
        unfolded: bool = False,
    ):
        details = "<details open>" if unfolded else "<details>"
        summary = f"<summary><strong>{html.escape(title)}</strong></summary>"
        head = ipywidgets.HBox([ipywidgets.HTML(f"{_STYLE}{details}{summary}</details>")])
        if beside is not None:
            head.children = [*head.children, beside]
        head.add_class("course-fold-head")
        content.add_class("course-fold-content")
        super().__init__([head, content])
        self.add_class("course-fold")
