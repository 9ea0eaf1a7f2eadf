"""Models on n-grams that are delivered: tables in 8 or 16 bits, run by compiled code, or by numpy with the same result.

Made by `compress.linear` and `compress.hashed`, and by `leanformer quickstart`.
"""
