"""Replaces a generated block of the documentation with standard input.

    some-command | python -m tools.docs.write_block NAME

replaces the text between `<!-- NAME -->` and `<!-- /NAME -->` in the page that has it.
"""

import sys

from tools.docs.pages import write_block

if __name__ == "__main__":
    content = sys.stdin.read()  # before the page is read: the command takes minutes
    write_block(sys.argv[1], content)
