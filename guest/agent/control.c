/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.c - /dev/pms: what the job's processes ask and order through their control files, on its way home
 *
 * The agent understands neither. The kernel (docs/kernel.md, 60-control-files) has seen to it that the process may order,
 * keeps it waiting, and forgets it when it goes away; home knows the answers.
 */
#include "control.h"

#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* As in the kernel's include/uapi/linux/pms.h. */
struct pms_request {
    uint64_t id;
    uint16_t order, size;
    char file[20];
};

struct pms_answer {
    uint64_t id;
    int32_t error;
    uint32_t padding;
};

static void control_send(Control *control, size_t size)
{
    int error = link_send(control->link, LINK_CONTROL, control->held, size);

    control->held_size = error ? size : 0;
    watch_set(&control->watch, error ? 0 : EPOLLIN);
}

static void control_ready(void *user, uint32_t events)
{
    Control *control = user;
    struct {
        struct pms_request head;
        char text[WIRE_ORDER_MAX + 1];
    } request;
    WireMessage message = { .type = WIRE_ASK };
    ssize_t size = read(control->watch.fd, &request, sizeof request - 1);

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size < (ssize_t)sizeof request.head || request.head.size != (size_t)size - sizeof request.head) {
        say("the kernel's control files cannot be served: %s", strerror(errno));
        watch_close(&control->watch);
        return;
    }
    request.text[request.head.size] = 0;
    message.ask.id = request.head.id;
    message.ask.order = request.head.order;
    message.ask.file = request.head.file;
    message.ask.text = request.text;
    control_send(control, wire_encode(&message, control->held, sizeof control->held));
}

void control_start(Control *control, Link *link)
{
    int fd = open("/dev/pms", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        say("the kernel has no control files");
    control->link = link;
    control->held_size = 0;
    control->watch = (Watch) { .fd = fd, .ready = control_ready, .user = control };
    watch_set(&control->watch, EPOLLIN);
}

void control_answer(Control *control, const WireMessage *message)
{
    struct {
        struct pms_answer head;
        char text[WIRE_ANSWER_MAX];
    } answer = { .head = { .id = message->answer.id, .error = (int32_t)message->answer.error } };
    size_t size = strlen(message->answer.text);

    memcpy(answer.text, message->answer.text, size);
    if (control->watch.fd >= 0 && write(control->watch.fd, &answer, sizeof answer.head + size) < 0)
        say("an answer from home was refused: %s", strerror(errno));
}

void control_writable(Control *control)
{
    if (control->held_size)
        control_send(control, control->held_size);
}
