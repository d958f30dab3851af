"""Scripted sides: who there is, what they do in hand-made states, and how they do against each other."""

from functools import cache

import jax
import numpy as np
import pytest

from jaxmarl_comm.crossing.competing import duel, scripted_entries
from jaxmarl_comm.crossing.payoffs import play_all
from jaxmarl_comm.envs import ENVS, make_env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.envs.mpe.task import ADVERSARY, GOOD
from jaxmarl_comm.evaluation.baselines import play_baselines
from jaxmarl_comm.scripted import TOLD, make_side, sides_of

LEFT, RIGHT, DOWN, UP = range(1, 5)
OFFERED = {
    "simple_v3": [["goal_seekers"]],
    "simple_reference_v3": [["goal_seekers"]],
    "simple_speaker_listener_v4": [["goal_seekers"]],
    "simple_adversary_v3": [["goal_seekers", "deceivers"], ["pursuer", "told_adversary"]],
    "simple_push_v3": [["goal_seekers"], ["pursuer", "told_adversary"]],
    "simple_tag_v3": [["evader"], ["pursuer"]],
    "simple_world_comm_v3": [["evader"], ["pursuer"]],
    "simple_crypto_v3": [["one_time_pad"], ["told_eve"]],
    "simple_spread_v3": [["place_takers"]],
    "simple_line_v1": [["place_takers"]],
    "simple_formation_v1": [["place_takers"]],
    "collect_treasure_v1": [["carriers"]],
}


@pytest.mark.parametrize("task", ENVS)
def test_what_means_nothing_is_not_offered(task):
    env = make_env(task)
    for team, special in enumerate(OFFERED.get(task, [[]])):
        aimless = ["random"] if task in ("simple_crypto_v3", "microgrid_v0") else ["stay", "random"]
        assert list(sides_of(env, team)) == aimless + special


def test_another_name_is_one_line_that_says_what_there_is():
    with pytest.raises(ValueError, match="no scripted side 'evadr' plays good in simple_tag_v3, did you mean 'evader'"):
        make_side("evadr", make_env("simple_tag_v3"), GOOD)
    with pytest.raises(ValueError, match=r"plays adversary in simple_crypto_v3; there are random, told_eve$"):
        make_side("pursuer", make_env("simple_crypto_v3"), ADVERSARY)


def state_of(env, **arrays):
    """One environment, in which all is 0 but for these arrays."""
    shapes = jax.eval_shape(env.draw, jax.random.key(0))
    one = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    one = one._replace(**{name: np.array(x, getattr(one, name).dtype) for name, x in arrays.items()})
    return one._replace(**{name: x[None] for name, x in one._asdict().items() if name != "t"})


@cache
def compiled_side(name, env, team):
    return jax.jit(make_side(name, env, team))


def moves_of(name, team, env, **arrays):
    """What each of the team's agents does there: its `move`, or the word it says."""
    state = state_of(env, **arrays)
    obs = {group: np.zeros((1, len(where), env.obs_dims[group])) for group, where in env.groups.items()}
    actions = compiled_side(name, env, team)(jax.random.key(1), state, obs)
    groups = [group for group, of in env.group_teams.items() if of == team]
    assert set(actions) == set(groups)
    return [action for group in groups for action in np.asarray(actions[group])[0].tolist()]


def test_a_pursuer_runs_at_the_nearest_prey_a_little_ahead_of_it():
    env = make_env("simple_tag_v3", num_good=2, num_adversaries=1)
    pos = [[0.0, 0.0], [0.5, 0.0], [0.0, -0.9]]
    assert moves_of("pursuer", ADVERSARY, env, pos=pos) == [RIGHT]
    fleeing = [[0.0, 0.0], [0.0, 1.3], [0.0, 0.0]]
    above = [[0.0, 0.0], [0.3, 0.1], [0.0, -0.9]]
    assert moves_of("pursuer", ADVERSARY, env, pos=above) == [RIGHT]
    assert moves_of("pursuer", ADVERSARY, env, pos=above, vel=fleeing) == [UP]


@pytest.mark.parametrize("continuous", [False, True])
def test_an_evader_runs_away_but_not_through_the_wall(continuous):
    env = make_env("simple_tag_v3", num_adversaries=1, continuous_actions=continuous)

    def flees(hunter, prey):
        (move,) = moves_of("evader", GOOD, env, pos=[hunter, prey])
        return int(np.argmax(move)) if continuous else move

    assert flees([-0.3, 0.0], [0.0, 0.0]) == RIGHT
    assert flees([0.0, 0.3], [0.0, 0.0]) == DOWN
    assert flees([0.5, 0.1], [0.88, 0.0]) in (DOWN, LEFT), "the wall is near"


def test_who_is_in_a_forest_is_neither_hunted_nor_fled_from_but_by_those_who_see_it():
    env = make_env("simple_world_comm_v3", num_adversaries=2, num_good=1)  # the leader, who sees all, and one more

    def moves(side, team, pos, forest):
        elsewhere = [[0.9, 0.9], [0.9, -0.9], [-0.9, 0.9]]
        return moves_of(side, team, env, pos=pos, landmarks=[*elsewhere, forest, [-0.9, -0.9]])

    hunters, prey = [[0.0, 0.0], [0.0, 0.1]], [0.6, 0.0]
    assert moves("pursuer", ADVERSARY, [*hunters, prey], [0.6, 0.0]) == [RIGHT, 0]
    assert moves("pursuer", ADVERSARY, [*hunters, prey], [0.0, 0.9]) == [RIGHT, RIGHT]
    hunters, prey = [[-0.5, 0.0], [-0.5, 0.1]], [0.0, 0.0]
    assert moves("evader", GOOD, [*hunters, prey], [-0.5, 0.0]) == [0]
    assert moves("evader", GOOD, [*hunters, prey], [0.0, 0.9]) == [RIGHT]


def test_deceivers_take_a_landmark_each_whatever_the_goal():
    env = make_env("simple_adversary_v3")
    pos, landmarks = [[0.0, 0.0], [0.0, 0.1], [0.1, 0.0]], [[0.9, 0.0], [0.0, 0.9]]
    for goal in range(2):
        assert moves_of("deceivers", GOOD, env, pos=pos, landmarks=landmarks, choice=[goal]) == [UP, RIGHT]
    leaking = [moves_of("goal_seekers", GOOD, env, pos=pos, landmarks=landmarks, choice=[goal]) for goal in range(2)]
    assert leaking == [[RIGHT, RIGHT], [UP, UP]]


def test_place_takers_take_a_place_each_at_the_least_total_distance():
    env = make_env("simple_spread_v3", N=2)
    landmarks = [[0.9, 0.0], [0.0, 0.9]]
    assert moves_of("place_takers", GOOD, env, pos=[[0.1, 0.0], [0.1, 0.1]], landmarks=landmarks) == [RIGHT, UP]
    assert moves_of("place_takers", GOOD, env, pos=[[0.1, 0.2], [0.1, 0.0]], landmarks=landmarks) == [UP, RIGHT]
    three, corners = make_env("simple_spread_v3"), [[0.9, 0.0], [0.0, 0.9], [-0.9, 0.0]]
    in_turn = [[0.0, 0.1], [-0.1, 0.0], [0.1, 0.0]]  # to the second, the third and the first landmark
    assert moves_of("place_takers", GOOD, three, pos=in_turn, landmarks=corners) == [UP, LEFT, RIGHT]
    in_line = make_env("simple_line_v1", N=3)  # whose middle place is between the landmarks
    pos = [[-0.6, 0.0], [0.0, 0.5], [0.6, 0.0]]
    assert moves_of("place_takers", GOOD, in_line, pos=pos, landmarks=[[-0.6, 0.0], [0.6, 0.0]]) == [0, DOWN, 0]


def test_carriers_fetch_a_treasure_each_and_bring_it_to_its_deposit():
    env = make_env("collect_treasure_v1", num_collectors=2, num_treasures=2)
    pos = [[0.0, 0.0], [0.0, 0.2], [-0.9, 0.0], [0.0, -0.9]]  # of two collectors, then of two deposits
    treasures = [[0.0, 0.9], [0.9, 0.0]]

    def moves(kinds, held, **more):
        return moves_of("carriers", GOOD, env, **{"pos": pos, "landmarks": treasures} | more, choice=[*kinds, *held])

    collectors, deposits = moves([0, 0], [-1, -1])[:2], moves([0, 0], [-1, -1])[2:]
    assert collectors == [RIGHT, UP] and deposits == [RIGHT, UP], "a deposit that nobody looks for goes to the crowd"
    apart = [[0.9, -0.9], [-0.9, 0.9], *pos[2:]]
    assert moves([0, 0], [-1, -1], pos=apart)[3] == UP, "to the middle of the crowd"
    assert moves([0, 0], [1, -1])[:2] == [DOWN, UP], "to the deposit of what is held"
    assert moves([0, 0], [0, -1])[:2] == [LEFT, UP]
    assert moves([-1, 0], [-1, -1])[:2] == [RIGHT, 0], "a treasure that is gone is nobody's"
    far = [[0.0, 0.9], [0.9, -0.7], [-0.9, 0.0], [0.0, -0.9]]
    assert moves([0, 0], [-1, 1], pos=far)[3] == RIGHT, "it meets who brings it something"
    assert moves([0, 0], [1, 1], pos=far)[3] == RIGHT, "and the nearer of two"
    assert moves([0, 0], [1, 1], pos=[*far[1::-1], *far[2:]])[3] == RIGHT


def test_carriers_with_full_hands_leave_treasures_to_others():
    pos = [[0.9, 0.1], [0.0, 0.2], [-0.9, 0.0], [0.0, -0.9]]
    for num_treasures in (1, 2, 3):  # fewer than collectors, as many, and more
        env = make_env("collect_treasure_v1", num_collectors=2, num_treasures=num_treasures)
        treasures = [[0.9, 0.2], [0.0, 0.9], [-0.9, 0.9]][:num_treasures]
        kinds, there = [0] * num_treasures, {"pos": pos, "landmarks": treasures}
        assert moves_of("carriers", GOOD, env, **there, choice=[*kinds, 0, -1])[0] == LEFT
        fetches = moves_of("carriers", GOOD, env, **there, choice=[*kinds, 0, -1])[1]
        assert fetches == (RIGHT if num_treasures == 1 else UP)
    gone = moves_of("carriers", GOOD, env, **there, choice=[0, -1, -1, 0, -1])
    assert gone[1] == RIGHT, "a far treasure is better than a near one that is gone"


@pytest.mark.parametrize(("collectors", "treasures"), [(1, 3), (3, 1), (6, 6)])
def test_carriers_do_well_however_many_there_are(collectors, treasures):
    env = make_env("collect_treasure_v1", num_collectors=collectors, num_treasures=treasures)
    batch, key = Batch(env, 200), jax.random.key(0)
    found = play_baselines(batch, key)
    assert found["carriers"].returns.mean() > found["random"].returns.mean() + 2 * collectors


def test_who_is_told_goes_to_the_goal():
    for task in ("simple_adversary_v3", "simple_push_v3"):
        env = make_env(task)
        landmarks, pos = [[0.9, 0.0], [-0.9, 0.0]], [[0.0, 0.0]] * env.num_agents
        moves = [moves_of("told_adversary", 1, env, pos=pos, landmarks=landmarks, choice=[k]) for k in (0, 1)]
        assert moves == [[RIGHT], [LEFT]]


@pytest.mark.parametrize("key", [0, 1])
@pytest.mark.parametrize("bit", [0, 1])
def test_a_one_time_pad_is_read_with_the_key(bit, key):
    env = make_env("simple_crypto_v3")
    _, sent = moves_of("one_time_pad", GOOD, env, choice=[bit, key])
    said = np.zeros((3, 4), np.float32)
    said[2, sent] = 1
    bob, again = moves_of("one_time_pad", GOOD, env, choice=[bit, key], say=said)
    assert sent == again == (bit + key) % 2 and bob == bit
    assert moves_of("told_eve", ADVERSARY, env, choice=[bit, key]) == [bit]


def test_with_vectors_bob_says_nothing_before_he_knows():
    bob, alice = moves_of("one_time_pad", GOOD, make_env("simple_crypto_v3", continuous_actions=True), choice=[1, 1])
    assert bob == [0] * 4 and alice == [1, 0, 0, 0]


@pytest.fixture(scope="module")
def returns():
    """Task -> (good, adversary) -> returns of both, of all scripted sides in 200 common episodes."""
    found = {}

    def of(task, **arguments):
        if task not in found:
            env = make_env(task, **arguments)
            rows, columns = (scripted_entries(env, team) for team in (GOOD, ADVERSARY))
            played = play_all(rows, columns, duel(Batch(env, 200), jax.random.key(0)), lambda line: None).mean
            found[task] = {(a.name, b.name): played[i, j] for i, a in enumerate(rows) for j, b in enumerate(columns)}
        return found[task]

    return of


def test_pursuers_catch_and_evaders_stay_away_and_inside(returns):
    found = returns("simple_tag_v3")
    assert found["stay", "pursuer"][1] > 10 * found["stay", "random"][1]
    assert found["evader", "pursuer"][1] < found["stay", "pursuer"][1] / 3
    for hunters in ("stay", "random", "pursuer"):
        outside = {prey: -found[prey, hunters].sum() for prey in ("evader", "random")}  # hits add up to nothing
        assert outside["evader"] < 2.5 < 7 < outside["random"]


def test_the_told_adversary_is_a_bound_and_deceivers_hide_the_goal(returns):
    found = returns("simple_adversary_v3", continuous_actions=True)
    for good in ("stay", "random", "goal_seekers", "deceivers"):
        told = found[good, "told_adversary"][1]
        assert all(told > found[good, untold][1] + 1 for untold in ("stay", "random", "pursuer"))
    assert found["deceivers", "pursuer"][0] > found["goal_seekers", "pursuer"][0] + 3


def test_told_eve_makes_no_error_and_the_pad_leaves_her_none_the_wiser(returns):
    found = returns("simple_crypto_v3")
    for pair in ("random", "one_time_pad"):
        assert found[pair, "told_eve"][1] == 0
    errors = -found["one_time_pad", "told_eve"][0]
    assert 0.5 < errors < 1.5, "Bob errs in the first step alone, by 2 in half of the episodes"


def test_who_is_told_comes_last_in_a_matrix():
    env = make_env("simple_push_v3")
    assert [entry.name for entry in scripted_entries(env, ADVERSARY)][-1] in TOLD
