"""Settings of evolution: how many members there are, who has descendants, and in what these differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from jaxmarl_comm.settings import Count, Real, Settings, Share, Whole

if TYPE_CHECKING:
    from jaxmarl_comm.config import Config

USUAL_RANGE = ("lr", "ent_coef")  # varied about the config's values where no ranges are given
USUAL_FACTOR = 10.0
Range = Annotated[list[Annotated[Real, Field(gt=0)]], Field(min_length=2, max_length=2)]


class Probabilities(Settings):
    """How often each kind of mutation befalls a descendant, in relation to the others."""

    none: Share = Field(0.4, description="no mutation")
    rl_hp: Share = Field(0.4, description="one of the hyperparameters in ranges is multiplied by a factor")
    parameters: Share = Field(0.2, description="noise on a tenth of the policies' weights")
    architecture: Share = Field(0.0, description="more or fewer units or layers, within net.max_width and max_layers")
    activation: Share = Field(0.0, description="another of net.activations")

    @property
    def possible(self) -> dict[str, float]:
        """Kind -> weight, of the kinds that happen."""
        return {name: weight for name, weight in self.model_dump().items() if weight > 0}


KINDS = tuple(Probabilities.model_fields)
"""Of mutation, by the number that stands for each in metrics."""


class EvolutionConfig(Settings):
    """A population, evolved while it learns; a population of one is a run as ever."""

    population_size: Annotated[Count, Field(le=4096)] = Field(
        1, description="members that learn side by side, of which the fitter have descendants; 1: no evolution"
    )
    evo_interval: Count = Field(20, description="iterations between generations")
    burn_in: Whole = Field(
        0, description="iterations before the first of them: early fitness favours those who stop exploring"
    )
    selection: Literal["tournament", "truncation", "multi_frequency", "none"] = Field(
        "tournament",
        description="who has descendants: the fittest of tournament_size; the best quarter, in the place of the "
        "worst; the same in subpopulations that evolve now and then; or nobody, which is random search",
    )
    tournament_size: Count = Field(2, description="members of whom the fittest has a descendant")
    elitism: bool = Field(True, description="whether the fittest member stays as it is")
    mutate_elite: bool = Field(False, description="whether it is mutated, though, as in AgileRL")
    frequencies: list[Count] = Field(
        [1, 5], min_length=2, description="generations between those of each subpopulation, if multi_frequency"
    )

    probabilities: Probabilities = Field(default_factory=Probabilities, description="of the kinds of mutation")
    new_layer_prob: Share = Field(0.2, description="share of architecture mutations that concern layers, not units")
    mutation_sd: Real = Field(0.1, gt=0, description="size of noise on a weight, in relation to the weight")
    ranges: dict[str, Range] = Field(
        default_factory=dict,
        description="least and largest value of hyperparameters that evolve: {lr: [1e-4, 1e-2]}; none given: lr (and "
        "ent_coef, where there is one) from a tenth to tenfold",
    )
    grow_factor: Real = Field(1.2, gt=1, le=100, description="of a hyperparameter that grows")
    shrink_factor: Real = Field(0.8, gt=0, lt=1, description="of one that shrinks")
    resample_prob: Share = Field(
        0.0, description="share of rl_hp mutations that draw a hyperparameter anew from its range, as PBT does"
    )
    random_start: bool = Field(False, description="whether members begin with hyperparameters at random in ranges")

    share_replay: bool = Field(
        False, description="whether members of a population learn from what all of them have done, in one buffer_size"
    )

    fitness: Literal["return", "success"] = Field("return", description="what is selected for, in greedy episodes")
    bit_price: Real = Field(0.0, ge=0, description="fitness that each bit costs that an agent sends in an episode")
    fitness_episodes: Annotated[Count, Field(ge=2)] = Field(
        1_000, description="episodes that fitness is measured in, of the same starts for all members"
    )
    fitness_window: Annotated[Count, Field(le=1_000)] = Field(1, description="latest measurements whose mean counts")
    target: Real | None = Field(None, description="fitness at which to stop early; null: never")
    patience: Count | None = Field(
        None, description="generations without a fitter member after which to stop early; null: never"
    )

    def ranges_of(self, cfg: Config) -> dict[str, tuple[float, float]]:
        """Hyperparameter -> (least, largest value), as given or as usual."""
        if self.ranges:
            return {name: (low, high) for name, (low, high) in self.ranges.items()}
        values = {name: getattr(cfg, name, 0.0) for name in USUAL_RANGE}
        return {name: (x / USUAL_FACTOR, x * USUAL_FACTOR) for name, x in values.items() if x}


def whole(value: float) -> float | int:
    """A number without decimals as such."""
    return int(value) if value.is_integer() else value
