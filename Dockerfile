# The book in a container: docker build -t book . && docker run --shm-size=256m -v "$PWD/out:/out" book
# leaves the pages in out/html. Options of make: docker run ... book make book PROFILE=smoke
FROM python:3.12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
WORKDIR /book
COPY . .
RUN make .venv/.installed
ENV DMLIB_BUILD=/out
CMD ["make", "book"]
