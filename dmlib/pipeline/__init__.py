"""The order of things: what a run consists of, what of it is up to date, and doing the rest.

``imports`` reads which modules a step uses, ``steps`` says what the steps are and depend on, ``engine`` knows whether
one is up to date and runs it (doit), ``notebooks`` executes a notebook (papermill), ``run`` does all of it in order.
"""
