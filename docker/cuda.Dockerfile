# fuseprop on an NVIDIA GPU: the driver comes from the host, everything else from wheels. From the top:
#   docker build -f docker/cuda.Dockerfile -t fuseprop:cuda .
# For a driver older than CUDA 13 add --build-arg CUDA=cuda12; with --build-arg EXTRAS=test the tests run in it.
# A first stage compiles training steps and makes the wheel; the image has what is in it, installed, and no
# compiler, no sources, no cache and no wheel: that is mounted while it is installed. Needs BuildKit, as docker
# has it since version 23. Bytecode is kept of what a training imports: a command starts three times as fast
# with it, and that of everything would take twice as much.
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
ARG CUDA=cuda13
ARG EXTRAS=sklearn,tables
# The requirement is that wheel, of this repository at the version that was copied. Compiled kernels are cached
# in .cupy, which has to be there and the user's own, so that a volume mounted on it is too.
# hadolint ignore=DL3013
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    python -m pip install --no-cache-dir --no-compile "$(echo /wheels/*.whl)[${EXTRAS},${CUDA}]" \
 && fuseprop train iris --epochs 1 --members 1 --device cpu --quiet \
 && useradd --create-home --uid 1000 learner \
 && install --directory --owner=learner /home/learner/.cupy
USER 1000
WORKDIR /home/learner
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
ENTRYPOINT ["fuseprop"]
CMD ["doctor"]
