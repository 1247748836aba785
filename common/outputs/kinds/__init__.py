"""The kinds of output: all that depends on whether a model gives classes, a number or votes is decided here.

A new kind is a file with a class of its own (see `kind.Kind`) and a line in `KINDS`.
"""

from __future__ import annotations

from common.outputs.kinds.classes import Classes
from common.outputs.kinds.distributed import DistributedMass, DistributedNumber, DistributedRedshift
from common.outputs.kinds.kind import Kind
from common.outputs.kinds.mass import Mass
from common.outputs.kinds.number import Number
from common.outputs.kinds.redshift import Redshift
from common.outputs.kinds.votes import Votes
from sdss_gs.schema import Output

KINDS: dict[str, type[Kind]] = {
    "classes": Classes,
    "redshift": Redshift,
    "mass": Mass,
    "number": Number,
    "votes": Votes,
}
"""By `Output.kind`."""
DISTRIBUTED: dict[str, type[Kind]] = {
    "redshift": DistributedRedshift,
    "mass": DistributedMass,
    "number": DistributedNumber,
}
"""By `Output.kind`, of outputs with an `Output.grid`."""


def kind_of(output: Output) -> Kind:
    """Return what is particular to an output's kind.

    Examples
    --------
    >>> from sdss_gs.schema import OUTPUTS
    >>> kind_of(OUTPUTS["smass"]).headline
    'scatter_dex'
    """
    return (DISTRIBUTED if output.grid else KINDS)[output.kind](output)
