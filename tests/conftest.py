"""What holds for all tests."""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A job in the background ignores Ctrl-C, and so would all that it starts; tests send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
