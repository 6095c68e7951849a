"""A scored benchmark of de-identification in the manner of MIDI-B (MICCAI 2024), made here from nothing real.

people.py, phrases.py     who is in it, and what was written about them
sheet.py                  a data set that notes, as it is filled, what a de-identifier should make of each value
header.py, images.py, reports.py, pixels.py, corpus.py   the instances
key.py                    the answer key
output.py, score.py, strict.py   what a tool made of them, row by row; what the rows do not see
tools.py, table.py        who is scored; the table
"""
