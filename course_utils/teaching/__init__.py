"""How does a notebook show, ask and check? Only notebooks call this layer.

Everything is imported from here and loaded on first use.
"""

from importlib import import_module

_HOMES = {
    "style": ["new_figure", "use_house_style", "visible", "series"],
    "page": ["show", "figure_on_page", "OnPage"],
    "strips": ["token_strip"],
    "figures.tokens": [
        "next_token_chart",
        "describe_next_tokens",
        "attention_chart",
        "describe_attention",
        "percent",
    ],
    "figures.training": ["training_curves", "read_log", "accuracy_bars"],
    "figures.memory": ["memory_bars", "describe_memory"],
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
    "exercises.folded": ["folded_markdown"],
    "exercises.predictions": ["predict", "reveal"],
    "widgets.streaming": ["stream_to_page", "reply_on_page", "compare_replies"],
    "widgets.conversation": ["conversation"],
    "widgets.comparison": ["compare_models"],
    "widgets.sampling_lab": ["sampling_lab"],
    "widgets.next_token_stepper": ["next_token_stepper"],
    "widgets.attention_explorer": ["attention_explorer"],
    "widgets.memory_explorer": ["memory_explorer"],
    "widgets.progress": ["progress"],
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
