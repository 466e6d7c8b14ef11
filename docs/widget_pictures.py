"""Take the pictures of the widgets that the site shows: part of ``make pictures``.

Each widget runs once in a JupyterLab of this machine, as its notebook calls it, and is pictured
as a learner first sees it; ``previews.py`` says where each picture stands.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import nbformat
from PIL import Image
from previews import PICTURES

from tests import jupyterlab_browser as lab

WIDTH, HEIGHT = 1000, 1400
# For the shortest trainings and the largest plans.
PATIENCE_SECONDS = 600

START = """\
from course_utils.engines import GREEDY, QWQ, open_model
from course_utils.machine import typical_laptop
from course_utils.model_files.catalogue import find_model
from course_utils.paths import nano_folder
from course_utils.teaching import *

thinker, base = open_model("nano-thinker"), open_model("nano-base")
machine = typical_laptop(32)"""

ROUTER = """\
import torch
from course_utils.nano import moe_training, pretrain, tokenizer
from course_utils.nano.experiments.moe import SHAPE, document

torch.set_num_threads(1)
short = pretrain.Settings(steps=100, tokens_per_step=1024, row_length=128, long_share=0,
                          learning_rate=3e-3, warmup_steps=10, evaluate_every=10)
model = pretrain.new_model(SHAPE, seed=1)
run = moe_training.train(model, tokenizer.load(), short, balance={balance}, document=document)
records = watch_router(run, "{title}: how is the work shared out?")"""

CELLS = {
    "conversation": 'conversation(thinker, question="What is 347 + 285?")',
    "next_token_stepper": 'next_token_stepper(base, "Lucy is in the")',
    "sampling_lab": 'sampling_lab(base, "Mia is a teacher. She is happy.", QWQ)',
    "attention_explorer": "attention_explorer("
    'thinker, thinker.render("What is 325+148?") + "ones: ")',
    "memory_explorer": """\
qwq = find_model("qwq-32b")
files = {name: file.size_bytes for name, file in qwq.files.items()}
caches = {name: qwq.architecture.cache_bytes_per_token(name) for name in ("F16", "Q8_0")}
memory_explorer(files, caches, machine.total_memory_bytes)""",
    "failure_menu": "failure_menu(failure_cases())",
    "router_alone": ROUTER.format(balance=0, title="Left to itself"),
    "router_balanced": ROUTER.format(balance=0.01, title="Balanced"),
    "decision_chart": 'decision_chart("laptop", benchmark="AIME 2024", machine=machine)',
    "capacity_planner": 'capacity_planner("qwq-32b", machine=machine)',
    "rehearsal_button": 'rehearsal_button("qwq-32b")',
    "score_comparison": "score_comparison("
    '0.795, 0.798, problems=30, names=("QwQ-32B", "DeepSeek-R1"))',
    "trace_viewer": """\
from course_utils.agents import run
from course_utils.agents.errands import weather

caller = open_model(nano_folder() / "caller.gguf")
trace = run(caller, "What shall I wear in Oslo?", [weather], sampling=GREEDY)
trace_viewer(trace, lambda messages: run(caller, messages, [weather], sampling=GREEDY))""",
    "score_card": 'claim_score_card({1: "holds", 4: "wrong"})',
}
# What is pressed first, so that the picture shows what the widget is for.
PRESSED = {"conversation": "Ask", "score_card": "Count my votes"}


def take() -> None:
    """Write the pictures of all widgets into ``PICTURES``."""
    PICTURES.mkdir(exist_ok=True)
    codes = [START, *CELLS.values()]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(
        cells=list(map(nbformat.v4.new_code_cell, codes)), metadata={"kernelspec": kernel}
    )
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "widgets.ipynb"
        nbformat.write(notebook, file)
        with (
            lab.jupyterlab([file], Path(scratch)) as server,
            lab.browser(WIDTH, HEIGHT) as context,
        ):
            page = context.new_page()
            lab.run_all(page, server, file.name, PATIENCE_SECONDS)
            for number, name in enumerate(CELLS, 1):
                shown = page.locator(".jp-CodeCell").nth(number).locator(".jp-OutputArea-output")
                widget = shown.filter(has=page.locator(".jupyter-widgets")).first
                if name in PRESSED:
                    widget.get_by_role("button", name=PRESSED[name]).click()
                    page.wait_for_timeout(8_000)
                _save(widget.screenshot(), PICTURES / f"{name}.png")


def _save(png: bytes, target: Path) -> None:
    """Flat colours need no more than a palette, a third of the bytes."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(128, dither=Image.Dither.NONE).save(target, optimize=True)
