/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web-session.c - who is logged in at the HTTP view (see web-session.h) */
#include "web-session.h"

#include <string.h>
#include <sys/random.h>

#define SECRET_BYTES 32
#define TOKENS_OF_USER 8
#define SESSIONS_OF_USER 16

typedef struct {
    char *digest;
    uid_t uid;
    gint64 born_us;
} Token;

struct WebSessions {
    GQueue tokens;    /* Token *, oldest first */
    GQueue sessions;  /* WebSession *, oldest first */
    void (*ended)(WebSession *session);
};

/* 256 random bits in hexadecimal (g_free). */
static char *secret(void)
{
    unsigned char bytes[SECRET_BYTES];
    GString *text = g_string_new(NULL);

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        g_error("the kernel gives no random numbers");
    for (gsize i = 0; i < sizeof bytes; i++)
        g_string_append_printf(text, "%02x", bytes[i]);
    return g_string_free(text, FALSE);
}

static char *digest_of(const char *text)
{
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
}

/* Takes the same time wherever they differ. */
static gboolean is_same(const char *a, const char *b)
{
    gsize length = strlen(a);
    unsigned char difference = 0;

    if (strlen(b) != length)
        return FALSE;
    for (gsize i = 0; i < length; i++)
        difference |= a[i] ^ b[i];
    return difference == 0;
}

static void token_free(Token *token)
{
    g_free(token->digest);
    g_free(token);
}

WebSessions *web_sessions_new(void (*ended)(WebSession *session))
{
    WebSessions *sessions = g_new0(WebSessions, 1);

    g_queue_init(&sessions->tokens);
    g_queue_init(&sessions->sessions);
    sessions->ended = ended;
    return sessions;
}

void web_sessions_free(WebSessions *sessions)
{
    while (!g_queue_is_empty(&sessions->sessions))
        web_sessions_end(sessions, g_queue_peek_head(&sessions->sessions));
    g_queue_clear_full(&sessions->tokens, (GDestroyNotify)token_free);
    g_free(sessions);
}

static uid_t token_uid(gconstpointer token)
{
    return ((const Token *)token)->uid;
}

static uid_t session_uid(gconstpointer session)
{
    return ((const WebSession *)session)->uid;
}

/* The oldest of a user's in the queue, if there is no room for another: there are `most`; else NULL. */
static gpointer in_the_way(const GQueue *queue, uid_t (*uid_of)(gconstpointer), uid_t uid, guint most)
{
    gpointer oldest = NULL;
    guint count = 0;

    for (GList *i = queue->head; i; i = i->next) {
        if (uid_of(i->data) != uid)
            continue;
        oldest = oldest ?: i->data;
        count++;
    }
    return count < most ? NULL : oldest;
}

char *web_sessions_token(WebSessions *sessions, uid_t uid, gint64 now_us)
{
    char *text = secret();
    Token *token = g_new(Token, 1), *old = in_the_way(&sessions->tokens, token_uid, uid, TOKENS_OF_USER);

    *token = (Token){digest_of(text), uid, now_us};
    if (old) {
        g_queue_remove(&sessions->tokens, old);
        token_free(old);
    }
    g_queue_push_tail(&sessions->tokens, token);
    return text;
}

WebSession *web_sessions_login(WebSessions *sessions, const char *token, gint64 now_us)
{
    g_autofree char *digest = digest_of(token);
    WebSession *session, *old;

    web_sessions_sweep(sessions, now_us);
    for (GList *i = sessions->tokens.head; i; i = i->next) {
        Token *kept = i->data;

        if (!is_same(kept->digest, digest))
            continue;
        old = in_the_way(&sessions->sessions, session_uid, kept->uid, SESSIONS_OF_USER);
        if (old)
            web_sessions_end(sessions, old);
        session = g_new0(WebSession, 1);
        session->cookie = secret();
        session->key = secret();
        session->uid = kept->uid;
        session->born_us = session->used_us = now_us;
        g_queue_push_tail(&sessions->sessions, session);
        g_queue_delete_link(&sessions->tokens, i);
        token_free(kept);
        return session;
    }
    return NULL;
}

static gboolean is_over(const WebSession *session, gint64 now_us)
{
    return now_us - session->used_us > (gint64)WEB_IDLE_S * G_USEC_PER_SEC ||
           now_us - session->born_us > (gint64)WEB_SESSION_S * G_USEC_PER_SEC;
}

WebSession *web_sessions_find(WebSessions *sessions, const char *cookie, const char *key, gint64 now_us)
{
    for (GList *i = sessions->sessions.head; cookie && key && i; i = i->next) {
        WebSession *session = i->data;

        if (!is_same(session->cookie, cookie) || !is_same(session->key, key) || is_over(session, now_us))
            continue;
        session->used_us = now_us;
        return session;
    }
    return NULL;
}

void web_sessions_end(WebSessions *sessions, WebSession *session)
{
    g_queue_remove(&sessions->sessions, session);
    if (sessions->ended)
        sessions->ended(session);
    g_free(session->cookie);
    g_free(session->key);
    g_free(session);
}

guint web_sessions_end_of(WebSessions *sessions, uid_t uid)
{
    GList *next;
    guint count = 0;

    for (GList *i = sessions->sessions.head; i; i = next) {
        next = i->next;
        if (((WebSession *)i->data)->uid != uid)
            continue;
        web_sessions_end(sessions, i->data);
        count++;
    }
    for (GList *i = sessions->tokens.head; i; i = next) {
        Token *token = i->data;

        next = i->next;
        if (token->uid != uid)
            continue;
        g_queue_delete_link(&sessions->tokens, i);
        token_free(token);
    }
    return count;
}

void web_sessions_sweep(WebSessions *sessions, gint64 now_us)
{
    GList *next;

    for (GList *i = sessions->sessions.head; i; i = next) {
        next = i->next;
        if (is_over(i->data, now_us))
            web_sessions_end(sessions, i->data);
    }
    for (GList *i = sessions->tokens.head; i; i = next) {
        Token *token = i->data;

        next = i->next;
        if (now_us - token->born_us <= (gint64)WEB_TOKEN_S * G_USEC_PER_SEC)
            continue;
        g_queue_delete_link(&sessions->tokens, i);
        token_free(token);
    }
}

void web_sessions_each(WebSessions *sessions, void (*each)(WebSession *session, gpointer user), gpointer user)
{
    g_queue_foreach(&sessions->sessions, (GFunc)(void (*)(void))each, user);
}

void web_sessions_end_if(WebSessions *sessions, gboolean (*is_out)(const WebSession *session))
{
    GList *next;

    for (GList *i = sessions->sessions.head; i; i = next) {
        next = i->next;
        if (is_out(i->data))
            web_sessions_end(sessions, i->data);
    }
}

guint web_sessions_count(const WebSessions *sessions)
{
    return sessions->sessions.length;
}

guint web_sessions_tokens(const WebSessions *sessions)
{
    return sessions->tokens.length;
}
