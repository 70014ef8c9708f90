# fuseprop on a CPU. From the top of the repository:
#   docker build -f docker/cpu.Dockerfile -t fuseprop:cpu .
FROM python:3.12-slim
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY backends backends
# The requirement is this repository itself, at the version that was copied.
# hadolint ignore=DL3013
RUN python -m pip install --no-cache-dir ".[sklearn]" \
 && useradd --create-home --uid 1000 learner
USER 1000
WORKDIR /home/learner
ENTRYPOINT ["fuseprop"]
CMD ["doctor"]
