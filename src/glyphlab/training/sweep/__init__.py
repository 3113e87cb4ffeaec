"""Sweeps: many trials of one recipe, each a normal run, spread over processes and machines.

definition.py   what a sweep file says, checked whole: parsing.py reads its tables, settings.py has its values
space.py        which settings are varied, and their combinations
bases.py        the trained networks that trials begin with, in the sweep's folder
ledger.py       the book of trials: who is at which, what came out; each trial is claimed exactly once
entry.py        what the book has of a trial; storage.py: where the book is kept
locks.py        one claim at a time, and who is alive: file locks, or PostgreSQL's
trial.py        one claimed trial as a training run; baselines.py: as a classifier of scikit-learn
worker.py       a process that works through trials; supervise.py: starts and watches workers
results.py      what came out, as values and as CSV
"""
