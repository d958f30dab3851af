"""How tests trace and compile: most do both more than they run."""

import jax
import numpy as np
from flax.core.scope import Scope
from jax._src import compiler

# What XLA does unless told otherwise; jax has no public setting for some programs of a process.
USUAL = (("xla_cpu_use_fusion_emitters", True), ("xla_cpu_parallel_codegen_split_count", 32))
options_of_process = compiler.get_compile_options
param_of_flax = Scope.param


def compile_quickly(quick):
    """In a sixth of the time, in exchange for slower programs; or as users compile."""
    jax.config.update("jax_disable_most_optimizations", quick)
    compiler.get_compile_options = options_of_process if quick else usual_options


def usual_options(*args, **kwargs):
    options = options_of_process(*args, **kwargs)
    options.env_option_overrides = [*options.env_option_overrides, *USUAL]
    return options


def param(scope, name, init_fn, *given, **options):
    """At each use of a parameter, flax traces how it would be drawn, to compare shapes: a tenth of all tracing.

    Here it is compared with the shape that would be asked for; what is new, or does not fit, is left to flax.
    """
    if given and scope.has_variable("params", name) and np.shape(scope.get_variable("params", name)) == given[0]:
        scope.reserve(name, "params")
        return scope.get_variable("params", name)
    return param_of_flax(scope, name, init_fn, *given, **options)


Scope.param = param
