# docker build --target cpu -t s1-harness .          the tested CPU stack
# docker build --target gpu -t s1-harness:gpu .      vLLM's CUDA build; run with --gpus all --ipc=host
FROM python:3.11-slim AS base
# Debian's archive drops a package's version when the next one comes: a pinned one would soon not build.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends build-essential git make && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1000 --create-home harness
WORKDIR /home/harness/s1-harness
COPY --chown=harness . .
RUN chown harness .
USER 1000
ENV PATH=/home/harness/s1-harness/.venv/bin:$PATH

FROM base AS gpu
RUN make setup EXTRA=gpu
ENTRYPOINT ["harness"]

FROM base AS cpu
RUN make setup EXTRA=cpu
ENTRYPOINT ["harness"]
