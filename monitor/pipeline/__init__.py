"""The steps an event takes between its source and the alerts."""
