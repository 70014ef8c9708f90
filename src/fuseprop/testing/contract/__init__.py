"""What every backend must do: each operation against its formula in float64, and networks as a whole.

`BackendContract` joins the tests of the modules; a backend's own test class inherits it.
"""

from fuseprop.testing.contract.access import AccessContract
from fuseprop.testing.contract.elementwise import ElementwiseContract
from fuseprop.testing.contract.epoch import EpochContract
from fuseprop.testing.contract.inference import InferenceContract
from fuseprop.testing.contract.losses import LossContract
from fuseprop.testing.contract.memory import MemoryContract
from fuseprop.testing.contract.nan import NanContract
from fuseprop.testing.contract.reduction import ReductionContract
from fuseprop.testing.contract.repeated import RepeatedContract
from fuseprop.testing.contract.update import UpdateContract
from fuseprop.testing.contract.whole import WholeContract


class BackendContract(
    WholeContract,
    ReductionContract,  # and ReplayContract, whose tools it has
    RepeatedContract,
    NanContract,
    AccessContract,
    UpdateContract,
    InferenceContract,
    LossContract,
    ElementwiseContract,
    EpochContract,
    MemoryContract,
):
    """Subclass it in a test module: ``class TestMine(BackendContract): pass``.

    pytest runs tests of the last base class first: operations come before steps, and whole networks at last.

    Examples
    --------
    >>> from fuseprop.testing import BackendContract
    >>> class TestMine(BackendContract):
    ...     pass
    """
