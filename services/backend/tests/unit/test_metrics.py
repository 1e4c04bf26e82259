"""What is counted many at once is counted all the same."""

from prometheus_client import REGISTRY

from sms_backend.core import metrics


def _value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"smsgw_provider_request_seconds_{name}", {"provider": "counted", **labels}) or 0.0


def test_observations_are_counted_in_their_buckets():
    for result, seconds in (("2xx", 0.01), ("2xx", 0.05), ("2xx", 0.2), ("500", 30.0)):
        metrics.observe_provider("counted", result, seconds)
    assert _value("count", result="2xx") == 0
    metrics.count_observed()
    metrics.count_observed()
    assert [_value("bucket", result="2xx", le=le) for le in ("0.05", "0.1", "0.25", "+Inf")] == [2, 2, 3, 3]
    assert (_value("count", result="2xx"), round(_value("sum", result="2xx"), 6)) == (3, 0.26)
    assert [_value("bucket", result="500", le=le) for le in ("20.0", "+Inf")] == [0, 1]
