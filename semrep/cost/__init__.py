"""What a source costs: measured times, and modelled traffic where no GPU is at hand."""

from semrep.cost.counters import Counters, NotCounted, count
from semrep.cost.estimate import Estimate, TrafficEstimate, estimate
from semrep.cost.measurement import Measurement, NotMeasured, measure
from semrep.cost.operations import modelled_seconds

__all__ = [
    "Counters",
    "Estimate",
    "Measurement",
    "NotCounted",
    "NotMeasured",
    "TrafficEstimate",
    "count",
    "estimate",
    "measure",
    "modelled_seconds",
]
