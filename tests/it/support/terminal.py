"""Runs a command on a terminal of its own and follows a script of steps.

    terminal.py 'docker run -it busybox sh' size=24x80 'wait=/ #' 'send=exit\n'

size=ROWSxCOLUMNS  change the size of the terminal
wait=TEXT          read until TEXT came, and print what came
raw                wait until the command has switched the terminal's echo off
send=TEXT          type TEXT; \n, \x10 and the like are understood

At the end it prints what came last and the command's exit status. A step that takes over a minute fails.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

PATIENCE = 60


def main(command, *steps):
    pid, master = pty.fork()
    if pid == 0:
        os.execvp("sh", ["sh", "-c", "exec " + command])
    came = b""
    for step in steps:
        kind, _, value = step.partition("=")
        if kind == "size":
            rows, columns = map(int, value.split("x"))
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        elif kind == "send":
            os.write(master, value.encode().decode("unicode_escape").encode())
        elif kind == "raw":
            deadline = time.monotonic() + PATIENCE
            while termios.tcgetattr(master)[3] & termios.ECHO:
                if time.monotonic() > deadline:
                    sys.exit("the terminal still echoes")
                time.sleep(0.02)
        elif kind == "wait":
            came = read_until(master, came, value.encode())
        else:
            sys.exit("unknown step: " + step)
    show(read_until(master, came, None))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print("status", status)


def read_until(master, came, text):
    """Reads until `text` (None: the end), prints up to there, and returns what came after it."""
    deadline = time.monotonic() + PATIENCE
    while text is None or text not in came:
        if not select.select([master], [], [], max(0, deadline - time.monotonic()))[0]:
            sys.exit("waited in vain for %r after %r" % (text, came))
        try:
            more = os.read(master, 65536)
        except OSError:  # how Linux says that the other end has closed
            more = b""
        if not more:
            if text is None:
                return came
            sys.exit("it ended before %r: %r" % (text, came))
        came += more
    end = came.index(text) + len(text)
    show(came[:end])
    return came[end:]


def show(text):
    sys.stdout.write(text.decode(errors="replace").replace("\r", ""))
    sys.stdout.flush()


main(*sys.argv[1:])
