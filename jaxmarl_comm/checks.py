"""Which settings do not go together, or not with the task. Each check yields what is wrong, in one line each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jaxmarl_comm.envs.base import WORD, Env
from jaxmarl_comm.registry import strangers
from jaxmarl_comm.suggest import did_you_mean

if TYPE_CHECKING:
    from jaxmarl_comm.config import Config


def check_task(cfg: Config, env: Env) -> Iterator[str]:
    """Whether agents can act and talk as the config says."""
    comm = cfg.comm
    try:
        cfg.channel(env)
    except ValueError as error:
        yield str(error)
    choices = {name for space in env.action_spaces.values() for name, _ in space.factors}
    if comm.speech != "none" and WORD not in choices:
        yield f"comm.speech is {comm.speech}, but nobody can speak in {env.name}"
    if comm.speech != "reinforced" and not choices - {WORD}:
        yield (
            f"all that the agents of {env.name} can do is to speak, so nothing could be learned unless words are "
            f"chosen as actions: comm.speech is {comm.speech}; set comm.preset to speech"
        )
    if env.continuous_actions and comm.listening_coef:
        yield "comm.listening_coef needs discrete actions"
    if env.continuous_actions and comm.signalling_coef and comm.speech == "reinforced":
        yield "comm.signalling_coef needs words, which continuous actions are not"


def check_alike(task: Env, learned: Env) -> Iterator[str]:
    """Whether those who learned in one variant of a task can act in the other."""
    if task.agents != learned.agents:
        yield f"{len(learned.agents)} agents learn {task.name} together, but {len(task.agents)} would be judged"
    elif any(getattr(task, what) != getattr(learned, what) for what in ("obs_dims", "action_spaces")):
        yield f"agents that learn {task.name} see or do something else than those who would be judged"
    elif any(getattr(task, what) != getattr(learned, what) for what in ("groups", "teams", "team_names")):
        yield f"agents that learn {task.name} are in other groups or teams than those who would be judged"


def check_schedules(cfg: Config) -> Iterator[str]:
    """Whether what a schedule ends at means something."""
    for name in cfg.scheduled:
        end, default = getattr(cfg, f"{name}_end"), type(cfg).model_fields[f"{name}_end"].default
        if getattr(cfg, f"{name}_schedule") == "constant" and end != default:
            yield f"{name}_end means nothing while {name}_schedule is constant"


def check_nets(cfg: Config, env: Env) -> Iterator[str]:
    """Whether there are the groups whose networks are to be others, and who is told apart has something in common."""
    for group in cfg.net.groups:
        if group not in env.groups:
            yield (
                f"net.groups has '{group}', but the groups of {env.name} are {', '.join(env.groups)}"
                f"{did_you_mean(group, env.groups)}"
            )
    if cfg.actor_id != "none" and not cfg.share_params:
        yield "actor_id tells agents apart that share a policy, but share_params is false"
    if cfg.net.last_step and cfg.comm.speech == "differentiable":
        yield "net.last_step must be false where comm.speech is differentiable: words of before do not change anew"
    if cfg.net.grows:
        yield from check_room(cfg, env)


def check_room(cfg: Config, env: Env) -> Iterator[str]:
    """Whether networks are such as can grow, and have the room that they begin with."""
    if cfg.net.memory != "none" or cfg.net.critic_memory != "none" or cfg.comm.integrate == "gru":
        yield (
            "net.max_width, max_layers and activations are for networks without cells: net.memory, net.critic_memory "
            "must be none, and comm.integrate not gru"
        )
    for group, net in cfg.nets(env.groups).items():
        widths = cfg.net.widths_of(group, cfg.hidden_dim)
        if len(set(widths)) > 1:
            yield f"networks that may grow have layers of one width, but those of {group} are {widths}"
        if len(widths) < 2:
            yield f"networks that may grow have two layers at least, but {group} has one"
        for setting, least, most in (("width", widths[0], net.hidden[0]), ("layers", len(widths), len(net.hidden))):
            if least > most:
                yield f"net.max_{setting} is {most}, but {group} begins with {least}"


def check_teams(cfg: Config, env: Env) -> Iterator[str]:
    """Whether there are the teams that are to learn otherwise."""
    for team in cfg.teams:
        if team not in env.team_names:
            learn = "team that learns" if len(env.team_names) == 1 else "teams that learn"
            yield (
                f"teams has '{team}', but the {learn} in {env.name}: {', '.join(env.team_names)}"
                f"{did_you_mean(team, env.team_names)}"
            )
            continue
        if others := strangers(cfg.teams[team].model_dump(exclude_none=True), cfg.algorithm):
            yield f"in teams.{team}, {others}"
        if cfg.teams[team].reward_mix is not None and cfg.of_team(team, "reward_sharing") != "mixed":
            yield f"teams.{team}.reward_mix means nothing unless its reward_sharing is mixed"
        if cfg.teams[team].channel is not None:
            yield from check_channel_of(cfg, env, team)
    if len(cfg.silent_teams(env)) == len(env.team_names):
        yield "teams.*.channel is false of all teams; set comm.preset to none"


def check_channel_of(cfg: Config, env: Env, team: str) -> Iterator[str]:
    """Whether there is something for a team to do without, and something left to do."""
    if cfg.comm.rounds == 0 and cfg.comm.speech == "none":
        yield f"teams.{team}.channel means nothing where nobody has one: comm.preset is {cfg.comm.preset}"
        return
    of_team = [group for group, of in env.group_teams.items() if env.team_names[of] == team]
    choices = {name for group in of_team for name, _ in env.action_spaces[group].factors}
    if cfg.teams[team].channel is False and choices == {WORD}:
        yield f"teams.{team}.channel is false, but all that {team} can do in {env.name} is to speak"
