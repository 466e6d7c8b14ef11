"""Insert the section "Faster and longer" into notebook 06, in place of an earlier version of it.

    python insert_faster.py NOTEBOOK [NOTEBOOK ...]

Cells are known by their ids, fl01 to fl99; everything else is left as it is, except some lines
that the section makes more exact (the limit of speed, the minutes, the lists at both ends).  The
section's terms are added to docs/glossary.md beside the notebook's folder, where there is one.
Running it twice is running it once.  The cells carry no outputs: execute the notebook afterwards.
"""

import re

import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

HEADING = "## Faster and longer"
"""The section follows the cell with this heading; where there is none, it is made."""
BEFORE = "## When something goes wrong"
CLOSING = "## What you can now do"

IGNORE = {"tags": ["nbval-ignore-output"]}

OLD_LIMIT = (
    "No processor with 40 GB/s can write more than two tokens per second with it, whatever its "
    "number of cores."
)
NEW_LIMIT = (
    "No processor with 40 GB/s takes more than two steps per second with it, whatever its number "
    "of cores. A step usually writes one token; under "
    '"Faster and longer" you make it write several.'
)
OLD_FORMULA = (
    r"$$\text{tokens per second} \le \frac{\text{memory bandwidth}}{\text{bytes read per token}}$$"
)
NEW_FORMULA = (
    r"$$\text{steps per second} \le \frac{\text{memory bandwidth}}{\text{bytes read per step}}$$"
)

CELLS = [
    (
        "markdown",
        """All speeds so far were those of a short text. But QwQ thinks for thousands of tokens, so two more
questions decide whether it is bearable on your machine. How much slower does it get as its thought
grows? And can it get more than one token out of each reading of the weights?

### How does a long thought slow it down?

To write a token, every layer looks back at all tokens before it. Their keys and values lie in the
KV cache, and a long thought makes the cache large. Take a guess before you see the measurement.""",
    ),
    (
        "code",
        """
from course_utils.teaching import predict, read_log, reveal, show

predict(
    "06.long_thought",
    ["nearly as fast", "about two thirds as fast", "less than half as fast"],
    question="QwQ-32B has thought for 16,384 tokens, about 25 pages. How fast "
    "does it still write, compared with its first tokens?",
)""",
    ),
    (
        "markdown",
        """You need not wait for 16,384 tokens to find out. How long a step takes depends on how *much*
the cache holds, and not on what. So the rehearsal reads a short text once, and copies its keys and
values behind it again and again, until the cache is as full as after a long thought. It runs eight
of the 64 layers, so that model and cache fit together, and scales up: weights by their bytes,
attention by layers. Here is the committed measurement; `rehearse_steps("qwq-32b")` from
`course_utils.engines.rehearsal_steps` makes your own in a minute or two.""",
    ),
    (
        "code",
        """
from course_utils.paths import models_folder, nano_folder

long_rows = read_log(models_folder() / "long_texts.csv")
print(f"{long_rows[0]['cpu']}, {long_rows[0]['cores']:.0f} cores")
print(f"{'':15}{'cache':6}{'fused':>6}{'layers':>8}{'after':>8}{'token/s':>9}")
for row in long_rows:
    print(
        f"{row['model']:15}{row['kv_type']:6}"
        f"{'yes' if row['flash_attention'] == 'True' else 'no':>6}"
        f"{row['layers_run']:>5.0f}/{row['all_layers']:.0f}"
        f"{row['context']:>8,.0f}{row['tokens_per_second']:>9.2f}"
    )
print("Command:", long_rows[0]["command"])""",
    ),
    (
        "code",
        """
from course_utils.teaching import describe_long_texts, long_text_chart

still = {}
for row in long_rows:
    if row["model"] == "qwq-32b" and row["layers_run"] == 8:
        name = row["kv_type"].upper()
        if row["flash_attention"] != "True":
            name += ", not fused"
        still.setdefault(name, {})[int(row["context"])] = row[
            "tokens_per_second"
        ]
show(
    long_text_chart(still),
    caption="QwQ-32B's writing speed by the tokens in its cache, for three "
    "types of cache.",
    alt=describe_long_texts(still),
)""",
    ),
    (
        "code",
        """
slower = still["F16"][16_384] / still["F16"][0]
reveal(
    "06.long_thought",
    1 if slower > 0.85 else 2 if slower > 0.5 else 3,
    because=f"On the machine of the table it writes at {slower:.2f} times "
    "its first speed. Looking back at the cache is arithmetic, and on few "
    "cores arithmetic is what is short.",
)""",
    ),
    (
        "markdown",
        """The cache's *bytes* alone would explain only a part of it. Each of the 40 query heads multiplies its query
with every key and mixes every value, five of them with the same ones (notebook 02, GQA). It is arithmetic,
and it matters how it is done. **[Flash attention](../docs/glossary.md#flash-attention)** does all of it in one fused step and never stores the
scores, and a cache in 8 or 4 bits needs it. For graphics cards it is a gift. Is it one for a processor? Some
rows of the table were measured without it.""",
    ),
    (
        "code",
        """
fused, unfused = still["F16"][16_384], still["F16, not fused"][16_384]
print(f"after 16,384 tokens, fused:     {fused:.2f} tokens per second")
print(f"after 16,384 tokens, not fused: {unfused:.2f} tokens per second")
better = "faster" if unfused > 1.05 * fused else "no faster"
print(f"Without flash attention it is {better} here.")""",
    ),
    (
        "markdown",
        """You choose it when you open the model: `open_model("qwq-32b", flash_attention=False)`. It depends on the
processor, so measure yours: `rehearse_steps("qwq-32b", flash_attention=False)`. On Arm servers
[others found](https://github.com/ggml-org/llama.cpp/issues/27086) prompts to be read several times as fast
without it.

The plan counts these operations too, and says in two lines what you can expect: how fast the model writes
with a full context, and how long it reads a prompt before the first word appears.""",
    ),
    (
        "code",
        """
import textwrap

from course_utils.machine import Machine
from course_utils.model_files.capacity import plan

eight_cores = Machine(
    cores=8,
    total_memory_bytes=32 * 2**30,
    available_memory_bytes=28 * 2**30,
    memory_bandwidth_bytes_per_second=40e9,
    free_disk_bytes=100 * 10**9,
)
planned = str(plan("qwq-32b", context=16_384, machine=eight_cores))
for line in planned.splitlines()[2:5]:
    print(textwrap.fill(line, 78))""",
    ),
    (
        "markdown",
        """### A text longer than any in training

How far back two tokens lie, a layer tells by how far their keys and queries are rotated against each
other (RoPE, notebook 02). Beyond the lengths of training the slow rotations reach angles that the
model has never met. **[YaRN](../docs/glossary.md#yarn)** ([Peng et al. 2023](https://arxiv.org/abs/2309.00071)) slows these down, so that
a text four times as long passes through the same angles. The fast rotations, which tell neighbours apart,
stay as they are. QwQ's
[card](https://huggingface.co/Qwen/QwQ-32B) asks for it when a prompt has more than 8,192 tokens, by a
factor of 4:

```python
open_model("qwq-32b", yarn=4, context=16_384)
```

It is an option and not the default, because the factor holds for *every* text. The card warns that it
may cost quality on short ones. What does it cost the nano thinker, whose sums are as short as can be?""",
    ),
    (
        "code",
        """
from course_utils.engines import GREEDY, QWQ, open_model
from course_utils.nano.measure import exam_problems
from course_utils.nano.tasks import verify

sums = exam_problems(n=20)


def sums_right(**options):
    \"\"\"How many of the 20 sums the thinker gets right, opened like this.\"\"\"
    with open_model("nano-thinker", **options) as stretched:
        replies = [
            stretched.chat(p.question, GREEDY.but(max_tokens=160)).finish()
            for p in sums
        ]
    return sum(verify(p, r.answer) for p, r in zip(sums, replies, strict=True))


print(f"as it was trained: {sums_right()} of 20 right")
for factor in (1, 2, 4, 8):
    print(f"stretched {factor} times: {sums_right(yarn=factor)} of 20 right")""",
    ),
    (
        "markdown",
        """A factor of 1 changes nothing. With each larger one the thinker gets fewer sums right, although its texts
are short and nothing needed stretching: it learned to read one set of angles, and now sees another. The
thinker is tiny and was never trained with stretched positions, so take the direction from it and not the
amount. With QwQ, set `yarn=4` when your prompt is longer than the card allows without it, and leave it out
when it is not.""",
    ),
    (
        "markdown",
        """### Several tokens for one reading of the weights

To write one token, the machine reads all the weights. To *check* five tokens that somebody else
proposes, it also reads them once: it computes all five in one step, like a prompt. That is
**[speculative decoding](../docs/glossary.md#speculative-decoding)** ([Leviathan et al. 2023](https://arxiv.org/abs/2211.17192),
[Chen et al. 2023](https://arxiv.org/abs/2302.01318)). A small **[draft model](../docs/glossary.md#draft-model)** writes a few tokens, which
costs little. The large **[target model](../docs/glossary.md#target-model)** computes its own probabilities after each of them in one step,
and keeps those that it might have written itself.

Might have written: how is that decided? The draft drew a token from its distribution $q$, and the
target wants one from $p$. Keep it with probability $\\min(1, p/q)$: what the draft draws too often is thrown
away now and then. What is missing now is what the draft draws too *rarely*, and that has to take the place
of a rejected token.""",
    ),
    (
        "markdown",
        """<!-- exercise 06.after_rejection: heading -->

From which distribution do you draw the token that replaces a rejected one, so that all
tokens together follow `p`? Both `p` and `q` are arrays over the vocabulary that sum to 1.""",
    ),
    (
        "code",
        """
import numpy as np

from course_utils.teaching import check


def after_rejection(p, q):
    \"\"\"The distribution of the token that replaces a rejected one.\"\"\"
    return ...


check("06.after_rejection", after_rejection)""",
    ),
    ("folded", "06.after_rejection"),
    (
        "markdown",
        """Now the whole step, on models that fit on one screen. The nano thinker is the target. Its draft, a
fifth of its size, has read nothing but the thinker's own replies.""",
    ),
    (
        "code",
        """
from course_utils.nano import export, speculative
from course_utils.nano.tokenizer import load as load_tokenizer
from course_utils.nano.tokenizer import render
from course_utils.teaching import which_ran, yours_if_right

tokenizer = load_tokenizer()
large, small = (
    export.from_gguf(nano_folder() / f"{name}.gguf")
    for name in ("thinker", "draft")
)
instead_of_rejected = yours_if_right(
    "06.after_rejection", after_rejection, speculative.after_rejection
)
prompt = tokenizer.encode(render("What is 347 + 285?")).ids
print(f"target: {large.parameter_count():,} parameters")
print(f"draft:  {small.parameter_count():,} parameters")""",
    ),
    (
        "code",
        """
def speculative_step(target, draft, text, drafted, random):
    \"\"\"The tokens that one step of the target adds: 1 to drafted + 1.\"\"\"
    text, q, length = list(text), [], len(text)
    for _ in range(drafted):  # the draft writes
        q.append(draft(text)[-1])
        text.append(random.choice(len(q[-1]), p=q[-1]))
    p = target(text)[length - 1 :]  # one step of the target checks
    for place, token in enumerate(text[length:]):
        if random.random() >= min(1, p[place][token] / q[place][token]):
            instead = instead_of_rejected(p[place], q[place])
            kept = text[length : length + place]
            return [*kept, random.choice(len(instead), p=instead)]
    return [*text[length:], random.choice(len(p[drafted]), p=p[drafted])]""",
    ),
    (
        "markdown",
        """Each row of `p` and `q` is a distribution over the vocabulary: `target(text)` gives one after every token of
the text. If all drafted tokens are kept, the last row yields one more for free. So a step adds at least
one token, and at most one more than were drafted. First greedily, where all of the probability lies on
the likeliest token: the text has to be the same, word for word.""",
    ),
    (
        "code",
        """
def write(step, text, tokens=60):
    \"\"\"Step by step until the reply ends: its tokens, and the steps taken.\"\"\"
    text, steps, end = list(text), 0, tokenizer.token_to_id("<|im_end|>")
    while end not in text[len(prompt) :] and len(text) < len(prompt) + tokens:
        text += step(text)
        steps += 1
    reply = text[len(prompt) :]
    return reply[: reply.index(end)] if end in reply else reply, steps


import numpy as np

greedy = [speculative.distributions(m, temperature=0) for m in (large, small)]
dice = np.random.default_rng(0)
alone, steps_alone = write(lambda t: [int(greedy[0](t)[-1].argmax())], prompt)
fast, steps = write(lambda t: speculative_step(*greedy, t, 4, dice), prompt)
print(tokenizer.decode(fast))
print("the same text:", fast == alone)
print(f"steps of the target: {steps_alone} alone, {steps} with the draft")""",
    ),
    (
        "markdown",
        """And with chance? The claim is a strong one: the tokens follow the target's distribution *exactly*. Test it
where the two differ most. The draft has never been greeted, and nearly all that it proposes after "Hello!"
is wrong. Let a step draw thousands of times.""",
    ),
    (
        "code",
        """
hello = tokenizer.encode(render("Hello!")).ids
p_of, q_of = (
    speculative.distributions(each, temperature=1.5) for each in (large, small)
)
known = {}


def remembered(model, name):
    \"\"\"The same distributions, computed once for each text.\"\"\"

    def after_each(text):
        if (name, *text) not in known:
            known[name, *text] = model(text)
        return known[name, *text]

    return after_each


pair = (remembered(p_of, "target"), remembered(q_of, "draft"))
drawn = np.zeros(large.shape.vocabulary)
for _ in range(4000):
    drawn[speculative_step(*pair, hello, 1, dice)[0]] += 1
which_ran(instead_of_rejected)
""",
    ),
    (
        "code",
        """
p, q = p_of(hello)[-1], q_of(hello)[-1]
for name, other in (("target", p), ("draft", q)):
    off = np.abs(drawn / drawn.sum() - other).sum() / 2
    print(f"share of the draws that the {name} would not explain: {off:.1f}")""",
    ),
    (
        "markdown",
        """The draws lie close to the target's distribution, and far from that of the draft that proposed them. (The
course's tests do it with 50,000 tokens and a chi-square test; and with the usual mistake, drawing from
$p$ again after a rejection, to see that the test finds it out.)

The engine does the same with GGUF files. Any model can get a draft of the same vocabulary, by name or by
file. How many tokens does a step give when the thinker adds up? And how good at sums is its draft?""",
    ),
    (
        "code",
        """
from course_utils.nano.cards import read_card

question = "What is 468 + 375?"
for draft_name in (None, "nano-draft", "lookup"):
    with open_model("nano-thinker", draft=draft_name) as opened:
        reply = opened.chat(question, QWQ.but(seed=1)).finish()
        print(
            f"{draft_name!s:11} {reply.answer}: {reply.tokens} tokens, "
            f"{reply.tokens_per_step:.1f} per step of the target, "
            f"{reply.accepted_tokens} of {reply.drafted_tokens} accepted"
        )
alone = read_card("draft")["accuracy"][0]
print(f"The draft alone: {alone['correct']} of {alone['n']} sums right")""",
    ),
    (
        "markdown",
        """A draft that is nearly always wrong about the sum saves most of the steps: the words around a number and most
of its digits are easy, and the hard ones the target writes itself.

The same seed gives the same reply, with and without a draft, since the engine draws from the target's
probabilities in the same order. (It proposes the draft's *likeliest* token each time. Then $q = 1$ for
it, and keeping it with probability $p/q$ is the same as drawing from $p$ and looking whether it comes
out.) `"lookup"` needs no second model: it proposes what followed the same two to four tokens before.
That helps where a text repeats itself, as when QwQ quotes your program.

### When does it pay?

More tokens per step are not yet more tokens per second. A step that checks five tokens takes longer
than a step that writes one. First: how many tokens does a step give?""",
    ),
    (
        "markdown",
        """<!-- exercise 06.tokens_per_step: heading -->

A draft proposes `drafted` tokens, and each is accepted with probability `rate`, if all before it
were. How many tokens does one step of the target give, on average?""",
    ),
    (
        "code",
        """
def tokens_per_step(rate, drafted):
    \"\"\"Tokens that one step of the target adds, on average.\"\"\"
    return ...


check("06.tokens_per_step", tokens_per_step)""",
    ),
    ("folded", "06.tokens_per_step"),
    (
        "code",
        """
predict(
    "06.draft_pays",
    ["at any rate above 0", "from about one half", "only near 1", "at none"],
    question="Two cores run QwQ-32B with a draft of four tokens, which costs "
    "nothing. From which acceptance rate on is it faster than alone?",
)""",
    ),
    (
        "code",
        """
from course_utils.model_files.speculation import expected_tokens

tokens_of_a_step = yours_if_right(
    "06.tokens_per_step", tokens_per_step, expected_tokens
)
price_rows = read_log(models_folder() / "step_price.csv")
largest = max(r["layers_run"] for r in price_rows if r["model"] == "qwq-32b")
seconds_of = {
    int(r["tokens"]): r["seconds_per_step"]
    for r in price_rows
    if r["model"] == "qwq-32b" and r["layers_run"] == largest
}
for count, seconds in seconds_of.items():
    print(
        f"a step of {count:>2} tokens: {seconds:5.2f} s, "
        f"{seconds / seconds_of[1]:4.1f} times the price of one"
    )
print("Command:", price_rows[0]["command"])""",
    ),
    (
        "code",
        """
from course_utils.model_files.speculation import pays_from
from course_utils.teaching import describe_speculation, speculation_chart

drafts = (1, 2, 4, 8)
draft_seconds = next(
    row["seconds_per_step"]
    for row in price_rows
    if row["model"] == "qwen2.5-0.5b"
)
for name, cost in (("looked up", 0), ("from a 0.5 B model", draft_seconds)):
    rates = [pays_from(count, seconds_of.get, cost) for count in drafts]
    print(
        f"{name}: pays from",
        ", ".join("never" if r is None else f"{r:.2f}" for r in rates),
    )
show(
    speculation_chart(seconds_of.get, drafts),
    caption="QwQ-32B with a draft that costs nothing, on the machine of the "
    "table. Above the black line a draft is worth having; marks show from "
    "where.",
    alt=describe_speculation(seconds_of.get, drafts),
)""",
    ),
    (
        "code",
        """
for rate in (0.5, 0.8, 1.0):
    given = tokens_of_a_step(rate, 4)
    print(
        f"rate {rate}: {given:.1f} tokens for "
        f"{seconds_of[5] / seconds_of[1]:.1f} times the time"
    )
which_ran(tokens_of_a_step)""",
    ),
    (
        "code",
        """
from_rate = pays_from(4, seconds_of.get)
reveal(
    "06.draft_pays",
    4
    if from_rate is None
    else 1
    if from_rate < 0.25
    else 2
    if from_rate < 0.75
    else 3,
    because=f"A step of five tokens takes {seconds_of[5] / seconds_of[1]:.1f} "
    "times as long as a step of one. The weights are fetched once, and "
    "unpacked for each token again: few cores leave little to gain.",
)""",
    ),
    (
        "markdown",
        """A draft model is not free either: while it writes its tokens, the target waits. For your own machine,
`rehearse_steps("qwq-32b", contexts=(0,), tokens=(1, 2, 3, 5, 9))` measures the prices in a minute or two,
before any download; `pays_from(4, rehearsal.step_seconds)` gives the rate. The last line of a plan says it
too, from rates that were measured elsewhere.

What others have found fits the picture. Speculative decoding shines on graphics cards, which have
arithmetic to spare. On a processor alone
[it can slow things down](https://github.com/ggml-org/llama.cpp/pull/10455), a user of llama.cpp reports; and on
an Apple M1 a step of two tokens [once took five times as long](https://github.com/ggml-org/llama.cpp/issues/4624)
as a step of one. One more trap: QwQ's table of tokens has 152,064 rows and that of Qwen2.5-0.5B 151,936, both padded, and
some programs [refuse the pair](https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/502) for it. This
course's engine compares the tokens themselves:

```python
open_model("qwq-32b", draft="qwen2.5-0.5b")   # a model drafts
open_model("qwq-32b", draft="lookup")         # the text itself drafts
```

No run of QwQ-32B with a draft has been measured by this course: it has the price of a step, and not the
acceptance rate. `reply.tokens_per_step` tells you how many tokens a step gave, and so where on the curve
you are.""",
    ),
]


def cells_of(folded):
    """The section's cells, with stable ids."""
    made = []
    for number, (kind, source) in enumerate(CELLS, 1):
        cell_id = f"fl{number:02}"
        source = source.strip("\n")
        if kind == "folded":
            kind, source = "markdown", folded.folded_markdown(source)
        if kind == "markdown":
            source = folded.generated(source)
            made.append(new_markdown_cell(source, id=cell_id))
        else:
            made.append(new_code_cell(source, id=cell_id, metadata=dict(METADATA.get(number, {}))))
    return made


METADATA = {}
"""Metadata of the cells, by their number from 1 on."""


CAN_DO = (
    "- Say how a long thought slows a model down, and from which acceptance rate a draft would pay "
    "on your machine, before any download."
)
SOURCES = (
    "- Y. Leviathan, M. Kalman, Y. Matias, [Fast Inference from Transformers via Speculative "
    "Decoding](https://arxiv.org/abs/2211.17192), 2023, and C. Chen et al., [Accelerating Large "
    "Language Model Decoding with Speculative Sampling](https://arxiv.org/abs/2302.01318), 2023. "
    "Looking up instead of a model: [prompt lookup decoding]"
    "(https://github.com/apoorvumang/prompt-lookup-decoding).",
    "- B. Peng et al., [YaRN](https://arxiv.org/abs/2309.00071), 2023: stretched positions.",
    "- Long texts and steps of several tokens: `models/long_texts.csv` and "
    "`models/step_price.csv`, each row with its machine and command.",
)


def with_lines(source, heading, lines):
    """The lines at the end of the list below this heading, unless they stand there."""
    if heading not in source:
        return source
    before, after = source.split(heading, 1)
    section, *rest = after.split("\n## ", 1)
    missing = [line for line in lines if line not in section]
    if missing:
        items = section.rstrip("\n").split("\n")
        last = max(place for place, item in enumerate(items) if item.startswith("- "))
        items[last + 1 : last + 1] = missing
        section = "\n".join(items) + section[len(section.rstrip("\n")) :]
    return before + heading + "\n## ".join([section, *rest])


MINUTES = (
    "Part 2 takes 45, and 70 with the exercises.",
    "Part 2 takes 60, and 100 with the exercises.",
)
AFTER = (
    "- unpack a block of 4-bit weights by hand, and measure what fewer bits cost.",
    "- say how a long thought slows a model down, and write several tokens for one reading of its "
    "weights.",
)

GLOSSARY = {
    "Draft model": "The small model of [speculative decoding](#speculative-decoding): it proposes "
    "tokens that the [target model](#target-model) checks. It has the same vocabulary and may be "
    "wrong as often as it likes; that costs time only.",
    "Flash attention": "[Attention](#attention) computed in one fused step that never stores the "
    "scores. It saves memory, and time on graphics cards. "
    "[Dao et al., 2022](https://arxiv.org/abs/2205.14135).",
    "Speculative decoding": "Writing several tokens in one step of a model: a "
    "[draft](#draft-model) proposes them, and the model keeps those that it might have written "
    "itself. What comes out is the model's own distribution. "
    "[Leviathan et al., 2023](https://arxiv.org/abs/2211.17192).",
    "Target model": "The model whose text is wanted in [speculative decoding]"
    "(#speculative-decoding), as against its [draft](#draft-model).",
    "YaRN": "A way to read texts longer than those of training: the slow rotations of RoPE are "
    "slowed down further, by a factor that holds for every text. "
    "[Peng et al., 2023](https://arxiv.org/abs/2309.00071).",
}
FIRST_IN = " First in [notebook 06](../notebooks/06_running_qwq_32b_on_cpu.ipynb)."


def add_to_glossary(path):
    """The section's terms among the others, in order."""
    head, *entries = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    known = {entry.split("\n", 1)[0]: entry.strip("\n") for entry in entries}
    for term, text in GLOSSARY.items():
        known.setdefault(term, f"{term}\n\n{text}{FIRST_IN}")
    ordered = [known[term] for term in sorted(known, key=str.lower)]
    text = head + "\n\n".join(f"## {entry}" for entry in ordered) + "\n"
    path.write_text(text, encoding="utf-8")


def insert(path, folded):
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if not re.fullmatch(r"fl(?!00)\d\d", cell.id)]
    texts = [cell.source if cell.cell_type == "markdown" else "" for cell in cells]
    if HEADING not in [text.strip() for text in texts]:
        places = [
            place
            for heading in (BEFORE, CLOSING)
            for place, text in enumerate(texts)
            if text.startswith(heading)
        ]
        if not places:
            sys.exit(f"{path}: none of {HEADING!r}, {BEFORE!r}, {CLOSING!r} begins a cell.")
        cells.insert(places[0], new_markdown_cell(HEADING, id="fl00"))
        texts.insert(places[0], HEADING)
    after = [text.strip() for text in texts].index(HEADING) + 1
    cells[after:after] = cells_of(folded)
    for cell in cells:
        if cell.cell_type == "markdown" and not cell.id.startswith("fl"):
            for old, new in ((OLD_LIMIT, NEW_LIMIT), (OLD_FORMULA, NEW_FORMULA), MINUTES):
                cell.source = cell.source.replace(old, new)
            if AFTER[1] not in cell.source:
                cell.source = cell.source.replace(AFTER[0], AFTER[0][:-1] + ";\n" + AFTER[1])
            cell.source = with_lines(cell.source, CLOSING, [CAN_DO])
            for heading in ("## References", "## Where the facts come from"):
                cell.source = with_lines(cell.source, heading, SOURCES)
    notebook.cells = cells
    nbformat.write(notebook, path)
    print(f"{path}: {len(CELLS)} cells below {HEADING!r}")
    glossary = path.resolve().parent.parent / "docs" / "glossary.md"
    if glossary.is_file():
        add_to_glossary(glossary)


if __name__ == "__main__":
    from course_utils.teaching.exercises import folded

    for name in sys.argv[1:]:
        insert(Path(name), folded)
