# The agent: static, its own flags, no GLib
