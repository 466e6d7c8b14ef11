"""How does a model act? Tools, the loop that runs them, and environments to learn in.

For the loop: ``run`` with an engine, a task and tools, typed functions all of them.  For learning:
``guessing`` and ``calculating`` are environments, ``rollout`` plays them and ``grpo`` trains a nano
model on how they end.
"""

from course_utils.agents.loop import Limits, run, steps
from course_utils.agents.tools import Tool, as_tool
from course_utils.agents.trace import Event, Trace
from course_utils.engines.tool_calls import BrokenCall, ToolCall, read_tool_calls

__all__ = [
    "BrokenCall",
    "Event",
    "Limits",
    "Tool",
    "ToolCall",
    "Trace",
    "as_tool",
    "read_tool_calls",
    "run",
    "steps",
]
