// Brings every playground of the page to life: <div class="play" data-play="talk" …>; and guesses.

import "./predictions.js";

const KINDS = {
  talk: () => import("./talk.js"),
  "next-token": () => import("./next_token.js"),
  grpo: () => import("./grpo.js"),
};

for (const root of document.querySelectorAll(".play")) {
  try {
    const { mount } = await KINDS[root.dataset.play]();
    await mount(root);
  } catch (error) {
    root.textContent = `This part of the page could not start (${error.message}). Load the page again.`;
  }
}
