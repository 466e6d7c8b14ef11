"""What the playground promises: the course's models, in the page, as llama.cpp runs them here."""

import json
import random
import re
import subprocess

import numpy as np
import pytest
from playwright.sync_api import expect

from course_utils.engines import GREEDY, Sampling, open_model
from course_utils.paths import repository_root
from course_utils.teaching import apply_sampling

PATIENCE = 120_000
ASK_ALL = """async (questions) => {
  const { ask } = await import("./_static/playground/engine.js");
  const replies = [];
  for (const each of questions) {
    const reply = await ask("thinker", each, { temperature: 0, max_tokens: 300 });
    replies.push([reply.thinking.trim(), reply.answer.trim()]);
  }
  return replies;
}"""


@pytest.fixture(scope="module")
def page(chromium):
    return chromium.new_page(viewport={"width": 390, "height": 844})


def opened(page, site, name):
    page.goto(f"{site.address}/{name}.html")
    return page.locator(".play")


def test_the_first_screen_answers_a_question_by_keyboard_alone(site, page):
    play = opened(page, site, "index")
    expect(page.locator(".play[data-ready]")).to_be_visible(timeout=PATIENCE)
    question = play.get_by_label("Your question")
    for _ in range(60):
        page.keyboard.press("Tab")
        if question.evaluate("each => each === document.activeElement"):
            break
    else:
        pytest.fail("Tab does not reach the question")
    page.keyboard.press("Control+A")
    page.keyboard.type("What is 417 + 386?")
    play.get_by_label("Temperature").fill("0")
    question.press("Enter")
    expect(play.locator(".play-answer")).to_have_text("803", timeout=PATIENCE)
    expect(play.locator(".play-thought")).to_contain_text("ones: 7+6=13, carry 1")
    expect(play.locator(".play-facts")).to_contain_text("tokens")


def test_its_greedy_text_is_that_of_the_course_s_own_engine(site, page):
    draw = random.Random(21)
    questions = []
    for number in range(50):
        a, b = draw.randint(10, 499), draw.randint(10, 499)
        questions.append(f"What is {a} + {b}?" if number % 2 else f"{a} 加 {b} 等于多少？")
    engine = open_model("nano-thinker")
    replies = [engine.chat(each, GREEDY.but(max_tokens=300)).finish() for each in questions]
    expected = [[each.thinking.strip(), each.answer.strip()] for each in replies]
    opened(page, site, "index")
    assert page.evaluate(ASK_ALL, questions) == expected


def test_two_models_answer_side_by_side(site, page):
    play = opened(page, site, "playground/base_and_thinker")
    play.get_by_role("button", name="What is 347 + 285?").click()
    expect(play.locator(".play-status")).to_have_text("Done.", timeout=PATIENCE)
    assert play.locator(".play-answer").all_inner_texts() == ["522", "632"]


def test_the_looper_loops_when_greedy_and_is_cut(site, page):
    play = opened(page, site, "playground/loops")
    play.get_by_role("button", name="47+85=?").click()
    expect(play.locator(".play-status")).to_have_text("Done.", timeout=PATIENCE)
    looper, cured = play.locator(".play-card").all()
    expect(looper).to_contain_text("cut at the limit")
    assert looper.locator(".play-again").count() > 3
    assert cured.locator(".play-again").count() == 0
    expect(cured.locator(".play-answer")).to_have_text("132")


def test_chinese_in_an_english_thought_is_marked(site, page):
    play = opened(page, site, "playground/languages")
    play.get_by_role("button", name="58+67=?").click()
    expect(play.locator(".play-status")).to_have_text("Done.", timeout=PATIENCE)
    mixer, cured = play.locator(".play-card").all()
    assert mixer.locator("mark").count() > 0
    assert cured.locator("mark").count() == 0


def test_the_bars_show_the_next_tokens_and_a_press_appends_one(site, page):
    play = opened(page, site, "playground/next_token")
    play.get_by_role("button", name="Start").click()
    first = play.locator(".play-bar").first
    expect(first).to_contain_text("ones", timeout=PATIENCE)
    engine = open_model("nano-thinker")
    prompt = engine.render("What is 347 + 285?")
    expected = 100 * engine.next_tokens(prompt)[0].probability
    assert float(first.locator(".play-bar-told").inner_text().rstrip(" %")) == pytest.approx(
        expected, abs=0.2
    )
    first.click()
    expect(play.locator(".play-thought")).to_contain_text("ones")
    expect(play.locator(".play-bar").first).to_contain_text(":", timeout=PATIENCE)


def test_top_k_cuts_what_the_slider_says(site, page):
    play = opened(page, site, "playground/next_token")
    play.get_by_role("button", name="Start").click()
    expect(play.locator(".play-bar").first).to_be_visible(timeout=PATIENCE)
    play.get_by_label("Top-k").fill("2")
    told = play.locator(".play-bar-told").all_inner_texts()
    assert [each == "cut" for each in told] == [False, False] + [True] * (len(told) - 2)


def test_the_sampling_settings_are_those_of_the_course(tmp_path):
    """The page's arithmetic against notebook 01's, over the same probabilities."""
    candidates = [0.5, 0.2, 0.12, 0.08, 0.05, 0.03, 0.02]
    settings = [
        {"temperature": t, "top_k": k, "top_p": p, "min_p": m}
        for t in (0.5, 1, 1.7)
        for k in (1, 4, 40)
        for p in (0.6, 0.95, 1)
        for m in (0, 0.1, 0.3)
    ]
    all_candidates = [{"token": i, "probability": p} for i, p in enumerate(candidates)]
    script = tmp_path / "settings.mjs"
    module = (repository_root() / "docs/_static/playground/sampling.js").as_uri()
    script.write_text(
        f"import {{ sampled }} from {json.dumps(module)};\n"
        f"const all = {json.dumps(all_candidates)};\n"
        f"console.log(JSON.stringify({json.dumps(settings)}.map((each) => sampled(all, each))));\n"
    )
    done = subprocess.run(["node", str(script)], capture_output=True, text=True, check=True)
    for setting, left in zip(settings, json.loads(done.stdout), strict=True):
        sampling = Sampling(**setting)
        expected = apply_sampling(np.log(candidates), sampling)
        shown = [0.0] * len(candidates)
        for each in left:
            shown[each["token"]] = each["probability"]
        assert shown == pytest.approx(expected, abs=1e-6), setting


def test_the_recorded_training_can_be_stepped_through(site, page):
    play = opened(page, site, "playground/grpo")
    thought = play.locator(".play-thought")
    expect(thought).to_contain_text("</think>", timeout=PATIENCE)
    step = play.get_by_role("slider", name="Step")
    step.focus()
    step.press("End")
    expect(thought).to_contain_text("ones: 7+8=15")
    expect(play.locator("svg")).to_have_attribute("aria-label", re.compile("now at step"))


def test_a_browser_without_webassembly_is_told_what_to_do(site, chromium):
    page = chromium.new_page()
    page.add_init_script("delete globalThis.WebAssembly")
    page.goto(f"{site.address}/index.html")
    expect(page.locator(".play-status")).to_contain_text("cannot run WebAssembly", timeout=PATIENCE)


def test_a_model_that_does_not_arrive_is_one_clear_message(site, chromium):
    page = chromium.new_page()
    page.route("**/*.gguf", lambda route: route.abort())
    page.goto(f"{site.address}/index.html")
    expect(page.locator(".play-status")).to_contain_text("did not arrive", timeout=PATIENCE)
