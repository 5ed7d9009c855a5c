# A machine that builds and tests Starling:
#   docker build -t starling . && docker run -it -v "$PWD:/starling" starling
FROM debian:12
COPY third_party/install-packages third_party/debian-packages*.txt /tmp/packages/
RUN cd /tmp/packages && ./install-packages debian-packages.txt debian-packages-test.txt \
    && rm -rf /tmp/packages /var/lib/apt/lists/*
WORKDIR /starling
CMD ["/bin/bash"]
