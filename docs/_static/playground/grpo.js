// A training run by GRPO, step by step, from the course's committed records.

import { element, slider } from "./page.js";

const DATA = new URL("../data/grpo.json", import.meta.url);
const WIDTH = 640;
const HEIGHT = 220;
const MARGIN = { left: 44, right: 12, top: 12, bottom: 30 };

export async function mount(root) {
  const { runs, question, command } = await (await fetch(DATA)).json();
  const names = Object.keys(runs);
  let run = runs[names[0]];
  let step = 0;
  const select = element("select", {}, ...names.map((name) => element("option", {}, name)));
  const picture = element("div", { className: "play-chart" });
  const reply = element("pre", { className: "play-thought", tabIndex: 0 });
  const told = element("p", { className: "play-facts", role: "status" });
  const position = element("div");
  const play = element("button", { type: "button" }, "Play");
  const form = element(
    "div",
    { className: "play-form" },
    element("label", {}, "Run ", select),
    play,
    position
  );
  root.replaceChildren(
    form,
    picture,
    element("h3", {}, `Its likeliest reply to “${question}”`),
    reply,
    told,
    element("p", { className: "play-facts" }, `Recorded by ${command}`)
  );
  select.addEventListener("change", () => {
    run = runs[select.value];
    step = 0;
    restart();
  });
  let timer;
  play.addEventListener("click", () => {
    if (timer) return pause();
    if (step >= run.length - 1) step = 0;
    play.textContent = "Pause";
    told.ariaLive = "off"; // read aloud when it stops, not at every step
    timer = setInterval(() => {
      if (step >= run.length - 1) return pause();
      go(step + 1);
    }, 400);
  });
  restart();

  function pause() {
    clearInterval(timer);
    timer = undefined;
    play.textContent = "Play";
    told.ariaLive = "polite";
  }

  function restart() {
    pause();
    const made = slider("Step", { min: 0, max: run.length - 1, step: 1, value: 0, digits: 0 }, (value) => {
      pause();
      go(value);
    });
    position.replaceChildren(made);
    go(0);
  }

  function go(to) {
    step = to;
    const input = position.querySelector("input");
    input.value = step;
    position.querySelector("output").textContent = run[step].step;
    input.ariaValueText = `step ${run[step].step}`;
    picture.replaceChildren(chart(run, step));
    reply.textContent = run[step].reply;
    const parts = [`After ${run[step].step} steps`];
    const reward = last(run, step, "reward");
    const accuracy = last(run, step, "accuracy");
    if (reward !== undefined) parts.push(`mean reward ${reward.toFixed(2)}`);
    if (accuracy !== undefined) parts.push(`${Math.round(100 * accuracy)} % of the held-out sums right`);
    told.textContent = `${parts.join(", ")}.`;
    root.dataset.step = run[step].step;
  }
}

function last(run, step, name) {
  for (let i = step; i >= 0; i--) if (run[i][name] !== null) return run[i][name];
  return undefined;
}

/** Reward and accuracy as lines; a rule marks the step that is shown. */
function chart(run, now) {
  const svg = (tag, properties, ...children) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const end = run[run.length - 1].step;
  const x = (step) => MARGIN.left + (step / end) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (value) => HEIGHT - MARGIN.bottom - value * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const line = (name, className) => {
    const points = run.filter((each) => each[name] !== null).map((each) => `${x(each.step)},${y(each[name])}`);
    return svg("polyline", { points: points.join(" "), class: className, fill: "none" });
  };
  const label = (text, className, value) => svg("text", { x: WIDTH - MARGIN.right, y: y(value), class: className, "text-anchor": "end" }, text);
  const description = `Mean reward and held-out accuracy over ${end} steps; now at step ${run[now].step}.`;
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": description },
    ...[0, 0.5, 1].flatMap((value) => [
      svg("line", { x1: MARGIN.left, x2: WIDTH - MARGIN.right, y1: y(value), y2: y(value), class: "play-grid" }),
      svg("text", { x: MARGIN.left - 8, y: y(value) + 5, "text-anchor": "end" }, String(value)),
    ]),
    svg("line", { x1: x(run[now].step), x2: x(run[now].step), y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom, class: "play-now" }),
    line("reward", "play-line-a"),
    line("accuracy", "play-line-b"),
    label("mean reward (solid)", "play-label-a", 0.16),
    label("held-out accuracy (dashed)", "play-label-b", 0.06),
    svg("text", { x: MARGIN.left, y: HEIGHT - 8 }, "step 0"),
    svg("text", { x: WIDTH - MARGIN.right, y: HEIGHT - 8, "text-anchor": "end" }, `step ${end}`)
  );
}
