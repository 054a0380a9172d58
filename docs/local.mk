# Manual pages
dist_man_MANS += docs/sojourn.1 docs/sojourn-rig.1 docs/sojourn-supervisor.8 docs/sojournd.8 docs/sojournd.conf.5
