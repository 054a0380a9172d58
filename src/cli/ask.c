/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask.c - commands that are one question whose answer is shown, or one order for each of their words */
#include "ask.h"

#include "client.h"

#define ASK_MS 60000

int ask_question(int argc, char **argv, const AskQuestion *question)
{
    gboolean as_json = FALSE;
    const GOptionEntry options[] = { OPTION_JSON(&as_json), { NULL } };
    g_autoptr(Json) answer = NULL;
    Json *params = json_object(), *meant;
    int most = 0, status;

    while (question->keys[most])
        most++;
    if (!client_words(&argc, &argv, options, question->least, most)) {
        json_unref(params);
        return 2;
    }
    for (int i = 1; i < argc; i++)
        json_set_string(params, question->keys[i - 1], argv[i]);
    answer = client_call(question->method, params, ASK_MS, &status);
    if (!answer)
        return status;
    meant = question->part ? json_get(answer, question->part) : answer;
    if (as_json)
        client_print_json(meant);
    else
        question->show(meant, argv + 1);
    return 0;
}

int ask_each(int argc, char **argv, const char *method, Json *params)
{
    g_autoptr(Json) same = params ? params : json_object();
    int worst = 0;

    if (!client_words(&argc, &argv, NULL, 1, G_MAXINT))
        return 2;
    for (int i = 1; i < argc; i++) {
        int status;
        g_autoptr(Json) result = client_call(method, json_set_string(json_copy(same), "job", argv[i]), ASK_MS, &status);

        worst = result ? worst : status;
    }
    return worst;
}
