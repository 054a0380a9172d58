/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipc.c - payloads of what processes say to one another: POSIX and System V memory, semaphores, queues; sockets; epoll */
#include "payload.h"

#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A name that no other run on this machine has. */
static const char *own_name(const char *what)
{
    static char name[64];

    snprintf(name, sizeof name, "/payload-%s-%d", what, getpid());
    return name;
}

CASE(posix_shared_memory)
{
    char name[64];
    size_t size = 256 * 1024;

    strcpy(name, own_name("shm"));
    for (uint64_t round = 0; more(); round++) {
        int fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
        char *at;
        pid_t child;

        MUST(fd >= 0);
        FAILS(EEXIST, shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600));
        MUST(ftruncate(fd, (off_t)size) == 0);
        at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        MUST(at != MAP_FAILED);
        child = fork();
        if (child == 0) {
            int again = shm_open(name, O_RDWR, 0);
            char *other = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);

            MUST(again >= 0 && other != MAP_FAILED);
            fill(other, size, round);
            _exit(0);
        }
        joined(child);
        MUST(is_filled(at, size, round));
        MUST(munmap(at, size) == 0 && close(fd) == 0);
        MUST(shm_unlink(name) == 0);
        FAILS(ENOENT, shm_open(name, O_RDWR, 0));
    }
}

CASE(posix_semaphores)
{
    char name[64];

    strcpy(name, own_name("sem"));
    while (more()) {
        sem_t *sem = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
        struct timespec past = { 1, 0 };
        pid_t child;
        int value;

        MUST(sem != SEM_FAILED);
        FAILS(EAGAIN, sem_trywait(sem));
        FAILS(ETIMEDOUT, sem_timedwait(sem, &past));
        child = fork();
        if (child == 0) {
            sem_t *other = sem_open(name, 0);

            MUST(other != SEM_FAILED);
            for (int i = 0; i < 50; i++)
                MUST(sem_post(other) == 0);
            _exit(0);
        }
        for (int i = 0; i < 50; i++)
            MUST(sem_wait(sem) == 0);
        joined(child);
        MUST(sem_getvalue(sem, &value) == 0 && value == 0);
        MUST(sem_close(sem) == 0 && sem_unlink(name) == 0);
    }
}

static volatile sig_atomic_t notified;

static void on_notice(int sig)
{
    (void)sig;
    notified = 1;
}

CASE(posix_message_queue)
{
    struct mq_attr attributes = { .mq_maxmsg = 5, .mq_msgsize = 64 };
    char name[64];

    strcpy(name, own_name("mq"));
    signal(SIGUSR1, on_notice);
    while (more()) {
        mqd_t queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0600, &attributes);
        struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
        unsigned priority;
        char text[64];

        MUST(queue != (mqd_t)-1);
        notified = 0;
        MUST(mq_notify(queue, &event) == 0);
        for (unsigned i = 0; i < 5; i++)
            MUST(mq_send(queue, (char *)&i, sizeof i, i % 3) == 0);
        FAILS(EAGAIN, mq_send(queue, "x", 1, 0));
        MUST(notified == 1);
        for (unsigned i = 0; i < 5; i++) {
            static const unsigned order[] = { 2, 1, 4, 0, 3 };

            MUST(mq_receive(queue, text, sizeof text, &priority) == sizeof i);
            MUST(memcmp(text, &order[i], sizeof i) == 0 && priority == order[i] % 3);
        }
        FAILS(EAGAIN, mq_receive(queue, text, sizeof text, &priority));
        MUST(mq_close(queue) == 0 && mq_unlink(name) == 0);
    }
}

CASE(sysv_shared_memory)
{
    while (more()) {
        int id = shmget(IPC_PRIVATE, 65536, IPC_CREAT | 0600);
        struct shmid_ds about;
        char *at;
        pid_t child;

        MUST(id >= 0);
        at = shmat(id, NULL, 0);
        MUST(at != (void *)-1);
        child = fork();
        if (child == 0) {
            fill(at, 65536, 23);
            _exit(0);
        }
        joined(child);
        MUST(is_filled(at, 65536, 23));
        MUST(shmctl(id, IPC_STAT, &about) == 0 && about.shm_nattch == 1 && about.shm_segsz == 65536);
        MUST(shmctl(id, IPC_RMID, NULL) == 0);
        MUST(is_filled(at, 65536, 23));
        MUST(shmdt(at) == 0);
        FAILS(EINVAL, shmctl(id, IPC_STAT, &about));
    }
}

static int sem_change(int id, int by, int flags)
{
    struct sembuf change = { 0, (short)by, (short)flags };

    return semop(id, &change, 1);
}

/* What a process took is given back when it is killed. */
CASE(sysv_semaphores)
{
    while (more()) {
        int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
        struct sembuf change = { 0, -1, 0 };
        struct timespec limit = { 0, 10000000 };
        pid_t child;

        MUST(id >= 0 && semctl(id, 0, SETVAL, 1) == 0);
        child = fork();
        if (child == 0) {
            MUST(sem_change(id, -1, SEM_UNDO) == 0);
            kill(getpid(), SIGKILL);
            pause();
        }
        MUST(WTERMSIG(wait_for(child)) == SIGKILL);
        MUST(semctl(id, 0, GETVAL) == 1);
        MUST(sem_change(id, -1, 0) == 0);
        FAILS(EAGAIN, sem_change(id, -1, IPC_NOWAIT));
        FAILS(EAGAIN, semtimedop(id, &change, 1, &limit));
        MUST(semctl(id, 0, GETPID) == getpid());
        MUST(semctl(id, 0, IPC_RMID) == 0);
    }
}

CASE(sysv_message_queue)
{
    struct { long type; char text[64]; } message;

    while (more()) {
        int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
        pid_t child;

        MUST(id >= 0);
        child = fork();
        if (child == 0) {
            for (int i = 0; i < 300; i++) {
                message.type = i % 2 + 1;
                snprintf(message.text, sizeof message.text, "%d", i);
                MUST(msgsnd(id, &message, sizeof message.text, 0) == 0);
            }
            _exit(0);
        }
        for (int i = 0; i < 300; i++) {
            char text[64];

            snprintf(text, sizeof text, "%d", i);
            MUST(msgrcv(id, &message, sizeof message.text, i % 2 + 1, 0) == sizeof message.text);
            MUST(strcmp(message.text, text) == 0);
        }
        joined(child);
        FAILS(ENOMSG, msgrcv(id, &message, sizeof message.text, 0, IPC_NOWAIT));
        MUST(msgctl(id, IPC_RMID, NULL) == 0);
    }
}

/* As long as a process waits for a key that another makes. */
CASE(sysv_keys)
{
    key_t key;

    write_file("key", "");
    while (more()) {
        int id, again;

        key = ftok("key", 'p');
        MUST(key != -1);
        id = shmget(key, 4096, IPC_CREAT | 0600);
        again = shmget(key, 0, 0);
        MUST(id >= 0 && id == again);
        MUST(ftok("key", 'p') == key);
        MUST(shmctl(id, IPC_RMID, NULL) == 0);
        FAILS(ENOENT, shmget(key, 0, 0));
    }
}

CASE(socket_pair_stream)
{
    static char bytes[100000], back[100000];

    while (more()) {
        int ends[2];
        pid_t child;

        MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        child = fork();
        if (child == 0) {
            close(ends[0]);
            while (read_all(ends[1], back, sizeof back))
                MUST(write_all(ends[1], back, sizeof back));
            _exit(0);
        }
        close(ends[1]);
        for (uint64_t i = 0; i < 5; i++) {
            fill(bytes, sizeof bytes, i);
            MUST(write_all(ends[0], bytes, sizeof bytes));
            MUST(read_all(ends[0], back, sizeof back));
            MUST(memcmp(bytes, back, sizeof back) == 0);
        }
        MUST(shutdown(ends[0], SHUT_WR) == 0);
        MUST(read(ends[0], back, 1) == 0);
        close(ends[0]);
        joined(child);
    }
}

CASE(socket_pair_messages)
{
    char text[200];

    while (more()) {
        int ends[2];

        MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
        for (int i = 1; i < 20; i++)
            MUST(send(ends[0], text, (size_t)i, 0) == i);
        for (int i = 1; i < 20; i++)
            MUST(recv(ends[1], text, sizeof text, 0) == i);
        FAILS(EAGAIN, recv(ends[1], text, sizeof text, MSG_DONTWAIT));
        MUST(close(ends[1]) == 0);
        FAILS(EPIPE, send(ends[0], text, 1, MSG_NOSIGNAL));
        close(ends[0]);
    }
}

static void send_fd(int through, int fd)
{
    union { struct cmsghdr header; char space[CMSG_SPACE(sizeof fd)]; } control = { 0 };
    struct iovec part = { (char *)"f", 1 };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control,
    };

    control.header = (struct cmsghdr) { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd) };
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    MUST(sendmsg(through, &message, 0) == 1);
}

static int receive_fd(int through)
{
    union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control = { 0 };
    char byte;
    struct iovec part = { &byte, 1 };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control,
    };
    int fd;

    MUST(recvmsg(through, &message, 0) == 1);
    MUST(message.msg_controllen >= sizeof control.header && control.header.cmsg_type == SCM_RIGHTS);
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    return fd;
}

/* An open file, with its place in it, goes to another process. */
CASE(files_through_sockets)
{
    write_file("passed", "0123456789");
    while (more()) {
        int ends[2], fd = open("passed", O_RDONLY);
        char text[4];
        pid_t child;

        MUST(fd >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        child = fork();
        if (child == 0) {
            int got = receive_fd(ends[1]);

            MUST(read(got, text, 4) == 4 && memcmp(text, "0123", 4) == 0);
            _exit(0);
        }
        send_fd(ends[0], fd);
        joined(child);
        MUST(read(fd, text, 4) == 4 && memcmp(text, "4567", 4) == 0);
        close(fd), close(ends[0]), close(ends[1]);
    }
}

static struct sockaddr_un abstract_name(socklen_t *size)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int length = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "payload-%d", getpid());

    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    return name;
}

CASE(abstract_sockets)
{
    while (more()) {
        int listener = socket(AF_UNIX, SOCK_STREAM, 0), near, far;
        socklen_t size, got;
        struct sockaddr_un name = abstract_name(&size), peer;
        struct ucred who;
        char text[8];

        MUST(listener >= 0 && bind(listener, (struct sockaddr *)&name, size) == 0 && listen(listener, 5) == 0);
        near = socket(AF_UNIX, SOCK_STREAM, 0);
        MUST(connect(near, (struct sockaddr *)&name, size) == 0);
        far = accept(listener, NULL, NULL);
        MUST(far >= 0 && write(near, "through", 7) == 7 && read(far, text, 7) == 7);
        got = sizeof who;
        MUST(getsockopt(far, SOL_SOCKET, SO_PEERCRED, &who, &got) == 0 && who.pid == getpid() && who.uid == getuid());
        got = sizeof peer;
        MUST(getpeername(near, (struct sockaddr *)&peer, &got) == 0 && got == size);
        close(near);
        MUST(read(far, text, 1) == 0);
        close(far), close(listener);
        near = socket(AF_UNIX, SOCK_STREAM, 0);
        FAILS(ECONNREFUSED, connect(near, (struct sockaddr *)&name, size));
        close(near);
    }
}

CASE(epoll_edges)
{
    while (more()) {
        int poller = epoll_create1(EPOLL_CLOEXEC), ends[2];
        struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = 77 }, got[4];

        MUST(poller >= 0 && pipe2(ends, O_NONBLOCK) == 0);
        MUST(epoll_ctl(poller, EPOLL_CTL_ADD, ends[0], &event) == 0);
        FAILS(EEXIST, epoll_ctl(poller, EPOLL_CTL_ADD, ends[0], &event));
        MUST(epoll_wait(poller, got, 4, 0) == 0);
        MUST(write(ends[1], "ab", 2) == 2);
        MUST(epoll_wait(poller, got, 4, -1) == 1 && got[0].data.u64 == 77 && got[0].events == EPOLLIN);
        MUST(epoll_wait(poller, got, 4, 0) == 0);
        MUST(write(ends[1], "c", 1) == 1);
        MUST(epoll_wait(poller, got, 4, 0) == 1);
        event.events = EPOLLIN | EPOLLONESHOT;
        MUST(epoll_ctl(poller, EPOLL_CTL_MOD, ends[0], &event) == 0);
        MUST(epoll_wait(poller, got, 4, 0) == 1 && epoll_wait(poller, got, 4, 0) == 0);
        close(ends[1]);
        event.events = EPOLLIN;
        MUST(epoll_ctl(poller, EPOLL_CTL_MOD, ends[0], &event) == 0);
        MUST(epoll_wait(poller, got, 4, 0) == 1 && got[0].events == (EPOLLIN | EPOLLHUP));
        close(ends[0]), close(poller);
    }
}

/* Event loops know a plain file by this, and read it in another way; poll and select find it always ready. */
CASE(epoll_of_files)
{
    while (more()) {
        int poller = epoll_create1(EPOLL_CLOEXEC), fd = open("polled", O_CREAT | O_RDWR, 0644);
        int folder = open(".", O_RDONLY | O_DIRECTORY);
        struct epoll_event event = { .events = EPOLLIN };
        struct pollfd one = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI };

        MUST(poller >= 0 && fd >= 0 && folder >= 0);
        FAILS(EPERM, epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event));
        FAILS(EPERM, epoll_ctl(poller, EPOLL_CTL_ADD, folder, &event));
        MUST(poll(&one, 1, -1) == 1 && one.revents == (POLLIN | POLLOUT));
        MUST(close(fd) == 0 && close(folder) == 0 && close(poller) == 0 && unlink("polled") == 0);
    }
}
