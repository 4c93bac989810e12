# One image, three commands:
#   docker run kabambe                              the web (the default)
#   docker run kabambe python -m workers ledger     a worker; sms and mpesa are others
#   docker run kabambe python -m workers relay      the relay
# and once per release, before them:  docker run kabambe alembic upgrade head
FROM python:3.11-slim-bookworm

# An address is cheap and a compiler is not: every package comes as a wheel, checked by its hash.
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PORT=8000 \
    WEB_HOST=0.0.0.0

WORKDIR /kabambe

# Dependencies before code: they change less often, and a layer that did not change is not rebuilt.
COPY requirements.txt ./
RUN pip install --require-hashes --only-binary :all: -r requirements.txt \
 && python -m compileall -q "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

COPY core/ core/
COPY menus/ menus/
COPY gateway/ gateway/
COPY workers/ workers/
COPY migrations/ migrations/
COPY deploy/gunicorn.conf.py deploy/
COPY wsgi.py pyproject.toml ./
RUN python -m compileall -q .

# Nobody needs to write here, and nobody may; but where the log is said (a volume).
RUN useradd --system --no-create-home --shell /usr/sbin/nologin --uid 10001 kabambe \
 && install -d -o 10001 -m 755 /var/lib/kabambe/log
USER 10001

EXPOSE 8000

HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/live', timeout=2)"]

# Stopped gently: a hop under way is finished.
STOPSIGNAL SIGTERM

CMD ["gunicorn", "-c", "deploy/gunicorn.conf.py", "wsgi:app"]
