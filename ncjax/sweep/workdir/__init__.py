"""The directory of a sweep: lock, ledger, checkpoints, event files, environment, trained runs."""
