# The server and its workers; docker-compose.yml starts them together.
FROM python:3.12-slim-bookworm

WORKDIR /app
COPY requirements.txt pyproject.toml ./
RUN pip install --no-cache-dir -r requirements.txt "psycopg[binary]>=3.2,<4" "redis>=5,<9"
COPY main.py config.py ./
COPY kick_clip_generator kick_clip_generator

# Everything that is kept lies in one volume, which all containers share.
WORKDIR /data
RUN useradd --system --uid 1000 clips && chown clips /data
USER clips
VOLUME /data
ENV HOST=0.0.0.0 PYTHONUNBUFFERED=1
EXPOSE 8000
ENTRYPOINT ["python", "/app/main.py"]
CMD ["serve"]
