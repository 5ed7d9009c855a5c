"""For netcluster_test: processes of an mpirun that send to rank 0, which prints what comes.

    traffic.py MEGABYTES SENDER...     ranks that send so much each, all at the same time
    traffic.py BUSY TOKEN              rank 0 prints its network namespace; all stay until the end
"""

import os
import socket
import sys
import time

RANK = int(os.environ["OMPI_COMM_WORLD_RANK"])
PORT = 5000  # the namespace has no other user


def receive(listener, senders, size):
    connections = [listener.accept()[0] for _ in range(senders)]
    for connection in connections:
        connection.sendall(b"!")
    begin = time.monotonic()
    for connection in connections:  # what others send meanwhile waits in the sockets' buffers
        left = size
        while left:
            left -= len(connection.recv(min(left, 1 << 16)))
    print("seconds %.6f" % (time.monotonic() - begin))


def send(size):
    while True:
        try:
            connection = socket.create_connection(("host0", PORT))
            break
        except ConnectionRefusedError:
            time.sleep(0.01)
    connection.recv(1)
    connection.sendall(bytes(size))


def main():
    if sys.argv[1] == "BUSY":
        if RANK == 0:
            print(os.readlink("/proc/self/ns/net"), flush=True)
        time.sleep(600)
    size = int(float(sys.argv[1]) * 1e6)
    senders = [int(word) for word in sys.argv[2:]]
    if RANK == 0:
        receive(socket.create_server(("", PORT)), len(senders), size)
    elif RANK in senders:
        send(size)


main()
