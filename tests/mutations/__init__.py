"""Mutation testing: takes one guard at a time out of a copy of the product, and expects its test to fail.

The mutations are data, one file per room in `guards/`. `python -m tests.mutations` walks them.
"""
