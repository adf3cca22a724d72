# CPU image of zoo, as a user without privileges. The quickstart needs no network inside it:
#   docker build -t zoo .
#   docker run --rm -v "$PWD/builds:/home/zoo/builds" zoo build --all --suite quickstart
# The volume must be writable by user 1000. Nobody has built this image in continuous integration yet; its commands are
# those of `make quickstart`, which is tested.
FROM python:3.11-slim

RUN useradd --create-home --uid 1000 zoo
WORKDIR /opt/zoo
# PyTorch first and alone: a layer of its own, without CUDA
RUN pip install --no-cache-dir "torch>=2.8,<2.14" --index-url https://download.pytorch.org/whl/cpu
COPY pyproject.toml README.md LICENSE ./
COPY zoo zoo
COPY model_cards/templates model_cards/templates
COPY leaderboard leaderboard
COPY benchmarks/published.yaml benchmarks/published.yaml
RUN pip install --no-cache-dir ".[quickstart,serve,space]"

USER zoo
WORKDIR /home/zoo
ENV HF_HUB_OFFLINE=1
ENTRYPOINT ["zoo"]
CMD ["--help"]
