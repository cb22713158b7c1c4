"""What holds for the whole test run."""

import signal

# A shell that starts the tests in the background lets all of their children ignore Ctrl-C, which some tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
