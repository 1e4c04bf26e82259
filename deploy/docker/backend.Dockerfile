# Server B: one image, whose processes differ by their command. Built from the project's root:
#   docker build --file deploy/docker/backend.Dockerfile --tag smsgw-backend .

FROM python:3.13-slim-bookworm AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PROJECT_ENVIRONMENT=/opt/smsgw UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir "uv==0.13.9"
WORKDIR /src
COPY pyproject.toml uv.lock ./
COPY packages/contract packages/contract
COPY packages/providers packages/providers
COPY services/backend services/backend
# What the lock file says and nothing else; the result does not refer to /src.
# Extras are named at the build: --build-arg EXTRAS="--extra otel".
ARG EXTRAS=
RUN uv sync --frozen --no-dev --no-editable --package sms-backend $EXTRAS

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin smsgw \
    && install --directory --owner=smsgw --group=smsgw /run/smsgw /run/smsgw/metrics
COPY --from=build /opt/smsgw /opt/smsgw
ENV PATH=/opt/smsgw/bin:$PATH PYTHONUNBUFFERED=1 DJANGO_SETTINGS_MODULE=sms_backend.config.settings \
    PROMETHEUS_MULTIPROC_DIR=/run/smsgw/metrics SMSGW_WEB_HOST=0.0.0.0 SMSGW_WEB_PORT=8001
USER 10001:10001
WORKDIR /run/smsgw
EXPOSE 8001
# For the web process; compose.yaml has others for the others, which listen nowhere.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['SMSGW_WEB_PORT']}/healthz\", timeout=2)"]
CMD ["gunicorn", "-c", "python:sms_backend.config.gunicorn", "sms_backend.config.wsgi:application"]
