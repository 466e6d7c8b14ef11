"""What the playground promises: the course's models, in the page, as llama.cpp runs them here."""

import random
import re

import pytest
from playwright.sync_api import expect

from course_utils.engines import GREEDY, open_model

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


def test_a_conversation_needs_no_mouse(site, page):
    play = opened(page, site, "playground/loops")
    expect(play.get_by_role("radio")).to_have_count(2, timeout=PATIENCE)
    greedy, sampled = play.get_by_role("radio").all()
    greedy.focus()
    page.keyboard.press("ArrowRight")
    expect(sampled).to_be_checked()
    page.keyboard.press("ArrowLeft")
    expect(greedy).to_be_checked()
    play.get_by_role("button", name="47+85=?").focus()
    page.keyboard.press("Space")
    stop = play.get_by_role("button", name="Stop")
    expect(stop).to_have_attribute("aria-disabled", "false", timeout=PATIENCE)
    expect(play.locator(".play-again").first).to_be_visible(timeout=PATIENCE)
    stop.focus()
    page.keyboard.press("Enter")
    expect(play.locator(".play-status")).to_have_text("Stopped.", timeout=PATIENCE)
    expect(stop).to_be_focused()
    thought = play.locator("summary").first
    thought.focus()
    page.keyboard.press("Enter")
    expect(play.locator(".play-thought").first).to_be_hidden()


def test_tokens_are_chosen_without_a_mouse(site, page):
    play = opened(page, site, "playground/next_token")
    play.get_by_role("button", name="Start").focus()
    page.keyboard.press("Enter")
    first = play.locator(".play-bar").first
    expect(first).to_contain_text("ones", timeout=PATIENCE)
    expect(play.get_by_role("button", name="Start")).to_be_focused()
    first.focus()
    page.keyboard.press("Space")
    expect(first).to_contain_text(":", timeout=PATIENCE)
    expect(first).to_be_focused()
    play.get_by_label("Min-p").focus()
    page.keyboard.press("End")
    expect(play.locator(".play-bar-told", has_text="cut").first).to_be_visible()


def test_the_recorded_training_plays_without_a_mouse(site, page):
    play = opened(page, site, "playground/grpo")
    run = play.get_by_role("combobox")
    run.focus()
    page.keyboard.press("ArrowDown")
    expect(run).to_have_value("DAPO's averages and clip")
    play.get_by_role("button", name="Play").focus()
    page.keyboard.press("Space")
    expect(play).not_to_have_attribute("data-step", "0", timeout=PATIENCE)
    page.keyboard.press("Space")
    expect(play.get_by_role("button", name="Play")).to_be_focused()


def test_the_recorded_training_can_be_stepped_through(site, page):
    play = opened(page, site, "playground/grpo")
    thought = play.locator(".play-thought")
    expect(thought).to_contain_text("</think>", timeout=PATIENCE)
    step = play.get_by_role("slider", name="Step")
    step.focus()
    step.press("End")
    expect(thought).to_contain_text("ones: 7+8=15")
    expect(play.locator("svg")).to_have_attribute("aria-label", re.compile("now at step"))


def test_a_guess_stands_again_beside_what_came_out(site, page):
    page.goto(f"{site.address}/notebooks/00_start_here.html")
    guess = page.locator("[data-prediction='00.base']")
    made = page.locator("[data-revealed='00.base']")
    expect(made).to_be_hidden()
    guess.get_by_label("20 to 60").press("Space")
    expect(made).to_have_text("Your guess: 20 to 60")


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
