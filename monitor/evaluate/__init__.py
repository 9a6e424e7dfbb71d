"""How well attacks are found: alerts held against the truth about the traffic they came from."""
