"""`python -m leanformer ...` is the same as `leanformer ...`."""

from leanformer.cli.main import main

if __name__ == "__main__":
    main()
