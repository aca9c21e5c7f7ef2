"""Scaling relations of a universe, measured as it is read, beside the published ones.

Nothing here knows how the embedded universe was made: what is measured comes through `Universe` and `Galaxy`, so the
same functions measure TNG. Only the published medians are shared with the code that draws the embedded universe
(`dmlib.universe.embedded.relations`).
"""

from .compare import QUENCHED_BELOW, Comparison, compare, scaling_relations
from .measure import Rotation, centrals, measure, rotation, rotations

__all__ = [
    "QUENCHED_BELOW",
    "Comparison",
    "Rotation",
    "centrals",
    "compare",
    "measure",
    "rotation",
    "rotations",
    "scaling_relations",
]
