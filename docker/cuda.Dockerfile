# fuseprop on an NVIDIA GPU: the driver comes from the host, everything else from wheels. From the top:
#   docker build -f docker/cuda.Dockerfile -t fuseprop:cuda .
# For a driver older than CUDA 13 add --build-arg CUDA=cuda12; with --build-arg EXTRAS=test the tests run in it.
FROM python:3.12-slim
ARG CUDA=cuda13
ARG EXTRAS=sklearn
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY backends backends
# The requirement is this repository itself, at the version that was copied. Compiled kernels are cached in
# .cupy, which has to be there and the user's own, so that a volume mounted on it is too.
# hadolint ignore=DL3013
RUN python -m pip install --no-cache-dir ".[${EXTRAS},${CUDA}]" \
 && useradd --create-home --uid 1000 learner \
 && install --directory --owner=learner /home/learner/.cupy
USER 1000
WORKDIR /home/learner
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
ENTRYPOINT ["fuseprop"]
CMD ["doctor"]
