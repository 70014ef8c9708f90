# fuseprop on a CPU. From the top of the repository:
#   docker build -f docker/cpu.Dockerfile -t fuseprop:cpu .
# A first stage compiles training steps; the image has the wheel that it makes, and no compiler.
FROM python:3.12-slim AS wheel
WORKDIR /source
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY backends backends
# Fails where training steps cannot be compiled; --build-arg FUSEPROP_NATIVE=off builds without them.
ARG FUSEPROP_NATIVE=require
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
COPY --from=wheel /wheels /wheels
# The requirement is that wheel, of this repository at the version that was copied.
# hadolint ignore=DL3013
RUN python -m pip install --no-cache-dir "$(echo /wheels/*.whl)[sklearn,tables]" \
 && useradd --create-home --uid 1000 learner
USER 1000
WORKDIR /home/learner
ENTRYPOINT ["fuseprop"]
CMD ["doctor"]
