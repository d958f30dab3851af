"""How a team acts: its networks, its channel and its words; in a rollout, again in the update, and in execution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.algorithms import Act, View
from jaxmarl_comm.algorithms.looking_back import looking_back, noted, nothing_before
from jaxmarl_comm.algorithms.rollout import Moved
from jaxmarl_comm.comm.channel import Circumstances, Deliver, Intervention, Numbers, unchanged
from jaxmarl_comm.comm.discretise import gumbel
from jaxmarl_comm.comm.mailbox import Memory as Underway
from jaxmarl_comm.distributions import ActionDistribution, action_distribution, num_outputs
from jaxmarl_comm.envs.base import WORD, Env, State
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.nets.params import Params
from jaxmarl_comm.nets.policy import Exchanged, Recalled, TeamPolicy
from jaxmarl_comm.trees import environments_first, steps_first, where_each

if TYPE_CHECKING:
    from jaxmarl_comm.config import Config

Array = jax.Array
WORD_TEMPERATURE = 1.0  # of the task's own words, made differentiable


class Team(NamedTuple):
    """All of a team that changes in training."""

    params: Params
    numbers: Numbers


class TeamMemory(NamedTuple):
    """What a team carries from step to step.

    recalled: group -> what its agents remember; empty without memory. before: group -> `[E, n, B]`, what they saw and
    did at the step before, as `noted` puts it; empty unless they go by that.
    """

    channel: Underway
    recalled: dict[str, Recalled]
    before: dict[str, Array]


class Decision(NamedTuple):
    """What a team makes of what it sees and hears, before anything is sampled; `[...]` is `[E]` or `[E, T]`.

    distributions: group -> over `[..., n]` agents. said: `[..., N, dim_c]`, words as one-hot vectors (dim_c is 0 unless
    they are differentiable), from word_logits of the same shape. talk: what agents told each other, and
    outputs: group -> `[..., n, num_outputs]`, what the networks made of it.
    """

    distributions: dict[str, ActionDistribution]
    said: Array
    word_logits: Array
    talk: Exchanged
    outputs: dict[str, Array]


class TeamActor:
    """Pure functions that act for all agents of an environment, closed over what is static. Nothing here changes."""

    def __init__(self, cfg: Config, env: Env) -> None:
        self.env, self.channel, self.comm = env, cfg.channel(env), cfg.comm
        self.kind = cfg.action_kind(env)
        relaxed = cfg.comm.speech == "differentiable"
        speaks = {group: team not in self.channel.silent for group, team in env.group_teams.items()}
        chooses = {group: speaks[group] and cfg.comm.speech == "reinforced" for group in env.groups}
        self.factors = {
            group: {name: size for name, size in space.factors if name != WORD or chooses[group]}
            for group, space in env.action_spaces.items()
        }
        self.vocabulary = {
            group: dict(space.factors).get(WORD, 0) * (relaxed and speaks[group])
            for group, space in env.action_spaces.items()
        }
        self.relaxed = any(self.vocabulary.values())  # who could speak may be silent
        self.remembers = cfg.net.memory != "none"
        self.looks_back = cfg.net.last_step
        self.net = TeamPolicy(
            env=env,
            num_outputs={
                group: num_outputs(factors, self.kind) + self.vocabulary[group]
                for group, factors in self.factors.items()
            },
            nets=cfg.nets(env.groups),
            share_params=cfg.share_params,
            channel=self.channel,
            agent_id=cfg.actor_id,
            memory=cfg.net.memory,
            precision=cfg.net.precision,
        )

    def init(self, key: Array, obs: dict[str, Array]) -> Params:
        """Parameters. obs: group -> `[E, n, obs_dim]`, of which only the shape matters. The key is consumed."""
        num_envs = len(next(iter(obs.values())))
        numbers, start = Numbers(*[jnp.ones(())] * len(Numbers._fields)), self.channel.start(num_envs)
        somewhere = jnp.zeros((num_envs, self.env.num_agents, 2))
        circumstances = self.channel.circumstances(key, numbers, start, somewhere, training=True)
        seen = looking_back(obs, self.memory(num_envs).before)
        return self.net.init(key, seen, numbers, circumstances, self.channel.post(start, unchanged))

    def present(self, numbers: Numbers, progress: Array) -> Numbers:
        """The channel's numbers, with the temperature that its words have come to at this progress, from 0 to 1."""
        cooled = numbers.temperature * (self.comm.temperature_end / self.comm.temperature) ** progress
        return numbers._replace(temperature=cooled)

    def memory(self, num_envs: int) -> TeamMemory:
        """At the start of an episode."""
        before = nothing_before(self.env, num_envs) if self.looks_back else {}
        return TeamMemory(self.channel.start(num_envs), self.net.nothing(num_envs), before)

    def view(self, batch: Batch, state: State, obs: dict[str, Array], memory: TeamMemory) -> View:
        """What the team sees of a batch of environments."""
        return View(obs, batch.positions(state) if self.channel.needs_positions else None, memory)

    def meet(self, team: Team, key: Array, view: View, training: bool) -> Circumstances:
        """What chance and place decide at this step. The key is consumed."""
        under_way = view.memory.channel
        met = self.channel.circumstances(key, team.numbers, under_way, view.positions, training)
        if self.looks_back:
            met["before"] = view.memory.before
        return met | {"clock": under_way.clock} if self.remembers else met

    def chance(self, team: Team, key: Array, word_key: Array, view: View, state: State, batch: Batch) -> Circumstances:
        """What chance and place decide at a step that is to be learned from, words included. The keys are consumed."""
        circumstances = self.meet(team, key, view, training=True)
        if self.relaxed:
            circumstances["state"] = batch.unshared(state)
            circumstances["word_choice"] = jax.random.gumbel(word_key, batch.words(state).shape)
        return circumstances

    def explore(self, team: Team, key: Array, view: View, state: State, batch: Batch) -> tuple[Moved, Decision]:
        """Sampled actions, with what the update needs to replay the step; how they came about. The key is consumed."""
        *keys, chance_key, word_key = jax.random.split(key, len(self.env.groups) + 2)
        circumstances = self.chance(team, chance_key, word_key, view, state, batch)
        decision = self.step(team, view, circumstances, unchanged)
        group_keys = dict(zip(self.env.groups, keys, strict=True))
        chosen = {g: decision.distributions[g].sample(group_keys[g]) for g in self.env.groups}
        log_probs = {g: decision.distributions[g].log_prob(chosen[g]) for g in self.env.groups}
        actions = self.to_actions(chosen, decision)
        memory = self.after(view, circumstances, decision, actions)
        return Moved(actions, self.env.join(log_probs), memory, circumstances), decision

    def act(self, team: Team, key: Array, view: View, greedy: Array, intervene: Intervention) -> Act:
        """Actions in execution: sampled, or the most probable ones. The key is consumed."""
        *keys, chance_key = jax.random.split(key, len(self.env.groups) + 1)
        circumstances = self.meet(team, chance_key, view, training=False)
        decision = self.step(team, view, circumstances, intervene)
        chosen = {}
        for group, group_key in zip(self.env.groups, keys, strict=True):
            distribution = decision.distributions[group]
            chosen[group] = jax.lax.cond(greedy, lambda _, d=distribution: d.mode(), distribution.sample, group_key)
        packets, under_way, actions = decision.talk.packets, view.memory.channel, self.to_actions(chosen, decision)
        return Act(
            actions=actions,
            messages=_side_by_side(self.channel.on_air(packets, under_way.held, under_way.clock).message),
            sent=packets.sent,
            memory=self.after(view, circumstances, decision, actions),
            distributions=decision.distributions,
        )

    def listen(self, team: Team, key: Array, view: View) -> Array:
        """`[E, N, H]`: what agents hear at this step, with the chance of training. The key is consumed."""
        return self.step(team, view, self.meet(team, key, view, training=True), unchanged).talk.heard

    def step(self, team: Team, view: View, circumstances: Circumstances, intervene: Intervention) -> Decision:
        """What the team makes of one step."""
        deliver = self.channel.post(view.memory.channel, intervene)
        return self.decide(team, view.obs, circumstances, deliver, view.memory.recalled)

    def after(
        self, view: View, circumstances: Circumstances, decision: Decision, actions: dict[str, Array]
    ) -> TeamMemory:
        """The memory after a step at which the team went by this view and did this."""
        later = self._talked(view.memory, circumstances, decision.talk)
        return later._replace(before=noted(self.env, view.obs, actions)) if self.looks_back else later

    def _talked(self, memory: TeamMemory, circumstances: Circumstances, talk: Exchanged) -> TeamMemory:
        """The memory after agents talked so; what they saw and did before is as it was."""
        under_way = self.channel.advance(memory.channel, circumstances, talk.packets)
        return memory._replace(channel=under_way, recalled=talk.recalled)

    def replay(
        self, team: Team, obs: dict[str, Array], circumstances: Circumstances, start: TeamMemory, mute: bool = False
    ) -> Decision:
        """What the team would do now along recorded steps `[E, T, ...]`, messages sent anew with the same luck.

        start: the memory before the first step. mute: whether nothing arrives.
        """
        if self.relaxed:
            obs = self._hear_anew(self._along(team, obs, circumstances, start).said, obs, circumstances)
        return self._along(team, obs, circumstances, start, mute)

    def _along(
        self, team: Team, obs: dict[str, Array], circumstances: Circumstances, start: TeamMemory, mute: bool = False
    ) -> Decision:
        """All steps `[E, T, ...]` at once, if agents remember nothing."""
        if self.remembers:
            return self._step_by_step(team, obs, circumstances, start, mute)
        muted: Deliver = lambda k, packets: silence(packets)  # noqa: E731
        deliver = muted if mute else self.channel.post_sequence(start.channel, circumstances)
        return self.decide(team, obs, circumstances, deliver, {})

    def _step_by_step(
        self, team: Team, obs: dict[str, Array], circumstances: Circumstances, start: TeamMemory, mute: bool
    ) -> Decision:
        """Only what depends on the step before is done one step after the other: agents sense and choose at once."""
        intervene, fresh = silence if mute else unchanged, self.memory(len(start.channel.clock))

        def step(memory: TeamMemory, now: tuple[dict[str, Array], Circumstances]) -> tuple[TeamMemory, Exchanged]:
            sensed, met = now
            memory = where_each(met["clock"] == 0, fresh, memory)
            deliver = self.channel.post(memory.channel, intervene)
            talk = self.net.exchange(team.params, sensed, memory.recalled, team.numbers, met, deliver)
            return self._talked(memory, met, talk), talk._replace(recalled={})

        steps = steps_first((self._sense(team, obs, circumstances), circumstances))
        talk = environments_first(jax.lax.scan(step, start, steps)[1])
        return self._decision(team, circumstances, talk)

    def _hear_anew(self, said: Array, obs: dict[str, Array], circumstances: Circumstances) -> dict[str, Array]:
        """The same observations, with the words of the step before `said` anew, `[E, T, N, dim_c]`, gradient included.

        The words travel through the environment's state. The gradient goes one step back, not on to what made the
        speaker's own observation; and not to before the first step, whose words are as recorded.
        """
        state = circumstances["state"]
        heard = jax.vmap(jax.vmap(self.env.words))(state)
        late = jnp.concatenate([heard[:, :1], said[:, :-1]], axis=1)
        words = jnp.where((circumstances["clock"] > 0)[..., None, None], late, heard)
        observe = jax.vmap(jax.vmap(lambda s, w: self.env.observe(self.env.with_words(s, w))))
        seen = [observe(state, self._learned_by(team, words)) for team in range(len(self.env.team_names))]
        return {group: seen[team][group] for group, team in self.env.group_teams.items()}

    def _learned_by(self, team: int, words: Array) -> Array:
        """The same words `[..., N, dim_c]`, of which only the team's own carry a gradient."""
        own = np.equal(self.env.teams, team)[:, None]
        return jnp.where(own, words, jax.lax.stop_gradient(words))

    def decide(
        self,
        team: Team,
        obs: dict[str, Array],
        circumstances: Circumstances,
        deliver: Deliver,
        recalled: dict[str, Recalled],
    ) -> Decision:
        """Distributions over actions, and what is said: at one step, or at many of agents who remember nothing."""
        sensed = self._sense(team, obs, circumstances)
        talk = self.net.exchange(team.params, sensed, recalled, team.numbers, circumstances, deliver)
        return self._decision(team, circumstances, talk)

    def _sense(self, team: Team, obs: dict[str, Array], circumstances: Circumstances) -> dict[str, Array]:
        return self.net.sense(team.params, looking_back(obs, circumstances.get("before", {})))

    def _decision(self, team: Team, circumstances: Circumstances, talk: Exchanged) -> Decision:
        outputs = self.net.choose(team.params, talk)
        sizes = {g: num_outputs(self.factors[g], self.kind) for g in self.env.groups}
        distributions = {
            g: action_distribution(outputs[g][..., : sizes[g]], self.factors[g], self.kind) for g in self.env.groups
        }
        logits = {g: outputs[g][..., sizes[g] :] for g in self.env.groups}
        return Decision(distributions, *self._say(logits, circumstances.get("word_choice")), talk, outputs)

    def _say(self, logits: dict[str, Array], choice: Array | None) -> tuple[Array, Array]:
        """(words, their logits) `[..., N, dim_c]` of all agents, zeros for those who cannot speak."""
        size = max(self.vocabulary.values())
        choices = {} if choice is None else self.env.split(choice, axis=-2)
        said, all_logits = {}, {}
        for group, x in logits.items():
            if self.vocabulary[group]:
                all_logits[group] = x
                said[group] = gumbel(x, jnp.array(WORD_TEMPERATURE), choices.get(group))
            else:
                all_logits[group] = said[group] = jnp.zeros((*x.shape[:-1], size))
        return self.env.join(said, axis=-2), self.env.join(all_logits, axis=-2)

    def to_actions(self, chosen: dict[str, dict[str, Array]], decision: Decision) -> dict[str, Array]:
        """The environment's actions from the factors that the policies chose, and from what is said."""
        said, actions = self.env.split(decision.said, axis=-2), {}
        for group, space in self.env.action_spaces.items():
            parts = chosen[group]
            if self.vocabulary[group]:
                parts = {**parts, WORD: said[group] if space.continuous else jnp.argmax(said[group], axis=-1)}
            actions[group] = space.join(parts, decision.distributions[group].batch_shape)
        return actions


def silence(packets: Any) -> Any:
    """What is heard where nothing arrives."""
    return jax.tree.map(jnp.zeros_like, packets)


def _side_by_side(messages: Array) -> Array:
    """`[E, R, N, M]` -> `[E, N, R * M]`."""
    num_envs, rounds, num_agents, width = messages.shape
    return jnp.swapaxes(messages, 1, 2).reshape(num_envs, num_agents, rounds * width)
