"""The web process: Gunicorn's settings, derived from the environment."""

import os
from ipaddress import ip_network
from typing import Any

import structlog
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.http.message import Request
from gunicorn.workers.base import Worker
from prometheus_client import multiprocess

from sms_backend.core.environment import environment
from sms_backend.core.logs import configure
from sms_backend.core.metrics import process


class JsonLogger(Logger):
    """Gunicorn's words through our logs; a request's path without its query, which may hold a number."""

    def setup(self, cfg: Any) -> None:
        """No handlers of its own: the root logger has ours, in the master too, which never reads Django's settings."""
        configure(environment.smsgw_log_level)
        self.cfg = cfg
        self._requests = structlog.get_logger("web")
        for own in (self.error_log, self.access_log):
            own.handlers.clear()
            own.propagate = True

    def access(self, resp: Any, req: Request, _environ: dict[str, Any], request_time: Any) -> None:
        """One line a request; probes say nothing while they are content."""
        status = int(resp.status_code)
        if req.path in {"/healthz", "/readyz", "/metrics"} and status < 400:
            return
        self._requests.info(
            "web.request", method=req.method, path=req.path, status=status, duration_ms=round(request_time.total_seconds() * 1000, 1)
        )


bind = f"{environment.smsgw_web_host}:{environment.smsgw_web_port}"
workers = environment.smsgw_web_workers
worker_class = "gthread"
threads = 4
timeout = 60
graceful_timeout = 20
keepalive = 5
# Whose X-Forwarded-Proto says that a browser came by https, without which Django refuses forms that it sends.
forwarded_allow_ips = ",".join(str(ip_network(proxy, strict=False)) for proxy in environment.trusted_proxies) or "127.0.0.1,::1"
logger_class = JsonLogger
control_socket_disable = True


def child_exit(_server: Arbiter, worker: Worker) -> None:
    """Have the metrics forget a worker's live gauges."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(process(worker.pid))  # type: ignore[no-untyped-call]
