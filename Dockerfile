# The image of billing-bot; docs/deploy/README.md says how to run it.

FROM python:3.13-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285 AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# The one step that uses the network: each file has a hash that must be right, and none needs a compiler.
COPY requirements-deploy.lock ./
RUN pip download --require-hashes --no-deps --only-binary :all: --dest /wheels --requirement requirements-deploy.lock
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
COPY handlers handlers
COPY blocks blocks
# pip compiles what it installs: the file system is read-only later.
RUN pip wheel --no-index --find-links /wheels --no-deps --wheel-dir /wheels . \
    && python -m venv --without-pip /app \
    && pip --python /app/bin/python install --no-index --find-links /wheels /wheels/billing_bot-*.whl

FROM python:3.13-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285
LABEL org.opencontainers.image.title="billing-bot" \
      org.opencontainers.image.description="/billing for Slack: see and top up a prepaid balance at Nous Portal" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --gid 10001 billing-bot \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin billing-bot \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data
COPY --from=build /app /app
ENV PATH="/app/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=3000 \
    DATABASE_URL=sqlite:////data/billing-bot.db
# A ledger in SQLite must outlive the container; on PostgreSQL nothing is written here.
VOLUME ["/data"]
# Numbers, so that Kubernetes can tell that this is not root.
USER 10001:10001
EXPOSE 3000
STOPSIGNAL SIGTERM
# Whether the process lives. A database that is away is no reason to restart it. The start may wait a minute for it.
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["billing-bot"]
CMD ["serve"]
