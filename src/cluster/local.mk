# What knows other nodes. GnuTLS twice, by halves: x509.c makes and reads keys and certificates,
# tls-session.c speaks TLS with them. msgpack in serf.c, Avahi in seeker.c.
noinst_LIBRARIES += libcluster.a
libcluster_a_SOURCES = \
	src/cluster/admission.c \
	src/cluster/authority.c src/cluster/authority.h \
	src/cluster/cluster.c src/cluster/cluster.h src/cluster/cluster-private.h \
	src/cluster/discovery.c src/cluster/discovery.h \
	src/cluster/gossip.h src/cluster/gossip-key.c src/cluster/gossip-serf.c \
	src/cluster/hello.c \
	src/cluster/keyring.c src/cluster/keyring.h \
	src/cluster/known.c \
	src/cluster/lag.c src/cluster/lag.h \
	src/cluster/listen.c \
	src/cluster/members.c src/cluster/members.h src/cluster/members-private.h \
	src/cluster/members-file.c src/cluster/members-rows.c src/cluster/members-watch.c \
	src/cluster/order.c \
	src/cluster/peer.c src/cluster/peer.h src/cluster/peer-call.c src/cluster/peer-private.h \
	src/cluster/pending.c \
	src/cluster/removal.c \
	src/cluster/seeker.c src/cluster/seeker.h \
	src/cluster/serf.c src/cluster/serf.h src/cluster/serf-process.c \
	src/cluster/tls.c src/cluster/tls.h \
	src/cluster/tls-connection.c src/cluster/tls-connection.h \
	src/cluster/tls-dial.c \
	src/cluster/tls-identity.c src/cluster/tls-identity.h \
	src/cluster/tls-listen.c \
	src/cluster/tls-session.c src/cluster/tls-session.h \
	src/cluster/token.c src/cluster/token.h \
	src/cluster/waiting.c \
	src/cluster/x509.c src/cluster/x509.h \
	$(NULL)
libcluster_a_CFLAGS = $(AM_CFLAGS) $(GNUTLS_CFLAGS) $(MSGPACK_CFLAGS) $(AVAHI_CFLAGS)
CLUSTER_LIBS = libcluster.a $(COMMON_LIBS) $(GNUTLS_LIBS) $(MSGPACK_LIBS) $(AVAHI_LIBS)
