"""What each command of the command line does: calls one function of the package and prints what it returns.

One module for each kind of thing that commands work on. None imports another but `output`: a command starts with what
it needs and no more."""
