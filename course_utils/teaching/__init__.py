"""How does a notebook show, ask and check? Only notebooks call this layer.

Everything is imported from here and loaded on first use::

    from course_utils.teaching import check, next_token_chart, show

**Figures.** Functions from plain data to a matplotlib figure in house style; ``show`` puts one on
the page, with the caption and the alt text it must have. ``describe_...`` writes alt text::

    candidates = engine.next_tokens(text, k=10)
    show(next_token_chart(candidates), caption="...", alt=describe_next_tokens(candidates))
    attention_chart(engine.attention(text), layer=0, head=None)      # None: all heads
    training_curves("log.csv", x="step", y="accuracy", by="size")    # band: range of the seeds
    accuracy_bars({"base": (35, 100), "thinker": (95, 100)})         # right answers, questions
    published_chart(load_results(), ["AIME 2024", "LiveBench"])      # blanks are shown
    interval_chart({"QwQ-32B": score_interval(0.795, 30)})           # a dot and its interval
    price_chart({"one answer": [(45, Interval(0.9, 0.8, 0.95))]})    # accuracy against tokens
    spread_chart(exams, low, high, step=1 / 30, title="...", x_label="...")  # drawn again and again
    pair_chart(right_a, right_b, ("A", "B"))                         # the four fields of McNemar
    memory_bars({"Q4_K_M": {"weights": 19.85e9, "KV cache": 2e9}}, machine_bytes)
    plan_bars({"16 GiB": plan("qwq-32b", machine=laptop)})    # each against its own machine
    long_text_chart({"F16": {0: 1.5, 16384: 1.1}})                   # speed after a long text
    speculation_chart(rehearsal.step_seconds, (1, 4, 8))             # when does a draft pay?
    routing_chart(engine.routing(text))                              # experts by tokens
    load_chart({"balanced": loads})                                  # (layers, experts)
    loss_by_size({"dense": (0.7, [0.41, 0.42, 0.41])})               # one loss per seed
    parameter_treemap({"QwQ-32B": parts_at_work(architecture)})      # parameters by part
    head_chart([sharing_of("QwQ-32B", architecture)])                # what attention keeps
    budget_chart(read_runs(), ["balanced"], "flops", title="...")    # loss by budget
    difference_chart(rows, ("QwQ-32B", "DeepSeek-R1"))               # who is ahead, by party
    choice_chart(choices, place, scores)                             # quality, memory, speed, cost
    where_are_we(["tokens", "attention", "logits"], lit="attention")
    model_picture("attention", {"nano": 4, "QwQ-32B": 64})           # grows part by part
    embedding_map(vectors, labels, groups)                           # tokens as places
    lookup_picture(labels, shares, asks="the space")                 # attention as a look-up
    sharing_picture({"nano": (4, 2), "QwQ-32B": (40, 8)})            # grouped-query attention
    model_timeline()                                                 # from Preview to release
    recipe_scores(read_stages(), {"base": "base", "cold": "cold start"})  # stages, by area
    cure_chart({"loops": {"before": {1: 0.9, 2: 1.0}, "after": {1: 0.0, 2: 0.0}}})  # by seed
    guess_chart({"before": turns}, 8, 95, secret=61)                 # an episode, guess by guess
    policy_chart({"binary search": PolicyScore([1.0], [5.4])})       # episodes won, guesses
    exchange_chart(trace)                                            # who says what to whom
    tries_chart(rows, [1, 8, 64], {"base": "base"})                  # pass@k, luck and skill apart
    ways_chart(rows, {"think": "in writing"}, 4, (100, 300))         # right sums by length, tokens
    figure, axes = new_figure(width=7, height=3.5)                   # for a figure of your own

**Text.** ``token_strip(engine.tokenize(text), label="English", ids=True)`` ends a cell with the
tokens as chips; ``kinds=["thinking", ...]`` marks stretches, ``probabilities=True`` takes what
``engine.score`` gives. ``visible(token)`` is a token as one line of text.
``highlight(thought, "repeats")`` marks what went wrong in a thought.

**Replies.** ``reply = stream_to_page(engine.chat(question), heading=question)`` shows thought and
answer while they are written, and keeps them on the page. ``reply_on_page(reply)`` and
``compare_replies({"base": reply, "thinker": reply}, question)`` show finished ones.

**Widgets.** Each ends a cell; its docstring names the plain code that does the same::

    conversation(engine, question="", sampling=None, thinking_budget=None)
    compare_models({"base": base, "thinker": thinker}, question)
    sampling_lab(engine, text, sampling=PLAIN, bars=12)
    next_token_stepper(engine, text, k=10, seed=0)
    attention_explorer(engine, text, layer=0, head=0)
    memory_explorer({"Q4_K_M": 19.85e9}, {"F16": 262144}, machine_bytes, tokens=8192)
    score_comparison(0.795, 0.798, problems=30)
    capacity_planner("qwq-32b", context=8192, quantisation="Q4_K_M")
    rehearsal_button("qwq-32b")
    decision_chart("laptop", benchmark="AIME 2024")
    votes = kept_votes("votes.json")                                 # a dictionary, or this
    claim_vote([1, 2], votes); claim_score_card(votes)
    verdicts_on_page([1, 2]); verdict_table()                        # the same for who only reads
    records = watch_router(train(...))                               # the load while it learns
    failure_menu({"endless loops": [Case(question, failing, cured, "repeats")]})
    trace_viewer(trace, lambda messages: run(engine, messages, tools))    # an agent's run
    records = training_live(grpo.train(...), steps=40)               # charts that grow

A conversation is kept as a file of its messages: ``save_conversation(history, "talk.json")``, and
``load_conversation("talk.json")`` gives them back.  ``markdown_html(text)`` is what a model wrote
in Markdown as HTML for ``ipywidgets.HTMLMath``, with nothing in it that could do harm.

**Arithmetic of sampling**, as readable numpy: ``softmax``, ``keep_top_k``, ``keep_top_p``,
``keep_min_p``, ``apply_sampling(logits, sampling)``, ``logits_of(candidates)``, ``entropy_bits``,
``perplexity(engine.score(text))``.

**Seeds as text.** ``by_seed(shares)`` is their mean and each of them, ``in_points(interval)`` a
change with its interval.

**The control.** ``prompted_base("base")`` is the base with the best of twelve prompts: the row that
stands beside each base and reinforced model. ``print(prompted_base())`` says it in a line.

**Predictions and exercises.** A prediction before a result, and checks that never raise::

    predict("01.greedy", ["it loops", "it stops"], question="What will greedy decoding do?")
    reveal("01.greedy", 1, because="The likeliest token never changes.")
    check("01.softmax", softmax)
    verifier = yours_if_right("03.verifier", mended, verifiers.accuracy)  # below it is used
    hint("01.softmax", softmax)            # the next folded hint; then the class's model gives one
    which_ran(verifier)                    # after a cell that used it: yours, or the course's own
    quiz("01")                             # the notebook's questions, each option with a reason
    what_you_did("01")                     # last cell: exercises passed, tried, open, with links
    results()                              # the same for a program: attempts, named mistakes
    share_results("fox"); stop_sharing()   # show them to the teacher of your class, by nickname

Exercises and questions are declared in ``exercises/notebook_NN.py``. A Markdown cell that begins
``<!-- exercise 01.softmax: heading -->`` gets title, difficulty, importance and minutes; one that
begins ``<!-- exercise 01.softmax: hints and solution -->`` gets both, folded.
``python -m course_utils.teaching.exercises notebooks/*.ipynb`` writes such cells.
"""

from importlib import import_module

_HOMES = {
    "style": ["new_figure", "use_house_style", "visible", "series"],
    "page": ["show", "figure_on_page", "OnPage"],
    "strips": ["token_strip"],
    "highlight": ["highlight"],
    "figures.tokens": [
        "next_token_chart",
        "describe_next_tokens",
        "attention_chart",
        "describe_attention",
        "percent",
    ],
    "figures.training": ["training_curves", "read_log", "accuracy_bars"],
    "figures.benchmarks": [
        "published_chart",
        "describe_published",
        "interval_chart",
        "price_chart",
    ],
    "figures.memory": ["memory_bars", "describe_memory", "plan_bars", "describe_plans"],
    "figures.faster": [
        "long_text_chart",
        "describe_long_texts",
        "speculation_chart",
        "describe_speculation",
    ],
    "figures.running": [
        "batch_chart",
        "quantisation_chart",
        "describe_quantisations",
        "weights_chart",
        "describe_weights",
    ],
    "figures.routing": [
        "routing_chart",
        "describe_routing",
        "load_chart",
        "describe_load",
        "value_table",
        "loss_by_size",
    ],
    "figures.policy": [
        "group_chart",
        "describe_group",
        "step_chart",
        "describe_step",
        "clip_chart",
        "describe_clip",
        "watched_chart",
        "describe_watched",
        "averaged",
    ],
    "figures.chains": [
        "threshold_chart",
        "describe_thresholds",
        "equal_computing_chart",
        "describe_equal_computing",
        "arms",
        "arms_chart",
        "describe_arms",
        "pass_at_k_chart",
        "describe_pass_at_k",
        "sound_at_k",
    ],
    "figures.rates": ["rates_chart", "describe_rates"],
    "figures.resampling": ["spread_chart", "describe_spread", "pair_chart", "describe_pairs"],
    "run_tables": [
        "objective_lines",
        "practice_lines",
        "told_lines",
        "sound_lines",
        "lead_lines",
        "same_base_lines",
        "rule_lines",
        "arm_lines",
        "tries_lines",
        "change_lines",
    ],
    "one_step": ["compare_steps"],
    "prompted": ["prompted_base", "prompted_lines"],
    "figures.architecture": ["parameter_treemap", "describe_parameters", "parts_at_work"],
    "figures.heads": ["head_chart", "describe_heads", "sharing_of", "Sharing"],
    "figures.mixtures": [
        "budget_chart",
        "crowd_chart",
        "describe_leads",
        "lead_chart",
        "lead_of",
        "rates_of",
    ],
    "figures.weighing": [
        "score_rows",
        "run_chart",
        "ratio_chart",
        "describe_ratios",
        "difference_chart",
        "describe_differences",
    ],
    "figures.choice": ["choice_chart", "describe_choice"],
    "figures.timeline": ["model_timeline", "describe_timeline"],
    "figures.recipe": ["recipe_scores", "describe_recipe"],
    "figures.cures": [
        "cure_chart",
        "cure_verdict",
        "describe_cures",
        "effort_chart",
        "efforts",
        "describe_efforts",
        "cure_curves",
        "describe_cure_curves",
        "settings_chart",
        "describe_settings",
    ],
    "seeds": ["by_seed", "in_points", "verdict"],
    "failure_cases": ["failure_cases", "failure_replies"],
    "figures.agents": [
        "guess_chart",
        "describe_guesses",
        "policy_chart",
        "describe_policies",
        "policy_scores",
        "PolicyScore",
    ],
    "figures.inside": [
        "model_picture",
        "describe_model",
        "embedding_map",
        "lookup_picture",
        "sharing_picture",
        "rotation_chart",
        "lens_chart",
        "head_table",
        "ablation_bars",
        "parts_chart",
    ],
    "figures.exchange": ["exchange_chart", "describe_exchange"],
    "figures.tries": ["tries_chart", "describe_tries", "tried_at_k", "foretold_by"],
    "figures.tools": ["ways_chart", "describe_ways", "share_right"],
    "figures.pipeline": ["where_are_we", "describe_pipeline"],
    "distribution": [
        "softmax",
        "keep_top_k",
        "keep_top_p",
        "keep_min_p",
        "apply_sampling",
        "logits_of",
        "entropy_bits",
        "perplexity",
    ],
    "exercises.checking": ["check"],
    "exercises.hinting": ["hint"],
    "exercises.results": ["results"],
    "exercises.sharing": ["share_results", "stop_sharing"],
    "exercises.own_work": ["yours_if_right", "which_ran"],
    "exercises.folded": ["folded_markdown", "heading_markdown"],
    "exercises.quiz": ["quiz"],
    "exercises.closing": ["what_you_did"],
    "exercises.predictions": ["predict", "reveal"],
    "widgets.chat.streaming": ["stream_to_page", "reply_on_page", "compare_replies"],
    "widgets.chat.conversation": ["conversation"],
    "widgets.chat.saved_conversation": ["save_conversation", "load_conversation"],
    "widgets.chat.markdown": ["markdown_html"],
    "widgets.comparison": ["compare_models"],
    "widgets.sampling_lab": ["sampling_lab"],
    "widgets.next_token_stepper": ["next_token_stepper"],
    "widgets.attention_explorer": ["attention_explorer"],
    "widgets.memory_explorer": ["memory_explorer"],
    "widgets.score_comparison": ["score_comparison"],
    "widgets.capacity_planner": ["capacity_planner"],
    "widgets.rehearsal_button": ["rehearsal_button"],
    "widgets.decision_chart": ["decision_chart", "published_scores"],
    "widgets.claim_vote": ["claim_vote", "claim_score_card"],
    "kept_votes": ["kept_votes"],
    "answer_key": ["claim_on_page", "verdicts_on_page", "verdict_table"],
    "widgets.training_live": [
        "training_live",
        "progress_chart",
        "describe_progress",
        "run_length",
    ],
    "widgets.failure_menu": ["failure_menu", "compare_thoughts", "Case"],
    "widgets.trace_viewer": ["trace_viewer"],
    "widgets.router_training": ["watch_router", "load_of"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = list(_HOME_OF)


def __getattr__(name: str):
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
