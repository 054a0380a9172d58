# Manual pages
dist_man_MANS += docs/sojourn.1 docs/sojourn-rig.1 docs/sojourn-supervisor.8 docs/sojournd.8 docs/sojournd.conf.5
dist_man_MANS += docs/sojourn-openmosix.1 docs/openmosix/cpujob.1 docs/openmosix/fastdecay.1 docs/openmosix/iojob.1 docs/openmosix/migrate.1 docs/openmosix/mosctl.1 docs/openmosix/mosrun.1 docs/openmosix/mps.1 docs/openmosix/nodecay.1 docs/openmosix/nomig.1 docs/openmosix/runhome.1 docs/openmosix/runon.1 docs/openmosix/setpe.1 docs/openmosix/showmap.1 docs/openmosix/slowdecay.1
