"""How fast is the model in the page? ``PYTHONPATH=. python docs/measure.py [folder]``

Opens the site's first screen in headless Chromium, with nothing in its cache, and asks three
questions.  Prints the seconds to the first token, the tokens a second of each reply, and where the
time of one token goes: in the worker, where llama.cpp computes, or in the page, which shows it.
Meant for an idle machine; the text of ``playground/index.md`` states what came out.
"""

from __future__ import annotations

import sys
from pathlib import Path

from build import repository_root

from tests import jupyterlab_browser as lab
from tests.served_folder import served

QUESTIONS = ["What is 347 + 285?", "What is 58 + 267?", "What is 611 + 299?"]
# The page asks its worker for one token at a time: how long does each side take?
WATCH = """
const spent = (globalThis.spent = { worker: 0, page: 0, tokens: 0 });
let asked, answered;
globalThis.Worker = class extends Worker {
  constructor(...all) {
    super(...all);
    this.addEventListener("message", ({ data }) => {
      if (asked === undefined || data.callbackId === undefined) return; // a line of the log
      answered = performance.now();
      spent.worker += answered - asked;
      spent.tokens += 1;
      asked = undefined;
    });
  }
  postMessage(message, ...rest) {
    if (message?.args?.[0] === "get_result") {
      asked = performance.now();
      if (answered !== undefined) spent.page += asked - answered;
    }
    return super.postMessage(message, ...rest);
  }
};"""
ASK = """async (question) => {
  const { ask } = await import("./_static/playground/engine.js");
  Object.assign(spent, { worker: 0, page: 0, tokens: 0 });
  let first;
  const reply = await ask("thinker", question, { temperature: 0, max_tokens: 300 }, {
    onPiece: () => (first ??= performance.now()),
  });
  return { first: first / 1000, speed: reply.tokensPerSecond, written: reply.tokens, ...spent };
}"""


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else repository_root() / "_site"
    with served(folder) as address, lab.browser() as context:
        page = context.new_page()
        page.add_init_script(WATCH)
        page.goto(f"{address}/index.html")
        for number, question in enumerate(QUESTIONS):
            found = page.evaluate(ASK, question)
            if number == 0:
                print(f"first token {found['first']:.1f} s after the page was opened")
            each = {side: found[side] / found["tokens"] for side in ("worker", "page")}
            print(
                f"{question} {found['written']} tokens, {found['speed']:.0f} a second; one takes "
                f"{each['worker']:.1f} ms in the worker and {each['page']:.1f} ms in the page"
            )


if __name__ == "__main__":
    main()
