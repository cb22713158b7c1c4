"""The board: from records and predictions to the tables that people read, keep and compare. Pure: no disk, no clock."""
