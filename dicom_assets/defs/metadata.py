"""The only module that writes metadata: counts, codes and pseudonymous study keys."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

import dagster as dg

from ..storage.ledger import StudyRow
from ..workflow.health import Health

_ROWS_SHOWN = 50
_COUNTS = ("found", "expected", "received", "missing", "deidentified", "quarantined", "released", "withheld")


def study_metadata(rows: Sequence[StudyRow]) -> dict[str, dg.MetadataValue]:
    """Totals over the batch's studies, and a table of the studies."""
    totals = {name: sum(getattr(row, name) or 0 for row in rows) for name in _COUNTS}
    states = Counter(row.state for row in rows)
    return {
        "studies": dg.MetadataValue.int(len(rows)),
        **{name: dg.MetadataValue.int(total) for name, total in totals.items()},
        "received_bytes": dg.MetadataValue.int(sum(row.bytes for row in rows)),
        **{f"studies_{state}": dg.MetadataValue.int(count) for state, count in sorted(states.items())},
        "table": dg.MetadataValue.md(_table(rows)),
    }


def _table(rows: Sequence[StudyRow]) -> str:
    """Those that need a look first."""
    columns = ("study_key", "state", "reason", *_COUNTS)
    ordered = sorted(rows, key=lambda row: (row.state == "done", row.study_key))
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in ordered[:_ROWS_SHOWN]:
        values = ("" if getattr(row, name) is None else str(getattr(row, name)) for name in columns)
        lines.append("| " + " | ".join(values) + " |")
    if len(rows) > _ROWS_SHOWN:
        lines.append(f"\n{len(rows) - _ROWS_SHOWN} more: `dicom-assets ledger BATCH`")
    return "\n".join(lines)


def health_metadata(state: Health) -> dict[str, dg.MetadataValue]:
    """One value a field; counts by reason as their sum, and as a list."""
    shown: dict[str, dg.MetadataValue] = {"needs_a_person": dg.MetadataValue.text(", ".join(state.concerns))}
    for name, value in asdict(state).items():
        if isinstance(value, dict):
            shown[name] = dg.MetadataValue.int(sum(value.values()))
            reasons = "\n".join(f"- {count} {reason}" for reason, count in value.items())
            shown |= {f"{name}_by_reason": dg.MetadataValue.md(reasons)} if value else {}
        elif isinstance(value, bool):
            shown[name] = dg.MetadataValue.bool(value)
        else:
            shown[name] = dg.MetadataValue.int(value) if isinstance(value, int) else dg.MetadataValue.text(value)
    return shown


def check_metadata(
    looked_at: int, failed: int, where: Sequence[str], not_made: str = ""
) -> dict[str, dg.MetadataValue]:
    """where: pseudonymous keys of what failed. not_made: reason code where the check could not be made."""
    shown = "\n".join(f"- `{key}`" for key in where[:_ROWS_SHOWN])
    return {
        "looked_at": dg.MetadataValue.int(looked_at),
        "failed": dg.MetadataValue.int(failed),
        **({"where": dg.MetadataValue.md(shown)} if where else {}),
        **({"not_made": dg.MetadataValue.text(not_made)} if not_made else {}),
    }
