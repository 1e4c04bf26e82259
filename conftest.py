"""For every tier: property tests judge values, and how busy the machine is meanwhile fails none of them."""

from hypothesis import HealthCheck, settings

settings.register_profile("smsgw", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("smsgw")
