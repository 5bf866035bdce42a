# The service image: tidewatch worker, tidewatch pager, tidewatch topics create.
#
#   docker build -t tidewatch .
#
# The base is pinned by tag; pin it harder with --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:... (no digest is
# written here, because none could be looked up where this was made). Python packages are pinned by their hashes.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
RUN python3 -m venv /opt/tidewatch
# A folder wheels/ beside this file is optional: with PIP_NO_INDEX=1 the build needs no network.
COPY requirements/base.txt wheels* ./wheels/
ARG PIP_NO_INDEX
RUN /opt/tidewatch/bin/pip install --no-cache-dir --require-hashes --find-links wheels -r wheels/base.txt
COPY pyproject.toml LICENSE README* ./
COPY stream stream
COPY alerts alerts
RUN /opt/tidewatch/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
    && /opt/tidewatch/bin/pip uninstall --yes wheel pip

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/tidewatch tidewatch
COPY --from=build /opt/tidewatch /opt/tidewatch
# Inside a container "localhost" is nobody: listen on all its addresses.
ENV PATH=/opt/tidewatch/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TIDEWATCH_WORKER_HOST=0.0.0.0 \
    TIDEWATCH_PAGER_HOST=0.0.0.0 \
    TIDEWATCH_HEALTH_URL=http://127.0.0.1:6066/healthz
WORKDIR /var/lib/tidewatch
USER 10001
EXPOSE 6066 6067
# 503, when records wait and nothing moves; the pager's URL is set by docker-compose.yml
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request as r; r.urlopen(os.environ['TIDEWATCH_HEALTH_URL'], timeout=4)"]
ENTRYPOINT ["tidewatch"]
CMD ["worker"]
