"""Programs that measure: `python -m benchmarks.FOLDER.PROGRAM`, from the top of the checkout.

A folder is about one subject, and its main program is `run`. Results are JSON files in results/; only pages/ writes
what people read. `python -m benchmarks.run` runs everything that README and docs show.
"""
