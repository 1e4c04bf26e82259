# Server A, the gateway. Built from the project's root:
#   docker build --file deploy/docker/gateway.Dockerfile --tag smsgw-gateway .

FROM python:3.13-slim-bookworm AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PROJECT_ENVIRONMENT=/opt/smsgw UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir "uv==0.13.9"
WORKDIR /src
COPY pyproject.toml uv.lock ./
COPY packages/contract packages/contract
COPY services/gateway services/gateway
# What the lock file says and nothing else; the result does not refer to /src.
# Extras are named at the build: --build-arg EXTRAS="--extra otel".
ARG EXTRAS=
RUN uv sync --frozen --no-dev --no-editable --package sms-gateway $EXTRAS

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin smsgw \
    && install --directory --owner=smsgw --group=smsgw /run/smsgw
COPY --from=build /opt/smsgw /opt/smsgw
ENV PATH=/opt/smsgw/bin:$PATH PYTHONUNBUFFERED=1 \
    PROMETHEUS_MULTIPROC_DIR=/run/smsgw/metrics SMSGW_GATEWAY_HOST=0.0.0.0 SMSGW_GATEWAY_PORT=8000
USER 10001:10001
WORKDIR /run/smsgw
EXPOSE 8000
# Alive, not ready: a gateway whose broker is away is not helped by a restart.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['SMSGW_GATEWAY_PORT']}/healthz\", timeout=2)"]
CMD ["python", "-m", "sms_gateway"]
