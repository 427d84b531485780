# The product alone: no sandbox, no development tools.
FROM python:3.11-slim AS build
WORKDIR /src
RUN pip install --no-cache-dir "uv>=0.8"
COPY pyproject.toml uv.lock README.md LICENSE ./
# dependencies first, so that a change of code does not install them again
RUN UV_PROJECT_ENVIRONMENT=/opt/tbops uv sync --frozen --no-default-groups --no-install-project --no-cache
COPY tbops tbops
COPY bot bot
COPY workers workers
COPY ledger ledger
COPY runbooks runbooks
COPY config config
COPY systems systems
COPY sandbox sandbox
RUN UV_PROJECT_ENVIRONMENT=/opt/tbops uv sync --frozen --no-default-groups --no-editable --no-cache

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home tbops
COPY --from=build /opt/tbops /opt/tbops
ENV PATH=/opt/tbops/bin:$PATH PYTHONUNBUFFERED=1 MPLCONFIGDIR=/opt/tbops/matplotlib
# the list of fonts, which each process would make anew, as its user has no home: the first picture would come late
RUN python -c "import matplotlib.font_manager" && chown -R tbops /opt/tbops/matplotlib
WORKDIR /etc/tbops
USER 10001
EXPOSE 3000
# a worker has no port: it is healthy when its ledger answers and its pulse was seen lately
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["tbops", "health"]
ENTRYPOINT ["tbops"]
CMD ["bot"]
