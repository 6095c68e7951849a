"""The six columns of the mapping that users know, in their order: of the CSV export, and of a folder's mapping.csv.

Apart from mapping.py, so that the command for folders need not load what reads Parquet.
"""

COLUMNS = (
    "Original Filename",
    "Anonymized Filename",
    "Original Patient ID",
    "Anonymized ID",
    "Tags Anonymized",
    "UIDs Regenerated",
)
