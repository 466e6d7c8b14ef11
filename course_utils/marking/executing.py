"""How is a stranger's notebook run to its end? nbgrader's runner, with a net below each cell.

A cell that never ends or that ends the kernel costs its own exercise: it gets an error, a new
kernel starts, and all the other cells run again without it.
"""

from __future__ import annotations

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from traitlets import Bool, Dict

from course_utils.marking.slicing import slice_of

ENDLESS, CRASHED = "CellTimeoutError", "DeadKernelError"


class PatientExecute(Execute):
    """Runs the graded cells, the answers, and what these need of the cells before them."""

    # Either is an exception here, so that the kernel can be replaced.
    interrupt_on_timeout = Bool(False).tag(config=True)
    error_on_timeout = Dict(None, allow_none=True).tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict, retries=None):
        """Run the notebook in place; whatever its cells do, this comes to an end."""
        graded = {place for place, cell in enumerate(nb.cells) if cell.metadata.get("nbgrader")}
        code = [cell.source if cell.cell_type == "code" else "" for cell in nb.cells]
        self._plans, self._fatal = slice_of(code, graded), {}
        while True:
            try:
                return super().preprocess(nb, resources)
            except (CellTimeoutError, DeadKernelError) as error:
                endless = isinstance(error, CellTimeoutError)
                self._fatal[self._running] = (
                    (ENDLESS, f"This cell ran for more than {self.timeout} seconds.")
                    if endless
                    else (CRASHED, "This cell ended the Python that ran it.")
                )

    def preprocess_cell(self, cell: NotebookNode, resources: dict, index: int):
        """Run what the plan says of this cell; outputs are kept of the graded ones alone."""
        self._running = index
        if cell.cell_type != "code" or index not in self._plans:
            return cell, resources
        if index in self._fatal:
            name, words = self._fatal[index]
            cell.outputs = [new_output("error", ename=name, evalue=words, traceback=[words])]
            return cell, resources
        part = self._plans[index]
        if part == cell.source:
            return super().preprocess_cell(cell, resources, index)
        sliced = NotebookNode({**cell, "source": part, "outputs": []})
        super().preprocess_cell(sliced, resources, index)
        return cell, resources
