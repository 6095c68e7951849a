"""The text detector, measured: generated frames with known text and without any, and what is found in them.

python -m benchmarks.pixels                      # 600 frames with text, 600 without; the tables and the misses
python -m benchmarks.pixels --frames 100 --first 200 --sheet misses.png
"""
