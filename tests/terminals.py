"""Programs on a terminal, and what is to be seen there."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

from runs import ROOT

TERMINAL = {"TERM": "xterm", "CI": "", "PYTHONIOENCODING": "utf-8"}


def open_terminal(columns=100):
    """(our end, the program's end) of a terminal that wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    return ours, theirs


class OnTerminal:
    """A process whose output and errors go to a terminal, as they do where a user starts it."""

    def __init__(self, command, columns=100, **more):
        self.ours, theirs = open_terminal(columns)
        self.process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            cwd=ROOT,
            stdout=theirs,
            stderr=theirs,
            env=os.environ | TERMINAL | more,
        )
        os.close(theirs)
        self.output = ""

    def read(self):
        """More of what it wrote; False if there will be none."""
        try:
            found = os.read(self.ours, 4096)
        except OSError:  # nobody is at the other end any more
            found = b""
        self.output += found.decode(errors="replace")
        return bool(found)

    def read_until(self, text):
        while text not in self.output:
            assert self.read(), self.output

    def finish(self):
        """(exit status, all that it wrote)."""
        while self.read():
            pass
        os.close(self.ours)
        return self.process.wait(), self.output


def screen(output):
    """The lines that such output leaves on a terminal: carriage returns go back, and `ESC [ K` clears from there on."""
    lines, at = [[]], 0
    rest = output.replace("\x1b[K", "\x00")
    for character in rest:
        if character == "\n":
            lines.append([])
        elif character == "\r":
            at = 0
        elif character == "\x00":
            del lines[-1][at:]
        else:
            lines[-1][at : at + 1] = character
            at += 1
    return ["".join(line).rstrip() for line in lines]
