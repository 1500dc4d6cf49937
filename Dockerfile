FROM python:3.11-slim
RUN useradd --create-home --uid 1000 lab && mkdir -p /data /storage /datasets && chown lab /data /storage
USER lab
ENV PATH=/home/lab/venv/bin:$PATH PYTHONUNBUFFERED=1 \
    MULBERRY_HOME=/data MULBERRY_STORAGE=/storage MULBERRY_DATA=/datasets
RUN python -m venv /home/lab/venv
WORKDIR /home/lab/source
COPY --chown=lab pyproject.toml constraints.txt README.md LICENSE ./
COPY --chown=lab training training
COPY --chown=lab webapp webapp
COPY --chown=lab workers workers
COPY --chown=lab templates templates
COPY --chown=lab static static
COPY --chown=lab docs docs
RUN pip install --no-cache-dir -c constraints.txt .
WORKDIR /home/lab
EXPOSE 8000
CMD ["mulberry", "web", "--host", "0.0.0.0"]
