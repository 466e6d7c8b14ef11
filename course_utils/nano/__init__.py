"""How is a reasoning model made? The whole recipe at a size that a laptop trains in minutes.

Read the modules in the order of the recipe: ``tokenizer``, ``tasks`` and ``sentences`` (what the
models read), ``corpus`` (in which shares), ``shape`` and ``model`` (with ``moe``), ``pretrain``,
``sample``, ``policy_loss`` and ``grpo``, ``export`` (to GGUF and back), ``measure`` and ``cards``
(how good it is), ``make`` (all of it).
"""
