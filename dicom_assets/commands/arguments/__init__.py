"""The arguments of each command, for the parser; cli.py knows which command is in which module."""

import argparse

Commands = argparse._SubParsersAction  #: what add_subparsers() gives
EXIT_CODES = """exit codes: 0 all done; 1 failed; 2 usage; 3 done, but something was quarantined or is incomplete"""
