"""What a source costs: measured times, and modelled traffic where no GPU is at hand."""

from semrep.cost.measurement import Measurement, NotMeasured, measure

__all__ = ["Measurement", "NotMeasured", "measure"]
