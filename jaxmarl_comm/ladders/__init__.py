"""Where a task's ladder comes from: what the best teams return, by planning through the task's own physics and rewards.

Agents may push anywhere in the convex hull of what one action can do: the diamond of the five moves, the square of
continuous actions. Where nobody collides and rewards are distances (squared or not) to a fixed target (simple_v3,
simple_reference_v3, simple_speaker_listener_v4), returns are concave in the pushes, and `silent` and `oracle` are
*strict bounds*: no team of that kind returns more on average, but for the standard error of the episodes. Where agents
bump into each other or choose their places (simple_spread_v3, simple_line_v1, simple_formation_v1), the oracle is the
*best found* by gradient from several assignments, and a better team may exist.

`attainable` is what plans of single actions return in the environment itself, so that a team which knows as much can
reach it. Returns are undiscounted means over agents.
"""
