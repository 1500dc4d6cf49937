FROM python:3.11-slim
RUN useradd --create-home --uid 1000 lab && mkdir -p /home/lab/mulberry /data /storage && chown lab /home/lab/mulberry /data /storage
USER lab
WORKDIR /home/lab/mulberry
ENV PATH=/home/lab/venv/bin:$PATH PYTHONUNBUFFERED=1 MULBERRY_HOME=/data MULBERRY_STORAGE=/storage
RUN python -m venv /home/lab/venv
COPY --chown=lab pyproject.toml constraints.txt README.md manage.py ./
COPY --chown=lab training training
COPY --chown=lab webapp webapp
COPY --chown=lab workers workers
COPY --chown=lab templates templates
COPY --chown=lab static static
RUN pip install --no-cache-dir -c constraints.txt -e .
EXPOSE 8000
CMD ["mulberry", "web", "--host", "0.0.0.0"]
