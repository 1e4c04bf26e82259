"""All scenarios, in the order in which they are run."""

from chaos.scenario import Scenario, suite
from chaos.scenarios import boundaries, broker, cluster, database, limits, processes, providers, quota, redis, rolling, traffic, wires

#: Importing them has filled the suite.
MODULES = (processes, boundaries, broker, database, redis, wires, providers, traffic, limits, quota, rolling, cluster)
SCENARIOS: dict[str, Scenario] = suite.scenarios
