"""`python -m sms_gateway`: serve, as the environment says."""

import uvicorn

from sms_gateway import settings as configuration
from sms_gateway.observability import logs


def main() -> None:
    settings = configuration.from_environment()
    logs.configure(settings.log_level)
    folder = settings.prometheus_multiproc_dir
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob("*.db"):
            stale.unlink()
    uvicorn.run(
        "sms_gateway.main:create_app",
        factory=True,
        host=settings.gateway_host,
        port=settings.gateway_port,
        workers=settings.gateway_workers,
        loop="uvloop",
        http="sms_gateway.protocol:Protocol",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(settings.gateway_trusted_proxies),
        forwarded_allow_ips=settings.gateway_trusted_proxies or None,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
