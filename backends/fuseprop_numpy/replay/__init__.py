"""A program compiled to one flat list of prebound calls.

`compile` goes through the program's calls; `position` joins those that go by the position in the epoch.
"""
