#!/usr/bin/env python3
"""Holds a listening socket for programs that come and go, as systemd does.

    holder.py hold PATH CONTROL         until killed; says "held" when it listens
    holder.py exec CONTROL COMMAND...   become COMMAND, with the socket as descriptor 3
"""
import os
import socket
import sys


def hold(path, control):
    with socket.socket(socket.AF_UNIX) as held, socket.socket(socket.AF_UNIX) as asked:
        held.bind(path)
        os.chmod(path, 0o666)
        held.listen(4096)
        asked.bind(control)
        asked.listen()
        print("held", flush=True)
        while True:
            with asked.accept()[0] as c:
                socket.send_fds(c, [b"x"], [held.fileno()])


def become(control, command):
    with socket.socket(socket.AF_UNIX) as c:
        c.connect(control)
        fd = socket.recv_fds(c, 1, 1)[1][0]
    if fd != 3:
        os.dup2(fd, 3)
        os.close(fd)
    os.set_inheritable(3, True)
    os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    os.execvp(command[0], command)


if sys.argv[1] == "hold":
    hold(*sys.argv[2:4])
else:
    become(sys.argv[2], sys.argv[3:])
