"""Where everything lies: zones and paths, atomic files, tables, ledger, mapping."""
