// The sampling settings as arithmetic on probabilities, in llama.cpp's order.

/**
 * What is left of the candidates [{ token, probability }, …] and with which probability.
 *
 * Top-k, then top-p, then min-p, then the temperature; a temperature of 0 keeps the likeliest only.
 */
export function sampled(candidates, { temperature, top_k, top_p, min_p }) {
  let left = candidates.slice(0, top_k);
  if (!left.length) return [];
  const total = left.reduce((sum, { probability }) => sum + probability, 0);
  let before = 0;
  left = left.filter(({ probability }) => {
    const kept = before < top_p;
    before += probability / total;
    return kept;
  });
  const floor = min_p * left[0].probability;
  left = left.filter(({ probability }, index) => index === 0 || probability >= floor);
  if (temperature === 0) return [{ ...left[0], probability: 1 }];
  const weights = left.map(({ probability }) => Math.exp(Math.log(probability) / temperature));
  const sum = weights.reduce((a, b) => a + b, 0);
  return left.map(({ token }, index) => ({ token, probability: weights[index] / sum }));
}
