# fuseprop on an NVIDIA GPU: the driver comes from the host, everything else from wheels. From the top:
#   docker build -f docker/cuda.Dockerfile -t fuseprop:cuda .
# For a driver older than CUDA 13 add --build-arg CUDA=cuda12; with --build-arg EXTRAS=test the tests run in it.
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
ARG CUDA=cuda13
ARG EXTRAS=sklearn,tables
COPY --from=wheel /wheels /wheels
# The requirement is that wheel, of this repository at the version that was copied. Compiled kernels are cached
# in .cupy, which has to be there and the user's own, so that a volume mounted on it is too.
# hadolint ignore=DL3013
RUN python -m pip install --no-cache-dir "$(echo /wheels/*.whl)[${EXTRAS},${CUDA}]" \
 && useradd --create-home --uid 1000 learner \
 && install --directory --owner=learner /home/learner/.cupy
USER 1000
WORKDIR /home/learner
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
ENTRYPOINT ["fuseprop"]
CMD ["doctor"]
