"""Where people look: viewer's server and page, alarm subscriber, journal, replay."""
