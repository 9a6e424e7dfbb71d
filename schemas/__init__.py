"""What things are: events, findings, alerts, and the input formats that become events."""
