# The two commands of the README in a container: docker build -t book . && docker run -v "$PWD/out:/book/build" book
FROM python:3.12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
WORKDIR /book
COPY . .
RUN make .venv/.installed
CMD ["make", "book"]
