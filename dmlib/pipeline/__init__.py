"""The order of things: what a run consists of, what of it is up to date, and doing the rest.

`products` declares what is built from what, `steps` adds the notebooks and the pages, `ledger` knows whether a step is
up to date and runs it, `notebooks` executes a notebook (papermill), `run` does all of it in order, `provenance`
accounts for files.
"""
