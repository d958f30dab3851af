"""microgrid_v0: grids with batteries, generators, sun and wind behind one feeder, and the least that a day can cost.

`grids.py` what they own, `profiles.py` and `readings.py` a day's loads, weather and prices, `settlement.py` who pays
what, `task.py` the environment; `program.py` and `optimum.py` the linear program, `controllers.py` yardsticks,
`saving.py` what share of the possible saving a team makes.
"""
