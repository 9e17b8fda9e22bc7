"""Replaces a generated block of the documentation with standard input.

    some-command | python tools/docs/write_block.py NAME

replaces the text between `<!-- NAME -->` and `<!-- /NAME -->` in the page that has it.
"""

import sys

from pages import documentation_pages, write_block

if __name__ == "__main__":
    content = sys.stdin.read()  # before the page is read: the command takes minutes
    write_block(sys.argv[1], content, documentation_pages())
