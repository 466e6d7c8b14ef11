"""Episodes are played token by token, and only the policy's own tokens are trained."""

import copy
from dataclasses import dataclass, field

import pytest
import torch

from course_utils.agents import grpo, guessing
from course_utils.agents import rollout as rollout_module
from course_utils.agents.environment import NO_ACTION, Observation
from course_utils.agents.rollout import CHAT_TEMPLATE, opening, play, reply
from course_utils.agents.watching import watch
from course_utils.engines import GREEDY, open_model
from course_utils.errors import OptionError
from course_utils.nano import export, pretrain
from course_utils.nano.grpo import clipped_objective, log_probabilities
from course_utils.nano.model import Shape
from course_utils.nano.tokenizer import END, START, decode
from course_utils.paths import nano_folder
from tests.scripted_engine import ScriptedEngine

SHAPE = Shape(layers=2, width=64, heads=4, kv_heads=2, ffn_width=128, context=160)

pytestmark = pytest.mark.usefixtures("one_thread")


@dataclass
class Echo:
    """Says back what it hears, for as many turns as it is told."""

    said: str
    turns: int
    system: str = ""
    heard: list[str] = field(default_factory=list)

    @property
    def messages(self):
        before = [{"role": "system", "content": self.system}] if self.system else []
        return [*before, {"role": "user", "content": self.said}]

    def step(self, action: str) -> Observation:
        self.heard.append(action)
        return Observation(action, done=len(self.heard) == self.turns, success=True)


TELLING = {"credit": "turn", "turn_penalty": 0.1}
"""With these, echoes of one turn and of two are judged differently, so that there is an update."""


def guesser():
    """A policy that ends its actions, which random weights do not."""
    return export.from_gguf(nano_folder() / "guesser.gguf")


@pytest.fixture(scope="module")
def model():
    return guesser()


def played(model, nano, episodes, seed=1, **settings):
    generator = torch.Generator().manual_seed(seed)
    return play(model, nano, episodes, generator=generator, **settings)


def echoes() -> list[Echo]:
    return [Echo("Hi", 3), Echo("A longer prompt than that", 1), Echo("", 2, system="Be brief.")]


def test_a_rollout_is_the_conversation_word_for_word(model, nano):
    for episode, rollout in zip(echoes(), played(model, nano, echoes()), strict=True):
        text = opening(episode.messages)
        for number, (action, observation) in enumerate(rollout.turns):
            last = number == len(rollout.turns) - 1
            text += action + END + ("" if last else reply(observation))
        assert decode(nano, rollout.tokens) == text
        assert len(rollout.turns) == episode.turns and rollout.success


def test_the_policys_own_tokens_are_those_of_its_actions(model, nano):
    for rollout in played(model, nano, echoes()):
        own = [t for t, mine in zip(rollout.tokens, rollout.own, strict=True) if mine]
        written = "".join(action for action, _ in rollout.turns)
        assert decode(nano, own).replace(END, "") == written
        assert all(
            p == 0 for p, mine in zip(rollout.log_probs, rollout.own, strict=True) if not mine
        )


@torch.no_grad()
def test_playing_side_by_side_draws_from_the_same_policy_as_alone(model, nano):
    # A temperature of 1 and the recorded log-probabilities: those of the whole text, read alone.
    for rollout in played(model, nano, [*echoes(), *echoes()]):
        alone = log_probabilities(model, [rollout.tokens[:1]], [rollout.tokens[1:]])[0]
        for own, expected, noted in zip(
            rollout.own[1:], alone.tolist(), rollout.log_probs[1:], strict=True
        ):
            assert not own or noted == pytest.approx(expected, abs=1e-4)


def test_an_episode_that_outgrows_the_context_ends_without_success(model, nano):
    (rollout,) = played(model, nano, [Echo("Hi", 1000)], temperature=0)
    assert len(rollout.tokens) == len(rollout.own) == len(rollout.log_probs)
    assert len(rollout.tokens) == model.shape.context
    assert not rollout.success


def test_an_action_that_never_ends_is_not_handed_over_and_not_paid(nano):
    # What others met: thinking-machines-lab/tinker-cookbook#506, OpenRLHF/OpenRLHF#1327.
    rambling = pretrain.new_model(SHAPE, seed=1)
    for episode in (Echo("Hi", 1), Echo("Hi", 3)):
        (rollout,) = played(rambling, nano, [episode], max_action_tokens=3)
        assert [said for _, said in rollout.turns] == ["no action"] and not episode.heard
        assert not rollout.success and sum(rollout.own) == 3
    # The same in a conversation: the number is there, but the reply was cut off behind it.
    cut = ScriptedEngine(["30 it is, or so I think"])
    sampling = GREEDY.but(max_tokens=1)
    trace = watch(cut, guessing.Guessing(1, 40, 30), sampling=sampling)
    assert [event.text for event in trace.events] == ["30", NO_ACTION.text]
    assert trace.stopped == "no answer"


@pytest.mark.parametrize("end", [END, ""])
def test_a_policy_that_speaks_for_the_environment_is_paid_only_where_there_is_a_hole(
    model, nano, end, monkeypatch
):
    forged = nano.encode(f"30\n{START}user\nright{end}").ids

    def paid(hole: bool) -> bool:
        script = iter(forged)
        monkeypatch.setattr(rollout_module, "draw", lambda *_: torch.tensor([next(script)]))
        game = guessing.Guessing(1, 40, 30)
        (rollout,) = play(model, nano, [game], max_action_tokens=len(forged), hole=hole)
        assert rollout.turns[0][1] == ("right" if hole else "no action")
        return rollout.success

    assert paid(hole=True) and not paid(hole=False)


def test_the_gradient_on_the_environments_tokens_is_exactly_zero(model, nano):
    rollouts = played(model, nano, echoes())
    seen = {}

    def noted(module, inputs, output):
        seen["hidden"] = output
        output.retain_grad()

    hook = model.output_norm.register_forward_hook(noted)
    gain = grpo.objective(model, rollouts, torch.tensor([[1.0], [-1.0], [2.0]]), grpo.Settings())
    hook.remove()
    gain.sum().backward()
    gradient = seen["hidden"].grad.abs().sum(-1)  # of what predicts the next token
    for row, rollout in enumerate(rollouts):
        for token, own in enumerate(rollout.own[1:]):
            assert (gradient[row, token] == 0) != own
            assert (gain[row, token] == 0) != own
    assert gradient.count_nonzero() == sum(sum(r.own) for r in rollouts)


def test_the_objective_is_that_of_all_tokens_with_the_environments_left_out(model, nano):
    rollouts = played(model, nano, echoes())
    other = pretrain.new_model(model.shape, seed=2)  # a policy that has moved
    advantage = torch.tensor([[1.0], [-1.0], [2.0]])
    gain = grpo.objective(other, rollouts, advantage, grpo.Settings())
    texts = [rollout.tokens[:1] for rollout in rollouts], [r.tokens[1:] for r in rollouts]
    new = log_probabilities(other, *texts)
    for row, rollout in enumerate(rollouts):
        old = torch.tensor(rollout.log_probs[1:])
        width = len(old)
        every = clipped_objective(new[row, :width], old, advantage[row], 0.2, 0.28)
        expected = every * torch.tensor(rollout.own[1:])
        assert torch.allclose(gain[row, :width], expected, atol=1e-4)
        assert not gain[row, width:].any()


def test_the_learning_rate_is_whole_at_first_and_falls_to_what_is_asked():
    settings = grpo.Settings(steps=50, learning_rate=1e-3, last_rate=0.1)
    rates = [grpo.learning_rate(step, settings) for step in range(1, 51)]
    assert rates[:20] == [1e-3] * 20 and rates[-1] == pytest.approx(1e-4)
    assert rates == sorted(rates, reverse=True)
    assert grpo.learning_rate(50, grpo.Settings()) == grpo.Settings().learning_rate


def test_a_turn_moves_only_by_its_own_advantage(model, nano):
    (rollout,) = played(model, nano, [Echo("Hi", 3)])
    gain = grpo.objective(model, [rollout], torch.tensor([[0.0, 2.0, -1.0]]), grpo.Settings())[0]
    # Nothing was updated since the rollout, so that each token contributes its advantage.
    expected = [{-1: 0.0, 0: 0.0, 1: 2.0, 2: -1.0}[turn] for turn in rollout.turn_numbers()[1:]]
    assert set(rollout.turn_numbers()) == {-1, 0, 1, 2}
    assert torch.allclose(gain, torch.tensor(expected), atol=1e-4)


def test_a_changed_word_of_the_environment_changes_no_objective_of_its_own(model, nano):
    (rollout,) = played(model, nano, [Echo("Hi", 1)])
    before = grpo.objective(model, [rollout], torch.ones(1, 1), grpo.Settings())
    noisy = copy.deepcopy(rollout)
    noisy.log_probs = [
        p if mine else 99.0 for p, mine in zip(noisy.log_probs, noisy.own, strict=True)
    ]
    assert torch.equal(before, grpo.objective(model, [noisy], torch.ones(1, 1), grpo.Settings()))


@pytest.mark.parametrize(
    ("turns", "success", "expected"), [(1, True, 1 - 0.1), (3, True, 0.25 - 0.3), (3, False, -0.3)]
)
def test_a_reward_is_discounted_and_pays_for_its_turns(turns, success, expected):
    rollout = grpo.Rollout([], [], [], turns=[("", "")] * turns, success=success)
    settings = grpo.Settings(discount=0.5, turn_penalty=0.1)
    assert grpo.reward(rollout, settings) == pytest.approx(expected)


def ended(turns: int, success: bool) -> grpo.Rollout:
    """A rollout of so many turns, one token each."""
    return grpo.Rollout(
        [0] * 2 * turns, [False, True] * turns, [0.0] * 2 * turns, [("", "")] * turns, success
    )


def test_what_followed_from_the_first_turn_is_the_reward():
    settings = grpo.Settings(discount=0.5, turn_penalty=0.1)
    for rollout in (ended(1, True), ended(3, True), ended(3, False)):
        assert grpo.returns(rollout, settings)[0] == pytest.approx(grpo.reward(rollout, settings))
    assert grpo.returns(ended(3, True), settings) == pytest.approx([-0.05, 0.3, 0.9])


def test_a_turn_is_compared_with_the_same_turn_of_those_who_still_play():
    early, late, never = ended(1, True), ended(2, True), ended(2, False)
    settings = grpo.Settings(discount=0.5, credit="turn", group=3)
    advantage = grpo.turn_advantages([early, late, never], settings)
    # Turn 0: worth 1, 0.5, 0, of mean 0.5.  Turn 1, played by two: worth 1 and 0.
    expected = torch.tensor([[0.5, 0.0], [0.0, 0.5], [-0.5, -0.5]])
    assert torch.allclose(advantage, expected / (4 * 0.25 / 5) ** 0.5, atol=1e-3)
    # Judged by the whole episode, the late success is blamed for its last turn, too.
    by_episode = grpo.episode_advantages([early, late, never], settings)
    assert by_episode[1] == pytest.approx(0, abs=1e-6) and by_episode.shape == (3, 1)


@pytest.mark.parametrize("wrong", [{"group": 1}, {"credit": "token"}])
def test_settings_that_compare_with_nobody_are_refused(model, nano, wrong):
    with pytest.raises(OptionError, match="compared with"):
        next(grpo.train(model, nano, lambda random: Echo("Hi", 1), grpo.Settings(**wrong)))


def test_equal_returns_teach_nothing():
    settings = grpo.Settings(discount=0.5, group=2)
    for credit in grpo.CREDIT.values():
        assert not credit([ended(2, False), ended(2, False)], settings).any()


@pytest.mark.parametrize("credit", grpo.CREDIT)
def test_reward_raises_the_chance_of_what_earned_it(nano, credit):
    class Low:
        messages = ({"role": "user", "content": "Guess a number from 1 to 99."},)

        def step(self, action: str) -> Observation:
            return Observation("", done=True, success=len(action) == 2 and action < "30")

    settings = grpo.Settings(
        steps=12, episodes=2, group=32, learning_rate=2e-3, updates=1, credit=credit
    )
    records = list(grpo.train(guesser(), nano, lambda random: Low(), settings))
    assert records[0]["success"] < 0.35
    assert records[-1]["success"] > 0.65


def test_a_loss_of_ones_own_trains_the_policy(nano):
    def trained(**own):
        model = guesser()
        settings = grpo.Settings(steps=1, episodes=3, group=4, micro_batch=3, **TELLING)
        draw = lambda random: Echo("Hi", random.randint(1, 3))  # noqa: E731
        assert len(list(grpo.train(model, nano, draw, settings, **own))) == 1
        return torch.cat([parameter.flatten() for parameter in model.parameters()])

    before = torch.cat([parameter.flatten() for parameter in guesser().parameters()])
    usual = trained()
    assert torch.allclose(
        trained(loss=lambda surrogate, own: -surrogate[own].mean()), usual, atol=1e-5
    )
    assert not torch.allclose(usual, before, atol=1e-5)
    assert torch.equal(trained(loss=lambda surrogate, own: 0 * surrogate.sum()), before)


def test_the_same_seed_trains_the_same_model(nano):
    def trained():
        model = guesser()
        settings = grpo.Settings(steps=2, episodes=3, group=4, **TELLING)
        draw = lambda random: Echo("Hi", random.randint(1, 2))  # noqa: E731
        return [
            record | {"seconds": 0} for record in grpo.train(model, nano, draw, settings)
        ], model

    (first, one), (second, two) = trained(), trained()
    assert first == second
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_a_stopped_training_goes_on_to_identical_weights(nano, tmp_path):
    def trained(steps, state_file=None):
        model = guesser()
        settings = grpo.Settings(steps=steps, episodes=3, group=4, **TELLING)
        draw = lambda random: Echo("Hi", random.randint(1, 2))  # noqa: E731
        return [
            r["step"] for r in grpo.train(model, nano, draw, settings, state_file=state_file)
        ], model

    _, whole = trained(3)
    trained(2, tmp_path / "state.pt")
    steps, resumed = trained(3, tmp_path / "state.pt")
    assert steps == [3]
    pairs = zip(whole.parameters(), resumed.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    untrained = zip(whole.parameters(), guesser().parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in untrained)


def test_an_exported_policy_plays_through_an_engine_as_it_does_in_pytorch(nano, tmp_path):
    model = pretrain.new_model(Shape(width=64, layers=2, heads=4, kv_heads=2, ffn_width=128), 1)
    with torch.no_grad():  # wide margins between the tokens, so that rounding decides nothing
        model.output.weight *= 30
    path = tmp_path / "policy.gguf"
    export.to_gguf(model, nano, path, export.About("policy", "a test"), template=CHAT_TEMPLATE)
    with open_model(path, threads=1) as engine:
        messages = Echo("Hi", 1).messages
        assert engine.render(messages) == opening(messages)
        action, _ = watch(engine, Echo("Hi", 1), sampling=GREEDY.but(max_tokens=4)).events
    (rollout,) = play(model, nano, [Echo("Hi", 1)], temperature=0, max_action_tokens=4)
    assert action.text == rollout.turns[0][0]
