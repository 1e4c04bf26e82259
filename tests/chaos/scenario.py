"""What a scenario is: a fault, what it proves, and what it may lead to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.account import Rules
from chaos.people import TWILIO
from chaos.stage import Stage
from chaos.system import Variation
from chaos.workload import Style

Act = Callable[[Stage], None]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One of the suite. `act` makes the trouble and ends it; load runs before, meanwhile and afterwards."""

    name: str
    number: str  #: of the list of failures that it belongs to, F1 to F28
    proves: str
    act: Act
    rules: Rules = field(default_factory=Rules)
    style: Style = field(default_factory=Style)
    behaviour: Mapping[str, Any] = field(default_factory=dict)  #: of the simulated provider
    variations: Mapping[str, Variation] = field(default_factory=dict)
    #: Whether clients must not notice anything.
    only_accepted: bool = False
    fast: bool = False  #: also run with every `./smsgw test`
    patience: float = 0.0  #: seconds that all may take to end beyond what leases and waits take
    vendor: str = TWILIO  #: whose simulated accounts take messages
    clustered: bool = False  #: needs three brokers
    needs: Callable[[], str | None] = lambda: None  #: why it cannot be run on this machine
    package: str | None = None  #: of Debian, that makes it possible


class Suite:
    """Scenarios by name, in the order in which they are written down."""

    def __init__(self) -> None:
        self.scenarios: dict[str, Scenario] = {}

    def scenario(self, number: str, **how: Any) -> Callable[[Act], Act]:
        """Make a function a scenario: its name is the scenario's, its docstring what it proves."""

        def add(act: Act) -> Act:
            name = act.__name__.replace("_", "-")
            self.add(Scenario(name=name, number=number, proves=" ".join((act.__doc__ or "").split()), act=act, **how))
            return act

        return add

    def add(self, scenario: Scenario) -> None:
        if scenario.name in self.scenarios:
            raise ValueError(f"there are two scenarios {scenario.name}")
        self.scenarios[scenario.name] = scenario


#: Outcomes may have become unknown: a worker died, or a provider gave no clear answer.
DOUBT = Rules(ends=frozenset({"delivered", "unknown"}), doubt=True)
#: No report, which would show or settle what somebody else should have.
UNREPORTED = {"reports": {"statuses": []}}
SENT = Rules(ends=frozenset({"sent", "unknown"}), doubt=True)
#: Posts take long enough to be interrupted.
SLOW = {"latency": 0.5, "reports": {"statuses": [{"status": "delivered", "delay": 0.1}]}}
suite = Suite()
