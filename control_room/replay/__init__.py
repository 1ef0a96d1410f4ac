"""`lamproom replay`: play a recording into the page, from any instant of it, at any speed.

`recording.py` opens a file, `judging.py` raises its alarms anew, `moments.py` tells how all stood
at an instant, `player.py` plays. Nothing here can be taken for live: everything is under the prefix
`replay`, and the page says so.
"""
