"""Detectors that learn what is normal for an actor and its tenant, and speak of what is rare, as often as a budget allows.

One way for all of them: events add to the window of their key; when a window ends, or while it grows beyond what is usual, the key is
compared with its own history and with its tenant's (``consider``); what was usual is learned after it was scored; what is under an open
alert is not. The only place where river is imported.
"""
