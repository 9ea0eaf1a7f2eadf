"""`python -m leanformer ...` is `leanformer ...`."""

from leanformer.cli.main import main

if __name__ == "__main__":
    main()
